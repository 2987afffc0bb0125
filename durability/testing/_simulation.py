"""Playing an application in virtual time while its processes die and its services misbehave."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar, cast

from durability import activity
from durability._aws import items
from durability._memory.time import VirtualTimeLoop
from durability._runtime.frontend import Frontend
from durability._simulation.client import SimulatedFrontend
from durability._simulation.expressions import Item
from durability._simulation.plan import Plan
from durability._simulation.processes import NoProgressError
from durability._simulation.seeded import plan_of
from durability._simulation.table import Key
from durability._simulation.world import NAMESPACE, Code, World
from durability.application import Application
from durability.client import Client
from durability.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

T = TypeVar("T")

_FAULTS: Final = (0, 1, 1, 2, 3, 5)
"""How many faults a seed brings, unless the caller says how many."""
_HOPELESS: Final = 5
"""Failures in a row of a workflow task after which a scenario is not waited for any longer."""
_SETTLED: Final = 2_000.0
"""Virtual seconds within which what was delivered twice has come, and what was frozen has gone on."""
_MOST_REQUESTS: Final = 1_000_000

__all__ = ["NoProgressError", "Simulated", "simulate"]


@dataclass(frozen=True)
class Simulated(Generic[T]):
    """What came of a simulation.

    Attributes:
        result: What the scenario returned.
        faults: How often what went wrong.
        attempts: How often the code of an activity was called, by the activity's type.
        duration: How long the scenario took, in its own time.
    """

    result: T
    faults: Mapping[str, int]
    attempts: Mapping[str, int]
    duration: timedelta


def simulate(
    application: Application,
    scenario: Callable[[Client], Awaitable[T]],
    *,
    seed: int,
    faults: int | None = None,
    upgrade: Application | None = None,
    upgrade_within: timedelta = timedelta(hours=1),
    limit: timedelta = timedelta(days=366),
) -> Simulated[T]:
    """Play a scenario on a simulated deployment in which things go wrong.

    The functions' own code runs on twins of DynamoDB, SQS, EventBridge Scheduler, S3 and Lambda. A seed decides where
    processes crash, freeze for minutes and then go on, and lose the answers of requests; where services are throttled
    or away; which messages come twice, late, or not at all; and in which order everything happens. Time is virtual:
    months take as long as what happens in them. Play many seeds; the one that fails can be played again::

        @pytest.mark.parametrize("seed", range(100))
        def test_money_is_moved_once(seed: int) -> None:
            bank = Bank()
            application = Application(workflows=[Transfer], activities=[bank.withdraw, bank.deposit])

            async def scenario(client: Client) -> str:
                return await client.execute_workflow(Transfer.run, 100, id="transfer", task_queue="default")

            assert simulate(application, scenario, seed=seed).result == "done"
            assert bank.balances == {"ada": 0, "bob": 100}

    Activities are called here, in this process, so give them services that are no more than objects. An attempt whose
    process crashes is cancelled where it stands. Activities that are not ``async def`` run in threads as ever, and are
    not interrupted; when several run at a time, a seed may then be played in different orders. The scenario waits with
    ``asyncio.sleep``. Its client's calls are made again when their process dies.

    Args:
        application: What the functions serve, on all task queues.
        scenario: What is done from outside, given a client.
        seed: Decides what goes wrong. The same one gives the same execution.
        faults: How many faults there are to be; by default 0 to 5, as the seed decides. The latest may be beyond the
            scenario's end.
        upgrade: Takes the place of ``application`` while the scenario runs, at a moment that the seed decides: whether
            a change of workflow code is compatible shows in histories of either.
        upgrade_within: The latest such moment after the beginning; early ones are the likelier.
        limit: Virtual time within which the scenario ends.

    Returns:
        What came of it, when everything has settled.

    Raises:
        NoProgressError: The scenario was not over within the limit, or the workflow task of a workflow failed five
            times in a row, with no upgrade to come.
        RuntimeError: It was called while an event loop runs; it has one of its own.
        Exception: What the scenario raised. A note says what had gone wrong.
    """
    _outside_of_event_loops()
    if faults is None:
        faults = random.Random(f"faults {seed}").choice(_FAULTS)
    plan = plan_of(seed, faults=faults, deployed_within=upgrade_within.total_seconds() if upgrade else 0.0)
    return _Simulation(application, upgrade, plan).play(scenario, limit, seed)


class _Simulation:
    """One seed."""

    def __init__(self, application: Application, upgrade: Application | None, plan: Plan) -> None:
        self._application = application
        self.attempts: Counter[str] = Counter()
        versions = {1: self._code(application)}
        if upgrade is not None:
            versions[2] = self._code(upgrade)
        self._last = max(versions)
        self.world = World(versions, plan, loop=VirtualTimeLoop(), most_requests=_MOST_REQUESTS)
        self.world.table.observers.append(self._watch)

    def play(self, scenario: Callable[[Client], Awaitable[T]], limit: timedelta, seed: int) -> Simulated[T]:
        async def drive(world: World) -> tuple[T, float]:
            world.loop.call_later(limit.total_seconds(), world.give_up, f"not over after {limit}")
            result = await scenario(self._client(self._application))
            duration = world.loop.time()
            world.calm = True
            await asyncio.sleep(_SETTLED)
            return result, duration

        try:
            result, duration = self.world.run(drive)
        except Exception as error:
            happened = ", ".join(f"{kind} ({count})" for kind, count in self.world.happened.items())
            error.add_note(f"Simulated with seed={seed}. What had gone wrong: {happened or 'nothing'}.")
            raise
        return Simulated(result, dict(self.world.happened), dict(self.attempts), timedelta(seconds=duration))

    def _code(self, application: Application) -> Code:
        return Code(
            application.registry,
            lambda: application._make_runner(lambda: self._client(application), _Points(self)),
        )

    def _client(self, application: Application) -> Client:
        return application._make_client(cast(Frontend, SimulatedFrontend(self.world)), NAMESPACE)

    def _watch(self, key: Key, before: Item | None, after: Item | None) -> None:
        """Give up when a workflow task fails for good."""
        if key[1] != items.HEAD or after is None or "task_failure" not in after:
            return
        if self.world.version == self._last and int(after["task_attempts"]["N"]) >= _HOPELESS:
            workflow_id, failure = after["workflow_id"]["S"], after["task_failure"]["S"].strip()
            error = failure.splitlines()[-1]
            self.world.give_up(f"the workflow task of {workflow_id!r} fails again and again: {error}\n\n{failure}")


class _Points(Interceptor):
    """Processes may die or freeze just before the code of an activity and just after it."""

    def __init__(self, simulation: _Simulation) -> None:
        self._simulation = simulation

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Inbound(next, self._simulation)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, simulation: _Simulation) -> None:
        super().__init__(next)
        self._simulation = simulation

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        world, name = self._simulation.world, activity.info().activity_type
        await world.point("activity", lambda: self._simulation.attempts.update([name]))
        try:
            return await super().execute_activity(input)
        finally:
            await world.point("activity", lambda: None)


def _outside_of_event_loops() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("simulate has an event loop of its own: call it from a test that is not async")
