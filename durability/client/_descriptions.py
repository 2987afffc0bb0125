"""What the engine tells of a workflow execution, as Temporal's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durability._core.payload import Payloads
from durability._core.protobuf_times import Timestamp
from durability._runtime.frontend import Description, PendingActivity

if TYPE_CHECKING:
    from durability.api.workflow.v1 import PendingActivityInfo, WorkflowExecutionInfo
    from durability.api.workflowservice.v1 import DescribeWorkflowExecutionResponse


def raw_info(of: Description) -> WorkflowExecutionInfo:
    """The description as Temporal's ``WorkflowExecutionInfo``."""
    from durability.api.common.v1 import Memo, SearchAttributes, WorkflowExecution, WorkflowType
    from durability.api.workflow.v1 import WorkflowExecutionInfo

    info = WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id=of.workflow_id, run_id=of.run_id),
        type=WorkflowType(name=of.workflow_type),
        start_time=Timestamp.from_milliseconds(of.start_time),
        status=int(of.status),
        history_length=of.history_length,
        task_queue=of.task_queue,
        first_run_id=of.first_run_id or of.run_id,
        root_execution=WorkflowExecution(workflow_id=of.root_workflow_id, run_id=of.root_run_id),
        memo=Memo(fields=of.memo),
        search_attributes=SearchAttributes(indexed_fields=of.search_attributes),
    )
    if of.close_time:
        info.close_time = Timestamp.from_milliseconds(of.close_time)
    if of.execution_time:
        info.execution_time = Timestamp.from_milliseconds(of.execution_time)
    if of.parent_workflow_id:
        info.parent_execution = WorkflowExecution(workflow_id=of.parent_workflow_id, run_id=of.parent_run_id)
    return info


def raw_description(of: Description) -> DescribeWorkflowExecutionResponse:
    """The description as Temporal's ``DescribeWorkflowExecutionResponse``.

    In addition, ``pending_workflow_task`` has a ``last_failure`` while the workflow task keeps failing.
    """
    from durability._core.failure import Failure
    from durability.api.enums.v1 import TaskQueueKind
    from durability.api.sdk.v1 import UserMetadata
    from durability.api.taskqueue.v1 import TaskQueue
    from durability.api.workflow.v1 import PendingWorkflowTaskInfo, WorkflowExecutionConfig
    from durability.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

    texts = UserMetadata()
    if of.static_summary is not None:
        texts.summary = of.static_summary
    if of.static_details is not None:
        texts.details = of.static_details
    description = DescribeWorkflowExecutionResponse(
        execution_config=WorkflowExecutionConfig(
            task_queue=TaskQueue(name=of.task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
            user_metadata=texts,
        ),
        workflow_execution_info=raw_info(of),
        pending_activities=[_pending_activity(activity) for activity in of.pending_activities],
    )
    if of.task_attempts:
        # The task that has failed n times is at its attempt n + 1.
        description.pending_workflow_task = PendingWorkflowTaskInfo(
            attempt=of.task_attempts + 1, last_failure=Failure(message=of.task_failure)
        )
    return description


def _pending_activity(of: PendingActivity) -> PendingActivityInfo:
    from durability.api.common.v1 import ActivityType
    from durability.api.enums.v1 import PendingActivityState
    from durability.api.workflow.v1 import PendingActivityInfo

    info = PendingActivityInfo(
        activity_id=of.activity_id,
        activity_type=ActivityType(name=of.activity_type),
        state=PendingActivityState.Value(f"PENDING_ACTIVITY_STATE_{of.state.upper()}"),
        attempt=of.attempt,
    )
    if of.last_failure is not None:
        info.last_failure = of.last_failure
    if of.scheduled:
        info.scheduled_time = Timestamp.from_milliseconds(of.scheduled)
    if of.next_attempt:
        info.next_attempt_schedule_time = Timestamp.from_milliseconds(of.next_attempt)
    if of.last_heartbeat_details:
        info.heartbeat_details = Payloads(of.last_heartbeat_details)
    return info
