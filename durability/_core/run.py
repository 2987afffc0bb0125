"""One run in memory: its history so far, what it waits for, and the workflow instance that the history brought forth.

Pure: time and messages come in as arguments, deltas come out. The runtime makes the deltas durable.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import msgspec

from durability._core import history
from durability._core.activation import Activation, QueryRequest, RunDetails, WorkflowInstance
from durability._core.event_count import CLOSING_INPUTS, EventCounter, activates, begins_task, count_inputs, count_task
from durability._core.failure import Failure
from durability._core.history import Command, Delta, Input
from durability._core.matching import match_commands
from durability._core.payload import Payload


@dataclass(frozen=True, slots=True)
class LongHistory:
    """From when on a history is long, so that the workflow is told to continue as new.

    Attributes:
        events: Temporal's ``limit.historyCount.suggestContinueAsNew``, with its default.
        size: Bytes; Temporal's ``limit.historySize.suggestContinueAsNew``, with its default.
    """

    events: int = 4096
    size: int = 4 * 1024 * 1024


_NOTHING: Final = (b"", b"null", b"[]")

EVENT_BYTES: Final = 48
"""Added to the size of a history for each event: what an id, a time and a type take that deltas do not store.

It is what the size is before anything was stored, too, so that a workflow never sees a history without one.
"""

PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"

InstanceFactory = Callable[[RunDetails], WorkflowInstance]


class OpenActivity(msgspec.Struct):
    """An activity that was scheduled and has not ended. Times are milliseconds since the epoch.

    Attributes:
        record: The command that scheduled it.
        scheduled: When.
        attempt: The attempt that is running or comes next, as far as the history knows (eager attempts only).
        due: When that attempt may begin.
        deadline: When it counts as lost if nothing was heard of it; 0 while nobody has begun it.
        failure: How the attempt before it failed.
        details: What the last heartbeat told, as far as the history knows (eager attempts only).
        eager: Whether attempts run inside workflow tasks, with retries in the history, or on the activity queue.
        cancel_requested: Whether the workflow asked for cancellation.
        delta: Number of the delta that scheduled it, or a lower one.
    """

    record: history.ActivityTaskScheduled
    scheduled: int
    attempt: int
    due: int
    deadline: int
    eager: bool
    failure: Failure | None = None
    details: list[Payload] | None = None
    cancel_requested: bool = False
    delta: int = 0


class Run:
    """A run as one process holds it: replayed up to delta ``last`` and ready to advance.

    Whoever holds it notes in ``dispatched`` up to which delta it has itself carried out what was decided.
    """

    def __init__(
        self,
        namespace: str,
        workflow_id: str,
        run_id: str,
        factory: InstanceFactory,
        long: LongHistory = LongHistory(),
    ) -> None:
        self.namespace: Final = namespace
        self.workflow_id: Final = workflow_id
        self.run_id: Final = run_id
        self._factory = factory
        self._instance: WorkflowInstance | None = None
        self.started: history.WorkflowExecutionStarted | None = None
        self.last = 0
        self.time = 0
        self.history_size = 0
        self.activities: dict[int, OpenActivity] = {}
        self.timers: dict[int, int] = {}
        self.children: dict[int, history.StartChildWorkflowExecutionInitiated] = {}
        self.child_runs: dict[int, str] = {}
        self.child_cancels: set[tuple[int, int]] = set()
        self.signals_out: dict[int, history.SignalExternalWorkflowExecutionInitiated] = {}
        self.signals_with_start: dict[int, tuple[history.SignalWithStartScheduled, int]] = {}
        """Those without an outcome, with the times at which they were decided."""
        self.cancels_out: dict[int, history.RequestCancelExternalWorkflowExecutionInitiated] = {}
        self.search_attributes: dict[str, Payload] = {}
        self.memo: dict[str, Payload] = {}
        self.closing: Command | Input | None = None
        self.rejections: dict[str, Failure] = {}
        self.last_effect = 0
        self.dispatched = 0
        self._keys: dict[str, int] = {}
        self._events = EventCounter()
        self._long = long
        self._task_started_event = 0
        self._task_started_size = 0
        self._suggests = False

    @property
    def history_length(self) -> int:
        """Events in the history, counted as Temporal counts them."""
        return self._events.length

    @property
    def closed(self) -> bool:
        """Whether the last delta ended the run."""
        return self.closing is not None

    @property
    def ready(self) -> bool:
        """Whether there is a workflow instance, whose state can be asked for."""
        return self._instance is not None

    # --- moving forward ---------------------------------------------------------------------------------------------

    def replay(self, deltas: Iterable[tuple[int, Delta, int]]) -> None:
        """Apply recorded deltas: triples of sequence number, delta, stored bytes.

        Raises:
            NondeterminismError: The code does not decide what the history says it decided.
            Exception: What user code raised.
        """
        with ExitStack() as guarded:
            self._replay(deltas, guarded)

    def _replay(self, deltas: Iterable[tuple[int, Delta, int]], guarded: ExitStack) -> None:
        entered = False
        for sequence, delta, size in effective(deltas):
            self.replay_one(sequence, delta, size, delta.inputs)
            if not entered and self._instance is not None:
                entered = True
                guarded.enter_context(self._instance.guarded())

    def replay_one(self, sequence: int, delta: Delta, size: int, seen: list[Input]) -> None:
        """Apply one recorded delta, of which the workflow is shown ``seen``: its inputs as they are without encoding.

        Raises:
            NondeterminismError: See ``replay``.
            Exception: See ``replay``.
        """
        self.absorb_inputs(delta.inputs, delta.time)
        # Time alone may have moved the workflow on when the only input was an update that it rejected.
        if activates(delta.inputs) or delta.commands:
            patches = tuple(c.patch_id for c in delta.commands if isinstance(c, history.PatchMarkerRecorded))
            commands = self._activate(seen, delta.time, delta, patches, delta.build)
            match_commands(commands, delta.commands, sequence)
        self._absorb_commands(delta.commands, delta.time)
        self.committed(sequence, delta, size)

    def advance(self, inputs: list[Input], now: int, *, build: str = "", identity: str = "") -> Delta:
        """Consume inputs and return the delta that says what was consumed and decided.

        The delta is not durable yet: call ``committed`` when it is, and drop this object if it never will be.

        Raises:
            Exception: What user code raised; the run must be dropped and its workflow task failed.
        """
        commands = self.decide(inputs, now, inputs, build=build)
        return self.record(inputs, commands, now, build=build, identity=identity)

    def decide(self, inputs: list[Input], now: int, seen: list[Input], *, build: str = "") -> list[Command]:
        """The first half of ``advance``: consume inputs, of which the workflow is shown ``seen``.

        Raises:
            Exception: See ``advance``.
        """
        time = max(now, self.time)
        self.absorb_inputs(acceptable(inputs), time)
        return self._activate(seen, time, None, (), build) if activates(inputs) else []

    def record(
        self, inputs: list[Input], commands: list[Command], now: int, *, build: str = "", identity: str = ""
    ) -> Delta:
        """The second half of ``advance``: the delta of inputs and of the commands decided, as they are to be stored."""
        time = max(now, self.time)
        inputs = acceptable(inputs)
        rejected = {c.key: c.failure for c in commands if isinstance(c, history.WorkflowExecutionUpdateRejected)}
        self.rejections = rejected
        if rejected:
            # A rejected update leaves no history: replay does not run validators and would accept it.
            inputs = [
                message
                for message in inputs
                if not (isinstance(message, history.WorkflowExecutionUpdateAdmitted) and message.key in rejected)
            ]
            commands = [c for c in commands if not isinstance(c, history.WorkflowExecutionUpdateRejected)]
            for key in rejected:
                del self._keys[key]
        self._absorb_commands(commands, time)
        suggests = self._suggests
        return Delta(history.FORMAT, time, inputs, commands, build, identity, PYTHON, suggests_continue_as_new=suggests)

    @property
    def open_since(self) -> int:
        """The delta from which on the history tells of all activities that have not ended."""
        return min((activity.delta for activity in self.activities.values()), default=self.last + 1)

    def committed(self, sequence: int, delta: Delta, size: int) -> None:
        """Note that a delta is part of the history."""
        self.last = sequence
        self.time = delta.time
        self.history_size += size
        if not is_self_contained(delta):
            self.last_effect = sequence
        self._events.add(delta)

    def absorb(self, deltas: Iterable[tuple[int, Delta, int]]) -> None:
        """Apply recorded deltas as ``replay`` does, but without the workflow's code: only to end the run."""
        for sequence, delta, size in effective(deltas):
            self.absorb_inputs(delta.inputs, delta.time)
            self._absorb_commands(delta.commands, delta.time)
            self.committed(sequence, delta, size)

    def end(self, inputs: list[Input], command: Command | None, now: int, *, build: str, identity: str) -> Delta:
        """Consume inputs, and end without asking the workflow's code: by one of them, or else with a command.

        Otherwise as ``advance``.
        """
        self.absorb_inputs(acceptable(inputs), max(now, self.time))
        commands = [command] if command is not None and not self.closed else []
        return self.record(inputs, commands, now, build=build, identity=identity)

    def is_failure_exception(self, error: BaseException) -> bool:
        """Whether an exception that the workflow's code met fails the workflow, and not just its workflow task."""
        return self._instance is not None and self._instance.is_failure_exception(error)

    def query(self, request: QueryRequest) -> Payload | None:
        """Answer a query from the instance's state."""
        if self._instance is None:
            raise RuntimeError("the run has not had its first workflow task yet")
        return self._instance.query(request)

    def close(self) -> None:
        """Let go of the instance."""
        if self._instance is not None:
            self._instance.close()
            self._instance = None

    def _activate(
        self, inputs: list[Input], time: int, replayed: Delta | None, patches: tuple[str, ...], build: str
    ) -> list[Command]:
        if self._instance is None:
            started = next((m for m in inputs if isinstance(m, history.WorkflowExecutionStarted)), None)
            if started is None:
                raise RuntimeError(f"run {self.run_id}: its first delta does not start it")
            self._instance = self._factory(RunDetails(self.namespace, self.workflow_id, self.run_id, started))
        before, local = self._events.length, self._events.local
        until_task = before + count_inputs(inputs, local)
        if begins_task(inputs, local):
            self._task_started_event = until_task + 2  # with the event of its being scheduled
            self._task_started_size = self.history_size
            self._suggests = self._is_long() if replayed is None else replayed.suggests_continue_as_new
        length = self._task_started_event
        return self._instance.activate(
            Activation(
                time=time,
                inputs=inputs,
                is_replaying=replayed is not None,
                patches=patches,
                events_before=before,
                events_until_commands=until_task + count_task(inputs, local),
                history_length=length,
                history_size=self._task_started_size + length * EVENT_BYTES,
                continue_as_new_suggested=self._suggests,
                build=build,
            )
        )

    def _is_long(self) -> bool:
        return self._task_started_event >= self._long.events or self._task_started_size >= self._long.size

    # --- what the run waits for -------------------------------------------------------------------------------------

    def accepts(self, message: Input) -> bool:
        """Whether a message is news: not consumed before, and about something that is still open."""
        match message:
            case history.WorkflowExecutionStarted():
                return self.last == 0 and self.started is None
            case history.ActivityOutcome(sequence=sequence, attempt=attempt):
                activity = self.activities.get(sequence)
                return activity is not None and (
                    activity.attempt == attempt if activity.eager else activity.attempt <= attempt
                )
            case history.ActivityRetryScheduled(sequence=sequence, attempt=attempt, deadline=deadline):
                activity = self.activities.get(sequence)
                begins = deadline > 0 and activity is not None and activity.deadline <= 0
                return activity is not None and (activity.attempt < attempt or (activity.attempt == attempt and begins))
            case history.TimerFired(sequence=sequence):
                return sequence in self.timers
            case history.ChildWorkflowExecutionStarted() | history.StartChildWorkflowExecutionFailed():
                return message.sequence in self.children and message.sequence not in self.child_runs
            case (
                history.ChildWorkflowExecutionCompleted()
                | history.ChildWorkflowExecutionFailed()
                | history.ChildWorkflowExecutionCanceled()
                | history.ChildWorkflowExecutionTimedOut()
                | history.ChildWorkflowExecutionTerminated()
            ):
                return message.sequence in self.children
            case history.ExternalWorkflowExecutionSignaled() | history.SignalExternalWorkflowExecutionFailed():
                return message.sequence in self.signals_out
            case (
                history.ExternalWorkflowExecutionCancelRequested()
                | history.RequestCancelExternalWorkflowExecutionFailed()
            ):
                return message.sequence in self.cancels_out
            case history.SignalWithStartCompleted() | history.SignalWithStartFailed():
                return message.sequence in self.signals_with_start
            case history.ChildWorkflowCancelDelivered(sequence=sequence, number=number):
                return (sequence, number) in self.child_cancels
            case _:
                return message.key not in self._keys

    def places(self, message: Input) -> bool:
        """Whether a message is about something that is open here, or about nothing that the workflow decided."""
        return not hasattr(message, "sequence") or self.accepts(message)

    def begins_task(self, inputs: list[Input]) -> bool:
        """Whether inputs are a workflow task of their own, and not the rest of one with local activities."""
        return begins_task(inputs, self._events.local)

    def recent_keys(self) -> list[str]:
        """Keys of the last messages, for the run that follows: a sender that heard no answer may repeat them there."""
        recent = [
            key
            for key, time in self._keys.items()
            if self.time - time <= _REPEATED_WITHIN and key.startswith(_REPEATED)
        ]
        return recent[-_REPEATED_AT_MOST:]

    def due_inputs(self, now: int) -> list[Input]:
        """What time alone brings: timers that fire, in the order of their due times, or the end of the run itself."""
        deadline = self.run_deadline
        if deadline and deadline <= now:
            return [history.WorkflowExecutionTimedOut(time=now)]
        due = sorted((when, sequence) for sequence, when in self.timers.items() if when <= now)
        return [history.TimerFired(time=now, sequence=sequence) for _, sequence in due]

    @property
    def run_deadline(self) -> int:
        """When the run times out, in milliseconds since the epoch; 0 for never."""
        return 0 if self.started is None else deadline_of(self.started)

    # --- bookkeeping ------------------------------------------------------------------------------------------------

    def absorb_inputs(self, inputs: list[Input], time: int) -> None:
        """Note what inputs say, without showing them to the workflow."""
        for message in inputs:
            kind = message.__class__
            if kind is history.TimerFired:
                self.timers.pop(message.sequence, None)  # type: ignore[union-attr]
            elif isinstance(message, history.ActivityOutcome):
                self.activities.pop(message.sequence, None)
            elif kind is history.ActivityRetryScheduled:
                self._absorb_retry(message)  # type: ignore[arg-type]
            elif isinstance(message, _KEYED):
                self._keys[message.key] = time
            elif isinstance(message, history.WorkflowExecutionStarted):
                self.started = message
                self._keys.update(dict.fromkeys(message.recent_keys, time))
                self.memo = dict(message.memo)
                self.search_attributes = dict(message.search_attributes)
            elif isinstance(message, history.ChildWorkflowExecutionStarted):
                self.child_runs[message.sequence] = message.run_id
            elif isinstance(message, history.CHILD_ENDS):
                self.children.pop(message.sequence, None)
                self.child_runs.pop(message.sequence, None)
            elif isinstance(message, history.SIGNAL_ENDS):
                self.signals_out.pop(message.sequence, None)
            elif isinstance(message, _CANCEL_ENDS):
                self.cancels_out.pop(message.sequence, None)
            elif isinstance(message, history.SignalWithStartCompleted | history.SignalWithStartFailed):
                self.signals_with_start.pop(message.sequence, None)
            elif isinstance(message, history.ChildWorkflowCancelDelivered):
                self.child_cancels.discard((message.sequence, message.number))
            elif isinstance(message, CLOSING_INPUTS):
                self.closing = message

    def _absorb_retry(self, retry: history.ActivityRetryScheduled) -> None:
        activity = self.activities.get(retry.sequence)
        if activity is not None:
            activity.attempt = retry.attempt
            activity.due = retry.due
            activity.deadline = retry.deadline
            activity.failure = retry.failure
            activity.details = activity.details if retry.details is None else retry.details

    def _absorb_commands(self, commands: Sequence[Command], time: int) -> None:
        for command in commands:
            kind = command.__class__
            if isinstance(command, history.ActivityTaskScheduled):
                scheduled = OpenActivity(command, time, 1, time, 0, False, delta=self.last + 1)
                self.activities[command.sequence] = scheduled
                self.note_eager(command)
            elif isinstance(command, history.TimerStarted):
                self.timers[command.sequence] = time + command.duration
            elif kind is history.TimerCanceled:
                self.timers.pop(command.sequence, None)  # type: ignore[union-attr]
            elif isinstance(command, history.ActivityTaskCancelRequested):
                activity = self.activities.get(command.sequence)
                if activity is not None:
                    activity.cancel_requested = True
            elif isinstance(command, history.StartChildWorkflowExecutionInitiated):
                self.children[command.sequence] = command
            elif isinstance(command, history.CancelChildWorkflowExecutionRequested):
                self.child_cancels.add((command.sequence, command.number))
            elif isinstance(command, history.SignalExternalWorkflowExecutionInitiated):
                self.signals_out[command.sequence] = command
            elif isinstance(command, history.SignalExternalWorkflowExecutionCanceled):
                self.signals_out.pop(command.sequence, None)
            elif isinstance(command, history.SignalWithStartScheduled):
                self.signals_with_start[command.sequence] = (command, time)
            elif isinstance(command, history.RequestCancelExternalWorkflowExecutionInitiated):
                self.cancels_out[command.sequence] = command
            elif isinstance(command, history.SearchAttributesUpserted):
                upsert(self.search_attributes, command.search_attributes)
            elif isinstance(command, history.WorkflowPropertiesModified):
                for key, value in command.memo.items():
                    if value is None:
                        self.memo.pop(key, None)
                    else:
                        self.memo[key] = value
            elif isinstance(command, history.CLOSING_COMMANDS):
                self.closing = command

    def note_eager(self, record: history.ActivityTaskScheduled) -> None:
        """Take over who runs an activity's first attempt, from the record's ``eager_deadline``."""
        activity = self.activities.get(record.sequence)
        if activity is not None and record.eager_deadline:
            activity.eager = True
            activity.deadline = record.eager_deadline


def deadline_of(started: history.WorkflowExecutionStarted) -> int:
    """When a run that begins so times out, in milliseconds since the epoch; 0 for never."""
    begin = started.time + started.start_delay
    limits = [begin + started.run_timeout] if started.run_timeout else []
    if started.execution_deadline:
        limits.append(started.execution_deadline)
    elif started.execution_timeout:
        limits.append(begin + started.execution_timeout)
    return min(limits, default=0)


def upsert(attributes: dict[str, Payload], changes: Mapping[str, Payload]) -> None:
    """Change search attributes; null and an empty list remove one, as in Temporal."""
    for name, value in changes.items():
        if value.data in _NOTHING:
            attributes.pop(name, None)
        else:
            attributes[name] = value


def is_self_contained(delta: Delta) -> bool:
    """Whether a delta leaves nothing to be done outside of the history: updates that changed the workflow's state."""
    return all(isinstance(message, history.WorkflowExecutionUpdateAdmitted) for message in delta.inputs) and all(
        isinstance(command, _SELF_CONTAINED) for command in delta.commands
    )


def acceptable(inputs: list[Input]) -> list[Input]:
    """Inputs without updates if the run is ended from outside: nobody accepts them any more."""
    if not any(isinstance(message, CLOSING_INPUTS) for message in inputs):
        return inputs
    return [message for message in inputs if not isinstance(message, history.WorkflowExecutionUpdateAdmitted)]


def effective(deltas: Iterable[tuple[int, Delta, int]]) -> Iterator[tuple[int, Delta, int]]:
    """Leave out deltas that the next one supersedes."""
    held: tuple[int, Delta, int] | None = None
    for entry in deltas:
        if held is not None and not (entry[1].supersedes and entry[0] == held[0] + 1):
            yield held
        held = entry
    if held is not None:
        yield held


_SELF_CONTAINED = (
    history.CommandGrouped,
    history.WorkflowExecutionUpdateAccepted,
    history.WorkflowExecutionUpdateCompleted,
    history.PatchMarkerRecorded,
)
_KEYED = (
    history.WorkflowExecutionSignaled,
    history.WorkflowExecutionCancelRequested,
    history.WorkflowExecutionUpdateAdmitted,
    history.WorkflowTaskFailed,
)
_REPEATED = ("s:", "signal:", "cancel:")
_REPEATED_WITHIN = 900_000
"""Milliseconds."""
_REPEATED_AT_MOST = 64
_CANCEL_ENDS = (
    history.ExternalWorkflowExecutionCancelRequested,
    history.RequestCancelExternalWorkflowExecutionFailed,
)
