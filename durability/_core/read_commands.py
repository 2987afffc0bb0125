"""Events that tell what a workflow task decided, read back as commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from durability._core import history, local_retries, system_operation
from durability._core.event_fields import (
    cancelled,
    duration,
    is_number,
    json_value,
    payload_map,
    priority,
    retry_policy,
    retry_state,
    single,
)
from durability._core.events_view import HistoryEvent
from durability._core.payload import Payload
from durability._core.recorded_task import LocalOutcome, ReaderState
from durability._core.temporal_json import failure_from_json, payloads_from_json

_CHANGE_VERSION: Final = "TemporalChangeVersion"
"""Search attribute that Temporal's SDKs set by themselves when a patch is taken."""
_PARENT_CLOSE_POLICIES: Final = {"TERMINATE": 1, "ABANDON": 2, "REQUEST_CANCEL": 3}


class CommandReader(ReaderState):
    """Reads events as commands; by the names of their types in ``COMMANDS``."""

    def _timer_started(self, event: HistoryEvent) -> history.Command | None:
        of = event.attributes
        if self.retries.delays(of["timerId"]):
            return None
        sequence = self.retries.timer(int(of["timerId"])) if is_number(of["timerId"]) else len(self.timers) + 1
        self.timers[of["timerId"]] = sequence
        return history.TimerStarted(sequence, duration(of, "startToFireTimeout"))

    def _timer_canceled(self, event: HistoryEvent) -> history.Command | None:
        if self.retries.delays(event.attributes["timerId"]):
            # The activity was cancelled while it waited for its next attempt: this is all that the history has of it.
            sequence = self.retries.delayed_by(event.attributes["timerId"])
            common = (event.time, f"activity:{sequence}:1", sequence, 1, event.time, "")
            outcome = history.ActivityTaskCanceled(*common, cancelled({}))
            self.tasks[-1].local_outcomes.append(LocalOutcome(str(sequence), "", outcome))
            return None
        return history.TimerCanceled(self.timers[event.attributes["timerId"]])

    def _activity_scheduled(self, event: HistoryEvent) -> history.Command:
        of = event.attributes
        activity_id = of["activityId"]
        if is_number(activity_id):
            self.activity_number = self.retries.activity(int(activity_id))
            activity_id = str(self.activity_number)
        else:
            self.activity_number += 1
        self.activities[event.event_id] = self.activity_number
        queue = of.get("taskQueue", {}).get("name", "")
        return history.ActivityTaskScheduled(
            sequence=self.activity_number,
            activity_id=activity_id,
            activity_type=of["activityType"]["name"],
            task_queue="" if queue == self.task_queue else queue,
            arguments=payloads_from_json(of.get("input")) or [],
            headers=payload_map(of.get("header")),
            schedule_to_close_timeout=duration(of, "scheduleToCloseTimeout"),
            schedule_to_start_timeout=duration(of, "scheduleToStartTimeout"),
            start_to_close_timeout=duration(of, "startToCloseTimeout"),
            heartbeat_timeout=duration(of, "heartbeatTimeout"),
            retry_policy=retry_policy(of),
            priority=priority(of),
        )

    def _activity_cancel_requested(self, event: HistoryEvent) -> history.Command:
        return history.ActivityTaskCancelRequested(self.activities[int(event.attributes["scheduledEventId"])])

    def _child_initiated(self, event: HistoryEvent) -> history.Command:
        of = event.attributes
        sequence = self.children[event.event_id] = len(self.children) + 1
        self.children_by_id[of["workflowId"]] = sequence
        policy = of.get("parentClosePolicy", "").removeprefix("PARENT_CLOSE_POLICY_")
        return history.StartChildWorkflowExecutionInitiated(
            sequence=sequence,
            workflow_id=of["workflowId"],
            workflow_type=of["workflowType"]["name"],
            task_queue=of.get("taskQueue", {}).get("name", ""),
            arguments=payloads_from_json(of.get("input")) or [],
            headers=payload_map(of.get("header")),
            memo=payload_map(of.get("memo")),
            search_attributes=payload_map(of.get("searchAttributes"), "indexedFields"),
            execution_timeout=duration(of, "workflowExecutionTimeout"),
            run_timeout=duration(of, "workflowRunTimeout"),
            task_timeout=duration(of, "workflowTaskTimeout"),
            parent_close_policy=_PARENT_CLOSE_POLICIES.get(policy, 1),
            retry_policy=retry_policy(of),
            priority=priority(of),
            cron_schedule=of.get("cronSchedule", ""),
        )

    def _cancel_initiated(self, event: HistoryEvent) -> history.Command:
        of = event.attributes
        execution = of["workflowExecution"]
        if of.get("childWorkflowOnly"):
            sequence = self.children_by_id[execution["workflowId"]]
            number = 1 + sum(child == sequence for child, _ in self.child_cancels.values())
            self.child_cancels[event.event_id] = (sequence, number)
            return history.CancelChildWorkflowExecutionRequested(sequence, of.get("reason", ""), number)
        sequence = self.cancels[event.event_id] = len(self.cancels) + 1
        return history.RequestCancelExternalWorkflowExecutionInitiated(
            sequence,
            of.get("namespace", ""),
            execution["workflowId"],
            execution.get("runId", ""),
            of.get("reason", ""),
        )

    def _signal_initiated(self, event: HistoryEvent) -> history.Command:
        of = event.attributes
        execution = of["workflowExecution"]
        sequence = self.signals[event.event_id] = len(self.signals) + 1
        child = self.children_by_id[execution["workflowId"]] if of.get("childWorkflowOnly") else 0
        return history.SignalExternalWorkflowExecutionInitiated(
            sequence=sequence,
            namespace=of.get("namespace", ""),
            workflow_id=execution["workflowId"],
            run_id=execution.get("runId", ""),
            name=of["signalName"],
            arguments=payloads_from_json(of.get("input")) or [],
            headers=payload_map(of.get("header")),
            child_sequence=child,
        )

    def _operation_scheduled(self, event: HistoryEvent) -> history.Command:
        sequence = self.signals_with_start[event.event_id] = len(self.signals_with_start) + 1
        return system_operation.command_from(event.attributes, sequence)

    def _marker(self, event: HistoryEvent) -> history.Command | None:
        of = event.attributes
        details = of.get("details", {})
        match of["markerName"]:
            case "core_patch":
                data = json_value(details["patch-data"])
                return history.PatchMarkerRecorded(data["id"], data.get("deprecated", False))
            case local_retries.MARKER:
                attempt = local_retries.attempt_of(of)
                if not attempt.get("backoff"):
                    self.tasks[-1].local_outcomes.append(self._local_outcome(event, attempt))
            case name:
                raise ValueError(f"the history has a marker of unknown kind {name!r}")
        return None

    def _local_outcome(self, event: HistoryEvent, data: Mapping[str, Any]) -> LocalOutcome:
        sequence, attempt = self.retries.activity(int(data["seq"])), int(data.get("attempt", 1))
        details = event.attributes.get("details", {})
        self.activity_number = max(self.activity_number, sequence)
        common = (event.time, f"activity:{sequence}:{attempt}", sequence, attempt, event.time, "")
        failure = event.attributes.get("failure")
        outcome: history.ActivityOutcome
        if failure is None:
            outcome = history.ActivityTaskCompleted(*common, single(details.get("result")))
        elif "canceledFailureInfo" in failure:
            outcome = history.ActivityTaskCanceled(*common, failure_from_json(failure))
        else:
            inner = failure.get("cause", failure) if "activityFailureInfo" in failure else failure
            outcome = history.ActivityTaskFailed(*common, failure_from_json(inner))
        return LocalOutcome(data.get("activity_id", str(sequence)), data.get("activity_type", ""), outcome)

    def _search_attributes(self, event: HistoryEvent) -> history.Command | None:
        attributes = payload_map(event.attributes.get("searchAttributes"), "indexedFields")
        if set(attributes) == {_CHANGE_VERSION}:
            return None
        return history.SearchAttributesUpserted(attributes)

    def _properties(self, event: HistoryEvent) -> history.Command:
        memo: dict[str, Payload | None] = {}
        for name, payload in payload_map(event.attributes.get("upsertedMemo")).items():
            memo[name] = None if payload.metadata.get("encoding") == b"binary/null" else payload
        return history.WorkflowPropertiesModified(memo)

    def _update_accepted(self, event: HistoryEvent) -> history.Command:
        of = event.attributes
        request = of["acceptedRequest"]
        key = request["meta"]["updateId"]
        call = request["input"]
        message = history.WorkflowExecutionUpdateAdmitted(
            time=self.tasks[-1].delta.time,
            key=key,
            name=call["name"],
            arguments=payloads_from_json(call.get("args")) or [],
            headers=payload_map(call.get("header")),
            identity=request["meta"].get("identity", ""),
        )
        after = int(of.get("acceptedRequestSequencingEventId", 0))
        place = sum(event_id <= after for event_id, _ in self.task_inputs)
        self.task_inputs.insert(place, (after, message))
        self.tasks[-1].delta.inputs.insert(place, message)
        return history.WorkflowExecutionUpdateAccepted(key)

    def _update_completed(self, event: HistoryEvent) -> history.Command:
        of = event.attributes
        outcome = of.get("outcome", {})
        failure = outcome.get("failure")
        return history.WorkflowExecutionUpdateCompleted(
            of["meta"]["updateId"],
            single(outcome.get("success")),
            failure_from_json(failure) if failure else None,
        )

    def _completed(self, event: HistoryEvent) -> history.Command:
        return history.WorkflowExecutionCompleted(single(event.attributes.get("result")))

    def _failed(self, event: HistoryEvent) -> history.Command:
        return history.WorkflowExecutionFailed(
            failure_from_json(event.attributes["failure"]), retry_state(event.attributes)
        )

    def _canceled(self, event: HistoryEvent) -> history.Command:
        return history.WorkflowExecutionCanceled(payloads_from_json(event.attributes.get("details")))

    def _continued(self, event: HistoryEvent) -> history.Command:
        of = event.attributes
        return history.WorkflowExecutionContinuedAsNew(
            workflow_type=of["workflowType"]["name"],
            task_queue=of.get("taskQueue", {}).get("name", ""),
            arguments=payloads_from_json(of.get("input")) or [],
            headers=payload_map(of.get("header")),
        )


COMMANDS: Final[Mapping[str, Callable[[CommandReader, HistoryEvent], history.Command | None]]] = {
    "TimerStarted": CommandReader._timer_started,
    "TimerCanceled": CommandReader._timer_canceled,
    "ActivityTaskScheduled": CommandReader._activity_scheduled,
    "ActivityTaskCancelRequested": CommandReader._activity_cancel_requested,
    "StartChildWorkflowExecutionInitiated": CommandReader._child_initiated,
    "RequestCancelExternalWorkflowExecutionInitiated": CommandReader._cancel_initiated,
    "SignalExternalWorkflowExecutionInitiated": CommandReader._signal_initiated,
    "NexusOperationScheduled": CommandReader._operation_scheduled,
    "MarkerRecorded": CommandReader._marker,
    "UpsertWorkflowSearchAttributes": CommandReader._search_attributes,
    "WorkflowPropertiesModified": CommandReader._properties,
    "WorkflowExecutionUpdateAccepted": CommandReader._update_accepted,
    "WorkflowExecutionUpdateCompleted": CommandReader._update_completed,
    "WorkflowExecutionCompleted": CommandReader._completed,
    "WorkflowExecutionFailed": CommandReader._failed,
    "WorkflowExecutionCanceled": CommandReader._canceled,
    "WorkflowExecutionContinuedAsNew": CommandReader._continued,
}
