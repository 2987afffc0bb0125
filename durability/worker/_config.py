"""What a worker is made of: its parameters, checked, and what follows from them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, Required, TypedDict

from durability._core.deadlock import DeadlockDetector
from durability._core.payload_fields import PAYLOAD_LIMIT
from durability._runtime.code import InPlace, InThreads
from durability._runtime.hosting import WorkerSpecification
from durability.activity._processes import SharedStateManager
from durability.activity._runner import ActivityRunner
from durability.callbacks import built_in_activities
from durability.client import Client
from durability.common import HeaderCodecBehavior, MetricMeter, VersioningBehavior, WorkerDeploymentVersion
from durability.runtime import Runtime
from durability.worker._debugger import with_breakpoints
from durability.worker._interceptor import Interceptor
from durability.worker._metrics import ActivityMetrics, WorkflowMetrics
from durability.worker._plugin import Plugin
from durability.worker._registries import (
    Activities,
    PatchActivationCallback,
    Workflows,
    warn_of_small_executor,
)
from durability.worker._runner import UNSANDBOXED, WorkflowRunner
from durability.worker._slots import Reservation, make_slots, workflow_slot
from durability.worker._tuning import PollerBehavior, WorkerTuner, slots_of
from durability.worker.workflow_sandbox._runner import SANDBOXED
from durability.workflow._definition import _Definition

EXTERNAL_STORAGE_CONCURRENCY: Final = 3
_DEADLOCK_DETECTOR: Final = DeadlockDetector()
_DEBUG_VARIABLES: Final = ("DURABILITY_DEBUG", "TEMPORAL_DEBUG")


@dataclass
class WorkerDeploymentConfig:
    """Which version of a deployment a worker is.

    Attributes:
        version: Deployment and build id.
        use_worker_versioning: Accepted for compatibility; runs are pinned to the build that started them.
        default_versioning_behavior: Accepted for compatibility.
    """

    version: WorkerDeploymentVersion
    use_worker_versioning: bool
    default_versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED


class WorkerConfig(TypedDict, total=False):
    """Keyword arguments of ``Worker``, as plugins may change them."""

    client: Required[Client]
    task_queue: Required[str]
    activities: Required[Sequence[Callable[..., Any]]]
    nexus_service_handlers: Sequence[Any]
    workflows: Required[Sequence[type]]
    activity_executor: Executor | None
    workflow_task_executor: ThreadPoolExecutor | None
    nexus_task_executor: ThreadPoolExecutor | None
    workflow_runner: WorkflowRunner
    unsandboxed_workflow_runner: WorkflowRunner
    plugins: Sequence[Plugin]
    interceptors: Required[Sequence[Interceptor]]
    build_id: str | None
    identity: str | None
    max_cached_workflows: int
    max_concurrent_workflow_tasks: int | None
    max_concurrent_activities: int | None
    max_concurrent_local_activities: int | None
    max_concurrent_nexus_tasks: int | None
    tuner: WorkerTuner | None
    max_concurrent_workflow_task_polls: int | None
    nonsticky_to_sticky_poll_ratio: float
    max_concurrent_activity_task_polls: int | None
    no_remote_activities: bool
    sticky_queue_schedule_to_start_timeout: timedelta
    max_heartbeat_throttle_interval: timedelta
    default_heartbeat_throttle_interval: timedelta
    max_activities_per_second: float | None
    max_task_queue_activities_per_second: float | None
    max_eager_activity_reservations_per_workflow_task: int
    graceful_shutdown_timeout: Required[timedelta]
    plugin_shutdown_timeout: timedelta | None
    workflow_failure_exception_types: Sequence[type[BaseException]]
    shared_state_manager: SharedStateManager | None
    debug_mode: bool
    disable_eager_activity_execution: bool
    on_fatal_error: Callable[[BaseException], Awaitable[None]] | None
    use_worker_versioning: bool
    disable_safe_workflow_eviction: bool
    deployment_config: WorkerDeploymentConfig | None
    patch_activation_callback: PatchActivationCallback | None
    workflow_task_poller_behavior: PollerBehavior
    activity_task_poller_behavior: PollerBehavior
    nexus_task_poller_behavior: PollerBehavior
    disable_payload_error_limit: bool
    max_workflow_task_external_storage_concurrency: int


def check(config: WorkerConfig) -> None:
    """Raise ValueError if parameters are missing or exclude each other."""
    if config.get("nexus_service_handlers"):
        raise ValueError("Nexus services are not supported")
    if not config.get("activities") and not config.get("workflows"):
        raise ValueError("At least one activity or workflow must be specified")
    deployment = config.get("deployment_config")
    if config.get("use_worker_versioning") and not config.get("build_id"):
        raise ValueError("build_id must be specified when use_worker_versioning is True")
    if deployment and (config.get("build_id") or config.get("use_worker_versioning")):
        raise ValueError("deployment_config cannot be used with build_id or use_worker_versioning")
    if (
        deployment
        and not deployment.use_worker_versioning
        and deployment.default_versioning_behavior != VersioningBehavior.UNSPECIFIED
    ):
        raise ValueError("default_versioning_behavior must be UNSPECIFIED when use_worker_versioning is False")
    if config.get("max_workflow_task_external_storage_concurrency", EXTERNAL_STORAGE_CONCURRENCY) < 1:
        raise ValueError("max_workflow_task_external_storage_concurrency must be positive")
    if config.get("max_eager_activity_reservations_per_workflow_task", 1) < 1:
        raise ValueError(
            "max_eager_activity_reservations_per_workflow_task must be positive; "
            "use disable_eager_activity_execution=True to disable eager activity execution"
        )
    limits: list[Any] = [
        config.get("max_concurrent_workflow_tasks"),
        config.get("max_concurrent_activities"),
        config.get("max_concurrent_local_activities"),
        config.get("max_concurrent_nexus_tasks"),
    ]
    if config.get("tuner") and any(limits):
        raise ValueError(
            "Cannot specify max_concurrent_workflow_tasks, max_concurrent_activities, "
            "max_concurrent_local_activities, or max_concurrent_nexus_tasks when also specifying tuner"
        )


def specification(
    config: WorkerConfig, client: Callable[[], Client], functions: str
) -> tuple[Activities | None, WorkerSpecification]:
    """What a worker runs.

    Args:
        config: Its parameters.
        client: What its activities get.
        functions: The task queue of the deployment's functions; empty if there are none.
    """
    client_config = config["client"].config(active_config=True)
    data_converter, header_codec = client_config["data_converter"], client_config["header_codec_behavior"]
    limited = not config.get("disable_payload_error_limit", False)
    of_client: list[Any] = [one for one in client_config["interceptors"] if isinstance(one, Interceptor)]
    interceptors: list[Interceptor] = [*of_client, *config["interceptors"]]
    tuner = config.get("tuner") or WorkerTuner.create_fixed(
        workflow_slots=config.get("max_concurrent_workflow_tasks"),
        activity_slots=config.get("max_concurrent_activities"),
        local_activity_slots=config.get("max_concurrent_local_activities"),
    )
    runtime = config["client"]._runtime or Runtime.default()
    meter, prefix = runtime.metric_meter, runtime._metric_prefix
    measured = meter is not MetricMeter.noop
    activities = None
    if config.get("activities"):
        slots = config.get("max_concurrent_activities")
        if config.get("tuner"):
            slots = slots_of(tuner._activity_supplier)
        warning = warn_of_small_executor(config.get("activity_executor"), slots)
        if warning:
            warnings.warn(warning, stacklevel=4)
        activities = Activities(
            config["activities"],
            task_queue=config["task_queue"],
            data_converter=data_converter,
            interceptors=interceptors,
            executor=config.get("activity_executor"),
            client=client,
            slots=make_slots(tuner._activity_supplier, _reservation(config, "activity")),
            local_slots=make_slots(tuner._local_activity_supplier, _reservation(config, "local-activity")),
            metric_meter=meter,
            metrics={local: ActivityMetrics(meter, prefix, local=local) for local in (False, True)}
            if measured
            else None,
            shared_state_manager=config.get("shared_state_manager"),
            header_codec=header_codec == HeaderCodecBehavior.CODEC,
            payload_limit=PAYLOAD_LIMIT if limited else None,
        )
    remote = not config.get("no_remote_activities", False)
    workflows = None
    debug = config.get("debug_mode") or any(map(os.environ.get, _DEBUG_VARIABLES))
    detector = None if debug else _DEADLOCK_DETECTOR
    runner = config.get("workflow_runner", SANDBOXED)
    if config.get("workflows"):
        deployment = config.get("deployment_config")
        if deployment and deployment.use_worker_versioning:
            _check_versioning(config["workflows"], deployment)
        eager: list[str] | None = []
        paced = config.get("max_activities_per_second") or config.get("max_task_queue_activities_per_second")
        if activities is not None and remote and not paced and not config.get("disable_eager_activity_execution"):
            eager = None if activities.has_dynamic else activities.names
        workflows = Workflows(
            config["workflows"],
            data_converter=data_converter,
            interceptors=interceptors,
            failure_exception_types=config.get("workflow_failure_exception_types", ()),
            deadlock_detector=detector,
            runner=with_breakpoints(runner) if debug else runner,
            unsandboxed_runner=config.get("unsandboxed_workflow_runner", UNSANDBOXED),
            metric_meter=meter,
            metrics=WorkflowMetrics(meter, prefix) if measured else None,
            patch_activation_callback=config.get("patch_activation_callback"),
            eager_activities=eager,
            elsewhere=_of_functions(activities, functions),
            header_codec=header_codec != HeaderCodecBehavior.NO_CODEC,
            external_concurrency=config.get(
                "max_workflow_task_external_storage_concurrency", EXTERNAL_STORAGE_CONCURRENCY
            ),
            limited=limited,
            check_local_activity=(activities or ActivityRunner([])).check_registered,
        )
    deployment = config.get("deployment_config")
    workflow_slots = slots_of(tuner._workflow_supplier)
    made = WorkerSpecification(
        task_queue=config["task_queue"],
        workflows=workflows,
        activities=activities,
        remote_activities=remote,
        workflow_slots=workflow_slots,
        workflow_slot=workflow_slot(tuner._workflow_supplier, _reservation(config, "workflow")),
        activity_slots=slots_of(tuner._activity_supplier),
        held_runs=config.get("max_cached_workflows", 1000),
        heartbeat_interval=_milliseconds(config.get("default_heartbeat_throttle_interval", timedelta(seconds=30))),
        longest_heartbeat_interval=_milliseconds(config.get("max_heartbeat_throttle_interval", timedelta(seconds=60))),
        activities_per_second=config.get("max_activities_per_second"),
        queue_activities_per_second=config.get("max_task_queue_activities_per_second"),
        identity=config.get("identity") or config["client"].identity,
        build=deployment.version.build_id if deployment else config.get("build_id") or "",
        code=InPlace() if debug else InThreads(workflow_slots, detector, executor=config.get("workflow_task_executor")),
    )
    return activities, made


def _of_functions(activities: Activities | None, functions: str) -> dict[str, str]:
    """The task queue of every activity that the engine brings, unless the worker has it itself.

    They need what only the functions know: the secret that callback URLs are signed with.
    """
    if not functions:
        return {}
    built_in = ActivityRunner(built_in_activities()).names
    return {name: functions for name in built_in if activities is None or name not in activities.names}


def _reservation(config: WorkerConfig, slot_type: Literal["workflow", "activity", "local-activity"]) -> Reservation:
    deployment = config.get("deployment_config")
    return Reservation(
        task_queue=config["task_queue"],
        worker_identity=config.get("identity") or config["client"].identity,
        worker_build_id=config.get("build_id") or "",
        worker_deployment_version=deployment.version if deployment else None,
        slot_type=slot_type,
    )


def _milliseconds(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)


def _check_versioning(workflows: Sequence[type], deployment: WorkerDeploymentConfig) -> None:
    if deployment.default_versioning_behavior != VersioningBehavior.UNSPECIFIED:
        return
    for cls in workflows:
        definition = _Definition.must_from_class(cls)
        if definition.versioning_behavior == VersioningBehavior.UNSPECIFIED and not definition.dynamic_config_fn:
            raise ValueError(
                f"Workflow {definition.name} must specify a versioning behavior using "
                "the `versioning_behavior` argument to `@workflow.defn` or by "
                "defining a function decorated with `@workflow.dynamic_config`."
            )
