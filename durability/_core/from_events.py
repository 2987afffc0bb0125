"""From Temporal's events back to workflow tasks: the inverse of ``events_view``, for replaying.

Every event belongs to a workflow task. What happened to the run until the task was started are its inputs; the events
that follow its completion and name it are its commands. Attempts of tasks that failed or timed out leave nothing
behind: their inputs are consumed by the attempt that completed.

Numbers that events do not have (which child, which signal) follow from the order; ids of timers and activities that
are numbers are the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from durability._core import history, local_retries, system_operation
from durability._core.event_fields import (
    cancelled,
    duration,
    is_number,
    json_value,
    payload_map,
    priority,
    reference,
    retry_policy,
    retry_state,
    single,
)
from durability._core.events_json import UNREADABLE
from durability._core.events_view import HistoryEvent
from durability._core.history import FORMAT, Delta
from durability._core.local_retries import LocalRetries
from durability._core.payload import Payload
from durability._core.temporal_json import failure_from_json, payloads_from_json, time_from_json

_CHANGE_VERSION: Final = "TemporalChangeVersion"
"""Search attribute that Temporal's SDKs set by themselves when a patch is taken."""
_MOVES_ENDS_LAST: Final = 3
"""Flag of Temporal's core: what is decided after the end of a run goes before it. SDKs before it dropped that."""
_RAISES_CANCELLATIONS: Final = 1
"""Flag of Temporal's Python SDK: a cancellation that arrives together with an activity's outcome is raised."""
_PARENT_CLOSE_POLICIES: Final = {"TERMINATE": 1, "ABANDON": 2, "REQUEST_CANCEL": 3}


@dataclass(frozen=True)
class LocalOutcome:
    """How a local activity ended, as its marker tells."""

    activity_id: str
    activity_type: str
    outcome: history.ActivityOutcome


@dataclass
class RecordedTask:
    """One workflow task of a history.

    Attributes:
        delta: What it consumed and decided, local activities left out.
        local_outcomes: Local activities that ended in it, in order.
        history_length: Events until it was started.
        history_size: Bytes of them, if the history tells.
        completed: Whether its decisions are part of the history; only the last task's may not be.
        drop_after_end: Whether the SDK that wrote the history left out what was decided after the end of the run.
        outcomes_win: Whether it lost cancellations that arrived together with an outcome.
    """

    delta: Delta
    local_outcomes: list[LocalOutcome] = field(default_factory=list)
    history_length: int = 0
    history_size: int = 0
    completed: bool = True
    drop_after_end: bool = False
    outcomes_win: bool = False


def recorded_tasks(events: Iterable[HistoryEvent]) -> list[RecordedTask]:
    """The workflow tasks of a history.

    Raises:
        ValueError: The history does not begin with the start of a workflow, or has an event that refers to nothing or
            has not the fields of its type.
    """
    events = list(events)
    try:
        reader = _Reader(LocalRetries(events))
    except UNREADABLE as error:
        raise ValueError(f"a marker of a local activity cannot be read: {error}") from error
    for event in events:
        try:
            reader.read(event)
        except KeyError as error:
            raise ValueError(f"the history is not whole: nothing has been told of {error}") from error
        except UNREADABLE as error:
            raise ValueError(f"event {event.event_id} of the history ({event.name}) cannot be read: {error}") from error
    return reader.finish()


class _Reader:
    """Reads the events of one run, one after the other."""

    def __init__(self, retries: LocalRetries) -> None:
        self.tasks: list[RecordedTask] = []
        self._retries = retries
        self._inputs: list[tuple[int, history.Input]] = []
        self._task_inputs: list[tuple[int, history.Input]] = []
        self._started: tuple[int, int] | None = None
        self._history_size = 0
        self._suggests = False
        self._task_queue = ""
        self._activities: dict[int, int] = {}
        self._attempts: dict[int, Mapping[str, Any]] = {}
        self._activity_number = 0
        self._timers: dict[str, int] = {}
        self._children: dict[int, int] = {}
        self._children_by_id: dict[str, int] = {}
        self._signals: dict[int, int] = {}
        self._signals_with_start: dict[int, int] = {}
        self._cancels: dict[int, int] = {}
        self._child_cancels: dict[int, tuple[int, int]] = {}
        self._core_flags: set[int] = set()
        self._sdk_flags: set[int] = set()

    def read(self, event: HistoryEvent) -> None:
        """Take one event in."""
        name, attributes = event.name, event.attributes
        if not self.tasks and not self._inputs and name != "WorkflowExecutionStarted":
            raise ValueError(f"a history begins with WorkflowExecutionStarted, not with {name}")
        if name == "WorkflowTaskStarted":
            self._started = (event.event_id, event.time)
            self._history_size = int(attributes.get("historySizeBytes", 0))
            self._suggests = bool(attributes.get("suggestContinueAsNew"))
        elif name == "WorkflowTaskCompleted":
            self._complete(attributes)
        elif (read_command := _COMMANDS.get(name)) is not None:
            command = read_command(self, event)
            if command is not None:
                self.tasks[-1].delta.commands.append(command)
        elif (read_input := _INPUTS.get(name)) is not None:
            message = read_input(self, event)
            if message is not None:
                self._inputs.append((event.event_id, message))
        elif name == "ActivityTaskStarted":
            self._attempts[int(attributes["scheduledEventId"])] = {**attributes, "time": event.time}

    def finish(self) -> list[RecordedTask]:
        """All tasks; what nobody has consumed is one that was not completed."""
        if self._inputs:
            length, time = self._started or (self._inputs[-1][0], self._inputs[-1][1].time)
            inputs = [message for _, message in self._inputs]
            self.tasks.append(RecordedTask(Delta(FORMAT, time, inputs, []), history_length=length, completed=False))
        return self.tasks

    def _complete(self, attributes: Mapping[str, Any]) -> None:
        length, time = self._started or (0, 0)
        self._task_inputs, self._inputs = self._inputs, []
        inputs = [message for _, message in self._task_inputs]
        build = attributes.get("workerVersion", {}).get("buildId", "")
        delta = Delta(FORMAT, time, inputs, [], build, attributes.get("identity", ""))
        delta.suggests_continue_as_new = self._suggests
        metadata = attributes.get("sdkMetadata", {})
        self._core_flags.update(metadata.get("coreUsedFlags", ()))
        self._sdk_flags.update(metadata.get("langUsedFlags", ()))
        self.tasks.append(
            RecordedTask(
                delta,
                history_length=length,
                history_size=self._history_size,
                drop_after_end=_MOVES_ENDS_LAST not in self._core_flags,
                outcomes_win=_RAISES_CANCELLATIONS not in self._sdk_flags,
            )
        )

    # --- inputs -----------------------------------------------------------------------------------------------------

    def _workflow_started(self, event: HistoryEvent) -> history.Input:
        of = event.attributes
        self._task_queue = of.get("taskQueue", {}).get("name", "")
        expiration = of.get("workflowExecutionExpirationTime")
        failure = of.get("continuedFailure")
        return history.WorkflowExecutionStarted(
            time=event.time,
            key=of.get("requestId", "start"),
            workflow_type=of["workflowType"]["name"],
            task_queue=self._task_queue,
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
        if self._retries.delays(event.attributes["timerId"]):
            return None
        return history.TimerFired(event.time, self._timers[event.attributes["timerId"]])

    def _activity_outcome(self, event: HistoryEvent) -> history.Input:
        of = event.attributes
        scheduled = int(of["scheduledEventId"])
        sequence = self._activities[scheduled]
        attempt = self._attempts.get(scheduled, {})
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
        sequence = self._children[int(of["initiatedEventId"])]
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
        if initiated in self._child_cancels:
            cause = int(event.name == "RequestCancelExternalWorkflowExecutionFailed")
            sequence, number = self._child_cancels[initiated]
            return history.ChildWorkflowCancelDelivered(event.time, key, sequence, cause, number)
        match event.name:
            case "ExternalWorkflowExecutionSignaled":
                return history.ExternalWorkflowExecutionSignaled(event.time, key, self._signals[initiated])
            case "SignalExternalWorkflowExecutionFailed":
                return history.SignalExternalWorkflowExecutionFailed(event.time, key, self._signals[initiated])
            case "ExternalWorkflowExecutionCancelRequested":
                return history.ExternalWorkflowExecutionCancelRequested(event.time, key, self._cancels[initiated])
        return history.RequestCancelExternalWorkflowExecutionFailed(event.time, key, self._cancels[initiated])

    def _operation_ended(self, event: HistoryEvent) -> history.Input:
        of = event.attributes
        common = (event.time, f"event:{event.event_id}", self._signals_with_start[int(of["scheduledEventId"])])
        if event.name == "NexusOperationCompleted":
            return history.SignalWithStartCompleted(*common, *system_operation.result_from(of))
        failure = failure_from_json(of["failure"])
        return history.SignalWithStartFailed(*common, (failure.cause or failure).message)

    # --- commands ---------------------------------------------------------------------------------------------------

    def _timer_started(self, event: HistoryEvent) -> history.Command | None:
        of = event.attributes
        if self._retries.delays(of["timerId"]):
            return None
        sequence = self._retries.timer(int(of["timerId"])) if is_number(of["timerId"]) else len(self._timers) + 1
        self._timers[of["timerId"]] = sequence
        return history.TimerStarted(sequence, duration(of, "startToFireTimeout"))

    def _timer_canceled(self, event: HistoryEvent) -> history.Command | None:
        if self._retries.delays(event.attributes["timerId"]):
            # The activity was cancelled while it waited for its next attempt: this is all that the history has of it.
            sequence = self._retries.delayed_by(event.attributes["timerId"])
            common = (event.time, f"activity:{sequence}:1", sequence, 1, event.time, "")
            outcome = history.ActivityTaskCanceled(*common, cancelled({}))
            self.tasks[-1].local_outcomes.append(LocalOutcome(str(sequence), "", outcome))
            return None
        return history.TimerCanceled(self._timers[event.attributes["timerId"]])

    def _activity_scheduled(self, event: HistoryEvent) -> history.Command:
        of = event.attributes
        activity_id = of["activityId"]
        if is_number(activity_id):
            self._activity_number = self._retries.activity(int(activity_id))
            activity_id = str(self._activity_number)
        else:
            self._activity_number += 1
        self._activities[event.event_id] = self._activity_number
        queue = of.get("taskQueue", {}).get("name", "")
        return history.ActivityTaskScheduled(
            sequence=self._activity_number,
            activity_id=activity_id,
            activity_type=of["activityType"]["name"],
            task_queue="" if queue == self._task_queue else queue,
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
        return history.ActivityTaskCancelRequested(self._activities[int(event.attributes["scheduledEventId"])])

    def _child_initiated(self, event: HistoryEvent) -> history.Command:
        of = event.attributes
        sequence = self._children[event.event_id] = len(self._children) + 1
        self._children_by_id[of["workflowId"]] = sequence
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
            sequence = self._children_by_id[execution["workflowId"]]
            number = 1 + sum(child == sequence for child, _ in self._child_cancels.values())
            self._child_cancels[event.event_id] = (sequence, number)
            return history.CancelChildWorkflowExecutionRequested(sequence, of.get("reason", ""), number)
        sequence = self._cancels[event.event_id] = len(self._cancels) + 1
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
        sequence = self._signals[event.event_id] = len(self._signals) + 1
        child = self._children_by_id[execution["workflowId"]] if of.get("childWorkflowOnly") else 0
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
        sequence = self._signals_with_start[event.event_id] = len(self._signals_with_start) + 1
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
        sequence, attempt = self._retries.activity(int(data["seq"])), int(data.get("attempt", 1))
        details = event.attributes.get("details", {})
        self._activity_number = max(self._activity_number, sequence)
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
        place = sum(event_id <= after for event_id, _ in self._task_inputs)
        self._task_inputs.insert(place, (after, message))
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


_INPUTS: Final[Mapping[str, Callable[[_Reader, HistoryEvent], history.Input | None]]] = {
    "WorkflowExecutionStarted": _Reader._workflow_started,
    "WorkflowExecutionSignaled": _Reader._signaled,
    "WorkflowExecutionCancelRequested": _Reader._cancel_requested,
    "WorkflowExecutionTerminated": _Reader._terminated,
    "WorkflowExecutionTimedOut": _Reader._timed_out,
    "TimerFired": _Reader._timer_fired,
    "ActivityTaskCompleted": _Reader._activity_outcome,
    "ActivityTaskFailed": _Reader._activity_outcome,
    "ActivityTaskTimedOut": _Reader._activity_outcome,
    "ActivityTaskCanceled": _Reader._activity_outcome,
    "ChildWorkflowExecutionStarted": _Reader._child_event,
    "StartChildWorkflowExecutionFailed": _Reader._child_event,
    "ChildWorkflowExecutionCompleted": _Reader._child_event,
    "ChildWorkflowExecutionFailed": _Reader._child_event,
    "ChildWorkflowExecutionCanceled": _Reader._child_event,
    "ChildWorkflowExecutionTimedOut": _Reader._child_event,
    "ChildWorkflowExecutionTerminated": _Reader._child_event,
    "ExternalWorkflowExecutionSignaled": _Reader._external_event,
    "SignalExternalWorkflowExecutionFailed": _Reader._external_event,
    "ExternalWorkflowExecutionCancelRequested": _Reader._external_event,
    "RequestCancelExternalWorkflowExecutionFailed": _Reader._external_event,
    "NexusOperationCompleted": _Reader._operation_ended,
    "NexusOperationFailed": _Reader._operation_ended,
}

_COMMANDS: Final[Mapping[str, Callable[[_Reader, HistoryEvent], history.Command | None]]] = {
    "TimerStarted": _Reader._timer_started,
    "TimerCanceled": _Reader._timer_canceled,
    "ActivityTaskScheduled": _Reader._activity_scheduled,
    "ActivityTaskCancelRequested": _Reader._activity_cancel_requested,
    "StartChildWorkflowExecutionInitiated": _Reader._child_initiated,
    "RequestCancelExternalWorkflowExecutionInitiated": _Reader._cancel_initiated,
    "SignalExternalWorkflowExecutionInitiated": _Reader._signal_initiated,
    "NexusOperationScheduled": _Reader._operation_scheduled,
    "MarkerRecorded": _Reader._marker,
    "UpsertWorkflowSearchAttributes": _Reader._search_attributes,
    "WorkflowPropertiesModified": _Reader._properties,
    "WorkflowExecutionUpdateAccepted": _Reader._update_accepted,
    "WorkflowExecutionUpdateCompleted": _Reader._update_completed,
    "WorkflowExecutionCompleted": _Reader._completed,
    "WorkflowExecutionFailed": _Reader._failed,
    "WorkflowExecutionCanceled": _Reader._canceled,
    "WorkflowExecutionContinuedAsNew": _Reader._continued,
}
