"""One at a time: executors, updates and queries of one workflow in one process take turns.

Between processes the append is the fence. Within one, racing would only cost replays: whoever lost, or found the run
taken by another, would have to read the history and run it all again. Who works on a run and waits, for an activity or
a timer, is told when somebody else wants the run, and lets go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Turn:
    """Who works on a workflow, and who wants to.

    Attributes:
        waiting: How many others wait for their turn.
        on_wanted: Called when one more does, or when there is a message.
    """

    waiting: int = 0
    on_wanted: Callable[[], object] | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Turns:
    """The turns of all workflows in this process."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    def tell(self, workflow_id: str) -> None:
        """Have whoever works on a workflow, and waits, look at it again: there is a message."""
        turn = self._turns.get(workflow_id)
        if turn is not None and turn.on_wanted is not None:
            turn.on_wanted()

    @asynccontextmanager
    async def of(self, workflow_id: str) -> AsyncIterator[Turn]:
        """Wait for a turn, and have it."""
        turn = self._turns.setdefault(workflow_id, Turn())
        turn.waiting += 1
        if turn.on_wanted is not None:
            turn.on_wanted()
        try:
            await turn._lock.acquire()
        finally:
            turn.waiting -= 1
        try:
            yield turn
        finally:
            turn.on_wanted = None
            turn._lock.release()
            if not turn.waiting:
                self._turns.pop(workflow_id, None)
