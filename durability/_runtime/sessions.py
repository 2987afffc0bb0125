"""Runs that this process holds, so that the next workflow task need not read and replay them again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from durability._core.run import Run


class Sessions:
    """The runs least recently used go first. A run is taken out while somebody works on it.

    Attributes:
        limit: Most runs that are held.
        on_drop: Lets go of a run.
    """

    def __init__(self, limit: int = 100) -> None:
        self.limit = limit
        self.on_drop: Callable[[Run], None] = Run.close
        self._runs: OrderedDict[tuple[str, str], Run] = OrderedDict()

    def take(self, workflow_id: str, run_id: str) -> Run | None:
        """Remove and return a held run."""
        return self._runs.pop((workflow_id, run_id), None)

    def put(self, run: Run) -> None:
        """Hold a run that stands at a released delta."""
        previous = self._runs.pop((run.workflow_id, run.run_id), None)
        if previous is not None:
            self.on_drop(previous)
        self._runs[run.workflow_id, run.run_id] = run
        while len(self._runs) > self.limit:
            self.on_drop(self._runs.popitem(last=False)[1])

    def clear(self) -> None:
        """Let go of everything."""
        while self._runs:
            self.on_drop(self._runs.popitem()[1])
