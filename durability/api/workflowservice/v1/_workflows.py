"""Requests about workflows, and their answers."""

from __future__ import annotations

from typing import Annotated, Any

from durability._core.api_message import UNSET, ApiMessage
from durability._core.failure import Failure
from durability._core.payload import Payload, Payloads
from durability._core.protobuf_times import Duration
from durability.api.common.v1 import (
    Header,
    Memo,
    Priority,
    RetryPolicy,
    SearchAttributes,
    WorkflowExecution,
    WorkflowType,
)
from durability.api.history.v1 import History
from durability.api.namespace.v1 import NamespaceConfig, NamespaceInfo
from durability.api.query.v1 import QueryRejected, WorkflowQuery
from durability.api.sdk.v1 import UserMetadata
from durability.api.taskqueue.v1 import TaskQueue
from durability.api.update.v1 import Outcome, Request, UpdateRef, WaitPolicy
from durability.api.workflow.v1 import (
    PendingActivityInfo,
    PendingChildExecutionInfo,
    PendingWorkflowTaskInfo,
    WorkflowExecutionConfig,
    WorkflowExecutionInfo,
)

_HistoryEventFilterType = Annotated[int, "HistoryEventFilterType"]
_QueryRejectCondition = Annotated[int, "QueryRejectCondition"]
_UpdateWorkflowExecutionLifecycleStage = Annotated[int, "UpdateWorkflowExecutionLifecycleStage"]
_WorkflowExecutionStatus = Annotated[int, "WorkflowExecutionStatus"]
_WorkflowIdConflictPolicy = Annotated[int, "WorkflowIdConflictPolicy"]
_WorkflowIdReusePolicy = Annotated[int, "WorkflowIdReusePolicy"]


class GetSystemInfoRequest(ApiMessage): ...


class GetSystemInfoResponse(ApiMessage):
    class Capabilities(ApiMessage):
        signal_and_query_header: bool = False
        internal_error_differentiation: bool = False
        activity_failure_include_heartbeat: bool = False
        supports_schedules: bool = False
        encoded_failure_attributes: bool = False
        build_id_based_versioning: bool = False
        upsert_memo: bool = False
        eager_workflow_start: bool = False
        sdk_metadata: bool = False
        count_group_by_execution_status: bool = False
        nexus: bool = False
        server_scaled_deployments: bool = False
        server_scaled_provider_cloud_run: bool = False

    server_version: str = ""
    capabilities: Capabilities = UNSET


class DescribeNamespaceRequest(ApiMessage):
    namespace: str = ""
    id: str = ""
    weak_consistency: bool = False


class DescribeNamespaceResponse(ApiMessage):
    namespace_info: NamespaceInfo = UNSET
    config: NamespaceConfig = UNSET
    replication_config: Any = UNSET
    failover_version: int = 0
    is_global_namespace: bool = False
    failover_history: list[Any] = UNSET
    poller_groups_info: Any = UNSET


class StartWorkflowExecutionRequest(ApiMessage):
    namespace: str = ""
    workflow_id: str = ""
    workflow_type: WorkflowType = UNSET
    task_queue: TaskQueue = UNSET
    input: Payloads = UNSET
    workflow_execution_timeout: Duration = UNSET
    workflow_run_timeout: Duration = UNSET
    workflow_task_timeout: Duration = UNSET
    identity: str = ""
    request_id: str = ""
    workflow_id_reuse_policy: _WorkflowIdReusePolicy = 0
    workflow_id_conflict_policy: _WorkflowIdConflictPolicy = 0
    retry_policy: RetryPolicy = UNSET
    cron_schedule: str = ""
    memo: Memo = UNSET
    search_attributes: SearchAttributes = UNSET
    header: Header = UNSET
    request_eager_execution: bool = False
    continued_failure: Failure = UNSET
    last_completion_result: Payloads = UNSET
    workflow_start_delay: Duration = UNSET
    completion_callbacks: list[Any] = UNSET
    user_metadata: UserMetadata = UNSET
    versioning_override: Any = UNSET
    on_conflict_options: Any = UNSET
    priority: Priority = UNSET
    eager_worker_deployment_options: Any = UNSET
    time_skipping_config: Any = UNSET


class StartWorkflowExecutionResponse(ApiMessage):
    run_id: str = ""
    first_execution_run_id: str = ""
    started: bool = False
    status: _WorkflowExecutionStatus = 0
    eager_workflow_task: Any = UNSET
    link: Any = UNSET


class SignalWorkflowExecutionRequest(ApiMessage):
    namespace: str = ""
    workflow_execution: WorkflowExecution = UNSET
    signal_name: str = ""
    input: Payloads = UNSET
    identity: str = ""
    request_id: str = ""
    header: Header = UNSET


class SignalWorkflowExecutionResponse(ApiMessage):
    link: Any = UNSET


class SignalWithStartWorkflowExecutionRequest(ApiMessage):
    namespace: str = ""
    workflow_id: str = ""
    workflow_type: WorkflowType = UNSET
    task_queue: TaskQueue = UNSET
    input: Payloads = UNSET
    workflow_execution_timeout: Duration = UNSET
    workflow_run_timeout: Duration = UNSET
    workflow_task_timeout: Duration = UNSET
    identity: str = ""
    request_id: str = ""
    workflow_id_reuse_policy: _WorkflowIdReusePolicy = 0
    workflow_id_conflict_policy: _WorkflowIdConflictPolicy = 0
    signal_name: str = ""
    signal_input: Payloads = UNSET
    retry_policy: RetryPolicy = UNSET
    cron_schedule: str = ""
    memo: Memo = UNSET
    search_attributes: SearchAttributes = UNSET
    header: Header = UNSET
    workflow_start_delay: Duration = UNSET
    user_metadata: UserMetadata = UNSET
    versioning_override: Any = UNSET
    priority: Priority = UNSET
    time_skipping_config: Any = UNSET


class SignalWithStartWorkflowExecutionResponse(ApiMessage):
    run_id: str = ""
    first_execution_run_id: str = ""
    started: bool = False
    signal_link: Any = UNSET


class RequestCancelWorkflowExecutionRequest(ApiMessage):
    namespace: str = ""
    workflow_execution: WorkflowExecution = UNSET
    identity: str = ""
    request_id: str = ""
    first_execution_run_id: str = ""
    reason: str = ""


class RequestCancelWorkflowExecutionResponse(ApiMessage): ...


class TerminateWorkflowExecutionRequest(ApiMessage):
    namespace: str = ""
    workflow_execution: WorkflowExecution = UNSET
    reason: str = ""
    details: Payloads = UNSET
    identity: str = ""
    first_execution_run_id: str = ""


class TerminateWorkflowExecutionResponse(ApiMessage): ...


class DeleteWorkflowExecutionRequest(ApiMessage):
    namespace: str = ""
    workflow_execution: WorkflowExecution = UNSET


class DeleteWorkflowExecutionResponse(ApiMessage): ...


class QueryWorkflowRequest(ApiMessage):
    namespace: str = ""
    execution: WorkflowExecution = UNSET
    query: WorkflowQuery = UNSET
    query_reject_condition: _QueryRejectCondition = 0


class QueryWorkflowResponse(ApiMessage):
    query_result: Payloads = UNSET
    query_rejected: QueryRejected = UNSET
    link: Any = UNSET


class UpdateWorkflowExecutionRequest(ApiMessage):
    namespace: str = ""
    workflow_execution: WorkflowExecution = UNSET
    first_execution_run_id: str = ""
    wait_policy: WaitPolicy = UNSET
    request: Request = UNSET


class UpdateWorkflowExecutionResponse(ApiMessage):
    update_ref: UpdateRef = UNSET
    outcome: Outcome = UNSET
    stage: _UpdateWorkflowExecutionLifecycleStage = 0
    link: Any = UNSET


class PollWorkflowExecutionUpdateRequest(ApiMessage):
    namespace: str = ""
    update_ref: UpdateRef = UNSET
    identity: str = ""
    wait_policy: WaitPolicy = UNSET


class PollWorkflowExecutionUpdateResponse(ApiMessage):
    outcome: Outcome = UNSET
    stage: _UpdateWorkflowExecutionLifecycleStage = 0
    update_ref: UpdateRef = UNSET


class DescribeWorkflowExecutionRequest(ApiMessage):
    namespace: str = ""
    execution: WorkflowExecution = UNSET


class DescribeWorkflowExecutionResponse(ApiMessage):
    execution_config: WorkflowExecutionConfig = UNSET
    workflow_execution_info: WorkflowExecutionInfo = UNSET
    pending_activities: list[PendingActivityInfo] = UNSET
    pending_children: list[PendingChildExecutionInfo] = UNSET
    pending_workflow_task: PendingWorkflowTaskInfo = UNSET
    callbacks: list[Any] = UNSET
    pending_nexus_operations: list[Any] = UNSET
    workflow_extended_info: Any = UNSET


class ListWorkflowExecutionsRequest(ApiMessage):
    namespace: str = ""
    page_size: int = 0
    next_page_token: bytes = b""
    query: str = ""


class ListWorkflowExecutionsResponse(ApiMessage):
    executions: list[WorkflowExecutionInfo] = UNSET
    next_page_token: bytes = b""


class CountWorkflowExecutionsRequest(ApiMessage):
    namespace: str = ""
    query: str = ""


class CountWorkflowExecutionsResponse(ApiMessage):
    class AggregationGroup(ApiMessage):
        group_values: list[Payload] = UNSET
        count: int = 0

    count: int = 0
    groups: list[AggregationGroup] = UNSET


class GetWorkflowExecutionHistoryRequest(ApiMessage):
    namespace: str = ""
    execution: WorkflowExecution = UNSET
    maximum_page_size: int = 0
    next_page_token: bytes = b""
    wait_new_event: bool = False
    history_event_filter_type: _HistoryEventFilterType = 0
    skip_archival: bool = False


class GetWorkflowExecutionHistoryResponse(ApiMessage):
    history: History = UNSET
    raw_history: list[Any] = UNSET
    next_page_token: bytes = b""
    archived: bool = False


class ResetStickyTaskQueueRequest(ApiMessage):
    namespace: str = ""
    execution: WorkflowExecution = UNSET


class ResetStickyTaskQueueResponse(ApiMessage): ...
