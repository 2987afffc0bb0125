"""Finding workflow code that does not yield.

A watcher thread looks at activations from outside: one that takes longer than the limit is interrupted by an
exception, at the line where it is. It is a diagnosis, not part of what an activation decides.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from types import FrameType
from typing import Final

DEFAULT_LIMIT: Final = 2.0
"""Seconds; what Temporal's Python worker allows (``worker/_workflow.py``)."""
_IDLE: Final = 5.0
"""Seconds for which the thread outlives the last activation."""
_LOOKS: Final = 8
"""How often within the limit the thread looks."""


class DeadlockError(Exception):
    """Workflow code ran for too long without yielding, because it loops or blocks."""


class _Interrupt(BaseException):
    """Thrown into the thread that does not yield; a BaseException, so that user code does not swallow it."""


class DeadlockDetector:
    """Watches activations; share one in a process."""

    def __init__(self, limit: float = DEFAULT_LIMIT) -> None:
        """Create the detector.

        Args:
            limit: Seconds that an activation may take.
        """
        self._limit = limit
        self._lock = threading.RLock()  # garbage may be collected, and so any code run, while it is held
        self._watched: dict[int, tuple[float, str]] = {}
        self._found: dict[int, tuple[str, str]] = {}
        self._running = False

    @contextmanager
    def watch(self, what: str) -> Iterator[None]:
        """Watch a block of code of this thread.

        Args:
            what: What runs, for the message.

        Raises:
            DeadlockError: The block took longer than the limit; the error's note names the line where it was.
        """
        thread = threading.get_ident()
        error: DeadlockError | None = None
        self._begin(thread, what)
        try:
            try:
                yield
            finally:
                error = self._end(thread)
        except _Interrupt:
            # Thrown into the block, or into the end of it when that came just then; there is no second one.
            error = error or self._end(thread)
        if error is not None:
            # A blocking call cannot be interrupted: it did yield in the end, but only after the limit.
            raise error from None

    def blocked(self, thread: int) -> DeadlockError | None:
        """What is wrong with a thread that runs a watched block, has been interrupted, and does not come back."""
        with self._lock:
            found = self._found.get(thread)
        return self._error(*found) if found is not None else None

    def _error(self, what: str, place: str) -> DeadlockError:
        error = DeadlockError(
            f"[TMPRL1101] Potential deadlock detected: workflow didn't yield within {self._limit:g} second(s)."
        )
        error.add_note(
            f"Code of workflow {what!r} must not block or compute at length; do that in an activity. "
            f"It was here:\n{place}"
        )
        return error

    def _begin(self, thread: int, what: str) -> None:
        with self._lock:
            self._watched[thread] = monotonic() + self._limit, what
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="durability-deadlock-detector", daemon=True).start()

    def _end(self, thread: int) -> DeadlockError | None:
        with self._lock:
            self._watched.pop(thread, None)
            found = self._found.pop(thread, None)
            if found is not None:
                # Not to be delivered any more, if it was not.
                _throw(thread, None)
        return self._error(*found) if found is not None else None

    def _run(self) -> None:
        # It looks now and then instead of being woken: an activation must not pay for a thread switch.
        idle_since = monotonic()
        while True:
            sleep(self._limit / _LOOKS)
            now = monotonic()
            with self._lock:
                if self._watched:
                    idle_since = now
                elif now - idle_since > _IDLE:
                    self._running = False
                    return
                for thread in [thread for thread, (deadline, _) in self._watched.items() if deadline <= now]:
                    self._interrupt(thread)

    def _interrupt(self, thread: int) -> None:
        _, what = self._watched.pop(thread)
        frame = sys._current_frames().get(thread)
        self._found[thread] = what, _describe(frame) or "(unknown)"
        _throw(thread, _Interrupt)


def _describe(frame: FrameType | None) -> str:
    return "".join(traceback.format_stack(frame)[-6:]) if frame is not None else ""


def _throw(thread: int, exception: type[BaseException] | None) -> None:
    """Have a thread raise an exception as soon as it executes Python code; None takes one back."""
    target = ctypes.py_object(exception) if exception is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), target)
