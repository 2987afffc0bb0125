"""Base classes of workflow interceptors, and what they are given; the shapes are those of ``temporalio.worker``.

A chain ends at the workflow instance. Inbound calls go from the engine to user code, outbound calls the other way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from durability._core.payload import Payload

if TYPE_CHECKING:
    from durability._core.signals_with_start import SignalWithStartHandle
    from durability.common import (
        Priority,
        RetryPolicy,
        SearchAttributes,
        TypedSearchAttributes,
        VersioningOverride,
        WorkflowIDConflictPolicy,
        WorkflowIDReusePolicy,
    )
    from durability.workflow import (
        ActivityCancellationType,
        ActivityHandle,
        ChildWorkflowCancellationType,
        ChildWorkflowHandle,
        ContinueAsNewVersioningBehavior,
        EventGroup,
        Info,
        ParentClosePolicy,
        VersioningIntent,
    )


@dataclass
class ContinueAsNewInput:
    """Input of ``WorkflowOutboundInterceptor.continue_as_new``."""

    workflow: str | None
    args: Sequence[Any]
    task_queue: str | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    backoff_start_interval: timedelta | None
    retry_policy: RetryPolicy | None
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    headers: Mapping[str, Payload]
    versioning_intent: VersioningIntent | None
    initial_versioning_behavior: ContinueAsNewVersioningBehavior | None
    event_groups: Sequence[EventGroup] | None = None
    arg_types: list[type] | None = None


@dataclass
class ExecuteWorkflowInput:
    """Input of ``WorkflowInboundInterceptor.execute_workflow``; ``run_fn`` is an unbound method."""

    type: type
    run_fn: Callable[..., Awaitable[Any]]
    args: Sequence[Any]
    headers: Mapping[str, Payload]


@dataclass
class HandleSignalInput:
    """Input of ``WorkflowInboundInterceptor.handle_signal``."""

    signal: str
    args: Sequence[Any]
    headers: Mapping[str, Payload]


@dataclass
class HandleQueryInput:
    """Input of ``WorkflowInboundInterceptor.handle_query``."""

    id: str
    query: str
    args: Sequence[Any]
    headers: Mapping[str, Payload]


@dataclass
class HandleUpdateInput:
    """Input of ``WorkflowInboundInterceptor.handle_update_validator`` and ``handle_update_handler``."""

    id: str
    update: str
    args: Sequence[Any]
    headers: Mapping[str, Payload]


@dataclass
class SignalChildWorkflowInput:
    """Input of ``WorkflowOutboundInterceptor.signal_child_workflow``."""

    signal: str
    args: Sequence[Any]
    child_workflow_id: str
    headers: Mapping[str, Payload]
    event_groups: Sequence[EventGroup] | None = None


@dataclass
class SignalExternalWorkflowInput:
    """Input of ``WorkflowOutboundInterceptor.signal_external_workflow``."""

    signal: str
    args: Sequence[Any]
    namespace: str
    workflow_id: str
    workflow_run_id: str | None
    headers: Mapping[str, Payload]
    event_groups: Sequence[EventGroup] | None = None


@dataclass
class StartActivityInput:
    """Input of ``WorkflowOutboundInterceptor.start_activity``."""

    activity: str
    args: Sequence[Any]
    activity_id: str | None
    task_queue: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cancellation_type: ActivityCancellationType
    headers: Mapping[str, Payload]
    disable_eager_execution: bool
    versioning_intent: VersioningIntent | None
    summary: str | None
    event_groups: Sequence[EventGroup] | None = field(default=None, kw_only=True)
    priority: Priority
    arg_types: list[type] | None
    ret_type: type | None


@dataclass
class StartLocalActivityInput:
    """Input of ``WorkflowOutboundInterceptor.start_local_activity``."""

    activity: str
    args: Sequence[Any]
    activity_id: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    local_retry_threshold: timedelta | None
    cancellation_type: ActivityCancellationType
    headers: Mapping[str, Payload]
    summary: str | None
    event_groups: Sequence[EventGroup] | None = None
    arg_types: list[type] | None = None
    ret_type: type | None = None


@dataclass
class StartChildWorkflowInput:
    """Input of ``WorkflowOutboundInterceptor.start_child_workflow``."""

    workflow: str
    args: Sequence[Any]
    id: str
    task_queue: str | None
    cancellation_type: ChildWorkflowCancellationType
    parent_close_policy: ParentClosePolicy
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    headers: Mapping[str, Payload]
    versioning_intent: VersioningIntent | None
    static_summary: str | None
    static_details: str | None
    versioning_override: VersioningOverride | None = field(default=None, kw_only=True)
    event_groups: Sequence[EventGroup] | None = field(default=None, kw_only=True)
    priority: Priority
    arg_types: list[type] | None
    ret_type: type | None


@dataclass(slots=True)
class UserMetadata:
    """What is said about a workflow to people."""

    static_summary: Any | None = None
    static_details: Any | None = None


@dataclass(slots=True, kw_only=True)
class SignalWithStartWorkflowRequest:
    """Input of ``WorkflowOutboundInterceptor.start_signal_with_start_workflow``."""

    workflow: str | Callable[..., Awaitable[object]]
    args: list[Any] | None = None
    id: str
    task_queue: str
    signal: str | Callable[..., Awaitable[None] | None]
    signal_args: list[Any] | None = None
    execution_timeout: timedelta | None = None
    run_timeout: timedelta | None = None
    task_timeout: timedelta | None = None
    id_reuse_policy: WorkflowIDReusePolicy
    id_conflict_policy: WorkflowIDConflictPolicy | None = None
    retry_policy: RetryPolicy | None = None
    cron_schedule: str | None = None
    memo: Mapping[str, Any] | None = None
    search_attributes: TypedSearchAttributes | None = None
    priority: Priority | None = None
    versioning_override: VersioningOverride | None = None
    start_delay: timedelta | None = None
    user_metadata: UserMetadata | None = None
    namespace: str
    headers: Mapping[str, Any] | None = None


@dataclass(slots=True)
class SignalWithStartWorkflowResponse:
    """What a signal-with-start reached."""

    run_id: str | None = None
    started: bool | None = None


class WorkflowInboundInterceptor:
    """Wraps what comes to a workflow. Extend it and override what is of interest."""

    next: WorkflowInboundInterceptor

    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        """Create the interceptor.

        Args:
            next: The next one of the chain, to which every method delegates by default.
        """
        self.next = next

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        """Take part in the outbound chain: hand on ``outbound``, wrapped if wanted."""
        self.next.init(outbound)

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        """Run the workflow."""
        return await self.next.execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        """Handle a signal."""
        return await self.next.handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        """Answer a query."""
        return await self.next.handle_query(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        """Validate an update; raising rejects it."""
        self.next.handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        """Handle an accepted update."""
        return await self.next.handle_update_handler(input)


class WorkflowOutboundInterceptor:
    """Wraps what a workflow asks for. Extend it and override what is of interest."""

    next: WorkflowOutboundInterceptor

    def __init__(self, next: WorkflowOutboundInterceptor) -> None:
        """Create the interceptor.

        Args:
            next: The next one of the chain, to which every method delegates by default.
        """
        self.next = next

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        """Called for ``workflow.continue_as_new``."""
        self.next.continue_as_new(input)

    def info(self) -> Info:
        """Called for ``workflow.info``."""
        return self.next.info()

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:
        """Called for ``ChildWorkflowHandle.signal``."""
        return await self.next.signal_child_workflow(input)

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        """Called for ``ExternalWorkflowHandle.signal``."""
        return await self.next.signal_external_workflow(input)

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        """Called for ``workflow.start_activity`` and ``execute_activity``."""
        return self.next.start_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> ChildWorkflowHandle[Any, Any]:
        """Called for ``workflow.start_child_workflow`` and ``execute_child_workflow``."""
        return await self.next.start_child_workflow(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        """Called for ``workflow.start_local_activity`` and ``execute_local_activity``."""
        return self.next.start_local_activity(input)

    async def start_signal_with_start_workflow(self, request: SignalWithStartWorkflowRequest) -> SignalWithStartHandle:
        """Called for ``workflow.signal_with_start_workflow``; what it returns is awaited for the outcome."""
        return await self.next.start_signal_with_start_workflow(request)
