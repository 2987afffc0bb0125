"""The clock of an environment in memory: real time, which may also be skipped while there is nothing to do.

It lives in whatever event loop its user runs, unlike ``VirtualTimeLoop``, which is a loop of its own. Everything that
waits in the environment waits here, so that skipping knows what comes next.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

_SETTLING: Final = 5
"""Turns of the event loop without work before time is skipped: code that was just woken may have something to do."""


class Relevance(Enum):
    """What a wake-up means for skipping time."""

    NEEDED = 1
    """Time may be skipped up to it."""
    STALE = 2
    """Nobody needs it any more."""
    HELD = 3
    """It comes in its own time, and nothing is skipped before."""
    IDLE = 4
    """Nobody waits for it now, but it must come in its time: somebody may rely on it by then."""


@dataclass(order=True, slots=True)
class _Entry:
    due: int
    number: int
    call: Callable[[], None] | None = field(compare=False)
    relevance: Callable[[], Relevance] = field(compare=False)


class EnvironmentClock:
    """Milliseconds since the epoch when called.

    Time is skipped only while somebody has unlocked that and no work is under way.

    Attributes:
        held: Asked before time is skipped whether something is under way that is not done here.
        resting: Asked how much of the work under way does nothing but wait for this clock.
    """

    def __init__(self) -> None:
        self._base: Final = time.time_ns() - time.monotonic_ns()
        self._skipped = 0
        self._unlocked = 0
        self._working = 0
        self._numbers = itertools.count()
        self._entries: list[_Entry] = []
        self._timer: asyncio.TimerHandle | None = None
        self._settling = False
        self.held: Callable[[], bool] = lambda: False
        self.resting: Callable[[], int] = lambda: 0

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        return (self._base + time.monotonic_ns()) // 1_000_000 + self._skipped

    # --- waiting ----------------------------------------------------------------------------------------------------

    def at(
        self, due: int, call: Callable[[], None], relevance: Callable[[], Relevance] = lambda: Relevance.NEEDED
    ) -> Callable[[], None]:
        """Call ``call`` when ``due`` (milliseconds since the epoch) has come. Returns what takes that back."""
        entry = _Entry(due, next(self._numbers), call, relevance)
        heapq.heappush(self._entries, entry)
        if self._entries[0] is entry:
            self._arm()
        self.consider_skipping()

        def cancel() -> None:
            entry.call = None

        return cancel

    async def sleep(self, seconds: float) -> None:
        """Wait for some seconds of this clock."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        cancel = self.at(self() + round(seconds * 1000), lambda: None if over.done() else over.set_result(None))
        try:
            await over
        finally:
            cancel()

    def close(self) -> None:
        """Forget everything that waits."""
        self._entries.clear()
        if self._timer is not None:
            self._timer.cancel()

    # --- skipping ---------------------------------------------------------------------------------------------------

    def unlock(self) -> None:
        """Allow time to be skipped, until ``lock`` has been called as often."""
        self._unlocked += 1
        self.consider_skipping()

    def lock(self) -> None:
        """Take one ``unlock`` back."""
        self._unlocked -= 1

    def begin_work(self) -> None:
        """Something is being done: no time is skipped until ``end_work`` has been called as often."""
        self._working += 1

    def end_work(self) -> None:
        """Something was done."""
        self._working -= 1
        self.consider_skipping()

    def _may_skip(self) -> bool:
        idle = self._working == 0 or self._working == self.resting()
        return self._unlocked > 0 and idle and bool(self._entries)

    def consider_skipping(self) -> None:
        """Skip time if there is nothing to do any more."""
        if not self._settling and self._may_skip():
            self._settling = True
            asyncio.get_running_loop().call_soon(self._settle, _SETTLING)

    def _settle(self, turns: int) -> None:
        if turns and self._may_skip():
            asyncio.get_running_loop().call_soon(self._settle, turns - 1)
            return
        self._settling = False
        if self._may_skip():
            self._skip()

    def _skip(self) -> None:
        if self.held():
            return
        idle: list[_Entry] = []
        needed: _Entry | None = None
        while self._entries:
            entry = self._entries[0]
            relevance = entry.relevance() if entry.call is not None else Relevance.STALE
            if relevance is Relevance.NEEDED:
                needed = entry
            if relevance in (Relevance.NEEDED, Relevance.HELD):
                break
            heapq.heappop(self._entries)
            if relevance is Relevance.IDLE:
                idle.append(entry)
        for entry in idle:
            heapq.heappush(self._entries, entry)
        if needed is not None:
            self._skipped += max(0, needed.due - self())
            self._fire()

    def _fire(self) -> None:
        now = self()
        while self._entries and self._entries[0].due <= now:
            entry = heapq.heappop(self._entries)
            if entry.call is not None:
                entry.call()
        self._arm()
        self.consider_skipping()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._entries:
            delay = max(0, self._entries[0].due - self()) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self._fire)
