"""An event loop whose time is virtual: when nothing is ready, it jumps to the next timer instead of waiting."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVarTuple, Unpack

_Arguments = TypeVarTuple("_Arguments")


class _SkippingSelector(selectors.DefaultSelector):
    """Never blocks while time can be skipped."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0 or self.loop.outside:
            if timeout is not None and timeout > 0:
                timeout = 0.05
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self.loop.skip(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Time stands still while threads work, and jumps when there is nothing to do but wait.

    Attributes:
        outside: Work in threads that the loop waits for; time does not pass meanwhile.
    """

    _clock_resolution: float  # asyncio's

    def __init__(self, *, start: float = 1_700_000_000.0) -> None:
        self._now = 0.0
        self._start = start
        self.outside = 0
        selector = _SkippingSelector()
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        """Seconds since the loop was made, in virtual time."""
        return self._now

    def skip(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
        # A timer fires within the clock's resolution. Were that less than numbers so large can tell apart, one that is
        # due would never be: after 194 days.
        self._clock_resolution = max(self._clock_resolution, 2 * math.ulp(self._now))

    def milliseconds(self) -> int:
        """Virtual milliseconds since the epoch."""
        return round((self._start + self._now) * 1000)

    def run_in_executor(
        self, executor: Executor | None, function: Callable[[Unpack[_Arguments]], Any], *args: *_Arguments
    ) -> asyncio.Future[Any]:
        """As in asyncio; time stands still until the thread is done."""
        self.outside += 1
        future = super().run_in_executor(executor, function, *args)
        future.add_done_callback(self._came_back)
        return future

    def _came_back(self, _: asyncio.Future[Any]) -> None:
        self.outside -= 1
