"""A run's history as a person wants to read it: what happened, when, and how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from durability._core import history
from durability._core.failure import Failure
from durability._core.history import Command, Delta, Input
from durability._core.payload import Payload

Show = Callable[[Payload], str]
_ENDS: Final[dict[Any, str]] = {
    history.ActivityTaskCompleted: "completed",
    history.ActivityTaskFailed: "failed",
    history.ActivityTaskTimedOut: "timed out",
    history.ActivityTaskCanceled: "was cancelled",
    history.ChildWorkflowExecutionCompleted: "completed",
    history.ChildWorkflowExecutionFailed: "failed",
    history.ChildWorkflowExecutionCanceled: "was cancelled",
    history.ChildWorkflowExecutionTimedOut: "timed out",
    history.ChildWorkflowExecutionTerminated: "was terminated",
    history.StartChildWorkflowExecutionFailed: "could not be started: its id is in use",
}


def render_timeline(deltas: Iterable[Delta], *, workflow_id: str = "", show: Show | None = None, now: int = 0) -> str:
    """Write down a run's history, one line for each thing that happened, and then what is still open.

    Args:
        deltas: The run's deltas from the first on.
        workflow_id: For the title.
        show: Turns payloads into text; without it no values are shown.
        now: Milliseconds since the epoch, for the age of what is open; the last delta's time by default.

    Returns:
        The text, without a line break at its end.
    """
    timeline = _Timeline(show)
    for delta in history.standing(deltas):
        timeline.add(delta)
    return timeline.text(workflow_id, now)


def duration_text(milliseconds: int) -> str:
    """A duration in the one or two units that matter."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.3g} s" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"
    for size, name, smaller, smaller_name in (
        (86_400_000, "d", 3_600_000, "h"),
        (3_600_000, "h", 60_000, "min"),
        (60_000, "min", 1000, "s"),
    ):
        if milliseconds >= size:
            rest = milliseconds % size // smaller
            return f"{milliseconds // size} {name}" + (f" {rest} {smaller_name}" if rest else "")
    raise AssertionError("unreachable")


class _Timeline:
    def __init__(self, show: Show | None) -> None:
        self._show = show
        self._lines: list[tuple[int, str]] = []
        self._title = ""
        self._start = 0
        self._last = 0
        self._closed = ""
        self._activities: dict[int, tuple[int, history.ActivityTaskScheduled]] = {}
        self._attempts: dict[int, int] = {}
        self._timers: dict[int, tuple[int, history.TimerStarted]] = {}
        self._children: dict[int, tuple[int, history.StartChildWorkflowExecutionInitiated]] = {}
        self._sent: dict[int, history.SignalExternalWorkflowExecutionInitiated] = {}
        self._signals_with_start: dict[int, str] = {}
        self._updates: dict[str, str] = {}

    def add(self, delta: Delta) -> None:
        for message in delta.inputs:
            self._input(message)
        for command in delta.commands:
            self._command(command, delta.time)
        self._last = max(self._last, delta.time)

    def text(self, workflow_id: str, now: int) -> str:
        """All lines, under a title."""
        took = duration_text(max(0, (self._last if self._closed else now or self._last) - self._start))
        state = f"{self._closed} after {took}" if self._closed else f"running for {took}"
        name = " ".join(part for part in (self._title, workflow_id) if part)
        rows = [(self._offset(time), text) for time, text in self._lines]
        if not self._closed:
            rows += [("open", text) for text in self._open()]
        width = max([len(offset) for offset, _ in rows], default=0)
        return "\n".join([f"{name} {state}".strip(), *[f"  {offset:>{width}}  {text}" for offset, text in rows]])

    def _offset(self, time: int) -> str:
        return f"+{duration_text(max(0, time - self._start))}"

    def _say(self, time: int, text: str) -> None:
        self._lines.append((time, text))
        self._last = max(self._last, time)

    def _values(self, payloads: Iterable[Payload | None]) -> str:
        if self._show is None:
            return ""
        return ", ".join("None" if payload is None else self._show(payload) for payload in payloads)

    def _call(self, name: str, arguments: list[Payload]) -> str:
        return name if self._show is None else f"{name}({self._values(arguments)})"

    def _result(self, result: Payload | None) -> str:
        return f" → {self._values([result])}" if self._show and result is not None else ""

    # --- inputs -----------------------------------------------------------------------------------------------------

    def _input(self, message: Input) -> None:
        match message:
            case history.WorkflowExecutionStarted():
                self._title = message.workflow_type
                self._start = message.time
                text = f"started {self._call(message.workflow_type, message.arguments)}"
                if message.attempt > 1:
                    text += f", attempt {message.attempt}"
                if message.continued_run_id:
                    text += f", continuing run {message.continued_run_id}"
                self._say(message.time, text + _by(message.identity))
            case history.WorkflowExecutionSignaled():
                text = f"signal {self._call(message.name, message.arguments)}"
                self._say(message.time, text + _by(message.identity))
            case history.WorkflowExecutionUpdateAdmitted():
                self._updates[message.key] = message.name
                text = f"update {self._call(message.name, message.arguments)}"
                self._say(message.time, text + _by(message.identity))
            case history.WorkflowExecutionCancelRequested():
                text = "cancellation requested" + (f": {message.reason}" if message.reason else "")
                self._say(message.time, text + _by(message.identity))
            case history.WorkflowExecutionTerminated():
                self._closed = "terminated"
                text = "terminated" + (f": {message.reason}" if message.reason else "")
                self._say(message.time, text + _by(message.identity))
            case history.WorkflowExecutionTimedOut():
                self._closed = "timed out"
                self._say(message.time, "timed out")
            case history.TimerFired():
                _, timer = self._timers.pop(message.sequence)
                self._say(message.time, f"slept {duration_text(timer.duration)}{self._summary(timer.summary)}")
            case history.ActivityRetryScheduled():
                self._retry(message)
            case history.WorkflowTaskFailed():
                self._say(message.time, f"workflow task failed: {message.failure.message}")
            case history.ActivityOutcome():
                self._activity_ended(message)
            case history.ExternalWorkflowExecutionSignaled() | history.SignalExternalWorkflowExecutionFailed():
                sent = self._sent[message.sequence]
                arrived = isinstance(message, history.ExternalWorkflowExecutionSignaled)
                outcome = "arrived at" if arrived else "found no open workflow"
                self._say(message.time, f"signal {sent.name} {outcome} {self._target(sent)}")
            case history.SignalWithStartCompleted(started=started):
                how = "started" if started else "arrived at"
                self._say(message.time, f"signal-with-start {how} {self._signals_with_start[message.sequence]}")
            case history.SignalWithStartFailed():
                self._say(message.time, f"signal-with-start failed: {message.message}")
            case history.ChildWorkflowExecutionStarted():
                _, child = self._children[message.sequence]
                self._say(message.time, f"child {child.workflow_type} {child.workflow_id} started")
            case _ if type(message) in _ENDS:
                self._child_ended(message)
            case _:
                pass

    def _retry(self, message: history.ActivityRetryScheduled) -> None:
        _, activity = self._activities[message.sequence]
        if message.attempt == self._attempts.get(message.sequence, 1):
            return  # that an attempt has begun, not that one has failed
        self._attempts[message.sequence] = message.attempt
        text = f"{activity.activity_type} attempt {message.attempt - 1} failed{_failure(message.failure)}"
        self._say(message.time, f"{text}; next in {duration_text(max(0, message.due - message.time))}")

    def _activity_ended(self, message: history.ActivityOutcome) -> None:
        scheduled, activity = self._activities.pop(message.sequence)
        text = f"{self._call(activity.activity_type, activity.arguments)} {_ENDS[type(message)]}"
        text += f" in {duration_text(max(0, message.time - scheduled))}"
        if message.attempt > 1:
            text += f", attempt {message.attempt}"
        text += _failure(getattr(message, "failure", None)) or self._result(getattr(message, "result", None))
        self._say(message.time, text + self._summary(activity.summary))

    def _child_ended(self, message: Any) -> None:
        initiated, child = self._children.pop(message.sequence)
        text = f"child {child.workflow_type} {child.workflow_id} {_ENDS[type(message)]}"
        text += f" after {duration_text(max(0, message.time - initiated))}"
        text += _failure(getattr(message, "failure", None)) or self._result(getattr(message, "result", None))
        self._say(message.time, text)

    # --- commands ---------------------------------------------------------------------------------------------------

    def _command(self, command: Command, time: int) -> None:
        match command:
            case history.ActivityTaskScheduled():
                self._activities[command.sequence] = (time, command)
            case history.TimerStarted():
                self._timers[command.sequence] = (time, command)
            case history.TimerCanceled():
                started, timer = self._timers.pop(command.sequence)
                slept = duration_text(max(0, time - started))
                self._say(time, f"sleep of {duration_text(timer.duration)} cancelled after {slept}")
            case history.ActivityTaskCancelRequested():
                if command.sequence in self._activities:
                    name = self._activities[command.sequence][1].activity_type
                    self._say(time, f"{name} asked to cancel itself")
            case history.StartChildWorkflowExecutionInitiated():
                self._children[command.sequence] = (time, command)
            case history.SignalExternalWorkflowExecutionInitiated():
                self._sent[command.sequence] = command
                self._say(time, f"sent signal {self._call(command.name, command.arguments)} to {self._target(command)}")
            case history.SignalWithStartScheduled():
                self._signals_with_start[command.sequence] = command.workflow_id
                signal = self._call(command.signal_name, command.signal_arguments)
                target = self._call(command.workflow_type, command.arguments)
                self._say(time, f"sent signal {signal} with the start of {target} to {command.workflow_id}")
            case history.RequestCancelExternalWorkflowExecutionInitiated():
                self._say(time, f"asked {command.workflow_id} to cancel itself")
            case history.CancelChildWorkflowExecutionRequested():
                _, child = self._children[command.sequence]
                self._say(time, f"asked child {child.workflow_id} to cancel itself")
            case history.PatchMarkerRecorded():
                self._say(time, f"patch {command.patch_id}")
            case history.WorkflowExecutionUpdateCompleted():
                text = f"update {self._updates.get(command.key, command.key)} "
                text += f"failed{_failure(command.failure)}" if command.failure else "completed"
                self._say(time, text + self._result(command.result))
            case history.WorkflowExecutionCompleted():
                self._close(time, "completed", self._result(command.result))
            case history.WorkflowExecutionFailed():
                self._close(time, "failed", _failure(command.failure))
            case history.WorkflowExecutionCanceled():
                self._close(time, "cancelled", "")
            case history.WorkflowExecutionContinuedAsNew():
                self._close(time, "continued as new", f": {self._call(command.workflow_type, command.arguments)}")
            case _:
                pass

    def _close(self, time: int, how: str, more: str) -> None:
        self._closed = how
        self._say(time, how + more)

    def _target(self, sent: history.SignalExternalWorkflowExecutionInitiated) -> str:
        child = self._children.get(sent.child_sequence)
        return child[1].workflow_id if child else sent.workflow_id or "a child that has ended"

    def _summary(self, summary: Payload | None) -> str:
        return f"  ({self._show(summary)})" if self._show and summary is not None else ""

    def _open(self) -> list[str]:
        """What the run waits for."""
        lines = []
        for sequence, (time, activity) in self._activities.items():
            attempt = self._attempts.get(sequence, 1)
            text = f"{activity.activity_type} since {self._offset(time)}"
            lines.append(text + (f", attempt {attempt}" if attempt > 1 else ""))
        for time, timer in self._timers.values():
            lines.append(f"sleep of {duration_text(timer.duration)} until {self._offset(time + timer.duration)}")
        for time, child in self._children.values():
            lines.append(f"child {child.workflow_type} {child.workflow_id} since {self._offset(time)}")
        return lines or ["nothing but a signal, an update or a cancellation can wake the workflow"]


def _by(identity: str) -> str:
    return f"  by {identity}" if identity else ""


def _failure(failure: Failure | None) -> str:
    if failure is None:
        return ""
    kind = getattr(failure.info, "type", "")
    return f": {kind}: {failure.message}" if kind else f": {failure.message}"
