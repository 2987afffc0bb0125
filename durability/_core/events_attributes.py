"""Attributes of Temporal's history events, out of the records of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from durability._core import history
from durability._core.event_count import begins_task, has_event, has_task, is_local_outcome, local_outcomes
from durability._core.history import Command, Delta, Input, RetryPolicyRecord
from durability._core.options import priority_from
from durability._core.payload import Payload
from durability._core.temporal_json import (
    RETRY_STATES,
    duration_json,
    enum_json,
    failure_json,
    payload_json,
    payload_map_json,
    payloads_json,
    time_json,
)

_SIGNAL_ENDS: Final = (history.ExternalWorkflowExecutionSignaled, history.SignalExternalWorkflowExecutionFailed)
_PARENT_CLOSE_POLICIES: Final = ("UNSPECIFIED", "TERMINATE", "ABANDON", "REQUEST_CANCEL")
_ID_REUSE_POLICIES: Final = (
    "UNSPECIFIED",
    "ALLOW_DUPLICATE",
    "ALLOW_DUPLICATE_FAILED_ONLY",
    "REJECT_DUPLICATE",
    "TERMINATE_IF_RUNNING",
)
_SDK_FLAGS: Final = {"coreUsedFlags": [1, 2, 3], "langUsedFlags": [1]}
"""How Temporal's SDK has to read these histories: operations match by id and type, patches are listed in a search
attribute, what was decided after the workflow's end comes before it; and a cancellation that arrives with an activity's
result is raised."""
_TASK_FAILURES: Final = {
    0: "WORKFLOW_TASK_FAILED_CAUSE_UNSPECIFIED",
    14: "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE",
    24: "WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR",
}
"""``temporal/api/enums/v1/failed_cause.proto``, as far as workers report it."""
_NOT_FOUND: Final = "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"


class Event(NamedTuple):
    """An event before it is numbered; its number is its place."""

    time: int
    name: str
    attributes: dict[str, Any]
    user_metadata: dict[str, Any]


class EventsBuilder:
    """Appends the events of one delta after the other, remembering the ids that later events refer to."""

    def __init__(self, workflow_id: str, run_id: str, namespace: str, task_queue: str, new_run_id: str) -> None:
        self.events: list[Event] = []
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._namespace = namespace
        self._task_queue = task_queue
        self._new_run_id = new_run_id
        self._activities: dict[int, int] = {}
        self._local: dict[int, history.ActivityTaskScheduled] = {}
        self._completed = 0
        self._timers: dict[int, int] = {}
        self._children: dict[int, tuple[int, history.StartChildWorkflowExecutionInitiated]] = {}
        self._child_starts: dict[int, tuple[int, str]] = {}
        self._signals: dict[int, tuple[int, history.SignalExternalWorkflowExecutionInitiated]] = {}
        self._cancels: dict[int, tuple[int, history.RequestCancelExternalWorkflowExecutionInitiated]] = {}
        self._updates: dict[str, tuple[int, history.WorkflowExecutionUpdateAdmitted]] = {}
        self._child_cancels: dict[int, int] = {}
        self._accepted: dict[str, int] = {}
        self._patches: list[str] = []
        self._flagged = False

    @property
    def _next_id(self) -> int:
        return len(self.events) + 1

    def _append(self, time: int, name: str, attributes: dict[str, Any], metadata: dict[str, Any] | None = None) -> int:
        self.events.append(Event(time, name, attributes, metadata or {}))
        return len(self.events)

    def add(self, delta: Delta) -> None:
        """Append the events of one delta."""
        for message in delta.inputs:
            if not is_local_outcome(message, self._local):
                self._input(message)
        if not has_task(delta.inputs):
            return
        if delta.format == history.NOT_WRITTEN:
            if delta.time:
                self._workflow_task_scheduled(delta.time)
            return
        if begins_task(delta.inputs, self._local):
            self._completed = self._workflow_task(delta)
        for outcome in local_outcomes(delta.inputs, self._local):
            self._local_marker(outcome, delta.time, self._completed)
        for command in delta.commands:
            if has_event(command, self._local):
                self._command(command, delta.time, self._completed)
            elif isinstance(command, history.ActivityTaskScheduled):
                self._local[command.sequence] = command

    def _workflow_task_scheduled(self, time: int) -> int:
        queue = {"name": self._task_queue, "kind": "TASK_QUEUE_KIND_NORMAL"}
        body = {"taskQueue": queue, "startToCloseTimeout": "10s", "attempt": 1}
        return self._append(time, "WorkflowTaskScheduled", body)

    def _workflow_task_started(self, time: int, identity: str) -> tuple[int, int]:
        scheduled = self._workflow_task_scheduled(time)
        body = {
            "scheduledEventId": str(scheduled),
            "identity": identity,
            "requestId": f"{self._run_id}-{scheduled}",
        }
        return scheduled, self._append(time, "WorkflowTaskStarted", body)

    def _workflow_task_failed(self, message: history.WorkflowTaskFailed) -> None:
        scheduled, started = self._workflow_task_started(message.time, message.identity)
        body = {
            "scheduledEventId": str(scheduled),
            "startedEventId": str(started),
            "cause": _TASK_FAILURES.get(message.cause, _TASK_FAILURES[0]),
            "failure": failure_json(message.failure),
            "identity": message.identity,
        }
        self._append(message.time, "WorkflowTaskFailed", body)

    def _workflow_task(self, delta: Delta) -> int:
        scheduled, started = self._workflow_task_started(delta.time, delta.identity)
        attributes: dict[str, Any] = {
            "scheduledEventId": str(scheduled),
            "startedEventId": str(started),
            "identity": delta.identity,
        }
        if not self._flagged:
            self._flagged = True
            attributes["sdkMetadata"] = _SDK_FLAGS
        if delta.build:
            attributes["workerVersion"] = {"buildId": delta.build}
        return self._append(delta.time, "WorkflowTaskCompleted", attributes)

    # --- inputs -----------------------------------------------------------------------------------------------------

    def _input(self, message: Input) -> None:
        match message:
            case history.WorkflowExecutionStarted():
                self._started(message)
            case history.WorkflowExecutionSignaled():
                body = {"signalName": message.name, "identity": message.identity, **_input_and_header(message)}
                self._append(message.time, "WorkflowExecutionSignaled", body)
            case history.WorkflowExecutionCancelRequested():
                body = {"cause": message.reason, "identity": message.identity}
                self._append(message.time, "WorkflowExecutionCancelRequested", body)
            case history.WorkflowExecutionUpdateAdmitted():
                # Temporal writes an update into the history when it is accepted.
                self._updates[message.key] = (self._next_id - 1, message)
            case history.WorkflowExecutionTerminated():
                body = {"reason": message.reason, "identity": message.identity}
                if message.details:
                    body["details"] = payloads_json(message.details)
                self._append(message.time, "WorkflowExecutionTerminated", body)
            case history.WorkflowExecutionTimedOut():
                body = {"retryState": enum_json("RETRY_STATE", RETRY_STATES, message.retry_state)}
                self._append(message.time, "WorkflowExecutionTimedOut", self._with_new_run(body))
            case history.TimerFired():
                body = {"timerId": str(message.sequence), "startedEventId": str(self._timers.get(message.sequence, 0))}
                self._append(message.time, "TimerFired", body)
            case history.ActivityRetryScheduled():
                pass  # Temporal keeps retries out of the history; the attempt shows in the started event
            case history.WorkflowTaskFailed():
                self._workflow_task_failed(message)
            case history.ActivityOutcome():
                self._activity_outcome(message)
            case _:
                self._child_or_external(message)

    def _started(self, message: history.WorkflowExecutionStarted) -> None:
        self._task_queue = self._task_queue or message.task_queue
        self._run_id = self._run_id or message.first_run_id
        body: dict[str, Any] = {
            "workflowType": {"name": message.workflow_type},
            "taskQueue": {"name": message.task_queue, "kind": "TASK_QUEUE_KIND_NORMAL"},
            "input": payloads_json(message.arguments),
            **_timeouts(message),
            "originalExecutionRunId": self._run_id,
            "firstExecutionRunId": message.first_run_id or self._run_id,
            "workflowId": self._workflow_id,
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
            body["parentWorkflowExecution"] = _execution(message.parent.workflow_id, message.parent.run_id)
        if message.root:
            body["rootWorkflowExecution"] = _execution(message.root.workflow_id, message.root.run_id)
        metadata = _metadata(message.static_summary, message.static_details)
        self._append(message.time, "WorkflowExecutionStarted", body, metadata)

    def _activity_outcome(self, message: history.ActivityOutcome) -> None:
        scheduled = str(self._activities.get(message.sequence, 0))
        refers: dict[str, Any] = {"scheduledEventId": scheduled, "identity": message.identity}
        if message.started:
            body: dict[str, Any] = {
                "scheduledEventId": scheduled,
                "identity": message.identity,
                "requestId": message.key,
                "attempt": message.attempt,
            }
            refers["startedEventId"] = str(self._append(message.started, "ActivityTaskStarted", body))
        match message:
            case history.ActivityTaskCompleted():
                if message.result is not None:
                    refers["result"] = payloads_json([message.result])
            case history.ActivityTaskFailed() | history.ActivityTaskTimedOut():
                refers["failure"] = failure_json(message.failure)
                refers["retryState"] = enum_json("RETRY_STATE", RETRY_STATES, message.retry_state)
                if isinstance(message, history.ActivityTaskTimedOut):
                    del refers["identity"]
            case history.ActivityTaskCanceled():
                details = getattr(message.failure.info, "details", None)
                if details:
                    refers["details"] = payloads_json(details)
        self._append(message.time, type(message).__name__, refers)

    def _child_or_external(self, message: Any) -> None:
        name = type(message).__name__
        if isinstance(
            message, history.ExternalWorkflowExecutionSignaled | history.SignalExternalWorkflowExecutionFailed
        ):
            initiated, signal = self._signals[message.sequence]
            self._append(message.time, name, self._external(message, initiated, signal))
            return
        if isinstance(
            message,
            history.ExternalWorkflowExecutionCancelRequested | history.RequestCancelExternalWorkflowExecutionFailed,
        ):
            initiated, cancel = self._cancels[message.sequence]
            self._append(message.time, name, self._external(message, initiated, cancel))
            return
        if isinstance(message, history.ChildWorkflowCancelDelivered):
            self._child_cancel_delivered(message)
            return
        initiated, child = self._children[message.sequence]
        started, run_id = self._child_starts.get(message.sequence, (0, ""))
        body: dict[str, Any] = {
            "namespace": self._namespace,
            "workflowType": {"name": child.workflow_type},
            "initiatedEventId": str(initiated),
        }
        match message:
            case history.ChildWorkflowExecutionStarted():
                body["workflowExecution"] = _execution(child.workflow_id, message.run_id)
                self._child_starts[message.sequence] = (self._append(message.time, name, body), message.run_id)
                return
            case history.StartChildWorkflowExecutionFailed():
                body["workflowId"] = child.workflow_id
                body["cause"] = "START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS"
                self._append(message.time, name, body)
                return
            case history.ChildWorkflowExecutionCompleted() if message.result is not None:
                body["result"] = payloads_json([message.result])
            case history.ChildWorkflowExecutionFailed():
                body["failure"] = failure_json(message.failure)
                body["retryState"] = enum_json("RETRY_STATE", RETRY_STATES, message.retry_state)
            case history.ChildWorkflowExecutionTimedOut():
                body["retryState"] = enum_json("RETRY_STATE", RETRY_STATES, message.retry_state)
            case history.ChildWorkflowExecutionCanceled():
                details = getattr(message.failure.info, "details", None)
                if details:
                    body["details"] = payloads_json(details)
        body |= {"workflowExecution": _execution(child.workflow_id, run_id), "startedEventId": str(started)}
        self._append(message.time, name, body)

    def _child_cancel_delivered(self, message: history.ChildWorkflowCancelDelivered) -> None:
        body: dict[str, Any] = {
            "initiatedEventId": str(self._child_cancels[message.sequence]),
            "namespace": self._namespace,
            "workflowExecution": _execution(self._children[message.sequence][1].workflow_id, ""),
        }
        if message.cause:
            body["cause"] = f"CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_{_NOT_FOUND}"
            self._append(message.time, "RequestCancelExternalWorkflowExecutionFailed", body)
        else:
            self._append(message.time, "ExternalWorkflowExecutionCancelRequested", body)

    def _external(self, message: Any, initiated: int, target: Any) -> dict[str, Any]:
        body: dict[str, Any] = {"initiatedEventId": str(initiated), **self._target(target)}
        if isinstance(message, history.SignalExternalWorkflowExecutionFailed):
            body["cause"] = f"SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_{_NOT_FOUND}"
        elif isinstance(message, history.RequestCancelExternalWorkflowExecutionFailed):
            body["cause"] = f"CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_{_NOT_FOUND}"
        return body

    def _target(self, target: Any) -> dict[str, Any]:
        child = getattr(target, "child_sequence", 0)
        if child:
            return {
                "namespace": self._namespace,
                "workflowExecution": _execution(self._children[child][1].workflow_id, ""),
            }
        return {"namespace": target.namespace, "workflowExecution": _execution(target.workflow_id, target.run_id)}

    def _change_version(self, completed: int) -> dict[str, Any]:
        """The search attribute in which Temporal's core lists the patches of a run."""
        versions = _json_payload(self._patches)
        versions.metadata["type"] = b"KeywordList"
        return {
            "workflowTaskCompletedEventId": str(completed),
            "searchAttributes": {"indexedFields": payload_map_json({"TemporalChangeVersion": versions})},
        }

    # --- commands ---------------------------------------------------------------------------------------------------

    def _command(self, command: Command, time: int, completed: int) -> None:
        body: dict[str, Any] = {"workflowTaskCompletedEventId": str(completed)}
        metadata: dict[str, Any] = {}
        name = type(command).__name__
        match command:
            case history.TimerStarted():
                self._timers[command.sequence] = self._next_id
                body |= {"timerId": str(command.sequence), "startToFireTimeout": duration_json(command.duration)}
                metadata = _metadata(command.summary, None)
            case history.TimerCanceled():
                body["timerId"] = str(command.sequence)
                body["startedEventId"] = str(self._timers.get(command.sequence, 0))
            case history.ActivityTaskScheduled():
                self._activities[command.sequence] = self._next_id
                body |= self._scheduled(command)
                metadata = _metadata(command.summary, None)
            case history.ActivityTaskCancelRequested():
                body["scheduledEventId"] = str(self._activities.get(command.sequence, 0))
            case history.StartChildWorkflowExecutionInitiated():
                self._children[command.sequence] = (self._next_id, command)
                body |= self._initiated(command)
                metadata = _metadata(command.static_summary, command.static_details)
            case history.CancelChildWorkflowExecutionRequested():
                name = "RequestCancelExternalWorkflowExecutionInitiated"
                self._child_cancels[command.sequence] = self._next_id
                child = self._children[command.sequence][1]
                body |= {
                    "namespace": self._namespace,
                    "workflowExecution": _execution(child.workflow_id, ""),
                    "childWorkflowOnly": True,
                    "reason": command.reason,
                }
            case history.SignalExternalWorkflowExecutionInitiated():
                self._signals[command.sequence] = (self._next_id, command)
                body |= {
                    "signalName": command.name,
                    "childWorkflowOnly": bool(command.child_sequence),
                    **self._target(command),
                    **_input_and_header(command),
                }
            case history.RequestCancelExternalWorkflowExecutionInitiated():
                self._cancels[command.sequence] = (self._next_id, command)
                body |= {**self._target(command), "childWorkflowOnly": False, "reason": command.reason}
            case history.PatchMarkerRecorded():
                name = "MarkerRecorded"
                data = {"id": command.patch_id, "deprecated": command.deprecated}
                body |= {"markerName": "core_patch", "details": {"patch-data": payloads_json([_json_payload(data)])}}
                self._append(time, name, body)
                self._patches.append(command.patch_id)
                name, body = "UpsertWorkflowSearchAttributes", self._change_version(completed)
            case history.SearchAttributesUpserted():
                name = "UpsertWorkflowSearchAttributes"
                body["searchAttributes"] = {"indexedFields": payload_map_json(command.search_attributes)}
            case history.WorkflowPropertiesModified():
                null = Payload({"encoding": b"binary/null"})
                memo = {key: null if value is None else value for key, value in command.memo.items()}
                body["upsertedMemo"] = {"fields": payload_map_json(memo)}
            case history.WorkflowExecutionUpdateAccepted():
                self._accepted[command.key] = self._next_id
                body = self._update_accepted(command)
            case history.WorkflowExecutionUpdateCompleted():
                body = self._update_completed(command)
            case history.WorkflowExecutionCompleted():
                if command.result is not None:
                    body["result"] = payloads_json([command.result])
                body = self._with_new_run(body)
            case history.WorkflowExecutionFailed():
                body["failure"] = failure_json(command.failure)
                body["retryState"] = enum_json("RETRY_STATE", RETRY_STATES, command.retry_state)
                body = self._with_new_run(body)
            case history.WorkflowExecutionCanceled():
                if command.details:
                    body["details"] = payloads_json(command.details)
            case history.WorkflowExecutionContinuedAsNew():
                body |= self._continued(command)
        self._append(time, name, body, metadata)

    def _scheduled(self, command: history.ActivityTaskScheduled) -> dict[str, Any]:
        body: dict[str, Any] = {
            "activityId": command.activity_id,
            "activityType": {"name": command.activity_type},
            "taskQueue": {"name": command.task_queue or self._task_queue, "kind": "TASK_QUEUE_KIND_NORMAL"},
            **_input_and_header(command),
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

    def _initiated(self, command: history.StartChildWorkflowExecutionInitiated) -> dict[str, Any]:
        body: dict[str, Any] = {
            "namespace": self._namespace,
            "workflowId": command.workflow_id,
            "workflowType": {"name": command.workflow_type},
            "taskQueue": {"name": command.task_queue or self._task_queue, "kind": "TASK_QUEUE_KIND_NORMAL"},
            **_input_and_header(command),
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

    def _continued(self, command: history.WorkflowExecutionContinuedAsNew) -> dict[str, Any]:
        body: dict[str, Any] = {
            "newExecutionRunId": self._new_run_id,
            "workflowType": {"name": command.workflow_type},
            "taskQueue": {"name": command.task_queue or self._task_queue, "kind": "TASK_QUEUE_KIND_NORMAL"},
            **_input_and_header(command),
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

    def _update_accepted(self, command: history.WorkflowExecutionUpdateAccepted) -> dict[str, Any]:
        before, request = self._updates[command.key]
        return {
            "protocolInstanceId": command.key,
            "acceptedRequestMessageId": f"{command.key}/request",
            "acceptedRequestSequencingEventId": str(before),
            "acceptedRequest": {
                "meta": {"updateId": command.key, "identity": request.identity},
                "input": {
                    "header": {"fields": payload_map_json(request.headers)},
                    "name": request.name,
                    "args": payloads_json(request.arguments),
                },
            },
        }

    def _update_completed(self, command: history.WorkflowExecutionUpdateCompleted) -> dict[str, Any]:
        if command.failure is not None:
            outcome: dict[str, Any] = {"failure": failure_json(command.failure)}
        else:
            outcome = {"success": payloads_json([command.result] if command.result is not None else None)}
        return {
            "meta": {"updateId": command.key},
            "acceptedEventId": str(self._accepted.get(command.key, 0)),
            "outcome": outcome,
        }

    def _local_marker(self, outcome: history.ActivityOutcome, time: int, completed: int) -> None:
        command = self._local[outcome.sequence]
        data = {
            "seq": outcome.sequence,
            "attempt": outcome.attempt,
            "activity_id": command.activity_id,
            "activity_type": command.activity_type,
            "complete_time": _timestamp(outcome.time),
            "backoff": None,
            "original_schedule_time": _timestamp(outcome.started or outcome.time),
        }
        details = {"data": payloads_json([_json_payload(data)])}
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
        self._append(time, "MarkerRecorded", body, _metadata(command.summary, None))

    def _with_new_run(self, body: dict[str, Any]) -> dict[str, Any]:
        return body | {"newExecutionRunId": self._new_run_id} if self._new_run_id else body


def _execution(workflow_id: str, run_id: str) -> dict[str, str]:
    return {"workflowId": workflow_id, "runId": run_id}


def _input_and_header(record: Any) -> dict[str, Any]:
    return {"input": payloads_json(record.arguments), "header": {"fields": payload_map_json(record.headers)}}


def _timeouts(record: Any) -> dict[str, str]:
    """Timeouts of a workflow; those that are not set are left out, as zero is read as a timeout of zero."""
    timeouts = {"workflowExecutionTimeout": record.execution_timeout, "workflowRunTimeout": record.run_timeout}
    given = {name: duration_json(timeout) for name, timeout in timeouts.items() if timeout}
    return given | {"workflowTaskTimeout": duration_json(record.task_timeout or 10_000)}


def _metadata(summary: Payload | None, details: Payload | None) -> dict[str, Any]:
    given: Mapping[str, Payload | None] = {"summary": summary, "details": details}
    return {name: payload_json(payload) for name, payload in given.items() if payload is not None}


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


def _json_payload(value: Any) -> Payload:
    return Payload({"encoding": b"json/plain"}, json.dumps(value, separators=(",", ":")).encode())
