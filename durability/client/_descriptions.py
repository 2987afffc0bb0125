"""What the engine tells of a workflow execution, in the shape of Temporal's responses."""

from __future__ import annotations

from typing import Any

from durability._core.enums import ENUMS
from durability._core.message_view import Message
from durability._core.temporal_json import (
    enum_json,
    failure_json,
    payload_json,
    payload_map_json,
    payloads_json,
    time_json,
)
from durability._runtime.frontend import Description, PendingActivity


def raw_info(of: Description) -> Message:
    """The description as Temporal's ``WorkflowExecutionInfo``."""
    body: dict[str, Any] = {
        "execution": _execution(of.workflow_id, of.run_id),
        "type": {"name": of.workflow_type},
        "startTime": time_json(of.start_time),
        "status": enum_json("WORKFLOW_EXECUTION_STATUS", ENUMS["WorkflowExecutionStatus"], of.status),
        "historyLength": str(of.history_length),
        "taskQueue": of.task_queue,
        "firstRunId": of.first_run_id or of.run_id,
        "rootExecution": _execution(of.root_workflow_id, of.root_run_id),
        "memo": {"fields": payload_map_json(of.memo)},
        "searchAttributes": {"indexedFields": payload_map_json(of.search_attributes)},
    }
    if of.close_time:
        body["closeTime"] = time_json(of.close_time)
    if of.execution_time:
        body["executionTime"] = time_json(of.execution_time)
    if of.parent_workflow_id:
        body["parentExecution"] = _execution(of.parent_workflow_id, of.parent_run_id)
    return Message(body)


def raw_description(of: Description) -> Message:
    """The description as Temporal's ``DescribeWorkflowExecutionResponse``.

    In addition, ``pending_workflow_task`` has a ``last_failure`` while the workflow task keeps failing.
    """
    texts = {"summary": of.static_summary, "details": of.static_details}
    body: dict[str, Any] = {
        "executionConfig": {
            "taskQueue": {"name": of.task_queue, "kind": "TASK_QUEUE_KIND_NORMAL"},
            "userMetadata": {name: payload_json(text) for name, text in texts.items() if text is not None},
        },
        "workflowExecutionInfo": dict(raw_info(of)),
        "pendingActivities": [_pending_activity(activity) for activity in of.pending_activities],
    }
    if of.task_attempts:
        # The task that has failed n times is at its attempt n + 1.
        body["pendingWorkflowTask"] = {
            "attempt": of.task_attempts + 1,
            "lastFailure": {"message": of.task_failure},
        }
    return Message(body)


def _pending_activity(of: PendingActivity) -> dict[str, Any]:
    state = f"PENDING_ACTIVITY_STATE_{of.state.upper()}"
    body: dict[str, Any] = {
        "activityId": of.activity_id,
        "activityType": {"name": of.activity_type},
        "state": state,
        "attempt": of.attempt,
    }
    if of.scheduled:
        body["scheduledTime"] = time_json(of.scheduled)
    if of.next_attempt:
        body["nextAttemptScheduleTime"] = time_json(of.next_attempt)
    if of.last_failure is not None:
        body["lastFailure"] = failure_json(of.last_failure)
    if of.last_heartbeat_details:
        body["heartbeatDetails"] = payloads_json(of.last_heartbeat_details)
    return body


def _execution(workflow_id: str, run_id: str) -> dict[str, str]:
    return {"workflowId": workflow_id, "runId": run_id}
