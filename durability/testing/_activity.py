"""Running activity code by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar, cast

from durability.activity import ActivityCancellationDetails, Info
from durability.activity._cancellation import Flag
from durability.activity._context import Context, current_context
from durability.activity._definition import _Definition, is_async_callable
from durability.activity._threads import ThreadCanceller
from durability.client import Client
from durability.common import MetricMeter, Priority
from durability.converter import DataConverter, PayloadConverter

_Parameters = ParamSpec("_Parameters")
_Return = TypeVar("_Return")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CANCEL_REQUESTED = ActivityCancellationDetails(cancel_requested=True)


class ActivityEnvironment:
    """Runs activity code, or any function, as if it were an activity.

    Attributes:
        info: What ``activity.info`` answers; change it with ``dataclasses.replace``.
        on_heartbeat: Called with the details of every heartbeat.
        payload_converter: What ``activity.payload_converter`` answers.
        metric_meter: What ``activity.metric_meter`` is made of; records nothing by default.
    """

    def __init__(self, client: Client | None = None) -> None:
        """Create the environment.

        Args:
            client: What ``activity.client`` answers in ``async def`` activities.
        """
        self.info = ActivityEnvironment.default_info()
        self.on_heartbeat: Callable[..., None] = lambda *details: None
        self.payload_converter: PayloadConverter = DataConverter.default.payload_converter
        self.metric_meter: MetricMeter = MetricMeter.noop
        self._client = client
        self._details: ActivityCancellationDetails | None = None
        self._worker_shutdown = False
        self._running: set[_Run] = set()

    @staticmethod
    def default_info() -> Info:
        """A new ``Info`` with made-up values."""
        return Info(
            activity_id="test",
            activity_type="unknown",
            attempt=1,
            current_attempt_scheduled_time=_EPOCH,
            heartbeat_details=[],
            heartbeat_timeout=None,
            is_local=False,
            namespace="default",
            schedule_to_close_timeout=timedelta(seconds=1),
            scheduled_time=_EPOCH,
            start_to_close_timeout=timedelta(seconds=1),
            started_time=_EPOCH,
            task_queue="test",
            task_token=b"test",
            workflow_id="test",
            workflow_namespace="default",
            workflow_run_id="test-run",
            workflow_type="test",
            priority=Priority.default,
            retry_policy=None,
        )

    def cancel(self, cancellation_details: ActivityCancellationDetails = _CANCEL_REQUESTED) -> None:
        """Cancel what runs, and what will be run. Only the first call counts.

        Args:
            cancellation_details: What ``activity.cancellation_details`` answers from now on.
        """
        if self._details is None:
            self._details = cancellation_details
            for run in list(self._running):
                run.cancel()

    def worker_shutdown(self) -> None:
        """Have what runs, and what will be run, see the worker shut down."""
        self._worker_shutdown = True
        for run in list(self._running):
            run.context.worker_shutdown.set()

    def run(self, fn: Callable[_Parameters, _Return], *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Return:
        """Call a function as an activity.

        Args:
            fn: The function; if it is ``async def``, what is returned is to be awaited.
            args: Its arguments.
            kwargs: Its keyword arguments.

        Returns:
            What the function returns.
        """
        run = _Run(self, fn)
        if is_async_callable(fn):
            return cast(_Return, run.run_async(args, kwargs))
        return cast(_Return, run.run_sync(args, kwargs))


class _Run:
    """One call of a function."""

    def __init__(self, environment: ActivityEnvironment, fn: Callable[..., Any]) -> None:
        self._environment = environment
        self._fn = fn
        self._task: asyncio.Task[Any] | None = None
        self._canceller: ThreadCanceller | None = None
        is_async = is_async_callable(fn)
        if not is_async:
            definition = _Definition.from_callable(fn)
            if definition is None or not definition.no_thread_cancel_exception:
                self._canceller = ThreadCanceller()
        client = environment._client
        self.context = Context(
            info=lambda: environment.info,
            is_async=is_async,
            cancelled=Flag(),
            worker_shutdown=Flag(),
            cancellation_details=lambda: environment._details,
            payload_converter=environment.payload_converter,
            metric_meter=environment.metric_meter,
            heartbeat=lambda *details: environment.on_heartbeat(*details),
            client=(lambda: client) if client is not None else None,
            shield=self._canceller.shield if self._canceller else None,
        )

    def cancel(self) -> None:
        self.context.cancelled.set()
        if self._canceller is not None:
            self._canceller.cancel()
        if self._task is not None:
            self._task.cancel()

    async def run_async(self, args: Any, kwargs: Any) -> Any:
        with self._active():
            self._task = asyncio.create_task(self._fn(*args, **kwargs))
            if self._environment._details is not None:
                self._task.cancel()
            return await self._task

    def run_sync(self, args: Any, kwargs: Any) -> Any:
        with self._active():
            if self._canceller is None:
                return self._fn(*args, **kwargs)
            with self._canceller.active():
                return self._fn(*args, **kwargs)

    @contextmanager
    def _active(self) -> Iterator[None]:
        environment = self._environment
        if environment._details is not None:
            self.context.cancelled.set()
        if environment._worker_shutdown:
            self.context.worker_shutdown.set()
        environment._running.add(self)
        token = current_context.set(self.context)
        try:
            yield
        finally:
            current_context.reset(token)
            environment._running.discard(self)
