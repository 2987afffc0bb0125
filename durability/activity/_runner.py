"""Runs attempts of activities: from payloads to payloads, with no knowledge of where they come from."""

from __future__ import annotations

import inspect
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from durability._core.payload import Payload
from durability._core.payload_fields import PAYLOAD_LIMIT
from durability.activity._cancellation import NOT_FOUND, ActivityCancellationDetails, Cancellation, Flag
from durability.activity._definition import _Definition
from durability.activity._execution import Execution
from durability.activity._interceptors import InterceptsActivities
from durability.activity._processes import SharedStateManager
from durability.activity._task import (
    ActivityCancelled,
    ActivityCompleted,
    ActivityCompletesLater,
    ActivityFailed,
    ActivityResult,
    ActivityTask,
)
from durability.common import MetricMeter
from durability.converter import DataConverter
from durability.exceptions import ApplicationError

if TYPE_CHECKING:
    from durability.client import Client

__all__ = [
    "NOT_FOUND",
    "ActivityCancellationDetails",
    "ActivityCancelled",
    "ActivityCompleted",
    "ActivityCompletesLater",
    "ActivityFailed",
    "ActivityResult",
    "ActivityRunner",
    "ActivityTask",
    "Cancellation",
]


class ActivityRunner:
    """Knows a set of activities and runs attempts of them.

    Attributes:
        on_completes_later: Told of every attempt that is to be completed from outside.
        on_broken: Told when the executor is found to be of no more use, with the error.
    """

    def __init__(
        self,
        activities: Iterable[Callable[..., Any]],
        *,
        data_converter: DataConverter | None = None,
        interceptors: Sequence[InterceptsActivities] = (),
        executor: Executor | None = None,
        metric_meter: MetricMeter = MetricMeter.noop,
        client: Callable[[], Client] | None = None,
        abandon_after: float = 1.0,
        header_codec: bool = False,
        payload_limit: int | None = PAYLOAD_LIMIT,
        shared_state_manager: SharedStateManager | None = None,
    ) -> None:
        """Create the runner.

        Args:
            activities: Decorated functions, bound methods, and objects with ``__call__``.
            data_converter: Converts arguments, results, heartbeats and errors; the default one if None.
            interceptors: Applied to every attempt, the first one outermost.
            executor: Runs activities that are not ``async def``, in threads; made when it is first needed if None.
            metric_meter: For the metrics of activities.
            client: Makes the client for ``activity.client()``.
            abandon_after: Seconds that an attempt has for its clean-up after it exceeded a timeout. Then the runner
                reports the timeout, whether the code has ended or not.
            header_codec: Whether headers go through the data converter's codec.
            payload_limit: Most bytes of a result, of a heartbeat's details, or of a failure; None for no limit. An
                attempt that gives more fails.
            shared_state_manager: Connects to the processes of an ``executor`` that is no thread pool.

        Raises:
            TypeError: An activity is not decorated, is a class, or is the second dynamic one.
            ValueError: Two activities have the same name.
        """
        self.data_converter = data_converter or DataConverter.default
        self.interceptors = interceptors
        self.metric_meter = metric_meter
        self.client = client
        self.abandon_after = abandon_after
        self.header_codec = header_codec
        self.payload_limit = payload_limit
        self.worker_shutdown = Flag()
        self.on_completes_later: Callable[[ActivityTask], None] = lambda task: None
        self.on_broken: Callable[[BrokenExecutor], None] = lambda error: None
        self._executor = executor
        self._shared_state_manager = shared_state_manager
        self._shared_shutdown: threading.Event | None = None
        self._definitions: dict[str, _Definition] = {}
        self._dynamic: _Definition | None = None
        for activity in activities:
            self._register(activity)

    def _register(self, activity: Callable[..., Any]) -> None:
        definition = _Definition.must_from_callable(activity)
        if inspect.isclass(activity):
            raise TypeError(f"Activity named {definition.name} is a class instead of an instance")
        if inspect.isfunction(activity) and activity.__code__.co_varnames[: activity.__code__.co_argcount][:1] == (
            "self",
        ):
            warnings.warn(
                f"Activity named {definition.name} has a first parameter named self but is not bound to an instance, "
                "did you mean to register it from an instance of the class?",
                stacklevel=4,
            )
        if definition.name is None:
            if self._dynamic is not None:
                raise TypeError("More than one dynamic activity")
            self._dynamic = definition
        elif definition.name in self._definitions:
            raise ValueError(f"More than one activity named {definition.name}")
        else:
            self._definitions[definition.name] = definition

    @property
    def names(self) -> list[str]:
        """Types of the activities, sorted, the dynamic one left out."""
        return sorted(self._definitions)

    @property
    def in_threads(self) -> bool:
        """Whether activities that are not ``async def`` run in threads of this process."""
        return self._executor is None or isinstance(self._executor, ThreadPoolExecutor)

    @property
    def shared_state(self) -> tuple[SharedStateManager, threading.Event]:
        """What connects to other processes, and the event by which they see the shutdown."""
        manager = self._shared_state_manager
        assert manager is not None
        if self._shared_shutdown is None:
            self._shared_shutdown = self.worker_shutdown.mirror(manager.new_event())
        return manager, self._shared_shutdown

    @property
    def executor(self) -> Executor:
        """Runs activities that are not ``async def``."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(thread_name_prefix="durability-activity")
        return self._executor

    def definition(self, activity_type: str, workflow_id: str) -> _Definition:
        """Definition of an activity by its type.

        Raises:
            ApplicationError: There is none; its type is ``NotFoundError``.
        """
        definition = self._definitions.get(activity_type, self._dynamic)
        if definition is None:
            raise ApplicationError(
                f"Activity function {activity_type} for workflow {workflow_id} "
                f"is not registered on this worker, available activities: {', '.join(self.names)}",
                type="NotFoundError",
            )
        return definition

    def check_registered(self, activity_type: str) -> None:
        """Raise ValueError if there is no activity of a type, and no dynamic one."""
        if activity_type in self._definitions or self._dynamic is not None:
            return
        known = f"available activities: {', '.join(self.names)}" if self.names else "no available activities"
        raise ValueError(f"Activity function {activity_type} is not registered on this worker, {known}")

    @property
    def free_slots(self) -> int:
        """How many activities may begin now without waiting for a slot."""
        return sys.maxsize

    def slot(self, activity_type: str, *, local: bool = False) -> AbstractAsyncContextManager[None]:
        """A context for the length of an attempt; entering it waits until the attempt may begin."""
        return nullcontext()

    async def run(
        self,
        task: ActivityTask,
        *,
        heartbeat: Callable[[list[Payload]], Awaitable[None] | None] | None = None,
        cancellation: Cancellation | None = None,
    ) -> ActivityResult:
        """Run one attempt.

        Args:
            task: The attempt.
            heartbeat: Takes the newest heartbeat's details, one call at a time. If it raises, the attempt fails. It
                is called as often as the activity reports, so it is the place to write less often than that.
            cancellation: Cancels the attempt.

        Returns:
            How the attempt ended. Whatever user code, converters and codecs raise ends up in it.

        Raises:
            asyncio.CancelledError: The caller was cancelled; so is the attempt, which then has no result.
        """
        result = await Execution(self, task, heartbeat, cancellation or Cancellation()).run()
        if isinstance(result, ActivityCompletesLater):
            self.on_completes_later(task)
        return result

    def shutdown(self) -> None:
        """Tell running activities that the process is about to end."""
        self.worker_shutdown.set()
