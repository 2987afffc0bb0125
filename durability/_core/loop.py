"""The event loop that workflow code runs in: a queue of callbacks, and timers that are commands.

There is no selector, no thread and no clock: time stands still during an activation, and what time brings comes in
with the next one.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeVar

from durability._core.commands import CommandBuffer
from durability._core.history import EventGroupMarker, TimerCanceled, TimerStarted
from durability._core.payload import Payload
from durability.workflow._event_groups import _captured
from durability.workflow._exceptions import ReadOnlyContextError

_T = TypeVar("_T")
_Context = dict[str, Any]
_ExceptionHandler = Callable[[asyncio.AbstractEventLoop, _Context], object]

logger = logging.getLogger(__name__)

_timer_summary: Final[contextvars.ContextVar[Payload | None]] = contextvars.ContextVar("timer_summary", default=None)


class _WorkflowBeingEvictedError(BaseException):
    """The instance is being let go of; ends whatever still tries to do something. Not for user code to catch.

    The reference's name: where code catches everything, as it must not, this is what it finds.
    """


class WorkflowFuture(asyncio.Future[_T]):
    """A future with a number for its hash.

    asyncio keeps futures and tasks in sets (``TaskGroup``, ``wait``) and walks through them; by default their order
    depends on where they lie in memory, which no replay repeats.
    """

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


class WorkflowTask(asyncio.Task[_T]):
    """A task with a number for its hash; see ``WorkflowFuture``."""

    def __init__(
        self,
        number: int,
        coro: Coroutine[Any, Any, _T] | Generator[Any, None, _T],
        loop: asyncio.AbstractEventLoop,
        name: str | None,
        context: contextvars.Context | None,
    ) -> None:
        self._number = number
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._number


class TimerHandle(asyncio.TimerHandle):
    """A timer that is in the history; cancelling it is a command."""

    __slots__ = ("groups", "sequence", "ticket")

    def __init__(
        self,
        sequence: int,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
        groups: tuple[EventGroupMarker, ...],
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self.sequence = sequence
        self.groups = groups
        self.ticket = -1


class DeterministicLoop(asyncio.AbstractEventLoop):
    """See the module's text.

    Attributes:
        now: Milliseconds since the epoch.
        read_only: Whether a query or an update validator runs, which may change nothing.
        closing: Whether the instance is being let go of.
        failure: What fails the workflow task; raised as soon as the current callback returns.
        guard: What refuses the use of things that do not replay; None if nothing does.
        tasks: Every task that is not done, in the order of creation. asyncio itself only keeps weak references.
    """

    def __init__(
        self, commands: CommandBuffer, workflow_instance: object, is_over: Callable[[int], bool] = lambda _: False
    ) -> None:
        self.workflow_instance = workflow_instance
        self.now = 0
        self.read_only = False
        self.closing = False
        self.failure: BaseException | None = None
        self.guard: object | None = None
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self._commands = commands
        self._is_over = is_over
        self._ready: deque[asyncio.Handle] = deque()
        self._conditions: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._timers: dict[int, TimerHandle] = {}
        self._timer_sequence = 0
        self._numbers = 0
        self._exception_handler: _ExceptionHandler | None = None
        # Bookkeeping callbacks need no copy of the caller's context.
        self._context = contextvars.Context()

    # --- running ----------------------------------------------------------------------------------------------------

    def run(self, before: Callable[[], None], may_check: Callable[[], bool]) -> None:
        """Run until nothing is ready.

        Args:
            before: Called first, with this loop as the running one.
            may_check: Whether conditions are to be evaluated, asked each time the queue has run empty.

        Raises:
            BaseException: What ``failure`` was set to, or what a condition raised.
        """
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            before()
            ready = self._ready
            while ready:
                while ready:
                    handle = ready.popleft()
                    if not handle._cancelled:
                        handle._run()
                        if self.failure is not None and not self.closing:
                            raise self.failure
                if self._conditions and may_check():
                    self._check_conditions()
        finally:
            asyncio._set_running_loop(outer)

    def add_condition(self, condition: Callable[[], bool]) -> asyncio.Future[None]:
        """Return a future that is resolved when the condition is found to be true."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        self._conditions.append((condition, future))
        return future

    def _check_conditions(self) -> None:
        self._conditions[:] = [
            entry for entry in self._conditions if not entry[1].done() and not _resolve_if_true(*entry)
        ]

    def fire(self, sequence: int) -> None:
        """Have a timer's callback run; nothing happens if the timer was cancelled in the meantime."""
        handle = self._timers.pop(sequence, None)
        if handle is not None:
            self._ready.append(handle)

    def refuse_changes(self, action: str) -> None:
        """Raise if nothing may be changed now.

        Raises:
            ReadOnlyContextError: A query or an update validator is running.
            _WorkflowBeingEvictedError: The instance is being let go of.
        """
        if self.closing:
            raise _WorkflowBeingEvictedError(action)
        if self.read_only:
            raise ReadOnlyContextError(f"While in read-only function, action attempted: {action}")

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Keep a task alive until it is done."""
        self.tasks[task] = None
        task.add_done_callback(self.tasks.pop, context=self._context)
        task._log_destroy_pending = False  # type: ignore[attr-defined]

    # --- asyncio ----------------------------------------------------------------------------------------------------

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Queue a callback. Allowed while closing, as it is how tasks learn of their cancellation."""
        if self.read_only:
            self.refuse_changes("schedule task")
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> TimerHandle:
        """Start a timer.

        Raises:
            RuntimeError: The delay is negative.
        """
        return self.start_timer(delay, callback, args, context, _timer_summary.get(), _captured())

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> TimerHandle:
        """Start a timer for a time that was computed from ``time()``, rounded as floats need it."""
        return self.call_later(round(when - self.time(), 3), callback, *args, context=context)

    def start_timer(
        self,
        delay: float,
        callback: Callable[..., object],
        args: tuple[Any, ...] = (),
        context: contextvars.Context | None = None,
        summary: Payload | None = None,
        groups: tuple[EventGroupMarker, ...] = (),
    ) -> TimerHandle:
        """Start a timer; ``delay`` in seconds, kept to the millisecond and never shorter than one."""
        self.refuse_changes("schedule timer")
        if delay < 0:
            raise RuntimeError(f"a timer cannot be started with a negative delay ({delay} s)")
        self._timer_sequence += 1
        handle = TimerHandle(self._timer_sequence, self.time() + delay, callback, args, self, context, groups)
        milliseconds = max(1, round(delay * 1000))
        handle.ticket = self._commands.add(TimerStarted(handle.sequence, milliseconds, summary), groups)
        self._timers[handle.sequence] = handle
        return handle

    @contextmanager
    def timers_for(self, summary: Payload | None) -> Iterator[None]:
        """Have timers that asyncio starts for the caller carry a summary."""
        if summary is None:
            yield
            return
        token = _timer_summary.set(summary)
        try:
            yield
        finally:
            _timer_summary.reset(token)

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        if self._timers.pop(handle.sequence, None) is None:
            return
        self.refuse_changes("cancel timer")
        if not self._commands.withdraw(handle.ticket) and not self._is_over(handle.sequence):
            self._commands.add(TimerCanceled(handle.sequence), handle.groups)

    def time(self) -> float:
        """Seconds since the epoch, as of the activation."""
        return self.now * 1_000_000 / 1e9  # rounded as ``workflow.time()`` is: the two are compared

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return WorkflowFuture(self.next_number(), self)

    def next_number(self) -> int:
        """A number for the hash of a future or task: the same on every replay."""
        self._numbers += 1
        return self._numbers

    def create_task(
        self,
        coro: Coroutine[Any, Any, _T] | Generator[Any, None, _T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[_T]:
        """Run a coroutine as a task of the workflow."""
        if self.read_only or self.closing:
            coro.close()
            self.refuse_changes("schedule task")
        task = WorkflowTask(self.next_number(), coro, self, name, context)
        self.adopt(task)
        return task

    def get_task_factory(self) -> None:
        """None: tasks are asyncio's own."""
        return None

    def get_exception_handler(self) -> _ExceptionHandler | None:
        """The handler set by ``set_exception_handler``."""
        return self._exception_handler

    def set_exception_handler(self, handler: _ExceptionHandler | None) -> None:
        """Replace what is done with exceptions that nobody catches."""
        self._exception_handler = handler

    def default_exception_handler(self, context: _Context) -> None:
        """Log the exception."""
        message = context.get("message") or "Unhandled exception in event loop"
        details = "".join(
            f"\n{key}: {value!r}" for key, value in sorted(context.items()) if key not in ("message", "exception")
        )
        logger.error("%s%s", message, details, exc_info=context.get("exception"))

    def call_exception_handler(self, context: _Context) -> None:
        """Handle an exception that nobody catches; while closing, none matters."""
        if self.closing:
            return
        if self._exception_handler is None:
            self.default_exception_handler(context)
            return
        try:
            self._exception_handler(self, context)
        except Exception as error:
            self.default_exception_handler(
                {"message": "Unhandled error in exception handler", "exception": error, "context": context}
            )

    def get_debug(self) -> bool:
        """False: asyncio's debug mode reads clocks and keeps tracebacks."""
        return False

    def is_running(self) -> bool:
        """True: nothing can hold this loop outside of an activation."""
        return True

    def is_closed(self) -> bool:
        """False: the loop lives as long as its workflow instance."""
        return False


def _resolve_if_true(condition: Callable[[], bool], future: asyncio.Future[None]) -> bool:
    if not condition():
        return False
    future.set_result(None)
    return True


_IN_ACTIVITIES: Final = "do it in an activity"
_UNSUPPORTED: Final = {
    "run_in_executor": "threads and processes would not replay; " + _IN_ACTIVITIES,
    "set_default_executor": "there is no executor; " + _IN_ACTIVITIES,
    "call_soon_threadsafe": "workflow code is one thread; send a signal instead",
    "run_forever": "the engine runs this loop",
    "run_until_complete": "the engine runs this loop; await instead",
    "stop": "the engine runs this loop; return or raise instead",
    "close": "the engine runs this loop",
    "set_debug": "debug mode reads clocks",
    "set_task_factory": "tasks must be asyncio's own to replay",
    "shutdown_asyncgens": "the engine runs this loop",
    "shutdown_default_executor": "there is no executor",
    "add_signal_handler": "operating system signals do not replay",
    "remove_signal_handler": "operating system signals do not replay",
    "subprocess_shell": "subprocesses do not replay; " + _IN_ACTIVITIES,
    "subprocess_exec": "subprocesses do not replay; " + _IN_ACTIVITIES,
} | dict.fromkeys(
    (
        *("getaddrinfo", "getnameinfo", "create_connection", "create_server", "start_tls", "sendfile"),
        *("create_unix_connection", "create_unix_server", "connect_accepted_socket", "create_datagram_endpoint"),
        *("connect_read_pipe", "connect_write_pipe", "add_reader", "remove_reader", "add_writer", "remove_writer"),
        *("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto"),
        *("sock_connect", "sock_accept", "sock_sendfile"),
    ),
    "input and output do not replay; " + _IN_ACTIVITIES,
)


def _unsupported(name: str, reason: str) -> Callable[..., NoReturn]:
    def method(self: DeterministicLoop, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(f"loop.{name}() does not exist in workflow code: {reason}")

    return method


for _name, _reason in _UNSUPPORTED.items():
    setattr(DeterministicLoop, _name, _unsupported(_name, _reason))
