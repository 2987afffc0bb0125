"""Direct invocations of the workflow function: queries and updates."""

from __future__ import annotations

from typing import Any

from durability._runtime import queries, updates
from durability._runtime.engine import Engine


async def answer(engine: Engine, event: dict[str, Any], *, deadline: int) -> dict[str, str] | None:
    """Answer a direct invocation; None for an event that is none."""
    if queries.EVENT_KEY in event:
        from durability._runtime.query_task import answer as answer_query

        return queries.encode_answer(await answer_query(engine, queries.decode(event)))
    if updates.EVENT_KEY in event:
        from durability._runtime.update_task import answer as answer_update

        return updates.encode_answer(await answer_update(engine, updates.decode(event), deadline=deadline))
    return None
