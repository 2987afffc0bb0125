"""The invariants of the protocol, checked on the log and the store of a simulation in which every run has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from durability._core import history
from durability._core.encoding import decode_command, decode_delta
from durability._core.history import Command, Delta
from durability._core.run import Run
from durability._runtime.closing import closes
from durability._runtime.frontend import Status
from durability._runtime.ports import WorkflowKey
from tests.protocol.simulation import Appended, Begun, Closed, Created, Delivered, Sent, Simulation

_KEYED = (
    history.WorkflowExecutionSignaled,
    history.WorkflowExecutionCancelRequested,
    history.WorkflowExecutionTerminated,
)


def check_all(simulation: Simulation) -> None:
    """Every invariant, after all runs have ended."""
    checks = Invariants(simulation)
    checks.one_writer_each_without_gap_or_change()
    checks.accepted_inputs_are_recorded_once()
    checks.nothing_is_left_waiting()
    checks.nothing_is_visible_before_it_is_durable()
    checks.no_activity_runs_again_after_its_result()
    checks.replay_gives_the_same_commands()
    checks.closed_runs_stay_closed()


class Invariants:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.log = simulation.log
        self.stored = {run_id: deltas for (_, run_id), deltas in simulation.store._deltas.items()}
        self.keys = {run_id: key for key, run_id in simulation.store._deltas}
        self.effective = {run_id: dict(_effective(deltas)) for run_id, deltas in self.stored.items()}

    def one_writer_each_without_gap_or_change(self) -> None:
        """Invariant 1."""
        written: dict[str, dict[int, bytes]] = {}
        for entry in self.log:
            if isinstance(entry, Appended):
                deltas = written.setdefault(entry.run_id, {})
                assert entry.sequence not in deltas, f"two writers of delta {entry.sequence}"
                assert entry.sequence == len(deltas) + 1, f"delta {entry.sequence} after {len(deltas)}"
                deltas[entry.sequence] = entry.body
        assert written == self.stored
        for deltas in self.stored.values():
            decoded = [decode_delta(deltas[n]) for n in sorted(deltas)]
            for before, delta in zip([None, *decoded], decoded, strict=False):
                assert (before is not None and closes(before)) == delta.supersedes

    def accepted_inputs_are_recorded_once(self) -> None:
        """Invariant 2."""
        consumed: Counter[tuple[WorkflowKey, str]] = Counter()
        outcomes: Counter[tuple[str, str, int]] = Counter()
        for run_id, deltas in self.effective.items():
            for delta in deltas.values():
                for message in delta.inputs:
                    if isinstance(message, _KEYED):
                        consumed[self.keys[run_id], message.key] += 1
                    elif isinstance(message, history.ActivityOutcome | history.TimerFired):
                        family = "timer" if isinstance(message, history.TimerFired) else "activity"
                        outcomes[run_id, family, message.sequence] += 1
                    elif isinstance(message, history.WorkflowExecutionStarted):
                        outcomes[run_id, "start", 0] += 1
                    elif not isinstance(message, history.ActivityRetryScheduled):
                        outcomes[run_id, getattr(message, "key", ""), 0] += 1
        twice = {name: count for name, count in (*consumed.items(), *outcomes.items()) if count > 1}
        assert not twice, f"recorded more than once: {twice}"
        for entry in self.log:
            if isinstance(entry, Delivered) and entry.accepted and entry.name.startswith(("s:", "signal:", "cancel:")):
                assert consumed[entry.key, entry.name] == 1, f"accepted and lost: {entry}"

    def nothing_is_left_waiting(self) -> None:
        """Invariant 3, at the end: no open run, nothing undispatched, nobody owed a look."""
        for head in self.simulation.store._heads.values():
            assert head.status != Status.RUNNING, head
            assert not head.inbox, head
            assert not head.awake, head
            assert not head.attention, head
            assert head.dispatched == max(self.stored[head.run_id])
        for (_, run_id), head in self.simulation.store._closed.items():
            assert head.dispatched == max(self.stored[run_id]), f"left undispatched: {head}"

    def nothing_is_visible_before_it_is_durable(self) -> None:
        """Invariant 4: each effect follows a delta that took effect and decided it."""
        decided: set[tuple[str, str, int]] = set()
        begins: set[tuple[str, str, int]] = set()
        scheduled: dict[tuple[str, int], history.ActivityTaskScheduled] = {}
        names: dict[tuple[str, int], str] = {}
        closed: set[str] = set()
        for entry in self.log:
            match entry:
                case Appended(run_id, sequence):
                    delta = self.effective[run_id].get(sequence)
                    if delta is None:
                        continue
                    for command in delta.commands:
                        number = getattr(command, "sequence", 0)
                        decided.add((run_id, type(command).__name__, number))
                        if isinstance(command, history.ActivityTaskScheduled):
                            scheduled[run_id, number] = command
                            names[run_id, number] = command.activity_id
                            begins.add((run_id, command.activity_id, 1))
                    for message in delta.inputs:
                        if isinstance(message, history.ActivityRetryScheduled) and message.deadline:
                            begins.add((run_id, names[run_id, message.sequence], message.attempt))
                case Sent(attempt):
                    sent = decode_command(attempt.body)
                    assert isinstance(sent, history.ActivityTaskScheduled)
                    command = scheduled.get((attempt.run_id, attempt.sequence))
                    assert command is not None, f"not durable: {entry}"
                    assert command.task_queue in ("", sent.task_queue)
                    assert msgspec.structs.replace(command, task_queue=sent.task_queue) == sent, entry
                    if attempt.attempt > 1:
                        begins.add((attempt.run_id, names[attempt.run_id, attempt.sequence], attempt.attempt))
                case Begun(run_id, activity_id, number):
                    assert (run_id, activity_id, number) in begins, f"begun before it was durable: {entry}"
                case Created(_, _, request_id):
                    parent, separator, number_text = request_id.rpartition(":")
                    sender, _, how = parent.rpartition(":")
                    if how == "signal-with-start":
                        name = history.SignalWithStartScheduled.__name__
                        assert (sender, name, int(number_text)) in decided, f"not durable: {entry}"
                    elif separator and parent in self.stored:
                        name = history.StartChildWorkflowExecutionInitiated.__name__
                        assert (parent, name, int(number_text)) in decided, f"not durable: {entry}"
                case Closed(_, run_id):
                    closed.add(run_id)
                case Delivered(_, _, name):
                    self._check_sender(name, decided, entry)

    def _check_sender(self, name: str, decided: set[tuple[str, str, int]], entry: Delivered) -> None:
        kind, _, rest = name.partition(":")
        run_id, _, number = rest.rpartition(":")
        if run_id not in self.stored:
            return
        senders: dict[str, tuple[type[Command], ...]] = {
            "signal": (history.SignalExternalWorkflowExecutionInitiated,),
            "cancel": (
                history.RequestCancelExternalWorkflowExecutionInitiated,
                history.CancelChildWorkflowExecutionRequested,
                history.StartChildWorkflowExecutionInitiated,
            ),
        }
        commands = senders.get(kind, ())
        assert any((run_id, command.__name__, int(number)) in decided for command in commands), f"not durable: {entry}"

    def no_activity_runs_again_after_its_result(self) -> None:
        """Invariant 5, and that no attempt begins twice."""
        ended: set[tuple[str, str]] = set()
        begun: Counter[Begun] = Counter()
        names: dict[tuple[str, int], str] = {}
        for entry in self.log:
            if isinstance(entry, Appended) and entry.sequence in self.effective[entry.run_id]:
                delta = self.effective[entry.run_id][entry.sequence]
                for message in delta.inputs:
                    if isinstance(message, history.ActivityOutcome):
                        ended.add((entry.run_id, names[entry.run_id, message.sequence]))
                for command in delta.commands:
                    if isinstance(command, history.ActivityTaskScheduled):
                        names[entry.run_id, command.sequence] = command.activity_id
            elif isinstance(entry, Begun):
                assert (entry.run_id, entry.activity_id) not in ended, f"runs again after its end was recorded: {entry}"
                begun[entry] += 1
                assert begun[entry] == 1, f"begun twice: {entry}"

    def replay_gives_the_same_commands(self) -> None:
        """Invariant 6, in this process."""
        for run_id, deltas in self.stored.items():
            key = self.keys[run_id]
            run = Run(key.namespace, key.workflow_id, run_id, self.simulation.registry.create)
            run.replay([(n, decode_delta(deltas[n]), len(deltas[n])) for n in sorted(deltas)])
            assert run.closed
            run.close()

    def closed_runs_stay_closed(self) -> None:
        """Invariant 8."""
        closed: set[str] = set()
        current: dict[WorkflowKey, str] = {}
        requests: Counter[tuple[WorkflowKey, str]] = Counter()
        for entry in self.log:
            if isinstance(entry, Closed):
                assert entry.run_id not in closed, f"closed twice: {entry}"
                closed.add(entry.run_id)
            elif isinstance(entry, Appended):
                assert entry.run_id not in closed, f"appended after the end: {entry}"
            elif isinstance(entry, Created):
                assert entry.key not in current or current[entry.key] in closed, f"two open runs: {entry}"
                current[entry.key] = entry.run_id
                requests[entry.key, entry.request_id] += 1
        twice = {name: count for name, count in requests.items() if count > 1}
        assert not twice, f"started more than once: {twice}"


def _effective(deltas: dict[int, bytes]) -> Iterator[tuple[int, Delta]]:
    decoded = {number: decode_delta(body) for number, body in deltas.items()}
    for number, delta in sorted(decoded.items()):
        following = decoded.get(number + 1)
        if following is None or not following.supersedes:
            yield number, delta


def decoded_body(sent: Sent) -> Command:
    """The command that an activity message carries."""
    return decode_command(sent.attempt.body)
