"""How long a run stands still after a fault: measured in virtual time at every point, against what is promised.

Each row plays its programs once undisturbed and once with each of its faults at each of its points. What is measured
is how much later than undisturbed anything got into the history: the start, a signal, the outcome of an activity, a
timer, the end. ``python -m tests.simulation.recovery`` prints the table that docs/reliability.md shows.
"""

from __future__ import annotations

import asyncio
import re
import statistics
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from durability._runtime.settings import Settings
from durability._simulation.log import Accepted, Appended, Closed, Created
from durability._simulation.plan import Delivery, Fault, Plan
from durability._simulation.processes import Died, current_process
from durability._simulation.queues import VISIBILITY
from durability._simulation.world import RECONCILER_PERIOD, World
from tests.simulation.checks import Checks
from tests.simulation.programs import HEARTBEAT, RETRIES, SHORT, Program
from tests.simulation.scenario import SETTLED, VERSIONS, Action, Scenario, Told, act, start

HORIZON: Final = 5_000.0
"""Virtual seconds after which every case is over."""
MOMENT: Final = 5.0
"""Seconds that requests, their repetition, and what a client waits before it comes back may take besides."""
_SETTINGS: Final = Settings()
RECONCILED: Final = _SETTINGS.overdue / 1000 + RECONCILER_PERIOD
"""Seconds until the reconciler has found an overdue run."""
_ATTEMPT: Final = SHORT.total_seconds() + RETRIES.initial_interval.total_seconds()
_SILENCE: Final = HEARTBEAT.total_seconds() + RETRIES.initial_interval.total_seconds()
_RESENT: Final = _SETTINGS.attempt_recheck / 1000 + 6 * SHORT.total_seconds()

_RUN_ID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

CRASHES: Final = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)
FREEZES: Final = (Fault.FREEZE_BEFORE, Fault.FREEZE_AFTER)
HICCUPS: Final = (Fault.LOSE_ANSWER, Fault.THROTTLE)
OUTAGE: Final = (Fault.UNAVAILABLE,)


@dataclass(frozen=True)
class Case:
    """A program, and what clients do meanwhile."""

    program: Program
    actions: tuple[Action, ...] = ()


_SIGNAL: Final = Action(0.5, "signal", 0, persistent=False)
CASES: Final = {
    "nothing": Case([]),
    "a signal": Case([], (_SIGNAL,)),
    "an update": Case([["race", 5]], (Action(0.5, "add", 1),)),
    "an eager step": Case([["eager", 1]]),
    "a long eager step": Case([["slow", 1]]),
    "parallel steps": Case([["all", [["eager", 1], ["dispatched", 2], ["local", 3]]]]),
    "a dispatched step": Case([["dispatched", 1]]),
    "a heartbeating step": Case([["counting", 2]]),
    "completion from outside": Case([["outside", 1]]),
    "a timer": Case([["sleep", 20]]),
    "a long timer": Case([["sleep", 2000]]),
    "a child": Case([["child", [["sleep", 1]]]]),
    "a signal to another workflow": Case([["tell", "other", "t"]]),
    "continuing as new": Case([["sleep", 1], ["new"], ["sleep", 1]]),
}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: What goes wrong, for readers.
        bound: Seconds that are promised.
        because: What the bound is made of.
        faults: One of them, at each point.
        deliveries: One of them, for each message.
        kind: Of the processes whose points are meant; empty for all.
        cases: Names of those that are played; empty for all.
        queue: Whose messages are meant.
        lost: Whether the sender of a signal died before it sent the wake-up: the fault is in who makes good for it.
    """

    what: str
    bound: float
    because: str
    faults: tuple[Fault, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    kind: str = ""
    cases: tuple[str, ...] = ()
    queue: str = ""
    lost: bool = False


_EAGER: Final = ("an eager step", "a long eager step", "parallel steps", "an update")
_NOT_EAGER: Final = tuple(name for name in CASES if name not in _EAGER)
ROWS: Final = (
    Row("a client that starts or signals dies", RECONCILED, "reconciler", CRASHES, kind="client"),
    Row("a workflow task dies", RECONCILED, "reconciler", CRASHES, kind="workflow", cases=_NOT_EAGER),
    Row(
        "a workflow task with eager activities dies",
        RECONCILED + _ATTEMPT,
        "reconciler, an attempt's start-to-close timeout and retry",
        CRASHES,
        kind="workflow",
        cases=_EAGER,
    ),
    Row(
        "a dispatched activity dies",
        VISIBILITY + _SILENCE,
        "visibility timeout before the claim, heartbeat timeout and retry after it",
        CRASHES,
        kind="activity",
    ),
    Row(
        "the reconciler dies where it was needed",
        RECONCILED + RECONCILER_PERIOD,
        "reconciler, and its next round",
        CRASHES,
        kind="reconciler",
        cases=("a signal",),
        lost=True,
    ),
    Row(
        "a workflow task freezes, past its deadline or not",
        RECONCILED + _ATTEMPT,
        "reconciler, an attempt's start-to-close timeout and retry",
        FREEZES,
        kind="workflow",
    ),
    Row("a dispatched activity freezes", _RESENT, "`attempt_recheck`, an attempt's timeout", FREEZES, kind="activity"),
    Row("an answer is lost, or a request throttled", 0.0, "repetition", HICCUPS),
    Row("a service is away for all tries of a client's request", RECONCILED, "reconciler", OUTAGE, kind="client"),
    Row(
        "a service is away for all tries of a workflow task's request",
        RECONCILED + _ATTEMPT,
        "as when it dies",
        OUTAGE,
        kind="workflow",
    ),
    Row(
        "a service is away for all tries of a dispatched activity's request",
        VISIBILITY + _SILENCE,
        "as when it dies",
        OUTAGE,
        kind="activity",
    ),
    Row(
        "a wake-up is delivered late, twice, or is received and lost",
        RECONCILED,
        "reconciler",
        deliveries=(Delivery.LATE, Delivery.TWICE, Delivery.LOST),
        queue="workflow",
    ),
    Row(
        "an attempt is delivered late, twice, or is received and lost",
        VISIBILITY,
        "visibility timeout",
        deliveries=(Delivery.LATE, Delivery.TWICE, Delivery.LOST),
        queue="activity",
    ),
    Row(
        "a wake-up ends in the dead-letter queue",
        RECONCILED,
        "reconciler",
        deliveries=(Delivery.GIVEN_UP,),
        queue="workflow",
    ),
    Row(
        "an attempt ends in the dead-letter queue",
        _RESENT,
        "`attempt_recheck`, an attempt's timeout",
        deliveries=(Delivery.GIVEN_UP,),
        queue="activity",
    ),
)


class _Observed(World):
    """Notes whose points and messages there are."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(VERSIONS, plan)
        self.kinds: list[str] = []
        self.messages_to: list[str] = []
        for name, queue in self.queues.items():
            queue.send = partial(self._note_message, name, queue.send)  # type: ignore[method-assign]

    def _fault(self, name: str) -> Fault | None:
        process = current_process()
        assert process is not None
        self.kinds.append(process.kind)
        return super()._fault(name)

    def _note_message(self, queue: str, send: Callable[[str, float], None], body: str, delay: float) -> None:
        self.messages_to.append(queue)
        send(body, delay)


@dataclass(frozen=True)
class Measured:
    """What came of a row.

    Attributes:
        row: It.
        faults: How many there were.
        delays: Seconds by which each delayed anything.
    """

    row: Row
    delays: tuple[float, ...]

    @property
    def longest(self) -> float:
        """Seconds."""
        return max(self.delays)

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.delays)

    @property
    def within(self) -> bool:
        """Whether the bound holds."""
        return self.longest <= self.row.bound + MOMENT


# --- playing ----------------------------------------------------------------------------------------------------------

Milestones = dict[tuple[int, int, str], float]
"""When something got into a history: by the number of the workflow, that of its run, and what it was."""


def play(case: Case, plan: Plan) -> tuple[_Observed, Milestones]:
    """Play a case until everything has settled. Nobody repeats the start, nor a signal."""
    world, told = _Observed(plan), Told()
    signals = [action for action in case.actions if action.kind == "signal"]
    expected = [signal.name for signal in signals]
    missing: list[Action] = []

    async def drive(_: World) -> None:
        if any(step[0] == "tell" for step in case.program):
            await world.client(lambda gateway: start(gateway, "other", [["sleep", 20]], [], told, "other"))
        with suppress(Died):
            await world.client(
                lambda gateway: start(gateway, "w", case.program, expected, told, "w"),
                persistent=False,
            )
        clients = [world.spawn(act(world, action, told)) for action in case.actions]
        await asyncio.sleep(HORIZON)
        for client in clients:
            client.cancel()
        missing.extend(signal for signal in signals if not _accepted(world, signal))
        for signal in missing if told.run_ids else ():
            await act(world, replace(signal, at=0.0), told)
        await asyncio.sleep(SETTLED)

    world.run(drive)
    return world, {} if missing else _milestones(world)


def _accepted(world: World, signal: Action) -> bool:
    return any(isinstance(entry, Accepted) and entry.name.endswith(f":{signal.name}") for entry in world.log.entries)


def _milestones(world: World) -> Milestones:
    """What happened when, to whichever workflow and run, as their ids differ from one plan to another."""
    places: dict[str, tuple[int, int]] = {}
    found: Milestones = {}
    appended: dict[tuple[str, int], float] = {}
    partitions: dict[str, list[str]] = {}
    for entry in world.log.entries:
        match entry:
            case Created(partition, run_id, _, time):
                runs = partitions.setdefault(partition, [])
                runs.append(run_id)
                places[run_id] = (list(partitions).index(partition), len(runs))
                found[*places[run_id], "created"] = time
            case Closed(_, run_id, _, time):
                found[*places[run_id], "closed"] = time
            case Appended(_, run_id, sequence, _, time):
                appended[run_id, sequence] = time
    checks = Checks(Scenario([]), world, Told())
    checks.nothing_is_left_waiting()
    for run_id, deltas in checks.effective.items():
        for sequence, delta in deltas.items():
            for message in delta.inputs:
                which = getattr(message, "sequence", "") or _RUN_ID.sub("", getattr(message, "key", ""))
                found[*places[run_id], f"{type(message).__name__} {which}"] = appended[run_id, sequence]
    return found


def delay_of(undisturbed: Milestones, disturbed: Milestones) -> float:
    """Seconds by which anything came later that came in both."""
    return max((disturbed[what] - undisturbed[what] for what in undisturbed.keys() & disturbed.keys()), default=0.0)


def measure(row: Row) -> Measured:
    """Every fault of a row at every one of its points."""
    delays: list[float] = []
    for name in row.cases or CASES:
        case = CASES[name]
        plan = Plan(seed=len(name))
        undisturbed, milestones = play(case, plan)
        if row.lost:
            plan = replace(plan, faults={_last_of("client", undisturbed): Fault.CRASH_BEFORE})
            undisturbed, _ = play(case, plan)
        for disturbance in _disturbances(row, plan, undisturbed):
            world, disturbed = play(case, disturbance)
            if disturbed and world.happened:
                delays.append(delay_of(milestones, disturbed))
    return Measured(row, tuple(delays))


def _last_of(kind: str, world: _Observed) -> int:
    return max(number for number, other in enumerate(world.kinds, 1) if other == kind)


def _disturbances(row: Row, plan: Plan, world: _Observed) -> Iterator[Plan]:
    for number, (kind, point) in enumerate(zip(world.kinds, world.points, strict=True), 1):
        if row.kind in ("", kind):
            for fault in row.faults if point != "effect" or row.faults != HICCUPS else ():
                yield replace(plan, faults={**plan.faults, number: fault})
    for number, queue in enumerate(world.messages_to, 1):
        if row.queue in ("", queue):
            for delivery in row.deliveries:
                yield replace(plan, deliveries={number: delivery})


def table(measured: Iterable[Measured]) -> str:
    """What was measured, as it stands in the documentation."""
    lines = ["| what goes wrong | tried | median | longest | bound | made of |", "|---|---|---|---|---|---|"]
    for one in measured:
        row = one.row
        lines.append(
            f"| {row.what} | {len(one.delays):,} | {one.median:.1f} s | {one.longest:.1f} s | {row.bound:.0f} s "
            f"| {row.because} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(map(measure, ROWS)))
