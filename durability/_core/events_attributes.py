"""Attributes of Temporal's history events, out of the records of a run."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from durability._core import event_bodies, history, system_operation
from durability._core.event_bodies import execution, input_and_header, json_payload, metadata
from durability._core.event_count import (
    begins_task,
    has_event,
    has_task,
    is_local_outcome,
    local_outcomes,
    unbegun_task,
)
from durability._core.history import Command, Delta, Input
from durability._core.payload import Payload
from durability._core.temporal_json import (
    RETRY_STATES,
    duration_json,
    enum_json,
    failure_json,
    payload_map_json,
    payloads_json,
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
    event_group_markers: list[dict[str, Any]]


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
        self._local_markers: dict[int, list[dict[str, Any]]] = {}
        self._markers: list[dict[str, Any]] = []
        self._signals_received: dict[int, int] = {}
        self._completed = 0
        self._timers: dict[int, int] = {}
        self._children: dict[int, tuple[int, history.StartChildWorkflowExecutionInitiated]] = {}
        self._child_starts: dict[int, tuple[int, str]] = {}
        self._signals: dict[int, tuple[int, history.SignalExternalWorkflowExecutionInitiated]] = {}
        self._signals_with_start: dict[int, int] = {}
        self._cancels: dict[int, tuple[int, history.RequestCancelExternalWorkflowExecutionInitiated]] = {}
        self._updates: dict[str, tuple[int, history.WorkflowExecutionUpdateAdmitted]] = {}
        self._child_cancels: dict[tuple[int, int], int] = {}
        self._accepted: dict[str, int] = {}
        self._patches: list[str] = []
        self._flagged = False

    @property
    def _next_id(self) -> int:
        return len(self.events) + 1

    def _append(self, time: int, name: str, attributes: dict[str, Any], metadata: dict[str, Any] | None = None) -> int:
        self.events.append(Event(time, name, attributes, metadata or {}, self._markers))
        return len(self.events)

    def add(self, delta: Delta) -> None:
        """Append the events of one delta."""
        unbegun = unbegun_task(delta.inputs, self._local)
        for message in delta.inputs:
            if not is_local_outcome(message, self._local):
                self._input(message)
            if message is unbegun:
                self._workflow_task_scheduled(message.time)
        if not has_task(delta.inputs):
            return
        if delta.format == history.NOT_WRITTEN:
            if delta.time:
                self._workflow_task_scheduled(delta.time)
            return
        if begins_task(delta.inputs, self._local):
            self._completed = self._workflow_task(delta)
        for outcome in local_outcomes(delta.inputs, self._local):
            scheduled = self._local[outcome.sequence]
            body = event_bodies.local_marker(scheduled, outcome, self._completed)
            self._markers = self._local_markers[outcome.sequence]
            self._append(delta.time, "MarkerRecorded", body, metadata(scheduled.summary, None))
        self._markers = []
        for command in delta.commands:
            if isinstance(command, history.CommandGrouped):
                self._markers = event_bodies.group_markers(command.markers, self._signals_received)
                continue
            if has_event(command, self._local):
                self._command(command, delta.time, self._completed)
            elif isinstance(command, history.ActivityTaskScheduled):
                self._local[command.sequence] = command
                self._local_markers[command.sequence] = self._markers
            self._markers = []

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
        if delta.suggests_continue_as_new:
            self.events[-1].attributes["suggestContinueAsNew"] = True
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
                self._task_queue = self._task_queue or message.task_queue
                self._run_id = self._run_id or message.first_run_id
                body = event_bodies.started(message, self._workflow_id, self._run_id)
                about = metadata(message.static_summary, message.static_details)
                self._append(message.time, "WorkflowExecutionStarted", body, about)
            case history.WorkflowExecutionSignaled():
                self._signals_received[len(self._signals_received) + 1] = self._next_id
                body = {"signalName": message.name, "identity": message.identity, **input_and_header(message)}
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
        if isinstance(message, history.SignalWithStartCompleted | history.SignalWithStartFailed):
            failed = isinstance(message, history.SignalWithStartFailed)
            ended = system_operation.ended(message, self._signals_with_start[message.sequence], message.key)
            self._append(message.time, "NexusOperationFailed" if failed else "NexusOperationCompleted", ended)
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
                body["workflowExecution"] = execution(child.workflow_id, message.run_id)
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
        body |= {"workflowExecution": execution(child.workflow_id, run_id), "startedEventId": str(started)}
        self._append(message.time, name, body)

    def _child_cancel_delivered(self, message: history.ChildWorkflowCancelDelivered) -> None:
        body: dict[str, Any] = {
            "initiatedEventId": str(self._child_cancels[message.sequence, message.number]),
            "namespace": self._namespace,
            "workflowExecution": execution(self._children[message.sequence][1].workflow_id, ""),
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
                "workflowExecution": execution(self._children[child][1].workflow_id, ""),
            }
        return {"namespace": target.namespace, "workflowExecution": execution(target.workflow_id, target.run_id)}

    # --- commands ---------------------------------------------------------------------------------------------------

    def _command(self, command: Command, time: int, completed: int) -> None:
        body: dict[str, Any] = {"workflowTaskCompletedEventId": str(completed)}
        about: dict[str, Any] = {}
        name = type(command).__name__
        match command:
            case history.TimerStarted():
                self._timers[command.sequence] = self._next_id
                body |= {"timerId": str(command.sequence), "startToFireTimeout": duration_json(command.duration)}
                about = metadata(command.summary, None)
            case history.TimerCanceled():
                body["timerId"] = str(command.sequence)
                body["startedEventId"] = str(self._timers.get(command.sequence, 0))
            case history.ActivityTaskScheduled():
                self._activities[command.sequence] = self._next_id
                body |= event_bodies.scheduled(command, self._task_queue)
                about = metadata(command.summary, None)
            case history.ActivityTaskCancelRequested():
                body["scheduledEventId"] = str(self._activities.get(command.sequence, 0))
            case history.StartChildWorkflowExecutionInitiated():
                self._children[command.sequence] = (self._next_id, command)
                body |= event_bodies.initiated(command, self._namespace, self._task_queue)
                about = metadata(command.static_summary, command.static_details)
            case history.CancelChildWorkflowExecutionRequested():
                name = "RequestCancelExternalWorkflowExecutionInitiated"
                self._child_cancels[command.sequence, command.number] = self._next_id
                child = self._children[command.sequence][1]
                body |= {
                    "namespace": self._namespace,
                    "workflowExecution": execution(child.workflow_id, ""),
                    "childWorkflowOnly": True,
                    "reason": command.reason,
                }
            case history.SignalExternalWorkflowExecutionInitiated():
                self._signals[command.sequence] = (self._next_id, command)
                body |= {
                    "signalName": command.name,
                    "childWorkflowOnly": bool(command.child_sequence),
                    **self._target(command),
                    **input_and_header(command),
                }
            case history.SignalWithStartScheduled():
                name = "NexusOperationScheduled"
                self._signals_with_start[command.sequence] = self._next_id
                request_id = system_operation.request_id(self._run_id, command.sequence)
                body |= system_operation.scheduled(command, self._namespace, request_id)
            case history.RequestCancelExternalWorkflowExecutionInitiated():
                self._cancels[command.sequence] = (self._next_id, command)
                body |= {**self._target(command), "childWorkflowOnly": False, "reason": command.reason}
            case history.PatchMarkerRecorded():
                name = "MarkerRecorded"
                data = {"id": command.patch_id, "deprecated": command.deprecated}
                body |= {"markerName": "core_patch", "details": {"patch-data": payloads_json([json_payload(data)])}}
                self._append(time, name, body)
                self._patches.append(command.patch_id)
                name, body = "UpsertWorkflowSearchAttributes", event_bodies.change_version(self._patches, completed)
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
                body = event_bodies.update_completed(command, self._accepted.get(command.key, 0))
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
                body |= event_bodies.continued(command, self._task_queue, self._new_run_id)
        self._append(time, name, body, about)

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

    def _with_new_run(self, body: dict[str, Any]) -> dict[str, Any]:
        return body | {"newExecutionRunId": self._new_run_id} if self._new_run_id else body
