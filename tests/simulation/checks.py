"""The invariants of the design, checked on what took effect, on the table, and on what clients were told."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import cached_property
from math import inf
from typing import Final

from durability._aws import items
from durability._core import history
from durability._core.encoding import decode_command, decode_delta
from durability._core.history import Delta, closes
from durability._core.payload_fields import payloads_in
from durability._core.run import Run, effective
from durability._memory.payloads import MemoryPayloadStore
from durability._runtime.frontend import Status
from durability._runtime.inbox import inbox_name
from durability._runtime.large_payloads import LargePayloads, is_reference, run_prefix
from durability._simulation.log import Accepted, Appended, Begun, Changed, Closed, Created, Sent
from durability._simulation.plan import Fault
from durability._simulation.world import INLINE, NAMESPACE, World
from durability.converter import DataConverter
from tests.simulation.programs import expectation
from tests.simulation.scenario import Scenario, Told

_KEYED: Final = (
    history.WorkflowExecutionSignaled,
    history.WorkflowExecutionCancelRequested,
    history.WorkflowExecutionTerminated,
)
_CONVERTER: Final = DataConverter.default.payload_converter
BOUND: Final = 1_100.0
"""Seconds within which an accepted message is consumed after any one fault: the longest freeze (700 s) and the rest."""
PROMPT: Final = 3.0
"""The same without faults: less than any timeout of the programs, so that none of them makes good for what is lost."""


class Violation(AssertionError):
    """An invariant does not hold."""


def check(scenario: Scenario, world: World, told: Told) -> None:
    """Every invariant. Raises Violation."""
    checks = Checks(scenario, world, told)
    require(not told.stuck, told.stuck)
    checks.history_has_no_gap_no_fork_and_never_changes()
    checks.accepted_inputs_are_recorded_once()
    checks.messages_are_consumed_in_time()
    checks.outcomes_are_taken_in_time()
    checks.timers_fire_in_time()
    checks.nothing_is_left_waiting()
    checks.nothing_is_visible_before_it_is_durable()
    checks.no_activity_runs_again_after_its_result()
    checks.replay_gives_the_same_commands()
    checks.closed_runs_stay_closed()
    checks.clients_were_told_the_truth()
    checks.the_result_is_one_that_the_program_can_have()
    checks.functions_answer_when_they_are_done()
    checks.deletion_leaves_nothing()


def require(condition: bool, text: object) -> None:
    """Raise Violation unless a condition holds."""
    if not condition:
        raise Violation(str(text))


class Checks:
    def __init__(self, scenario: Scenario, world: World, told: Told) -> None:
        self.scenario = scenario
        self.world = world
        self.told = told
        self.log = world.log.entries

    @cached_property
    def stored(self) -> dict[str, dict[int, bytes]]:
        """The deltas of every run, as stored."""
        found: dict[str, dict[int, bytes]] = {}
        for partition in self.world.table.partitions.values():
            for sort, item in partition.items():
                run_id, separator, number = sort.partition("#")
                if separator and number.isdigit() and run_id not in ("RUN", "TASK"):
                    found.setdefault(run_id, {})[int(number)] = item["body"]["B"]
        return found

    @cached_property
    def effective(self) -> dict[str, dict[int, Delta]]:
        """The deltas that took effect."""
        return {
            run_id: {
                number: delta for number, delta, _ in effective((n, decode_delta(deltas[n]), 0) for n in sorted(deltas))
            }
            for run_id, deltas in self.stored.items()
        }

    @cached_property
    def partitions(self) -> dict[str, str]:
        """The partition of each run."""
        return {entry.run_id: entry.partition for entry in self.log if isinstance(entry, Created)}

    def history_has_no_gap_no_fork_and_never_changes(self) -> None:
        """Invariant 1."""
        last: Counter[str] = Counter()
        for entry in self.log:
            require(not isinstance(entry, Changed), f"history was changed: {entry}")
            if isinstance(entry, Appended):
                last[entry.run_id] += 1
                require(entry.sequence == last[entry.run_id], f"a gap, or a fork: {entry}")
        for run_id, deltas in self.stored.items():
            require(sorted(deltas) == list(range(1, last[run_id] + 1)), f"deltas are missing: {run_id}")
            before: Delta | None = None
            for number in sorted(deltas):
                delta = decode_delta(deltas[number])
                require((before is not None and closes(before)) == delta.supersedes, f"delta {number} of {run_id}")
                before = delta

    def accepted_inputs_are_recorded_once(self) -> None:
        """Invariant 2: signals and cancellation once in the chain of runs, everything else once in its run."""
        consumed: Counter[tuple[str, str]] = Counter()
        others: Counter[tuple[str, str, int]] = Counter()
        for run_id, deltas in self.effective.items():
            for delta in deltas.values():
                for message in delta.inputs:
                    if isinstance(message, history.WorkflowExecutionSignaled):
                        # Every signal carries something else, whatever key it came under.
                        others[self.partitions[run_id], str(message.arguments[0].data), 0] += 1
                    if isinstance(message, _KEYED):
                        consumed[self.partitions[run_id], message.key] += 1
                    elif isinstance(message, history.ActivityOutcome):
                        others[run_id, "activity", message.sequence] += 1
                    elif isinstance(message, history.TimerFired):
                        others[run_id, "timer", message.sequence] += 1
                    elif not isinstance(message, history.ActivityRetryScheduled):
                        others[run_id, f"{type(message).__name__} {getattr(message, 'key', '')}", 0] += 1
        twice = [name for name, count in (*consumed.items(), *others.items()) if count > 1]
        require(not twice, f"recorded more than once: {twice}")
        for entry in self.log:
            if isinstance(entry, Accepted) and entry.name.startswith(("s:", "signal:", "cancel:")):
                require(consumed[entry.partition, entry.name] == 1, f"accepted and lost: {entry}")

    def messages_are_consumed_in_time(self) -> None:
        """Invariant 3, on the way: from the inbox into the history."""
        written = {(e.run_id, e.sequence): e.time for e in self.log if isinstance(e, Appended)}
        consumed: dict[tuple[str, str], float] = {}
        for run_id, deltas in self.effective.items():
            for number, delta in deltas.items():
                for message in delta.inputs:
                    consumed[run_id, getattr(message, "key", "")] = written[run_id, number]
        for entry in self.log:
            if isinstance(entry, Accepted) and entry.name.startswith(("s:", "signal:", "cancel:")):
                taken = consumed.get((entry.run_id, entry.name))
                if taken is not None:
                    require(taken - entry.time <= self.bound, f"consumed after {taken - entry.time:.1f} s: {entry}")

    def outcomes_are_taken_in_time(self) -> None:
        """Invariant 3: the outcome of a dispatched attempt decides about it, unless the run ends or gave it up."""
        written = {(e.run_id, e.sequence): e.time for e in self.log if isinstance(e, Appended)}
        decided: dict[tuple[str, int], list[float]] = {}
        consumed: set[tuple[str, str]] = set()
        ended: dict[str, float] = {}
        for run_id, deltas in self.effective.items():
            for number, delta in deltas.items():
                time = written[run_id, number]
                for message in delta.inputs:
                    if isinstance(message, history.ActivityOutcome | history.ActivityRetryScheduled):
                        decided.setdefault((run_id, message.sequence), []).append(time)
                        consumed.add((run_id, inbox_name(message)))
                if closes(delta):
                    ended[run_id] = time
        for entry in self.log:
            if isinstance(entry, Accepted) and entry.name.startswith("activity:"):
                times = [ended.get(entry.run_id, inf), *decided.get((entry.run_id, int(entry.name.split(":")[1])), ())]
                late = min(times) - entry.time
                require(late <= self.bound, f"taken after {late:.1f} s: {entry}")
                if (entry.run_id, entry.name) not in consumed:  # who decided otherwise had looked before it came
                    require(late <= self.afterwards, f"lost, and decided otherwise after {late:.1f} s: {entry}")

    def timers_fire_in_time(self) -> None:
        """Invariant 3: not before their time, and not long after it."""
        begin = self.world.loop.milliseconds() - round(self.world.loop.time() * 1000)
        written = {(e.run_id, e.sequence): begin + e.time * 1000 for e in self.log if isinstance(e, Appended)}
        for run_id, deltas in self.effective.items():
            due: dict[int, int] = {}
            for number, delta in deltas.items():
                for message in delta.inputs:
                    if isinstance(message, history.TimerFired):
                        late = written[run_id, number] - due[message.sequence]
                        require(delta.time >= due[message.sequence], f"fired {-late:.0f} ms early: {message}")
                        require(late <= self.bound * 1000, f"fired {late:.0f} ms late: {message}")
                for command in delta.commands:
                    if isinstance(command, history.TimerStarted):
                        due[command.sequence] = delta.time + command.duration

    @cached_property
    def bound(self) -> float:
        """Seconds within which a run is to get a workflow task."""
        faults = sum(self.world.happened.values())
        return BOUND * faults if faults else PROMPT + 2 * self.world.plan.skew

    @cached_property
    def afterwards(self) -> float:
        """Seconds for which an executor may go by what it has read."""
        frozen = any(self.world.happened[fault.value] for fault in (Fault.FREEZE_BEFORE, Fault.FREEZE_AFTER))
        return self.bound if frozen else PROMPT + 2 * self.world.plan.skew

    def nothing_is_left_waiting(self) -> None:
        """Invariant 3, at the end: no open run, nothing undispatched, nobody owed a look."""
        for partition in self.world.table.partitions.values():
            for sort, item in partition.items():
                if sort != items.HEAD and not sort.startswith("RUN#"):
                    continue
                head = items.read_head(item)
                require(head.status != Status.RUNNING, f"open: {head}")
                require(not head.awake and not head.attention, f"owed a look: {head}")
                require(head.dispatched == max(self.stored[head.run_id]), f"undispatched: {head}")
                require(not head.inbox or sort != items.HEAD, f"unread: {head}")

    def nothing_is_visible_before_it_is_durable(self) -> None:
        """Invariant 4: each effect follows a delta that took effect and decided it."""
        decided: set[tuple[str, str, int]] = set()
        begins: set[tuple[str, str, int]] = set()
        names: dict[tuple[str, int], str] = {}
        for entry in self.log:
            match entry:
                case Appended(_, run_id, sequence):
                    self._note_decisions(run_id, sequence, decided, begins, names)
                case Sent(attempt):
                    record = decode_command(attempt.body)
                    name = (attempt.run_id, type(record).__name__, attempt.sequence)
                    require(name in decided, f"sent before it was durable: {entry}")
                    if attempt.attempt > 1:
                        begins.add((attempt.run_id, names[attempt.run_id, attempt.sequence], attempt.attempt))
                case Begun(run_id, activity_id, number):
                    require((run_id, activity_id, number) in begins, f"begun before it was durable: {entry}")
                case Created(_, _, request_id):
                    parent, _, number_text = request_id.rpartition(":")
                    sender, _, how = parent.rpartition(":")
                    if how == "signal-with-start":
                        signal = (sender, "SignalWithStartScheduled", int(number_text))
                        require(signal in decided, f"started before it was durable: {entry}")
                    elif parent in self.stored:
                        child = (parent, "StartChildWorkflowExecutionInitiated", int(number_text))
                        require(child in decided, f"started before it was durable: {entry}")
                case Accepted(_, _, name):
                    kind, _, rest = name.partition(":")
                    sender, _, number_text = rest.rpartition(":")
                    if sender in self.stored and kind == "signal":
                        signal = (sender, "SignalExternalWorkflowExecutionInitiated", int(number_text))
                        require(signal in decided, f"sent before it was durable: {entry}")

    def _note_decisions(
        self,
        run_id: str,
        sequence: int,
        decided: set[tuple[str, str, int]],
        begins: set[tuple[str, str, int]],
        names: dict[tuple[str, int], str],
    ) -> None:
        delta = self.effective[run_id].get(sequence)
        if delta is None:
            return
        for command in delta.commands:
            number = getattr(command, "sequence", 0)
            decided.add((run_id, type(command).__name__, number))
            if isinstance(command, history.ActivityTaskScheduled):
                names[run_id, number] = command.activity_id
                begins.add((run_id, command.activity_id, 1))
        for message in delta.inputs:
            if isinstance(message, history.ActivityRetryScheduled) and message.deadline:
                begins.add((run_id, names[run_id, message.sequence], message.attempt))

    def no_activity_runs_again_after_its_result(self) -> None:
        """Invariant 5, and that no attempt begins twice."""
        ended: dict[tuple[str, str], float] = {}
        begun: Counter[Begun] = Counter()
        names: dict[tuple[str, int], str] = {}
        for entry in self.log:
            if isinstance(entry, Appended):
                delta = self.effective[entry.run_id].get(entry.sequence)
                if delta is None:
                    continue
                for command in delta.commands:
                    if isinstance(command, history.ActivityTaskScheduled):
                        names[entry.run_id, command.sequence] = command.activity_id
                for message in delta.inputs:
                    if isinstance(message, history.ActivityOutcome):
                        ended.setdefault((entry.run_id, names[entry.run_id, message.sequence]), entry.time)
            elif isinstance(entry, Begun):
                since = ended.get((entry.run_id, entry.activity_id), entry.time)
                # An executor goes by its own clock when it looks whether its attempt has been given up.
                require(entry.time - since <= 2 * self.world.plan.skew, f"runs again after its end: {entry}")
                begun[entry] += 1
                require(begun[entry] == 1, f"begun twice: {entry}")

    def replay_gives_the_same_commands(self) -> None:
        """Invariant 6, in this process, with the code that is deployed last."""
        registry = self.world.versions[self.world.version].registry
        for run_id, deltas in self.stored.items():
            workflow_id = self.partitions[run_id].removeprefix(f"{NAMESPACE}#")
            run = Run(NAMESPACE, workflow_id, run_id, registry.create)
            run.replay([(n, self._whole(run_id, decode_delta(deltas[n])), 0) for n in sorted(deltas)])
            require(run.closed, f"the history of {run_id} does not end")
            run.close()

    def _whole(self, run_id: str, delta: Delta) -> Delta:
        """A delta with its large payloads. Raises StoredPayloadError if one is missing, or not what was written."""
        if not delta.refers:
            return delta
        prefix = run_prefix(NAMESPACE, run_id)
        for reference in filter(is_reference, payloads_in(delta)):
            require(prefix.encode() in reference.data, f"refers to an object that is another run's: {reference}")
        store = MemoryPayloadStore()
        store.objects = self.world.services.objects
        return asyncio.run(LargePayloads(store, INLINE, 1).bring_back(delta))

    def closed_runs_stay_closed(self) -> None:
        """Invariant 8."""
        closed: set[str] = set()
        current: dict[str, str] = {}
        requests: Counter[tuple[str, str]] = Counter()
        for entry in self.log:
            match entry:
                case Closed(_, run_id):
                    require(run_id not in closed, f"closed twice: {entry}")
                    closed.add(run_id)
                case Appended(_, run_id):
                    require(run_id not in closed, f"appended after the end: {entry}")
                case Created(partition, run_id, request_id):
                    before = current.get(partition)
                    require(before is None or before in closed, f"two open runs: {entry}")
                    current[partition] = run_id
                    requests[partition, request_id] += 1
        twice = [name for name, count in requests.items() if count > 1]
        require(not twice, f"started more than once: {twice}")

    def clients_were_told_the_truth(self) -> None:
        """Invariants 2 and 9: what was accepted is there, what was refused is not, queries see what was accepted."""
        recorded: set[str] = set()
        rejected: set[str] = set()
        for deltas in self.effective.values():
            for delta in deltas.values():
                for message in delta.inputs:
                    if isinstance(message, history.WorkflowExecutionSignaled):
                        recorded.add(message.key.removeprefix("s:"))
                    if isinstance(message, history.WorkflowExecutionUpdateAdmitted):
                        rejected.add(message.key)
        for name, accepted in self.told.signals.items():
            require(not accepted or name in recorded, f"told that signal {name} was accepted, and it is not there")
        if self.scenario.undisturbed:  # what comes together with a termination is recorded, and no code sees it
            for accepted_before, seen in self.told.seen:
                require(accepted_before <= seen, f"a query saw {seen} after {accepted_before} were accepted")
        for (name, value), result in self.told.updates.items():
            if value < 0:
                require(f"{name}{value}" not in rejected, f"a rejected update is in the history: {name} {value}")
                require(result in ("negative", None) or self._closed_early(), f"update {name} {value}: {result}")
            elif isinstance(result, int):
                require(result == (2 * value if name == "add" else value), f"update {name} {value}: {result}")

    def _closed_early(self) -> bool:
        return isinstance(next(iter(self.told.updates.values())), str)

    def the_result_is_one_that_the_program_can_have(self) -> None:
        """The reference: what the program gives when nothing disturbs it."""
        outcome = self.told.outcome
        require(outcome is not None, "no outcome")
        assert outcome is not None
        if not self.scenario.undisturbed:
            allowed = (Status.COMPLETED, Status.CANCELED, Status.TERMINATED)
            require(outcome.status in allowed, f"ended as {outcome}")
            return
        require(outcome.status == Status.COMPLETED, f"ended as {outcome}")
        [result] = _CONVERTER.from_payloads([outcome.result] if outcome.result else [])
        expected = expectation(self.scenario.program)
        require(expected == result["done"], f"{result['done']} instead of {expected}")
        got = set(result["got"])
        require(len(got) == len(result["got"]), f"a signal was handled twice: {result['got']}")
        require(set(self.scenario.expected) <= got <= set(self.told.signals), f"signals {got}")
        done = {value for (name, value), told in self.told.updates.items() if isinstance(told, int)}
        if ["new"] not in self.scenario.program:  # an update id belongs to one run, as in Temporal
            require(len(result["sums"]) == len(set(result["sums"])), f"an update was applied twice: {result['sums']}")
        require(done <= set(result["sums"]), f"updates {result['sums']}, and {done} were completed")

    def functions_answer_when_they_are_done(self) -> None:
        """Section 9: no background work may be relied on between invocations."""
        require(not self.world.leftovers, self.world.leftovers)

    def deletion_leaves_nothing(self) -> None:
        """An object goes with its run; one of a run that never came about is there only where its starter failed.

        Or where a run would have continued as new, and a message came: the run that follows has another id, and what
        was put away stays. Whoever is late must not delete what an executor of the same end needs.
        """
        runs = set(self.partitions)
        orphans = [name for name in self.told.left_behind if name.startswith(f"{NAMESPACE}/")]
        require(self.told.left_behind == orphans, f"left behind: {self.told.left_behind}")
        require(not runs & {name.split("/")[1] for name in orphans}, f"objects of deleted runs: {orphans}")
        may_be = bool(self.world.happened) or "new" in str(self.scenario.program)
        require(not orphans or may_be, f"nobody's objects: {orphans}")
