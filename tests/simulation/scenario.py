"""One scenario: a program, what clients do to it, and a plan of faults; from a seed, or as it was made smaller."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Literal

from durability._runtime.frontend import Outcome, StartRequest, Status, UpdateRequest, UpdateStage
from durability._runtime.gateway import Gateway
from durability._runtime.registry import WorkflowRegistry
from durability._simulation.log import Created
from durability._simulation.plan import Delivery, Fault, Plan
from durability._simulation.processes import Died
from durability._simulation.world import Code, World
from durability.activity._runner import ActivityRunner
from durability.converter import DataConverter
from durability.service import RPCError, RPCStatusCode
from tests.simulation import programs
from tests.simulation.programs import ACTIVITIES, Program

HORIZON: Final = 40_000.0
"""Virtual seconds within which every run must have ended."""
SETTLED: Final = 2_000.0
"""Virtual seconds after which every duplicate has come and the reconciler has been round."""
_CONVERTER: Final = DataConverter.default.payload_converter
VERSIONS: Final = {
    number: Code(WorkflowRegistry([version], data_converter=DataConverter.default), lambda: ActivityRunner(ACTIVITIES))
    for number, version in ((1, programs.Version1), (2, programs.Version2))
}


@dataclass(frozen=True)
class Action:
    """Something that a client does at a second after the start; who is not persistent does not try again.

    A signal may be large.
    """

    at: float
    kind: Literal["signal", "add", "note", "reject", "query", "cancel", "terminate", "start"]
    value: int = 0
    persistent: bool = True
    large: bool = False

    @property
    def name(self) -> str:
        """What a signal carries."""
        return f"{self.value:03d}"


@dataclass(frozen=True)
class Scenario:
    """All there is to a run of the simulation.

    Attributes:
        other: Whether the workflow that programs signal runs as well.
    """

    program: Program
    actions: tuple[Action, ...] = ()
    plan: Plan = field(default_factory=Plan)
    other: bool = True

    @property
    def expected(self) -> list[str]:
        """The signals that the program waits for."""
        return [action.name for action in self.actions if action.kind == "signal" and action.persistent]

    @property
    def undisturbed(self) -> bool:
        """Whether nothing but the program decides how the run ends."""
        return not any(action.kind in ("cancel", "terminate") for action in self.actions)


@dataclass
class Told:
    """What clients were told.

    Attributes:
        outcome: How the chain of runs ended.
        stuck: Which run had not ended in time; empty if all had.
        signals: Names of signals that were accepted, and those that were refused.
        updates: Results of updates by value; None for one that was not taken.
        left_behind: Keys of items and objects that were there when every run had been deleted.
        seen: What queries saw, with what had been accepted before they were asked.
    """

    outcome: Outcome | None = None
    stuck: str = ""
    run_ids: set[str] = field(default_factory=set)
    signals: dict[str, bool] = field(default_factory=dict)
    updates: dict[tuple[str, int], int | str | None] = field(default_factory=dict)
    seen: list[tuple[set[str], set[str]]] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)


def play(scenario: Scenario) -> tuple[World, Told]:
    """Run a scenario until everything has settled."""
    world = World(VERSIONS, scenario.plan)
    told = Told()

    async def drive(world: World) -> None:
        if scenario.other:
            await world.client(lambda gateway: start(gateway, "other", [["sleep", 20]], [], told, "other"))
        await world.client(lambda gateway: start(gateway, "w", scenario.program, scenario.expected, told, "w"))
        clients = [world.spawn(act(world, action, told)) for action in scenario.actions]
        try:
            told.outcome = await outcome_of(world, "w")
            if scenario.other:
                await outcome_of(world, "other")
            await asyncio.wait_for(asyncio.gather(*clients), HORIZON)
        except TimeoutError as error:
            told.stuck = str(error) or "a client waits for ever"
            return
        world.calm = True
        await asyncio.sleep(SETTLED)
        if world.services.objects:
            told.left_behind = await _left_after_deletion(world)

    world.run(drive)
    return world, told


async def _left_after_deletion(world: World) -> list[str]:
    """What is there when every run has been deleted; the checks see what was there before."""
    table, services = world.table, world.services
    partitions = {name: dict(partition) for name, partition in table.partitions.items()}
    objects, observers = dict(services.objects), list(table.observers)
    table.observers.clear()
    for entry in world.log.entries:
        if isinstance(entry, Created):
            workflow_id = entry.partition.partition("#")[2]
            await world.client(partial(Gateway.delete, workflow_id=workflow_id, run_id=entry.run_id))
    left = [f"{name} {sort}" for name, partition in table.partitions.items() for sort in partition]
    left += services.objects
    table.partitions, services.objects, table.observers = partitions, objects, observers
    return left


# --- clients ----------------------------------------------------------------------------------------------------------


async def start(
    gateway: Gateway, workflow_id: str, program: Program, expected: list[str], told: Told, request_id: str
) -> None:
    """Start a workflow that runs a program and waits for signals."""
    request = StartRequest(
        workflow_id=workflow_id,
        workflow_type="Interpreter",
        task_queue="queue",
        arguments=_CONVERTER.to_payloads([program, expected, None]),
        request_id=request_id,
    )
    started = await gateway.start(request)
    told.run_ids.add(started.run_id)


async def act(world: World, action: Action, told: Told) -> None:
    """Do what a client does, and note what it is told."""
    await asyncio.sleep(action.at)
    try:
        match action.kind:
            case "signal":
                await _signal(world, action, told)
            case "add" | "note" | "reject":
                await _update(world, action, told)
            case "query":
                await _query(world, told)
            case "cancel":
                await world.client(lambda gateway: gateway.cancel("w", None, request_id="cancel"))
            case "terminate":
                await world.client(lambda gateway: gateway.terminate("w", None, reason="enough"))
    except Died:
        pass  # and never come back
    except RPCError as error:
        if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION):
            raise


async def _signal(world: World, action: Action, told: Told) -> None:
    name = action.name
    told.signals[name] = False
    arguments = _CONVERTER.to_payloads([name, programs.large_text(action.value)] if action.large else [name])
    await world.client(
        lambda gateway: gateway.signal("w", None, "poke", arguments, request_id=name),
        persistent=action.persistent,
    )
    told.signals[name] = True


async def _update(world: World, action: Action, told: Told) -> None:
    name = "note" if action.kind == "reject" else action.kind
    value = -action.value if action.kind == "reject" else action.value
    request = UpdateRequest(
        workflow_id="w",
        update_id=f"{name}{value}",
        name=name,
        arguments=_CONVERTER.to_payloads([value]),
        stage=UpdateStage.COMPLETED,
    )
    told.updates[name, value] = None
    while True:
        state = await world.client(lambda gateway: gateway.update(request, wait=60.0))
        if state.stage == UpdateStage.COMPLETED:
            break
    if state.failure is not None:
        told.updates[name, value] = state.failure.message
    else:
        [told.updates[name, value]] = _CONVERTER.from_payloads([state.result] if state.result else [])


async def _query(world: World, told: Told) -> None:
    accepted = {name for name, taken in told.signals.items() if taken}
    answer = await world.client(lambda gateway: gateway.query("w", None, "seen", []))
    [seen] = _CONVERTER.from_payloads([answer] if answer else [])
    told.seen.append((accepted, set(seen)))


async def outcome_of(world: World, workflow_id: str) -> Outcome:
    """How a chain of runs ended, told by the table: asking would be requests of its own."""
    key = f"default#{workflow_id}"
    while world.loop.time() < HORIZON:
        head = world.table.item((key, "HEAD"))
        if head is not None and Status(int(head["status"]["N"])) != Status.RUNNING:
            calm, world.calm = world.calm, True
            outcome = await world.client(lambda gateway: gateway.outcome(workflow_id, None, wait=0))
            world.calm = calm
            if outcome is not None:
                return outcome
        with suppress(TimeoutError):
            await world.change_of((key, "HEAD"), HORIZON - world.loop.time())
    raise TimeoutError(f"{workflow_id!r} is still open after {HORIZON:,.0f} s: {head}")


# --- from a seed ------------------------------------------------------------------------------------------------------


def scenario_of(seed: int) -> Scenario:
    """The scenario that a seed stands for."""
    source = random.Random(seed)
    program = programs.random_program(source, target="other")
    actions = tuple(_random_actions(source))
    plan = _random_plan(source)
    source = random.Random(f"large payloads of {seed}")  # the others are what they were before there were any
    if source.random() < 0.2:
        program = programs.with_large_payloads(program, source)
        actions = tuple(replace(action, large=action.kind == "signal" and source.random() < 0.5) for action in actions)
    source = random.Random(f"apart {seed}")
    if source.random() < 0.5:
        plan = replace(plan, apart=True)
        program = [*program, ["all", [["dispatched", value] for value in range(source.randint(1, 4))]]]
    source = random.Random(f"crowded {seed}")
    if source.random() < 0.3:
        plan = replace(plan, crowded=source.choice((0.3, 1.0)))
    return Scenario(program, actions, plan, other=_mentions(program, "other"))


def _mentions(steps: list[Any], target: str) -> bool:
    return any(step == target or (isinstance(step, list) and _mentions(step, target)) for step in steps)


def _random_actions(source: random.Random) -> Iterator[Action]:
    for value in range(source.choice((0, 0, 1, 2, 4))):
        yield Action(_moment(source), "signal", value, source.random() < 0.7)
    for value in range(1, source.choice((0, 0, 0, 1, 2)) + 1):
        yield Action(_moment(source), source.choice(("add", "add", "note", "reject")), value)  # type: ignore[arg-type]
    if source.random() < 0.3:
        yield Action(_moment(source), "query")
    if source.random() < 0.1:
        yield Action(_moment(source), source.choice(("cancel", "cancel", "terminate")))  # type: ignore[arg-type]


def _moment(source: random.Random) -> float:
    return source.choice((0.0, 0.003, 0.01, 0.5, 3.0, 20.0, 60.0)) + round(source.random() * 0.01, 4)


def _random_plan(source: random.Random) -> Plan:
    count = source.choice((0, 1, 1, 2, 3, 5))
    reach = source.choice((20, 60, 150))
    return Plan(
        seed=source.randrange(2**32),
        faults={source.randint(1, reach): source.choice(list(Fault)) for _ in range(count)},
        deliveries={source.randint(1, 20): source.choice(list(Delivery)) for _ in range(source.choice((0, 0, 1, 3)))},
        skew=source.choice((0.0, 0.0, 0.5, 3.0)),
        lag=source.choice((0.0, 0.5, 5.0)),
        page_limit=source.choice((1_048_576, 1_048_576, 1_500, 300)),
        deployed_at=source.choice((0.0, 0.0, 0.0, 0.02, 2.0, 30.0)),
        at_once=source.choice((0.0, 0.5, 0.9)),
    )


# --- making it smaller ------------------------------------------------------------------------------------------------


def smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Scenarios with something less."""
    plan = scenario.plan
    for position in range(len(scenario.program)):
        yield replace(scenario, program=_without(scenario.program, position))
    for position in range(len(scenario.actions)):
        yield replace(scenario, actions=tuple(_without(list(scenario.actions), position)))
    for number in plan.faults:
        yield replace(scenario, plan=replace(plan, faults={n: f for n, f in plan.faults.items() if n != number}))
    for number in plan.deliveries:
        rest = {n: d for n, d in plan.deliveries.items() if n != number}
        yield replace(scenario, plan=replace(plan, deliveries=rest))
    if scenario.other and not _mentions(scenario.program, "other"):
        yield replace(scenario, other=False)
    for plain in (
        {"skew": 0.0},
        {"lag": 0.0},
        {"page_limit": 1_048_576},
        {"deployed_at": 0.0},
        {"at_once": 0.0},
        {"apart": False},
        {"crowded": 0.0},
        {"seed": 0},
    ):
        changed = replace(plan, **plain)  # type: ignore[arg-type]
        if changed != plan:
            yield replace(scenario, plan=changed)


def _without(entries: list[Any], position: int) -> list[Any]:
    return entries[:position] + entries[position + 1 :]
