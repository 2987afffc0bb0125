"""Attributes of Temporal's history events that follow from one record alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from durability._core import history
from durability._core.history import RetryPolicyRecord
from durability._core.options import priority_from
from durability._core.payload import Payload
from durability._core.temporal_json import (
    duration_json,
    enum_json,
    failure_json,
    payload_json,
    payload_map_json,
    payloads_json,
    time_json,
)

_PARENT_CLOSE_POLICIES: Final = ("UNSPECIFIED", "TERMINATE", "ABANDON", "REQUEST_CANCEL")
_ID_REUSE_POLICIES: Final = (
    "UNSPECIFIED",
    "ALLOW_DUPLICATE",
    "ALLOW_DUPLICATE_FAILED_ONLY",
    "REJECT_DUPLICATE",
    "TERMINATE_IF_RUNNING",
)


def started(message: history.WorkflowExecutionStarted, workflow_id: str, run_id: str) -> dict[str, Any]:
    """Of the event of a start."""
    body: dict[str, Any] = {
        "workflowType": {"name": message.workflow_type},
        "taskQueue": {"name": message.task_queue, "kind": "TASK_QUEUE_KIND_NORMAL"},
        "input": payloads_json(message.arguments),
        **_timeouts(message),
        "originalExecutionRunId": run_id,
        "firstExecutionRunId": message.first_run_id or run_id,
        "workflowId": workflow_id,
        "identity": message.identity,
        "attempt": message.attempt,
        "firstWorkflowTaskBackoff": duration_json(message.start_delay),
        "header": {"fields": payload_map_json(message.headers)},
    }
    if message.cron_schedule:
        body["cronSchedule"] = message.cron_schedule
    if message.memo:
        body["memo"] = {"fields": payload_map_json(message.memo)}
    if message.search_attributes:
        body["searchAttributes"] = {"indexedFields": payload_map_json(message.search_attributes)}
    if message.retry_policy:
        body["retryPolicy"] = _retry_policy(message.retry_policy)
    if message.priority:
        body["priority"] = _priority(message.priority)
    if message.continued_run_id:
        body["continuedExecutionRunId"] = message.continued_run_id
    if message.last_completion_result:
        body["lastCompletionResult"] = payloads_json(message.last_completion_result)
    if message.last_failure:
        body["continuedFailure"] = failure_json(message.last_failure)
    if message.execution_deadline:
        body["workflowExecutionExpirationTime"] = time_json(message.execution_deadline)
    if message.parent:
        body["parentWorkflowNamespace"] = message.parent.namespace
        body["parentWorkflowExecution"] = execution(message.parent.workflow_id, message.parent.run_id)
    if message.root:
        body["rootWorkflowExecution"] = execution(message.root.workflow_id, message.root.run_id)
    return body


def scheduled(command: history.ActivityTaskScheduled, task_queue: str) -> dict[str, Any]:
    """Of an activity; ``task_queue`` is the workflow's own."""
    body: dict[str, Any] = {
        "activityId": command.activity_id,
        "activityType": {"name": command.activity_type},
        "taskQueue": {"name": command.task_queue or task_queue, "kind": "TASK_QUEUE_KIND_NORMAL"},
        **input_and_header(command),
        "scheduleToCloseTimeout": duration_json(command.schedule_to_close_timeout),
        "scheduleToStartTimeout": duration_json(command.schedule_to_start_timeout),
        "startToCloseTimeout": duration_json(command.start_to_close_timeout),
        "heartbeatTimeout": duration_json(command.heartbeat_timeout),
    }
    if command.retry_policy:
        body["retryPolicy"] = _retry_policy(command.retry_policy)
    if command.priority:
        body["priority"] = _priority(command.priority)
    return body


def initiated(command: history.StartChildWorkflowExecutionInitiated, namespace: str, task_queue: str) -> dict[str, Any]:
    """Of a child; ``task_queue`` is the workflow's own."""
    body: dict[str, Any] = {
        "namespace": namespace,
        "workflowId": command.workflow_id,
        "workflowType": {"name": command.workflow_type},
        "taskQueue": {"name": command.task_queue or task_queue, "kind": "TASK_QUEUE_KIND_NORMAL"},
        **input_and_header(command),
        **_timeouts(command),
        "parentClosePolicy": enum_json("PARENT_CLOSE_POLICY", _PARENT_CLOSE_POLICIES, command.parent_close_policy),
        "workflowIdReusePolicy": enum_json("WORKFLOW_ID_REUSE_POLICY", _ID_REUSE_POLICIES, command.id_reuse_policy),
    }
    if command.cron_schedule:
        body["cronSchedule"] = command.cron_schedule
    if command.retry_policy:
        body["retryPolicy"] = _retry_policy(command.retry_policy)
    if command.priority:
        body["priority"] = _priority(command.priority)
    if command.memo:
        body["memo"] = {"fields": payload_map_json(command.memo)}
    if command.search_attributes:
        body["searchAttributes"] = {"indexedFields": payload_map_json(command.search_attributes)}
    return body


def continued(command: history.WorkflowExecutionContinuedAsNew, task_queue: str, new_run_id: str) -> dict[str, Any]:
    """Of the end of a run that another follows; ``task_queue`` is the workflow's own."""
    body: dict[str, Any] = {
        "newExecutionRunId": new_run_id,
        "workflowType": {"name": command.workflow_type},
        "taskQueue": {"name": command.task_queue or task_queue, "kind": "TASK_QUEUE_KIND_NORMAL"},
        **input_and_header(command),
        "backoffStartInterval": duration_json(command.backoff_start_interval),
        "initiator": "CONTINUE_AS_NEW_INITIATOR_WORKFLOW",
    }
    if command.run_timeout:
        body["workflowRunTimeout"] = duration_json(command.run_timeout)
    if command.task_timeout:
        body["workflowTaskTimeout"] = duration_json(command.task_timeout)
    if command.memo is not None:
        body["memo"] = {"fields": payload_map_json(command.memo)}
    if command.search_attributes is not None:
        body["searchAttributes"] = {"indexedFields": payload_map_json(command.search_attributes)}
    return body


def update_completed(command: history.WorkflowExecutionUpdateCompleted, accepted: int) -> dict[str, Any]:
    """Of the outcome of an update; ``accepted`` is the event in which it was accepted."""
    if command.failure is not None:
        outcome: dict[str, Any] = {"failure": failure_json(command.failure)}
    else:
        outcome = {"success": payloads_json([command.result] if command.result is not None else None)}
    return {
        "meta": {"updateId": command.key},
        "acceptedEventId": str(accepted),
        "outcome": outcome,
    }


def local_marker(
    command: history.ActivityTaskScheduled, outcome: history.ActivityOutcome, completed: int
) -> dict[str, Any]:
    """Of the marker that Temporal's core records the outcome of a local activity in."""
    data = {
        "seq": outcome.sequence,
        "attempt": outcome.attempt,
        "activity_id": command.activity_id,
        "activity_type": command.activity_type,
        "complete_time": _timestamp(outcome.time),
        "backoff": None,
        "original_schedule_time": _timestamp(outcome.started or outcome.time),
    }
    details = {"data": payloads_json([json_payload(data)])}
    body: dict[str, Any] = {
        "workflowTaskCompletedEventId": str(completed),
        "markerName": "core_local_activity",
        "details": details,
    }
    match outcome:
        case history.ActivityTaskCompleted():
            if outcome.result is not None:
                details["result"] = payloads_json([outcome.result])
        case history.ActivityTaskFailed() | history.ActivityTaskTimedOut() | history.ActivityTaskCanceled():
            body["failure"] = failure_json(outcome.failure)
    return body


def change_version(patches: list[str], completed: int) -> dict[str, Any]:
    """The search attribute in which Temporal's core lists the patches of a run."""
    versions = json_payload(patches)
    versions.metadata["type"] = b"KeywordList"
    return {
        "workflowTaskCompletedEventId": str(completed),
        "searchAttributes": {"indexedFields": payload_map_json({"TemporalChangeVersion": versions})},
    }


def execution(workflow_id: str, run_id: str) -> dict[str, str]:
    return {"workflowId": workflow_id, "runId": run_id}


def input_and_header(record: Any) -> dict[str, Any]:
    return {"input": payloads_json(record.arguments), "header": {"fields": payload_map_json(record.headers)}}


def _timeouts(record: Any) -> dict[str, str]:
    """Timeouts of a workflow; those that are not set are left out, as zero is read as a timeout of zero."""
    timeouts = {"workflowExecutionTimeout": record.execution_timeout, "workflowRunTimeout": record.run_timeout}
    given = {name: duration_json(timeout) for name, timeout in timeouts.items() if timeout}
    return given | {"workflowTaskTimeout": duration_json(record.task_timeout or 10_000)}


def metadata(summary: Payload | None, details: Payload | None) -> dict[str, Any]:
    given: Mapping[str, Payload | None] = {"summary": summary, "details": details}
    return {name: payload_json(payload) for name, payload in given.items() if payload is not None}


def group_markers(markers: Iterable[history.EventGroupMarker], signals: Mapping[int, int]) -> list[dict[str, Any]]:
    """The event groups of a command; ``signals`` are the events of the signals that the run received."""
    return [_group_marker(marker, signals) for marker in markers]


def _group_marker(marker: history.EventGroupMarker, signals: Mapping[int, int]) -> dict[str, Any]:
    if marker.signal:
        return {"inboundEvent": {"inboundEventId": str(signals[marker.signal])}}
    if marker.update:
        return {"inboundUpdate": {"inboundUpdateId": marker.update}}
    label = {} if marker.label is None else {"label": payload_json(marker.label)}
    return {"label": {"id": marker.id, **label}}


def _retry_policy(policy: RetryPolicyRecord) -> dict[str, Any]:
    body: dict[str, Any] = {
        "initialInterval": duration_json(policy.initial_interval),
        "backoffCoefficient": policy.backoff_coefficient,
        "maximumInterval": duration_json(policy.maximum_interval),
        "maximumAttempts": policy.maximum_attempts,
    }
    if policy.non_retryable_error_types:
        body["nonRetryableErrorTypes"] = list(policy.non_retryable_error_types)
    return body


def _priority(record: list[Payload]) -> dict[str, Any]:
    priority = priority_from(record)
    body = {
        "priorityKey": priority.priority_key,
        "fairnessKey": priority.fairness_key,
        "fairnessWeight": priority.fairness_weight,
    }
    return {name: value for name, value in body.items() if value is not None}


def _timestamp(milliseconds: int) -> dict[str, int]:
    """A time as the reference's core writes it into the markers of local activities."""
    return {"seconds": milliseconds // 1000, "nanos": milliseconds % 1000 * 1_000_000}


def json_payload(value: Any) -> Payload:
    return Payload({"encoding": b"json/plain"}, json.dumps(value, separators=(",", ":")).encode())
