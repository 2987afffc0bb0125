"""Every order of requests, over the code that ships: stateless model checking of the small protocol.

Each execution starts a world anew, replays a prefix of choices and goes on from there; a depth-first search over the
choices visits them all. What is left out changes nothing about the answer:

- *States seen before* (``SteppedWorld.state``). A process is deterministic between requests: what it does next follows
  from its name and the answers that it had, and when. With the table, the messages under way, the clock, and what may
  still go wrong, that is all that the rest of an execution depends on; with the bag of what took effect so far it is
  all that the checks at its end depend on. Whether what took effect came in a right order is checked before a prefix
  is left.
- *Orders of what commutes* (sleep sets). Requests of two processes that touch no item in common lead to the same state
  in either order; a step that was explored from a state need not be explored again after steps that commute with it.
  A state that is met again with fewer steps asleep is explored for the difference (Godefroid, Partial-Order Methods for
  the Verification of Concurrent Systems, 1996).
- *Requests that nothing meets*. A message that is sent goes into a bag, and an effect of an activity into the log.
  Every execution carries out such a request, or ends its process, at some point, and may as well do it at once:
  whatever comes before that point is of other processes and commutes with it. Not where time may pass instead, which
  commutes with nothing.

The last two can be turned off, which a test does to see that the same ends are reached.
Time passes when no request waits, and where ``Bounds.jumps`` says so also while some do.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from durability._aws import items
from durability._core.history import WorkflowExecutionSignaled
from durability._runtime.frontend import Status
from tests.simulation.checks import Checks, check, require
from tests.simulation.log import Accepted, Appended
from tests.simulation.processes import Died
from tests.simulation.programs import ACTIVITIES, Program
from tests.simulation.scenario import VERSIONS, Action, Scenario, Told, act, start
from tests.simulation.search import Explorer, Figures
from tests.simulation.stepped import SteppedWorld
from tests.simulation.steps import Bounds, Fate, Step
from tests.simulation.world import World

HORIZON: Final = 1_000.0
"""Virtual seconds within which everything must be over."""
PROMPT: Final = 130.0
"""Virtual seconds within which an accepted message is consumed: two rounds of the reconciler, and a moment."""
CLIENT_AWAY: Final = 3 * PROMPT
"""Virtual seconds for which a client that died is away when nobody is to make good for it."""


@dataclass(frozen=True)
class Configuration:
    """What is explored.

    Attributes:
        program: What the workflow does; see ``programs``.
        signals: How many clients send one signal each; the workflow waits for all.
        reconciler: Whether the reconciler may go round at any moment, and not only once a minute.
    """

    program: Program = field(default_factory=list)
    signals: int = 2
    reconciler: bool = False
    bounds: Bounds = field(default_factory=Bounds)

    @property
    def scenario(self) -> Scenario:
        """The same for the checks."""
        return Scenario(self.program, tuple(Action(0.0, "signal", number) for number in range(self.signals)))


def explore(configuration: Configuration, most: int | None = None) -> Figures:
    """Every execution of a configuration. Raises Found."""
    return explorer(configuration).explore(most)


def explorer(configuration: Configuration, *, reduced: bool = True) -> Explorer:
    """A search through a configuration."""
    return Explorer(lambda direct: play(configuration, direct, reduced=reduced), reduced=reduced)


def play(
    configuration: Configuration,
    direct: Callable[[SteppedWorld, list[Step]], Step | None],
    *,
    reduced: bool = True,
) -> bytes:
    """One execution and its checks. Returns its end; nothing if it only came to a state that needs no exploring.

    Raises:
        Violation: An invariant does not hold.
    """
    scenario, told = configuration.scenario, Told()
    clients: list[asyncio.Task[Any]] = []

    def over(world: SteppedWorld) -> bool:
        if world.loop.time() > HORIZON:
            return True
        return not world.parcels and bool(clients) and all(map(asyncio.Task.done, clients)) and _closed(world)

    world = SteppedWorld(VERSIONS, ACTIVITIES, configuration.bounds, direct, over, reduced=reduced)

    async def scene(_: World) -> bytes:
        created = asyncio.Event()
        world.table.observers.append(lambda *_: created.set())

        async def begin() -> None:
            await world.client(lambda gateway: start(gateway, "w", scenario.program, scenario.expected, told, "w"))

        clients.append(world.spawn(begin()))
        clients[0].set_name("start")
        await created.wait()
        if configuration.reconciler:
            world.spawn(_reconcile(world))
        for number, action in enumerate(scenario.actions):
            clients.append(world.spawn(act(world, action, told)))
            clients[-1].set_name(f"signal {number}")
        finished = await world.ended
        end = world.state() if finished else b""
        world.calm = True
        if finished and _closed(world):
            told.outcome = await world.client(lambda gateway: gateway.outcome("w", None, wait=0))
        elif finished:
            told.stuck = f"not over after {HORIZON:,.0f} s: {world.table.item(('default#w', items.HEAD))}"
        return end

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        end = world.run(scene)
    if world.errors:
        raise world.errors[0]
    require(not world.dead_letters, f"given up: {world.dead_letters}")
    if end:
        check(scenario, world, told)
        _check_promptness(world, Checks(scenario, world, told))
    else:
        checks = Checks(scenario, world, told)
        checks.history_has_no_gap_no_fork_and_never_changes()
        checks.nothing_is_visible_before_it_is_durable()
        checks.no_activity_runs_again_after_its_result()
        checks.closed_runs_stay_closed()
    return end


async def _reconcile(world: SteppedWorld) -> None:
    with suppress(Died):  # and come again in a minute
        await world.invoke("reconciler", {})


def _closed(world: SteppedWorld) -> bool:
    head = items.read_head(world.table.partitions["default#w"][items.HEAD])
    return head.status != Status.RUNNING and not head.awake and not head.attention


def _check_promptness(world: SteppedWorld, checks: Checks) -> None:
    """Nobody had to wait for a client to come back: what it left behind was seen to before."""
    written = {(e.run_id, e.sequence): e.time for e in world.log.entries if isinstance(e, Appended)}
    consumed = {
        message.key: written[run_id, number]
        for run_id, deltas in checks.effective.items()
        for number, delta in deltas.items()
        for message in delta.inputs
        if isinstance(message, WorkflowExecutionSignaled)
    }
    for entry in world.log.entries:
        if isinstance(entry, Accepted) and entry.name in consumed:
            waited = consumed[entry.name] - entry.time
            require(waited <= PROMPT, f"consumed after {waited:.0f} s: {entry}")


_ANSWERS: Final = (Fate.LOST, Fate.TWICE)

SMALL: Final = {
    "two signals": Configuration(),
    "two signals, warm containers": Configuration(bounds=Bounds(warm=True)),
    "a signal, the reconciler": Configuration(signals=1, reconciler=True),
    "a signal, a crash": Configuration(signals=1, bounds=Bounds(faults=1)),
    "a signal, a crash, its client away": Configuration(signals=1, bounds=Bounds(faults=1, retry_after=CLIENT_AWAY)),
    "a signal, a lost answer or a second delivery": Configuration(signals=1, bounds=Bounds(faults=1, kinds=_ANSWERS)),
    "an eager step, two signals": Configuration([["eager", 1]]),
    "continuing as new, two signals": Configuration([["new"]]),
    "a timer against a signal": Configuration([["race", 10]], signals=1, bounds=Bounds(jumps=1)),
}
"""Those that take seconds."""

LARGE: Final = {
    "two signals, a crash": Configuration(bounds=Bounds(faults=1)),
    "two signals, the reconciler": Configuration(reconciler=True),
    "two signals, a lost answer or a second delivery": Configuration(bounds=Bounds(faults=1, kinds=_ANSWERS)),
    "a signal, the reconciler, a crash": Configuration(signals=1, reconciler=True, bounds=Bounds(faults=1)),
    "an eager step, a signal, a crash": Configuration([["eager", 1]], signals=1, bounds=Bounds(faults=1)),
    "continuing as new, a signal, a crash": Configuration([["new"]], signals=1, bounds=Bounds(faults=1)),
    "a timer against a signal, a crash": Configuration([["race", 10]], signals=1, bounds=Bounds(faults=1, jumps=1)),
    "a signal, a crash, warm containers": Configuration(signals=1, bounds=Bounds(faults=1, warm=True)),
}
"""Those that take minutes, or longer."""


def main() -> None:
    """Explore the configurations whose names begin with an argument, or all of them, and print the figures."""
    wanted = tuple(sys.argv[1:]) or ("",)
    for name, configuration in (SMALL | LARGE).items():
        if name.startswith(wanted):
            print(f"{name}: {explore(configuration)}", flush=True)


if __name__ == "__main__":
    main()
