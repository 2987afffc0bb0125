"""Heartbeats, recorded as often as it takes and not as often as an activity reports.

The intervals are those of Temporal's workers: four fifths of the heartbeat timeout, or half a minute without one, and
never more than a minute. The first heartbeat is recorded at once, the newest one at the end of every interval, and what
is left when an attempt fails, so that the next attempt finds it. With a heartbeat comes the news of a cancellation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from durability._core.payload import Payload
from durability._runtime.ports import Clock, Sleep
from durability._runtime.settings import Settings

logger = logging.getLogger("durability.runtime")


def interval_of(heartbeat_timeout: int, settings: Settings) -> int:
    """The time between two recorded heartbeats, in milliseconds, as ``heartbeat_timeout`` is; 0 for no timeout."""
    wanted = heartbeat_timeout * 4 // 5 if heartbeat_timeout else settings.heartbeat_interval
    return min(wanted, settings.longest_heartbeat_interval)


@dataclass(slots=True)
class Heartbeats:
    """The heartbeats of one attempt.

    Attributes:
        record: Writes one down.
        interval: Milliseconds between two of them.
    """

    record: Callable[[list[Payload]], Awaitable[None]]
    interval: int
    clock: Clock
    sleep: Sleep
    _recorded: int | None = None
    _newest: list[Payload] | None = None
    _later: asyncio.Task[None] | None = None
    _waiting: bool = True

    async def beat(self, details: list[Payload]) -> None:
        """Take a heartbeat. Raises what recording it raises, if it is recorded now."""
        now = self.clock()
        self._newest = details
        if self._recorded is None or now - self._recorded >= self.interval:
            await self.flush()
        elif self._later is None:
            self._later = asyncio.create_task(self._record_later(self._recorded + self.interval - now))

    async def flush(self) -> None:
        """Record the newest heartbeat unless it is recorded."""
        if self._newest is not None:
            details, self._newest = self._newest, None
            self._recorded = self.clock()
            await self.record(details)

    async def end(self) -> None:
        """Record nothing more; what is being recorded is waited for, as nothing may go on after the attempt."""
        if self._later is not None:
            if self._waiting:
                self._later.cancel()
            await asyncio.wait([self._later])

    def drop(self) -> None:
        """Record nothing more, not even what is being recorded."""
        if self._later is not None:
            self._later.cancel()

    async def _record_later(self, milliseconds: int) -> None:
        self._waiting = True
        await self.sleep(milliseconds / 1000)
        self._waiting = False
        try:
            await self.flush()
        except Exception as error:
            logger.warning("a heartbeat could not be recorded: %r", error)
        finally:
            self._later = None
