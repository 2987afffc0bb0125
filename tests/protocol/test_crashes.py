"""Whatever dies, at whatever instruction: the runs end as they should and every invariant holds."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durability import workflow
from durability._runtime.settings import Settings
from durability.exceptions import ChildWorkflowError
from durability.service import RPCError
from tests.protocol.invariants import Invariants, check_all
from tests.protocol.programs import ACTIVITIES, PROGRAMS, WORKFLOWS, Patient, Program
from tests.protocol.simulation import RECONCILER_PERIOD, Action, ClientDied, Created, Simulation

SETTLED = 3600.0
"""Virtual seconds after which every duplicate has come and the reconciler has been round."""


def play(program: Program, **named: Any) -> Simulation:
    """Run a program to its end, and let everything settle; checks the result and the invariants."""
    simulation = Simulation(WORKFLOWS, ACTIVITIES, **named)

    async def scenario(simulation: Simulation) -> Any:
        result = await program.drive(simulation)
        simulation.counting = False
        await asyncio.sleep(SETTLED)
        return result

    try:
        result = simulation.run(scenario)
        assert result == program.expected
        check_all(simulation)
    except BaseException as error:
        error.add_note(f"program {program}: {'; '.join(simulation.happened) or 'nothing failed'}")
        raise
    return simulation


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_without_faults(program: Program) -> None:
    simulation = play(program)
    assert not simulation.errors
    assert not simulation.happened


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.value)
@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_one_fault_at_every_point(program: Program, action: Action) -> None:
    points = len(play(program).points)
    for point in range(1, points + 1):
        simulation = play(program, faults={point: action})
        assert simulation.happened


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.value)
@pytest.mark.parametrize("name", ["retries", "heartbeats", "cancellation"])
def test_one_fault_at_every_point_with_outcomes_apart(name: str, action: Action) -> None:
    [program] = [program for program in PROGRAMS if program.name == name]
    apart = Settings(apart_from=0)
    points = len(play(program, settings=apart).points)
    for point in range(1, points + 1):
        play(program, settings=apart, faults={point: action})


# --- the named kill points -------------------------------------------------------------------------------------------


def named_points(simulation: Simulation, *names: str) -> list[int]:
    """The numbers of the points with a name."""
    return [number for number, name in enumerate(simulation.points, 1) if name in names]


@pytest.mark.parametrize(
    ("place", "points", "action"),
    [
        ("before append", ("append",), Action.DIE_BEFORE),
        ("between append and dispatch", ("append",), Action.DIE_AFTER),
        ("between dispatches", ("send_activities", "create", "deliver"), Action.DIE_AFTER),
        ("before release", ("settle", "replace"), Action.DIE_BEFORE),
        ("after release", ("settle", "replace"), Action.DIE_AFTER),
        ("in the activity", ("activity",), Action.DIE_BEFORE),
        ("after the activity, before its result is delivered", ("activity",), Action.DIE_AFTER),
        ("between message and wake-up", ("deliver", "create"), Action.DIE_AFTER),
    ],
)
def test_death_at_named_points(place: str, points: tuple[str, ...], action: Action) -> None:
    tried = 0
    for program in PROGRAMS:
        for point in named_points(play(program), *points):
            play(program, faults={point: action})
            tried += 1
    assert tried, place


def test_a_sender_that_died_after_its_message_is_made_good_by_the_reconciler() -> None:
    """Nobody tries again: the message is there, and only the mark on the head tells that nobody was woken."""
    bound = Settings().overdue / 1000 + RECONCILER_PERIOD

    async def scenario(simulation: Simulation) -> Any:
        await simulation.start(Patient)
        await asyncio.sleep(20)
        simulation.give_up = True
        simulation.faults = {len(simulation.points) + 1: Action.DIE_AFTER}
        with pytest.raises(ClientDied):
            await simulation.signal("w", "poke", "last words", request_id="1")
        return await simulation.result(within=bound + 1)

    simulation = Simulation(WORKFLOWS, ACTIVITIES)
    assert simulation.run(scenario) == ["last words"]
    assert simulation.happened
    check_all(simulation)


# --- any schedule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_every_message_twice(program: Program) -> None:
    play(program, extra_copies=((0.0, 0.0), (0.0, 3.0), (0.0, 50.0)))


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_two_executors_at_once(program: Program) -> None:
    """Every message comes twice at the same instant, to processes whose requests overlap."""
    play(program, extra_copies=((0.0, 0.0),), latencies=(0.003, 0.005, 0.002, 0.007, 0.011))


@given(
    program=st.sampled_from(PROGRAMS),
    faults=st.dictionaries(st.integers(1, 60), st.sampled_from(list(Action)), max_size=4),
    latencies=st.lists(st.sampled_from([0.0, 0.001, 0.02, 0.4, 2.0]), min_size=1, max_size=7).map(tuple),
    extra_copies=st.lists(
        st.lists(st.sampled_from([0.0, 0.01, 1.0, 40.0]), min_size=1, max_size=2).map(tuple), min_size=1, max_size=5
    ).map(tuple),
)
def test_any_schedule(
    program: Program,
    faults: dict[int, Action],
    latencies: tuple[float, ...],
    extra_copies: tuple[tuple[float, ...], ...],
) -> None:
    play(program, faults=faults, latencies=latencies, extra_copies=extra_copies)


def test_a_stuck_child_that_is_terminated_reports_to_its_parent_whatever_dies() -> None:
    """Its code fails, so that its end is written without it."""

    async def scenario(simulation: Simulation) -> Any:
        log = simulation.log
        await simulation.start(ParentOfStuck)
        await simulation.until(lambda: any(isinstance(e, Created) and e.key.workflow_id == "stuck" for e in log))
        await asyncio.sleep(5)
        with contextlib.suppress(RPCError):  # a second try finds it closed
            await simulation.client(lambda gateway: gateway.terminate("stuck", None, reason="stuck"))
        result = await simulation.result()
        simulation.counting = False
        await asyncio.sleep(SETTLED)
        return result

    points = 1
    point = 0
    while point <= points:
        simulation = Simulation([ParentOfStuck, Stuck], [], faults={point: Action.DIE_AFTER})
        assert simulation.run(scenario) == "TerminatedError", simulation.happened
        checks = Invariants(simulation)
        checks.one_writer_each_without_gap_or_change()
        checks.accepted_inputs_are_recorded_once()
        checks.nothing_is_left_waiting()
        points = max(points, len(simulation.points)) if point == 0 else points
        point += 1
    assert points > 10


@workflow.defn
class Stuck:
    @workflow.run
    async def run(self) -> None:
        raise KeyError("a bug")


@workflow.defn
class ParentOfStuck:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.execute_child_workflow(Stuck.run, id="stuck")
        except ChildWorkflowError as error:
            return type(error.cause).__name__
        return ""
