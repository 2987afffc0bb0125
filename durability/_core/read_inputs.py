"""Events that tell what happened to a run, read back as inputs of its workflow tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from durability._core import history, system_operation
from durability._core.event_fields import (
    cancelled,
    duration,
    payload_map,
    priority,
    reference,
    retry_policy,
    retry_state,
    single,
)
from durability._core.events_view import HistoryEvent
from durability._core.recorded_task import ReaderState
from durability._core.temporal_json import failure_from_json, payloads_from_json, time_from_json


class InputReader(ReaderState):
    """Reads events as inputs; by the names of their types in ``INPUTS``."""

    def _workflow_started(self, event: HistoryEvent) -> history.Input:
        of = event.attributes
        self.task_queue = of.get("taskQueue", {}).get("name", "")
        expiration = of.get("workflowExecutionExpirationTime")
        failure = of.get("continuedFailure")
        return history.WorkflowExecutionStarted(
            time=event.time,
            key=of.get("requestId", "start"),
            workflow_type=of["workflowType"]["name"],
            task_queue=self.task_queue,
            arguments=payloads_from_json(of.get("input")) or [],
            headers=payload_map(of.get("header")),
            memo=payload_map(of.get("memo")),
            search_attributes=payload_map(of.get("searchAttributes"), "indexedFields"),
            execution_timeout=duration(of, "workflowExecutionTimeout"),
            run_timeout=duration(of, "workflowRunTimeout"),
            task_timeout=duration(of, "workflowTaskTimeout"),
            retry_policy=retry_policy(of),
            priority=priority(of),
            attempt=int(of.get("attempt", 1)),
            cron_schedule=of.get("cronSchedule", ""),
            start_delay=duration(of, "firstWorkflowTaskBackoff"),
            parent=reference(of.get("parentWorkflowNamespace", ""), of.get("parentWorkflowExecution")),
            root=reference("", of.get("rootWorkflowExecution")),
            first_run_id=of.get("firstExecutionRunId", ""),
            continued_run_id=of.get("continuedExecutionRunId", ""),
            last_completion_result=payloads_from_json(of.get("lastCompletionResult")),
            last_failure=failure_from_json(failure) if failure else None,
            identity=of.get("identity", ""),
            execution_deadline=time_from_json(expiration) if expiration and not expiration.startswith("0001") else 0,
        )

    def _signaled(self, event: HistoryEvent) -> history.Input:
        of = event.attributes
        return history.WorkflowExecutionSignaled(
            time=event.time,
            key=f"event:{event.event_id}",
            name=of["signalName"],
            arguments=payloads_from_json(of.get("input")) or [],
            headers=payload_map(of.get("header")),
            identity=of.get("identity", ""),
        )

    def _cancel_requested(self, event: HistoryEvent) -> history.Input:
        of = event.attributes
        return history.WorkflowExecutionCancelRequested(
            event.time, f"event:{event.event_id}", of.get("cause", ""), of.get("identity", "")
        )

    def _terminated(self, event: HistoryEvent) -> history.Input:
        of = event.attributes
        return history.WorkflowExecutionTerminated(
            event.time, "terminate", of.get("reason", ""), payloads_from_json(of.get("details"))
        )

    def _timed_out(self, event: HistoryEvent) -> history.Input:
        return history.WorkflowExecutionTimedOut(event.time)

    def _timer_fired(self, event: HistoryEvent) -> history.Input | None:
        if self.retries.delays(event.attributes["timerId"]):
            return None
        return history.TimerFired(event.time, self.timers[event.attributes["timerId"]])

    def _activity_outcome(self, event: HistoryEvent) -> history.Input:
        of = event.attributes
        scheduled = int(of["scheduledEventId"])
        sequence = self.activities[scheduled]
        attempt = self.attempts.get(scheduled, {})
        number = int(attempt.get("attempt", 1))
        common = (
            event.time,
            f"activity:{sequence}:{number}",
            sequence,
            number,
            int(attempt.get("time", 0)),
            of.get("identity", ""),
        )
        match event.name:
            case "ActivityTaskCompleted":
                return history.ActivityTaskCompleted(*common, single(of.get("result")))
            case "ActivityTaskFailed":
                return history.ActivityTaskFailed(*common, failure_from_json(of["failure"]), retry_state(of))
            case "ActivityTaskTimedOut":
                return history.ActivityTaskTimedOut(*common, failure_from_json(of["failure"]), retry_state(of))
        return history.ActivityTaskCanceled(*common, cancelled(of))

    def _child_event(self, event: HistoryEvent) -> history.Input:
        of = event.attributes
        sequence = self.children[int(of["initiatedEventId"])]
        common = (event.time, f"event:{event.event_id}", sequence)
        match event.name:
            case "ChildWorkflowExecutionStarted":
                return history.ChildWorkflowExecutionStarted(*common, of["workflowExecution"].get("runId", ""))
            case "StartChildWorkflowExecutionFailed":
                return history.StartChildWorkflowExecutionFailed(*common)
            case "ChildWorkflowExecutionCompleted":
                return history.ChildWorkflowExecutionCompleted(*common, single(of.get("result")))
            case "ChildWorkflowExecutionFailed":
                return history.ChildWorkflowExecutionFailed(*common, failure_from_json(of["failure"]), retry_state(of))
            case "ChildWorkflowExecutionCanceled":
                return history.ChildWorkflowExecutionCanceled(*common, cancelled(of))
            case "ChildWorkflowExecutionTimedOut":
                return history.ChildWorkflowExecutionTimedOut(*common, retry_state(of))
        return history.ChildWorkflowExecutionTerminated(*common)

    def _external_event(self, event: HistoryEvent) -> history.Input:
        initiated = int(event.attributes["initiatedEventId"])
        key = f"event:{event.event_id}"
        if initiated in self.child_cancels:
            cause = int(event.name == "RequestCancelExternalWorkflowExecutionFailed")
            sequence, number = self.child_cancels[initiated]
            return history.ChildWorkflowCancelDelivered(event.time, key, sequence, cause, number)
        match event.name:
            case "ExternalWorkflowExecutionSignaled":
                return history.ExternalWorkflowExecutionSignaled(event.time, key, self.signals[initiated])
            case "SignalExternalWorkflowExecutionFailed":
                return history.SignalExternalWorkflowExecutionFailed(event.time, key, self.signals[initiated])
            case "ExternalWorkflowExecutionCancelRequested":
                return history.ExternalWorkflowExecutionCancelRequested(event.time, key, self.cancels[initiated])
        return history.RequestCancelExternalWorkflowExecutionFailed(event.time, key, self.cancels[initiated])

    def _operation_ended(self, event: HistoryEvent) -> history.Input:
        of = event.attributes
        common = (event.time, f"event:{event.event_id}", self.signals_with_start[int(of["scheduledEventId"])])
        if event.name == "NexusOperationCompleted":
            return history.SignalWithStartCompleted(*common, *system_operation.result_from(of))
        failure = failure_from_json(of["failure"])
        return history.SignalWithStartFailed(*common, (failure.cause or failure).message)


INPUTS: Final[Mapping[str, Callable[[InputReader, HistoryEvent], history.Input | None]]] = {
    "WorkflowExecutionStarted": InputReader._workflow_started,
    "WorkflowExecutionSignaled": InputReader._signaled,
    "WorkflowExecutionCancelRequested": InputReader._cancel_requested,
    "WorkflowExecutionTerminated": InputReader._terminated,
    "WorkflowExecutionTimedOut": InputReader._timed_out,
    "TimerFired": InputReader._timer_fired,
    "ActivityTaskCompleted": InputReader._activity_outcome,
    "ActivityTaskFailed": InputReader._activity_outcome,
    "ActivityTaskTimedOut": InputReader._activity_outcome,
    "ActivityTaskCanceled": InputReader._activity_outcome,
    "ChildWorkflowExecutionStarted": InputReader._child_event,
    "StartChildWorkflowExecutionFailed": InputReader._child_event,
    "ChildWorkflowExecutionCompleted": InputReader._child_event,
    "ChildWorkflowExecutionFailed": InputReader._child_event,
    "ChildWorkflowExecutionCanceled": InputReader._child_event,
    "ChildWorkflowExecutionTimedOut": InputReader._child_event,
    "ChildWorkflowExecutionTerminated": InputReader._child_event,
    "ExternalWorkflowExecutionSignaled": InputReader._external_event,
    "SignalExternalWorkflowExecutionFailed": InputReader._external_event,
    "ExternalWorkflowExecutionCancelRequested": InputReader._external_event,
    "RequestCancelExternalWorkflowExecutionFailed": InputReader._external_event,
    "NexusOperationCompleted": InputReader._operation_ended,
    "NexusOperationFailed": InputReader._operation_ended,
}
