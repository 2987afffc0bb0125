"""How many events Temporal's history has for a delta: what ``events_view`` would write, without writing it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from durability._core import history
from durability._core.history import Command, Delta, Input

CLOSING_INPUTS = (history.WorkflowExecutionTerminated, history.WorkflowExecutionTimedOut)
_INPUTS_WITHOUT_EVENT = (history.ActivityRetryScheduled, history.WorkflowExecutionUpdateAdmitted)
"""The event of an accepted update holds its request; retries show in the started event."""
_INPUTS_WITHOUT_TASK = (history.ActivityRetryScheduled,)
_COMMANDS_WITHOUT_EVENT = (
    history.CommandGrouped,
    history.SignalExternalWorkflowExecutionCanceled,
    history.WorkflowExecutionUpdateRejected,
)
_TASK_EVENTS = 3


class EventCounter:
    """Counts the events of one run, delta by delta.

    Attributes:
        length: Events so far.
        local: Numbers of the run's local activities, of which only a marker tells when they have ended.
    """

    __slots__ = ("length", "local")

    def __init__(self) -> None:
        self.length = 0
        self.local: set[int] = set()

    def add(self, delta: Delta) -> None:
        """Count a delta."""
        self.length += count_inputs(delta.inputs, self.local)
        if has_task(delta.inputs):
            self.length += count_task(delta.inputs, self.local)
        elif unbegun_task(delta.inputs, self.local) is not None:
            self.length += 1
        for command in delta.commands:
            if command.__class__ is history.PatchMarkerRecorded:
                self.length += 2  # its marker, and the search attribute that lists patches
            elif has_event(command, self.local):
                self.length += 1
            elif isinstance(command, history.ActivityTaskScheduled):
                self.local.add(command.sequence)


def count_inputs(inputs: Iterable[Input], local: Container[int]) -> int:
    """Events of what a task consumed. An activity's outcome comes with the event of its last attempt's start."""
    events = 0
    for message in inputs:
        if isinstance(message, history.ActivityOutcome):
            if message.sequence not in local:
                events += 2 if message.started else 1
        elif message.__class__ is history.WorkflowTaskFailed:
            events += _TASK_EVENTS
        elif message.__class__ not in _INPUTS_WITHOUT_EVENT:
            events += 1
    return events


def count_task(inputs: Sequence[Input], local: Container[int]) -> int:
    """Events between those of a task's inputs and those of its commands: the task's own, and the local markers."""
    markers = len(local_outcomes(inputs, local)) if local else 0
    return markers + (_TASK_EVENTS if begins_task(inputs, local) else 0)


def local_outcomes(inputs: Iterable[Input], local: Container[int]) -> list[history.ActivityOutcome]:
    """The outcomes of local activities among the inputs."""
    return [message for message in inputs if is_local_outcome(message, local)]  # type: ignore[misc]


def is_local_outcome(message: Input, local: Container[int]) -> bool:
    """Whether an input is the outcome of a local activity."""
    return isinstance(message, history.ActivityOutcome) and message.sequence in local


def activates(inputs: Iterable[Input]) -> bool:
    """Whether the workflow gets to see any of the inputs."""
    return _has_other_than(history.UNSEEN_INPUTS, inputs)


def has_task(inputs: Iterable[Input]) -> bool:
    """Whether Temporal's history would show a workflow task for the inputs.

    Retries of activities need none, nor does an end from outside; a run that is failed because its code does not fit
    its history has one.
    """
    return _has_other_than(_INPUTS_WITHOUT_TASK, inputs)


def _has_other_than(kinds: Container[type], inputs: Iterable[Input]) -> bool:
    """Whether there are inputs of other kinds, and none that ends the run from outside."""
    found = False
    for message in inputs:
        if isinstance(message, CLOSING_INPUTS):
            return False
        found = found or message.__class__ not in kinds
    return found


def unbegun_task(inputs: Iterable[Input], local: Container[int]) -> Input | None:
    """The input for which a workflow task was scheduled that nobody began before the run was ended from outside."""
    first: Input | None = None
    for message in inputs:
        kind = message.__class__
        if isinstance(message, CLOSING_INPUTS):
            return first
        if kind is history.WorkflowTaskFailed:
            return None
        waits = isinstance(message, history.WorkflowExecutionStarted) and message.start_delay > 0
        silent = kind in _INPUTS_WITHOUT_EVENT or is_local_outcome(message, local)
        if first is None and not waits and not silent:
            first = message
    return None


def begins_task(inputs: Iterable[Input], local: Container[int]) -> bool:
    """Whether the inputs are a workflow task of their own; Temporal's waits for the local activities it started."""
    return not local or any(
        message.__class__ is not history.ActivityRetryScheduled and not is_local_outcome(message, local)
        for message in inputs
    )


def has_event(command: Command, local: Container[int]) -> bool:
    """Whether a command has an event."""
    kind = command.__class__
    if kind is history.ActivityTaskScheduled:
        return not command.local  # type: ignore[union-attr]
    if kind is history.ActivityTaskCancelRequested:
        return command.sequence not in local  # type: ignore[union-attr]
    return kind not in _COMMANDS_WITHOUT_EVENT
