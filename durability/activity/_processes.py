"""Activities in processes of their own: what crosses the boundary, and how."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from durability.activity._cancellation import Flag
from durability.activity._context import Context, Info, current_context
from durability.converter import PayloadConverter

if TYPE_CHECKING:
    from multiprocessing.managers import SyncManager

logger = logging.getLogger("durability.activity")

_QUEUED_HEARTBEATS: Final = 1000
_IDLE: Final = 0.5
"""Seconds without a heartbeat after which the poller looks whether anybody is left to send one."""
_SENT_WITHIN: Final = 30.0
"""Seconds that a heartbeat waits for room in the queue."""


class SharedHeartbeatSender(ABC):
    """Sends heartbeats from another process, into which it is pickled."""

    @abstractmethod
    def send_heartbeat(self, task_token: bytes, *details: Any) -> None:
        """Send a heartbeat.

        Args:
            task_token: Names the attempt.
            details: How far it has come.
        """


class SharedStateManager(ABC):
    """What activities in other processes need: events and a way back for heartbeats. Workers may share one."""

    @staticmethod
    def create_from_multiprocessing(
        mgr: SyncManager, queue_poller_executor: Executor | None = None
    ) -> SharedStateManager:
        """Create one from a manager of ``multiprocessing``.

        Args:
            mgr: Such as ``multiprocessing.Manager()``.
            queue_poller_executor: Where heartbeats are waited for, in a thread; one of its own by default.
        """
        poller = queue_poller_executor or ThreadPoolExecutor(1, thread_name_prefix="durability-heartbeats")
        return _MultiprocessingStateManager(mgr, poller)

    @abstractmethod
    def new_event(self) -> threading.Event:
        """Create an event that other processes see."""

    @abstractmethod
    async def register_heartbeater(self, task_token: bytes, heartbeat: Callable[..., None]) -> SharedHeartbeatSender:
        """Have the heartbeats of an attempt call a function.

        Args:
            task_token: Names the attempt.
            heartbeat: The function; called in a thread.

        Returns:
            What the other process sends with.
        """

    @abstractmethod
    async def unregister_heartbeater(self, task_token: bytes) -> None:
        """End that, when all heartbeats that were sent have been passed on.

        Args:
            task_token: Names the attempt.
        """


@dataclass
class _QueueSender(SharedHeartbeatSender):
    queue: queue.Queue[tuple[bytes, Sequence[Any] | None]]

    def send_heartbeat(self, task_token: bytes, *details: Any) -> None:
        self.queue.put((task_token, details), True, _SENT_WITHIN)


class _MultiprocessingStateManager(SharedStateManager):
    """One queue for the heartbeats of all attempts; None instead of details ends those of an attempt."""

    def __init__(self, manager: SyncManager, poller: Executor) -> None:
        self._manager = manager
        self._poller = poller
        self._queue: queue.Queue[tuple[bytes, Sequence[Any] | None]] = manager.Queue(_QUEUED_HEARTBEATS)
        self._lock = threading.Lock()
        self._heartbeats: dict[bytes, Callable[..., None]] = {}
        self._ended: dict[bytes, Callable[[], object]] = {}
        self._polling = False

    def new_event(self) -> threading.Event:
        return self._manager.Event()

    async def register_heartbeater(self, task_token: bytes, heartbeat: Callable[..., None]) -> SharedHeartbeatSender:
        with self._lock:
            self._heartbeats[task_token] = heartbeat
            begin, self._polling = not self._polling, True
        if begin:
            self._poller.submit(self._poll)
        return _QueueSender(self._queue)

    async def unregister_heartbeater(self, task_token: bytes) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        self._ended[task_token] = partial(loop.call_soon_threadsafe, ended.set)
        await asyncio.to_thread(self._queue.put, (task_token, None), True, _SENT_WITHIN)
        await ended.wait()

    def _poll(self) -> None:
        while self._expects_heartbeats():
            try:
                token, details = self._queue.get(True, _IDLE)
            except queue.Empty:
                continue
            try:
                if details is None:
                    del self._heartbeats[token]
                    self._ended.pop(token)()
                elif token in self._heartbeats:
                    self._heartbeats[token](*details)
            except Exception:
                logger.exception("a heartbeat from another process cannot be passed on")

    def _expects_heartbeats(self) -> bool:
        with self._lock:
            self._polling = bool(self._heartbeats)
            return self._polling


class _SharedFlag(Flag):
    """A flag that another process sets."""

    __slots__ = ("_event",)

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait_sync(self, timeout: float | None) -> None:
        self._event.wait(timeout)


@dataclass
class ProcessCall:
    """A call of an activity's function, to be pickled and made in another process."""

    info: Info
    sender: SharedHeartbeatSender
    cancelled: threading.Event
    worker_shutdown: threading.Event
    payload_converter_class: type[PayloadConverter]
    fn: Callable[..., Any]
    args: Sequence[Any]

    def __call__(self) -> Any:
        """Make the call."""
        context = Context(
            info=lambda: self.info,
            is_async=False,
            cancelled=_SharedFlag(self.cancelled),
            worker_shutdown=_SharedFlag(self.worker_shutdown),
            cancellation_details=lambda: None,
            payload_converter=self.payload_converter_class(),
            heartbeat=lambda *details: self.sender.send_heartbeat(self.info.task_token, *details),
        )
        token = current_context.set(context)
        try:
            return self.fn(*self.args)
        finally:
            current_context.reset(token)
