"""What a worker runs, made ready for the engine: its workflows and its activities."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, NoReturn

from durability._core.activation import RunDetails, WorkflowInstance
from durability._core.activities import LOCAL_ACTIVITY_CHECK
from durability._core.deadlock import DeadlockDetector
from durability._core.failure import ApplicationFailureInfo, Failure
from durability._core.interceptors import StartActivityInput, WorkflowInboundInterceptor, WorkflowOutboundInterceptor
from durability._core.payload import Payload
from durability._core.payload_fields import PAYLOAD_LIMIT
from durability._runtime.registry import WorkflowRegistry
from durability.activity._definition import _Definition as ActivityDefinition
from durability.activity._processes import SharedStateManager
from durability.activity._runner import (
    ActivityCancellationDetails,
    ActivityCancelled,
    ActivityFailed,
    ActivityResult,
    ActivityRunner,
    ActivityTask,
    Cancellation,
)
from durability.client import Client
from durability.common import MetricMeter
from durability.converter import DataConverter
from durability.worker._interceptor import Interceptor, workflow_interceptors
from durability.worker._metrics import ActivityMetrics, WorkflowMetrics
from durability.worker._runner import PatchActivationInput, WorkflowInstanceDetails, WorkflowRunner
from durability.worker._slots import Slots
from durability.workflow import ActivityHandle, Info
from durability.workflow._definition import _Definition as WorkflowDefinition

PatchActivationCallback = Callable[[PatchActivationInput], bool]


class Workflows(WorkflowRegistry):
    """A worker's workflows."""

    def __init__(
        self,
        workflows: Iterable[type],
        *,
        data_converter: DataConverter,
        interceptors: Sequence[Interceptor] = (),
        failure_exception_types: Sequence[type[BaseException]] = (),
        deadlock_detector: DeadlockDetector | None = None,
        patch_activation_callback: PatchActivationCallback | None = None,
        eager_activities: Iterable[str] | None = None,
        elsewhere: Mapping[str, str] = {},
        header_codec: bool = False,
        external_concurrency: int = 3,
        limited: bool = True,
        check_local_activity: Callable[[str], None] | None = None,
        runner: WorkflowRunner,
        unsandboxed_runner: WorkflowRunner,
        metric_meter: MetricMeter = MetricMeter.noop,
        metrics: WorkflowMetrics | None = None,
    ) -> None:
        """Register workflow classes.

        Args:
            workflows: The classes.
            data_converter: Converts values.
            interceptors: The worker's interceptors, outermost first.
            failure_exception_types: Exceptions that fail a workflow instead of its workflow task.
            deadlock_detector: Watches for code that does not yield.
            patch_activation_callback: Asked whether a new patch is to be taken.
            eager_activities: Types of the activities that may run inside workflow tasks; all by default.
            elsewhere: Task queues of activities, by their types, that have one of their own.
            header_codec: Whether headers go through the codec.
            external_concurrency: Calls to an external storage at a time, in one workflow task.
            limited: Whether payloads that are too large fail the workflow task.
            check_local_activity: Raises if there is no activity of a type.
            runner: Makes the instances.
            unsandboxed_runner: Makes those of classes that are declared with ``sandboxed=False``.
            metric_meter: For the metrics of workflows.
            metrics: What is recorded of all of them; nothing by default.
        """
        classes = list(workflows)
        if sum(WorkflowDefinition.must_from_class(cls).name is None for cls in classes) > 1:
            raise TypeError("More than one dynamic workflow")
        chain, extern = workflow_interceptors(interceptors)
        if check_local_activity is not None:
            extern[LOCAL_ACTIVITY_CHECK] = check_local_activity
        eager = None if eager_activities is None else frozenset(eager_activities)
        if eager:
            chain.append(_dispatching_all_but(eager))
        if elsewhere:
            chain.append(_sending(elsewhere))
        super().__init__(
            classes,
            data_converter=data_converter,
            interceptors=chain,
            extern_functions=extern,
            failure_exception_types=failure_exception_types,
            deadlock_detector=deadlock_detector,
            header_codec=header_codec,
            external_concurrency=external_concurrency,
            limited=limited,
            guarded=False,
        )
        self._runners = {True: runner, False: unsandboxed_runner}
        for one in self._runners.values():
            one.set_worker_level_failure_exception_types(failure_exception_types)
        for definition in self._definitions.values():
            self._runners[definition.sandboxed].prepare_workflow(definition)
        self._chain = chain
        self._metric_meter = metric_meter
        self._metrics = metrics
        self._disable_eager = eager is not None and not eager
        self._patch_activation_callback = patch_activation_callback

    def create(self, details: RunDetails) -> WorkflowInstance:
        """See ``WorkflowRegistry.create``."""
        converter = self.payload_options.converter
        definition = self.definition(details.started.workflow_type)
        attributes = {
            "namespace": details.namespace,
            "task_queue": details.started.task_queue,
            "workflow_type": details.started.workflow_type,
        }
        instance = self._runners[definition.sandboxed].create_instance(
            WorkflowInstanceDetails(
                defn=definition,
                run=details,
                payload_converter=converter.payload_converter,
                failure_converter=converter.failure_converter,
                interceptor_classes=self._chain,
                extern_functions={**details.extern_functions, **self._extern_functions},
                disable_eager_activity_execution=self._disable_eager,
                worker_level_failure_exception_types=self._failure_exception_types,
                deadlock_detector=self._deadlock_detector,
                patch_activation_callback=self._take_patch if self._patch_activation_callback else None,
                metric_meter=self._metric_meter.with_additional_attributes(attributes),
            )
        )
        return instance if self._metrics is None else self._metrics.measured(instance, details, attributes)

    def _take_patch(self, info: Info, patch_id: str) -> bool:
        assert self._patch_activation_callback is not None
        return self._patch_activation_callback(PatchActivationInput(info, patch_id))


def _dispatching_all_but(eager: frozenset[str]) -> type[WorkflowInboundInterceptor]:
    """An interceptor that has activities dispatched which this worker does not have: another one may."""

    class Outbound(WorkflowOutboundInterceptor):
        def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
            if input.activity not in eager:
                input.disable_eager_execution = True
            return super().start_activity(input)

    class Inbound(WorkflowInboundInterceptor):
        def init(self, outbound: WorkflowOutboundInterceptor) -> None:
            super().init(Outbound(outbound))

    return Inbound


def _sending(elsewhere: Mapping[str, str]) -> type[WorkflowInboundInterceptor]:
    """An interceptor that sends activities to task queues by their types."""

    class Outbound(WorkflowOutboundInterceptor):
        def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
            input.task_queue = elsewhere.get(input.activity, input.task_queue)
            return super().start_activity(input)

    class Inbound(WorkflowInboundInterceptor):
        def init(self, outbound: WorkflowOutboundInterceptor) -> None:
            super().init(Outbound(outbound))

    return Inbound


class Activities(ActivityRunner):
    """A worker's activities, and those of them that run."""

    def __init__(
        self,
        activities: Iterable[Callable[..., Any]],
        *,
        task_queue: str,
        data_converter: DataConverter,
        interceptors: Sequence[Interceptor],
        executor: Executor | None,
        client: Callable[[], Client],
        slots: Slots,
        local_slots: Slots,
        metric_meter: MetricMeter = MetricMeter.noop,
        metrics: Mapping[bool, ActivityMetrics] | None = None,
        shared_state_manager: SharedStateManager | None = None,
        header_codec: bool = False,
        payload_limit: int | None = PAYLOAD_LIMIT,
    ) -> None:
        """Register activities.

        Raises:
            ValueError: Two have the same name, or one is not ``async def`` and there is no executor for it.
            TypeError: One is not decorated, is a class, or is the second dynamic one.
        """
        given = list(activities)
        super().__init__(
            given,
            data_converter=data_converter,
            interceptors=interceptors,
            executor=executor,
            metric_meter=metric_meter,
            client=client,
            header_codec=header_codec,
            payload_limit=payload_limit,
            shared_state_manager=shared_state_manager,
        )
        for activity in given:
            _check_executor(activity, executor, shared_state_manager)
        self._broken: asyncio.Future[RuntimeError] | None = None
        self._broken_by: BaseException | None = None
        self.on_broken = self._break
        self._task_queue = task_queue
        self._slots = slots
        self._local_slots = local_slots
        self._metrics = metrics
        self._running: set[Cancellation] = set()
        self._none_running = asyncio.Event()
        self._none_running.set()
        self._abort = False

    @property
    def has_dynamic(self) -> bool:
        """Whether there is a dynamic activity, which takes every type."""
        return self._dynamic is not None

    @property
    def free_slots(self) -> int:
        """See ``ActivityRunner.free_slots``."""
        return self._slots.free

    def slot(self, activity_type: str, *, local: bool = False) -> AbstractAsyncContextManager[None]:
        """See ``ActivityRunner.slot``."""
        return (self._local_slots if local else self._slots).take(activity_type)

    async def run(
        self,
        task: ActivityTask,
        *,
        heartbeat: Callable[[list[Payload]], Awaitable[None] | None] | None = None,
        cancellation: Cancellation | None = None,
    ) -> ActivityResult:
        """See ``ActivityRunner.run``."""
        cancellation = cancellation or Cancellation()
        task.task_queue = task.task_queue or self._task_queue
        self._running.add(cancellation)
        self._none_running.clear()
        try:
            if self._abort:
                cancellation.request(_SHUTDOWN)
            result = await self._measured(task, heartbeat, cancellation)
        finally:
            self._running.discard(cancellation)
            if not self._running:
                self._none_running.set()
        if isinstance(result, ActivityCancelled) and cancellation.details is _SHUTDOWN:
            return ActivityFailed(_shutdown_failure())
        return result

    async def _measured(
        self,
        task: ActivityTask,
        heartbeat: Callable[[list[Payload]], Awaitable[None] | None] | None,
        cancellation: Cancellation,
    ) -> ActivityResult:
        end = self._metrics[task.is_local].begin(task) if self._metrics is not None else None
        result = await super().run(task, heartbeat=heartbeat, cancellation=cancellation)
        if end is not None:
            end(result)
        return result

    def _break(self, error: BrokenExecutor) -> None:
        self._broken_by = self._broken_by or error
        if self._broken is not None and not self._broken.done():
            self._broken.set_result(_worker_failed(error))

    async def broken(self) -> NoReturn:
        """Wait until activities cannot run any more.

        Raises:
            RuntimeError: They cannot; its cause says why.
        """
        if self._broken_by is not None:
            raise _worker_failed(self._broken_by)
        self._broken = asyncio.get_running_loop().create_future()
        raise await self._broken

    async def end(self, patience: float) -> None:
        """Tell activities of the shutdown, and cancel those that run on for ``patience`` seconds."""
        self.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._none_running.wait()
        self._abort = True  # also for those that a workflow task, which has been told to stop, is about to begin
        for cancellation in list(self._running):
            cancellation.request(_SHUTDOWN)


_SHUTDOWN = ActivityCancellationDetails(worker_shutdown=True)


def _shutdown_failure() -> Failure:
    """How an attempt fails that a shutdown cut short; another worker tries again."""
    return Failure(
        message="The worker is shutting down and this activity did not complete in time",
        info=ApplicationFailureInfo(type="WorkerShutdown"),
    )


def _worker_failed(error: BaseException) -> RuntimeError:
    failed = RuntimeError("Activity worker failed")
    failed.__cause__ = error
    return failed


def _check_executor(
    activity: Callable[..., Any], executor: Executor | None, shared_state_manager: SharedStateManager | None
) -> None:
    definition = ActivityDefinition.must_from_callable(activity)
    if definition.is_async:
        return
    if executor is None:
        raise ValueError(f"Activity {definition.name} is not async so an activity_executor must be present")
    if not isinstance(executor, ThreadPoolExecutor) and shared_state_manager is None:
        raise ValueError(
            f"Activity {definition.name} is not async and executor is not thread-pool executor, "
            "so a shared_state_manager must be present"
        )
    if isinstance(executor, ProcessPoolExecutor):
        try:
            pickle.dumps(activity)
        except Exception as error:
            raise TypeError(
                f"Activity {definition.name} must be picklable when using a process executor: {error}"
            ) from error


def warn_of_small_executor(executor: Executor | None, concurrent_activities: int | None) -> str | None:
    """What is to be said if an executor has fewer threads than activities may run at a time."""
    threads = getattr(executor, "_max_workers", None)
    if isinstance(threads, int) and threads < (concurrent_activities or 0):
        return (
            f"Worker max_concurrent_activities is {concurrent_activities} "
            f"but activity_executor's max_workers is only {threads}"
        )
    return None
