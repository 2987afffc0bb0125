"""Deleting runs that have been closed for long enough."""

from __future__ import annotations

from typing import Final

from durability._runtime.engine import Engine
from durability._runtime.frontend import ListFilter, Status
from durability._runtime.ports import Head
from durability._runtime.together import together

_AT_A_TIME: Final = 8
_PAGE: Final = 100


async def sweep(engine: Engine, *, until: int) -> int:
    """Delete runs that closed longer than ``Settings.retention`` ago. Returns how many.

    They are found by their start, as no index knows when runs ended: a run cannot have ended before it began.

    Args:
        engine: The engine.
        until: When to stop and leave the rest to the next round, in milliseconds since the epoch.
    """
    cutoff = engine.clock() - engine.settings.retention
    deleted = 0
    for status in Status:
        if status == Status.RUNNING:
            continue
        chosen = ListFilter(status=int(status), started_before=cutoff + 1, page_size=_PAGE)
        while engine.clock() < until:
            heads, chosen.page_token = await engine.store.list_runs(engine.namespace, chosen)
            due = [head for head in heads if head.close_time <= cutoff]
            for start in range(0, len(due), _AT_A_TIME):
                gone = await together(_delete(engine, head) for head in due[start : start + _AT_A_TIME])
                deleted += sum(gone)
            if not chosen.page_token:
                break
    return deleted


async def _delete(engine: Engine, head: Head) -> bool:
    key, run_id = head.key, head.run_id
    return await engine.store.delete(key, run_id, lambda: engine.large.forget(key.namespace, run_id))
