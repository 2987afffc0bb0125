"""The Lambda handlers: event shapes in, tasks out.

Batches answer with partial failures, so that one message that failed does not bring the others back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from durability._aws.queues import decode_attempt, decode_wake_up
from durability._runtime import direct
from durability._runtime.workflow_task import execute

if TYPE_CHECKING:
    from durability._runtime.engine import Engine

logger = logging.getLogger("durability.functions")

SWEEP_RESERVE = 20_000
"""Milliseconds of the reconciler's invocation that are kept free when it deletes runs."""

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Handler = Callable[[Any, Any], Any]


def workflow_handler(engine: Engine, run: Run) -> Handler:
    """The workflow function: wake-ups from its queue, or one query or update by direct invocation."""

    async def handle(event: dict[str, Any], deadline: int) -> Any:
        answer = await direct.answer(engine, event, deadline=deadline)
        if answer is not None:
            return answer

        async def one(body: str) -> None:
            wake_up = decode_wake_up(body)
            if await engine.routes.elsewhere(wake_up.task_queue, "workflow"):
                # A worker has registered the task queue since: what was sent before goes on to it.
                await engine.wake_ups.at(wake_up, engine.clock())
            else:
                await execute(engine, wake_up, deadline=deadline)

        return await _batch(event, one)

    return lambda event, context: run(handle(event, _deadline(engine, context)))


def activity_handler(engine: Engine, run: Run) -> Handler:
    """The activity function: attempts from its queue."""
    from durability._runtime.activity_task import execute_attempt

    async def handle(event: dict[str, Any]) -> Any:
        async def one(body: str) -> None:
            attempt = decode_attempt(body)
            if await engine.routes.elsewhere(attempt.task_queue, "activity"):
                delay = max(0, attempt.due - engine.clock())
                await engine.queue.send_activities([attempt], delay=min(delay, engine.settings.queue_delay))
            else:
                await execute_attempt(engine, attempt)

        return await _batch(event, one)

    return lambda event, context: run(handle(event))


def reconciler_handler(engine: Engine, run: Run) -> Handler:
    """The reconciler: invoked by a schedule, whatever the event says."""
    from durability._runtime.reconciler import reconcile

    async def handle(deadline: int) -> dict[str, int]:
        done = {"woken": await reconcile(engine)}
        if engine.settings.retention:
            from durability._runtime.retention import sweep

            done["deleted"] = await sweep(engine, until=deadline - SWEEP_RESERVE)
        return done

    return lambda event, context: run(handle(_deadline(engine, context)))


async def _batch(event: dict[str, Any], work: Callable[[str], Awaitable[None]]) -> dict[str, Any]:
    """Do the work of every record; name those that failed, to have them delivered again."""
    records = event["Records"]
    outcomes = await asyncio.gather(*(work(record["body"]) for record in records), return_exceptions=True)
    failures = []
    for record, outcome in zip(records, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            logger.error("message %s failed and will come again", record["messageId"], exc_info=outcome)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _deadline(engine: Engine, context: Any) -> int:
    return engine.clock() + int(context.get_remaining_time_in_millis())
