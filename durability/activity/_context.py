"""What activity code can ask for and tell while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from durability.activity._cancellation import ActivityCancellationDetails, Flag
from durability.common import MetricMeter, Priority, RetryPolicy
from durability.converter import PayloadConverter

if TYPE_CHECKING:
    from durability.client import Client


@dataclass(frozen=True)
class Info:
    """About the running activity.

    Attributes:
        activity_id: Id of the activity, unique in its workflow run.
        activity_type: Type of the activity.
        attempt: Number of the attempt, counted from 1.
        current_attempt_scheduled_time: When this attempt was scheduled.
        heartbeat_details: What the last attempt reported last.
        heartbeat_timeout: Longest time between two heartbeats.
        is_local: Whether it is a local activity.
        namespace: Namespace of the activity.
        schedule_to_close_timeout: Time that all attempts together may take.
        scheduled_time: When the first attempt was scheduled.
        start_to_close_timeout: Time that this attempt may take.
        started_time: When this attempt started.
        task_queue: Task queue of the activity.
        task_token: Identifies this attempt, for completing the activity from outside.
        workflow_id: Workflow that scheduled the activity; None for a standalone activity.
        workflow_namespace: Namespace of that workflow; ``namespace`` is preferred.
        workflow_run_id: Run of that workflow.
        workflow_type: Type of that workflow.
        priority: Priority of the activity.
        retry_policy: Retry policy of the activity.
        activity_run_id: Run of a standalone activity; None for an activity of a workflow.
    """

    activity_id: str
    activity_type: str
    attempt: int
    current_attempt_scheduled_time: datetime
    heartbeat_details: Sequence[Any]
    heartbeat_timeout: timedelta | None
    is_local: bool
    namespace: str
    schedule_to_close_timeout: timedelta | None
    scheduled_time: datetime
    start_to_close_timeout: timedelta | None
    started_time: datetime
    task_queue: str
    task_token: bytes
    workflow_id: str | None
    workflow_namespace: str | None
    workflow_run_id: str | None
    workflow_type: str | None
    priority: Priority
    retry_policy: RetryPolicy | None
    activity_run_id: str | None = None

    @property
    def in_workflow(self) -> bool:
        """Whether a workflow scheduled the activity."""
        return self.workflow_id is not None

    def _logger_details(self) -> Mapping[str, Any]:
        """What log messages tell about the activity."""
        return {
            "activity_id": self.activity_id,
            "activity_type": self.activity_type,
            "attempt": self.attempt,
            "namespace": self.namespace,
            "task_queue": self.task_queue,
            "workflow_id": self.workflow_id,
            "workflow_run_id": self.workflow_run_id,
            "workflow_type": self.workflow_type,
        }


@dataclass(slots=True)
class Context:
    """What the functions of this module work on.

    Attributes:
        info: Returns the activity's info.
        heartbeat: Sends a heartbeat; None until the interceptors are initialised.
        is_async: Whether the activity is a coroutine.
        cancelled: Set when the activity is cancelled.
        worker_shutdown: Set when the process is about to end.
        cancellation_details: Returns why the activity is cancelled.
        payload_converter: Converter in the activity's context.
        metric_meter: Meter without the activity's attributes.
        client: Returns a client; None where there is none.
        shield: Puts thread cancellation off; None where there is no such cancellation.
    """

    info: Callable[[], Info]
    is_async: bool
    cancelled: Flag
    worker_shutdown: Flag
    cancellation_details: Callable[[], ActivityCancellationDetails | None]
    payload_converter: PayloadConverter
    metric_meter: MetricMeter = MetricMeter.noop
    heartbeat: Callable[..., None] | None = None
    client: Callable[[], Client] | None = None
    shield: Callable[[], AbstractContextManager[None]] | None = None

    @staticmethod
    def current() -> Context:
        """The running activity's context.

        Raises:
            RuntimeError: No activity is running here.
        """
        context = current_context.get(None)
        if context is None:
            raise RuntimeError("Not in activity context")
        return context


current_context: ContextVar[Context] = ContextVar("durability_activity")


def in_activity() -> bool:
    """Whether this code runs in an activity."""
    return current_context.get(None) is not None


def info() -> Info:
    """About the running activity.

    Raises:
        RuntimeError: Not in an activity.
    """
    return Context.current().info()


def client() -> Client:
    """Client of the engine that runs this activity. For ``async def`` activities only.

    Raises:
        RuntimeError: Not in an activity, or there is no client.
    """
    context = Context.current()
    if context.client is None or not context.is_async:
        raise RuntimeError(
            "No client available. The client is only available in `async def` activities; not in `def` activities. "
            "In tests you can pass a client when creating ActivityEnvironment."
        )
    return context.client()


def heartbeat(*details: Any) -> None:
    """Report that the activity is alive.

    Args:
        details: How far it has come. The next attempt finds the last report in ``info().heartbeat_details``.

    Raises:
        RuntimeError: Not in an activity, or in an interceptor that is not initialised.
    """
    send = Context.current().heartbeat
    if send is None:
        raise RuntimeError("Can only execute heartbeat after interceptor init")
    send(*details)


def cancellation_details() -> ActivityCancellationDetails | None:
    """Why the activity is cancelled; None while it is not.

    Raises:
        RuntimeError: Not in an activity.
    """
    return Context.current().cancellation_details()


def is_cancelled() -> bool:
    """Whether the activity was cancelled.

    Raises:
        RuntimeError: Not in an activity.
    """
    return Context.current().cancelled.is_set()


async def wait_for_cancelled() -> None:
    """Wait until the activity is cancelled.

    Raises:
        RuntimeError: Not in an ``async def`` activity.
    """
    await _flag_for_coroutines(Context.current(), "cancelled").wait()


def wait_for_cancelled_sync(timeout: timedelta | float | None = None) -> None:
    """Block until the activity is cancelled.

    Args:
        timeout: Longest wait, in seconds if it is a number; None for no limit.

    Raises:
        RuntimeError: Not in an activity.
    """
    Context.current().cancelled.wait_sync(_seconds(timeout))


def is_worker_shutdown() -> bool:
    """Whether the process that runs the activity is about to end.

    Raises:
        RuntimeError: Not in an activity.
    """
    return Context.current().worker_shutdown.is_set()


async def wait_for_worker_shutdown() -> None:
    """Wait until the process that runs the activity is about to end.

    Raises:
        RuntimeError: Not in an ``async def`` activity.
    """
    await _flag_for_coroutines(Context.current(), "worker_shutdown").wait()


def wait_for_worker_shutdown_sync(timeout: timedelta | float | None = None) -> None:
    """Block until the process that runs the activity is about to end.

    Args:
        timeout: Longest wait, in seconds if it is a number; None for no limit.

    Raises:
        RuntimeError: Not in an activity.
    """
    Context.current().worker_shutdown.wait_sync(_seconds(timeout))


@contextmanager
def shield_thread_cancel_exception() -> Iterator[None]:
    """Put the exception that cancels a threaded activity off to the end of the block.

    Blocks may be nested; the exception comes at the end of the outermost one, and replaces an exception that
    the block raises. In ``async def`` activities the block is not special.

    Raises:
        durability.exceptions.CancelledError: The activity was cancelled during the block.
        RuntimeError: Not in an activity.
    """
    shield = Context.current().shield
    if shield is None:
        yield
    else:
        with shield():
            yield


class CompleteAsyncError(BaseException):
    """Tells the runner that the activity will be completed from outside."""


def raise_complete_async() -> NoReturn:
    """End this activity function without ending the activity: a client completes it later, by its task token."""
    raise CompleteAsyncError


def payload_converter() -> PayloadConverter:
    """Payload converter in the activity's context, for the raw values of dynamic activities.

    Raises:
        RuntimeError: Not in an activity.
    """
    return Context.current().payload_converter


def metric_meter() -> MetricMeter:
    """Meter whose metrics have the activity's namespace, task queue and type as attributes.

    Raises:
        RuntimeError: Not in an activity.
    """
    context = Context.current()
    info = context.info()
    return context.metric_meter.with_additional_attributes(
        {"namespace": info.namespace, "task_queue": info.task_queue, "activity_type": info.activity_type}
    )


def _flag_for_coroutines(context: Context, name: str) -> Flag:
    if not context.is_async:
        raise RuntimeError("not in async activity")
    flag: Flag = getattr(context, name)
    return flag


def _seconds(timeout: timedelta | float | None) -> float | None:
    return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
