"""Queries and updates on their way to the process that serves the workflow, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from durability._runtime import queries, updates
from durability.service import RPCStatusCode

if TYPE_CHECKING:
    from durability._runtime.engine import Engine

ELSEWHERE_KEY: Final = "durability_elsewhere"


class ServedElsewhereError(Exception):
    """The workflow is of a task queue that another process serves."""

    def __init__(self, task_queue: str) -> None:
        super().__init__(task_queue)
        self.task_queue = task_queue


async def answer(engine: Engine, event: dict[str, Any], *, deadline: int) -> dict[str, str] | None:
    """Answer a direct invocation; None for an event that is none."""
    try:
        return await _answer(engine, event, deadline)
    except ServedElsewhereError as error:
        return {ELSEWHERE_KEY: error.task_queue}


def shortened(event: dict[str, Any], answer: dict[str, str], size: int, limit: int) -> dict[str, str]:
    """What to answer to a direct invocation whose answer does not fit where it has to be laid down."""
    if updates.EVENT_KEY in event and (accepted := updates.without_result(answer)) is not None:
        return accepted
    error = (
        f"the answer has {size:,} bytes, and a worker lays it down in an item of the table, which holds {limit:,}: "
        "return less, or have a deployment's function serve the task queue"
    )
    status = int(RPCStatusCode.RESOURCE_EXHAUSTED)
    if queries.EVENT_KEY in event:
        return queries.encode_answer(queries.QueryAnswer(error=error, status=status))
    return updates.encode_answer(updates.UpdateAnswer(error=error, status=status))


def elsewhere(answer: bytes) -> str | None:
    """The task queue that an answer points to instead of answering; None if it answers."""
    decoded = json.loads(answer)
    return decoded.get(ELSEWHERE_KEY) if isinstance(decoded, dict) else None


async def check_here(engine: Engine, task_queue: str) -> None:
    """Raise ServedElsewhereError for a workflow that is not this process's business."""
    if await engine.routes.elsewhere(task_queue, "workflow"):
        raise ServedElsewhereError(task_queue)


async def _answer(engine: Engine, event: dict[str, Any], deadline: int) -> dict[str, str] | None:
    if queries.EVENT_KEY in event:
        from durability._runtime.query_task import answer as answer_query

        return queries.encode_answer(await answer_query(engine, queries.decode(event), deadline=deadline))
    if updates.EVENT_KEY in event:
        from durability._runtime.update_task import answer as answer_update

        return updates.encode_answer(await answer_update(engine, updates.decode(event), deadline=deadline))
    return None
