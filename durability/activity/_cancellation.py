"""How an activity learns that it is to stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ActivityCancellationDetails:
    """Why an activity is cancelled.

    Attributes:
        not_found: Its workflow is closed, or the attempt is not the current one any more.
        cancel_requested: The workflow, or a client, asked for it.
        paused: The activity was paused.
        reset: The activity was reset.
        timed_out: It exceeded one of its timeouts.
        worker_shutdown: The process that runs it is about to end.
    """

    not_found: bool = False
    cancel_requested: bool = False
    paused: bool = False
    reset: bool = False
    timed_out: bool = False
    worker_shutdown: bool = False


NOT_FOUND: Final = ActivityCancellationDetails(not_found=True)
"""What an attempt hears, with a heartbeat, that nobody waits for any more."""


class Cancellation:
    """Lets whoever runs an activity cancel it. Used from the event loop's thread only."""

    __slots__ = ("_listener", "details")

    def __init__(self) -> None:
        self.details: ActivityCancellationDetails | None = None
        self._listener: Callable[[ActivityCancellationDetails], None] | None = None

    def request(self, details: ActivityCancellationDetails | None = None) -> None:
        """Cancel the activity. The first request counts, further ones have no effect.

        Args:
            details: Why; a request by the workflow by default.
        """
        if self.details is not None:
            return
        self.details = details or ActivityCancellationDetails(cancel_requested=True)
        if self._listener is not None:
            self._listener(self.details)

    def listen(self, listener: Callable[[ActivityCancellationDetails], None]) -> None:
        """Call ``listener`` on the first request, at once if it has been made already."""
        self._listener = listener
        if self.details is not None:
            listener(self.details)


class Flag:
    """An event that threads and coroutines can wait for. Set in the event loop's thread.

    Most flags are never waited for, so that what waiting needs is made on demand.
    """

    __slots__ = ("_for_coroutines", "_for_threads", "_is_set", "_mirrors")

    _lock = threading.Lock()

    def __init__(self) -> None:
        self._is_set = False
        self._for_threads: threading.Event | None = None
        self._for_coroutines: asyncio.Event | None = None
        self._mirrors: tuple[threading.Event, ...] = ()

    def set(self) -> None:
        with self._lock:
            self._is_set = True
        for mirror in self._mirrors:
            mirror.set()
        if self._for_threads is not None:
            self._for_threads.set()
        if self._for_coroutines is not None:
            self._for_coroutines.set()

    def mirror(self, event: threading.Event) -> threading.Event:
        """Have another event set together with this flag; returns it."""
        with self._lock:
            self._mirrors += (event,)
        if self._is_set:
            event.set()
        return event

    def forget(self, event: threading.Event) -> None:
        """Take ``mirror`` back."""
        with self._lock:
            self._mirrors = tuple(other for other in self._mirrors if other is not event)

    def is_set(self) -> bool:
        return self._is_set

    async def wait(self) -> None:
        if not self._is_set:
            self._for_coroutines = self._for_coroutines or asyncio.Event()
            await self._for_coroutines.wait()

    def wait_sync(self, timeout: float | None) -> None:
        with self._lock:
            if self._is_set:
                return
            self._for_threads = self._for_threads or threading.Event()
        self._for_threads.wait(timeout)
