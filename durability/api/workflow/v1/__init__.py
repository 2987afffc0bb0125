"""Messages of ``temporal.api.workflow.v1``: what is told of an execution."""

from __future__ import annotations

from typing import Annotated, Any

from durability._core.api_message import UNSET, ApiMessage
from durability._core.failure import Failure
from durability._core.payload import Payloads
from durability._core.protobuf_times import Duration, Timestamp
from durability.api.common.v1 import ActivityType, Memo, Priority, SearchAttributes, WorkflowExecution, WorkflowType
from durability.api.sdk.v1 import UserMetadata
from durability.api.taskqueue.v1 import TaskQueue

__all__ = [
    "PendingActivityInfo",
    "PendingChildExecutionInfo",
    "PendingWorkflowTaskInfo",
    "WorkflowExecutionConfig",
    "WorkflowExecutionInfo",
]

_ParentClosePolicy = Annotated[int, "ParentClosePolicy"]
_PendingActivityState = Annotated[int, "PendingActivityState"]
_PendingWorkflowTaskState = Annotated[int, "PendingWorkflowTaskState"]
_WorkflowExecutionStatus = Annotated[int, "WorkflowExecutionStatus"]


class WorkflowExecutionInfo(ApiMessage):
    execution: WorkflowExecution = UNSET
    type: WorkflowType = UNSET
    start_time: Timestamp = UNSET
    close_time: Timestamp = UNSET
    status: _WorkflowExecutionStatus = 0
    history_length: int = 0
    parent_namespace_id: str = ""
    parent_execution: WorkflowExecution = UNSET
    execution_time: Timestamp = UNSET
    memo: Memo = UNSET
    search_attributes: SearchAttributes = UNSET
    auto_reset_points: Any = UNSET
    task_queue: str = ""
    state_transition_count: int = 0
    history_size_bytes: int = 0
    execution_duration: Duration = UNSET
    root_execution: WorkflowExecution = UNSET
    first_run_id: str = ""
    versioning_info: Any = UNSET
    worker_deployment_name: str = ""
    priority: Priority = UNSET
    external_payload_size_bytes: int = 0
    external_payload_count: int = 0


class WorkflowExecutionConfig(ApiMessage):
    task_queue: TaskQueue = UNSET
    workflow_execution_timeout: Duration = UNSET
    workflow_run_timeout: Duration = UNSET
    default_workflow_task_timeout: Duration = UNSET
    user_metadata: UserMetadata = UNSET


class PendingActivityInfo(ApiMessage):
    activity_id: str = ""
    activity_type: ActivityType = UNSET
    state: _PendingActivityState = 0
    heartbeat_details: Payloads = UNSET
    last_heartbeat_time: Timestamp = UNSET
    last_started_time: Timestamp = UNSET
    attempt: int = 0
    maximum_attempts: int = 0
    scheduled_time: Timestamp = UNSET
    expiration_time: Timestamp = UNSET
    last_failure: Failure = UNSET
    last_worker_identity: str = ""
    current_retry_interval: Duration = UNSET
    last_attempt_complete_time: Timestamp = UNSET
    next_attempt_schedule_time: Timestamp = UNSET
    paused: bool = False
    last_deployment_version: Any = UNSET
    priority: Priority = UNSET
    pause_info: Any = UNSET
    activity_options: Any = UNSET


class PendingChildExecutionInfo(ApiMessage):
    workflow_id: str = ""
    run_id: str = ""
    workflow_type_name: str = ""
    initiated_id: int = 0
    parent_close_policy: _ParentClosePolicy = 0


class PendingWorkflowTaskInfo(ApiMessage):
    state: _PendingWorkflowTaskState = 0
    scheduled_time: Timestamp = UNSET
    original_scheduled_time: Timestamp = UNSET
    started_time: Timestamp = UNSET
    attempt: int = 0
    last_failure: Failure = UNSET  # not of Temporal's: why the task keeps failing
