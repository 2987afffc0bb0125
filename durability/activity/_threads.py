"""Cancellation of code that runs in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from durability.exceptions import CancelledError


class ThreadCanceller:
    """Raises ``CancelledError`` inside a function that runs in another thread.

    CPython delivers such an exception between two bytecodes: a call that blocks is not interrupted, the exception
    comes when it returns.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._pending = False
        self._raised = False
        self._shields = 0

    def cancel(self) -> None:
        """Raise as soon as the function runs and no shield is up."""
        with self._lock:
            if self._thread is None or self._shields:
                self._pending = True
            else:
                self._raised = True
                _set_asynchronous_exception(self._thread, CancelledError)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Mark the part of this thread's work that may be interrupted."""
        thread = threading.get_ident()
        with self._lock:
            self._thread = thread
        try:
            self._raise_if_pending()
            yield
        finally:
            with self._lock:
                self._thread = None
                if self._raised:  # one that is not delivered by now would hit the thread pool instead
                    _set_asynchronous_exception(thread, None)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Put a cancellation off to the end of the block."""
        with self._lock:
            self._shields += 1
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1
            self._raise_if_pending()

    def _raise_if_pending(self) -> None:
        with self._lock:
            if not self._pending or self._shields:
                return
            self._pending = False
        raise CancelledError


def _set_asynchronous_exception(thread: int, exception: type[BaseException] | None) -> None:
    import ctypes

    target = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), target)
