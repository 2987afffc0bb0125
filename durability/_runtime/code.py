"""Where workflow code runs: in the event loop's thread, or in threads of its own.

A function does one thing at a time, so workflow code may hold its event loop up. A worker shares the process of its
user: there, code that blocks or computes for long must not keep anybody else waiting, whoever wrote it.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from durability._core.deadlock import DEFAULT_LIMIT, DeadlockDetector, DeadlockError
from durability._core.run import Run

logger = logging.getLogger("durability.worker")

_T = TypeVar("_T")
_AT_ONCE: Final = 0.01
"""Seconds for which the event loop waits for code: nearly all of it is done by then, and nothing else came between."""
_LOOK: Final = DEFAULT_LIMIT / 8
"""Seconds between two looks at code that is not."""


class CodeRunner(Protocol):
    """Runs workflow code."""

    async def call(self, run: Run, work: Callable[[], _T]) -> _T:
        """Have a run's code do something.

        Raises:
            DeadlockError: It does not end. The run must be dropped.
            Exception: What ``work`` raised.
        """

    def close(self, run: Run) -> None:
        """Let go of a run: its code is told, and may clean up."""

    def end(self) -> None:
        """Release what this took; nothing runs any more."""


class InPlace:
    """Runs it right here. See ``CodeRunner``."""

    async def call(self, run: Run, work: Callable[[], _T]) -> _T:
        """See ``CodeRunner.call``."""
        return work()

    def close(self, run: Run) -> None:
        """See ``CodeRunner.close``."""
        run.close()

    def end(self) -> None:
        """See ``CodeRunner.end``; nothing was taken."""


class InThreads:
    """Runs it in threads, one run in one thread at a time. See ``CodeRunner``."""

    def __init__(
        self, threads: int, detector: DeadlockDetector | None, *, executor: ThreadPoolExecutor | None = None
    ) -> None:
        """Create the runner.

        Args:
            threads: Most threads; code that is stuck keeps its own.
            detector: Watches the code; None if it may take its time.
            executor: Where threads come from; by default they are the runner's own. So they are if it belongs to an
                event loop, as trio-asyncio's, and gives coroutines in place of futures.
        """
        self._owns_executor = executor is None or inspect.iscoroutinefunction(executor.submit)
        if executor is None or self._owns_executor:
            executor = ThreadPoolExecutor(threads, thread_name_prefix="temporal_workflow")
        self._executor = executor
        self._detector = detector
        self._stuck: dict[Run, Future[Any]] = {}
        self._errors: dict[str, DeadlockError] = {}
        """By run id: what is wrong with code that has not come back yet."""

    async def call(self, run: Run, work: Callable[[], _T]) -> _T:
        """See ``CodeRunner.call``."""
        if run.run_id in self._errors:
            # Another attempt at its workflow task would be stuck as well, and take one more thread from the others.
            raise self._errors[run.run_id].with_traceback(None)
        thread: list[int] = []

        def begin() -> _T:
            thread.append(threading.get_ident())
            return work()

        future = self._executor.submit(contextvars.copy_context().run, begin)
        try:
            return future.result(_AT_ONCE)
        except TimeoutError:
            if future.done():
                return future.result()  # it is the code's own error, or the code has ended by now
        ended = asyncio.wrap_future(future)
        ended.add_done_callback(lambda done: done.cancelled() or done.exception())
        while not future.done():
            await asyncio.wait([ended], timeout=_LOOK)
            error = self._detector.blocked(thread[0]) if self._detector is not None and thread else None
            if error is not None and not future.done():
                self._stuck[run] = future
                self._errors[run.run_id] = error
                future.add_done_callback(lambda _: self._errors.pop(run.run_id, None))
                raise error
        return future.result()

    def close(self, run: Run) -> None:
        """See ``CodeRunner.close``. What is stuck is closed when its thread comes back."""
        stuck = self._stuck.pop(run, None)
        if stuck is not None:
            stuck.add_done_callback(lambda _: self._submit(run.close))
            return
        future = self._submit(run.close)
        if future is None:
            return
        try:
            future.result(_AT_ONCE)
        except TimeoutError:
            if self._detector is not None and not future.done():
                asyncio.get_running_loop().call_later(DEFAULT_LIMIT, _complain, run, future)

    def end(self) -> None:
        """See ``CodeRunner.end``. A thread that is stuck ends with its code."""
        if self._owns_executor:
            self._executor.shutdown(wait=False)

    def _submit(self, work: Callable[[], None]) -> Future[None] | None:
        with suppress(RuntimeError):  # the worker has shut down, and nothing waits for this
            return self._executor.submit(work)
        return None


def _complain(run: Run, closing: Future[None]) -> None:
    if not closing.done():
        logger.error(
            "Timed out running eviction job for run ID %s of workflow %r: its code goes on although it was told to end "
            "and keeps a thread. It catches BaseException, or CancelledError in a loop; let them through",
            run.run_id,
            run.workflow_id,
        )
