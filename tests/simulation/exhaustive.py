"""Every order of requests, over the code that ships: model checking of the small protocol.

What is explored are states of a whole deployment (``stepped``); where a process goes from one request to the next is
asked of the code itself (``solo``): handlers, engine and adapters run, once for everything that one process can be
told. What is left out changes nothing about the answer:

- *States seen before* (``SteppedWorld.state``). A process is deterministic between requests: what it does next follows
  from what it was called with, the answers that it had, and when. With the table, the messages under way, the clock
  and what may still go wrong, that is all that the rest of an execution depends on; with the bag of what took effect
  so far it is all that the checks at its end depend on. What has taken effect is checked in every state.
- *States seen with more faults to come.* Whatever may happen with fewer may happen with more.
- *Names.* Processes that were told the same and messages that say the same are interchangeable.
- *Orders of what commutes* (sleep sets). Requests of two processes that touch no item in common lead to the same state
  in either order; a step that was explored from a state need not be explored again after steps that commute with it.
  A state that is met again with fewer steps asleep is explored for the difference (Godefroid, Partial-Order Methods for
  the Verification of Concurrent Systems, 1996). A crash touches nothing: it is tried when its process has got there,
  and not again after each step of others.
- *Requests that nothing meets*. A message that is sent goes into a bag, and an effect of an activity into the log.
  Every execution carries out such a request, or ends its process, at some point, and may as well do it at once:
  whatever comes before that point is of other processes and commutes with it. Not where time may pass instead, which
  commutes with nothing.

All but the first can be turned off, which a test does to see that the same ends are reached.
Time passes when no request waits, and where ``Bounds.jumps`` says so also while some do.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from dataclasses import dataclass, field
from typing import Final

from durability._aws import items
from durability._aws.connect import aws_ports
from durability._core.history import WorkflowExecutionSignaled
from durability._runtime.frontend import Outcome
from durability._runtime.gateway import Gateway
from durability._runtime.settings import Settings
from durability._simulation.log import Accepted, Appended
from durability._simulation.table import TableCaller
from durability._simulation.world import DEPLOYMENT, NAMESPACE
from tests.simulation.checks import Checks, check, require
from tests.simulation.programs import Program
from tests.simulation.scenario import Action, Scenario, Told
from tests.simulation.search import Explorer, Figures
from tests.simulation.solo import Processes
from tests.simulation.stepped import HORIZON, SteppedWorld
from tests.simulation.steps import Bounds, Fate

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


def explore(configuration: Configuration) -> Figures:
    """Everything that may happen in a configuration. Raises Found."""
    return explorer(configuration).explore()


def explorer(configuration: Configuration, *, reduced: bool = True) -> Explorer:
    """A search through a configuration."""
    scenario, bounds = configuration.scenario, configuration.bounds
    # A run is overdue as soon as it is awake: the reconciler may find it at any moment.
    processes = Processes(scenario, Settings(overdue=-1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begin = SteppedWorld(processes, bounds, reconciler=configuration.reconciler, reduced=reduced)
    return Explorer(begin, _Looks(scenario).look, reduced=reduced)


@dataclass
class _Looks:
    """Checks states as they are reached."""

    scenario: Scenario
    _seen: set[tuple[object, ...]] = field(default_factory=set)

    def look(self, world: SteppedWorld) -> None:
        """Check what has happened so far, and at the end everything. Raises Violation."""
        require(not world.dead_letters, f"given up: {world.dead_letters}")
        if world.over:
            require(world.closed, f"not over after {HORIZON:,.0f} s: {world.table.item(('default#w', items.HEAD))}")
            told = Told(signals={action.name: True for action in self.scenario.actions})
            told.outcome = asyncio.run(_outcome(world))
            check(self.scenario, world, told)
            _check_promptness(world, Checks(self.scenario, world, told))
        elif world.written not in self._seen:
            self._seen.add(world.written)
            checks = Checks(self.scenario, world, Told())
            checks.history_has_no_gap_no_fork_and_never_changes()
            checks.nothing_is_visible_before_it_is_durable()
            checks.no_activity_runs_again_after_its_result()
            checks.closed_runs_stay_closed()


async def _outcome(world: SteppedWorld) -> Outcome | None:
    ports = aws_ports(TableCaller(world.table), DEPLOYMENT)
    gateway = Gateway(NAMESPACE, ports.store, ports.queue, ports.invoker, world.loop.milliseconds)
    return await gateway.outcome("w", None, wait=0)


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
    "an eager step, a dispatched one, the reconciler": Configuration(
        [["eager", 1], ["dispatched", 2]], signals=0, reconciler=True
    ),
    "continuing as new, two signals": Configuration([["new"]]),
    "a timer against a signal": Configuration([["race", 10]], signals=1, bounds=Bounds(jumps=1)),
}
"""Those that take seconds."""

LARGE: Final = {
    "two signals, the reconciler, a crash": Configuration(reconciler=True, bounds=Bounds(faults=1, executors=2)),
    "two signals, a crash": Configuration(bounds=Bounds(faults=1)),
    "two signals, the reconciler": Configuration(reconciler=True),
    "two signals, a lost answer or a second delivery": Configuration(bounds=Bounds(faults=1, kinds=_ANSWERS)),
    "a signal, the reconciler, a crash": Configuration(signals=1, reconciler=True, bounds=Bounds(faults=1)),
    "an eager step, a signal, a crash": Configuration([["eager", 1]], signals=1, bounds=Bounds(faults=1)),
    "a dispatched step, a signal, a crash": Configuration([["dispatched", 1]], signals=1, bounds=Bounds(faults=1)),
    "an eager step, a dispatched one, a second delivery": Configuration(
        [["eager", 1], ["dispatched", 2]], signals=0, bounds=Bounds(faults=1, kinds=(Fate.TWICE,))
    ),
    "two dispatched steps, the reconciler": Configuration(
        [["dispatched", 1], ["dispatched", 2]], signals=0, reconciler=True
    ),
    "continuing as new, a signal, a crash": Configuration([["new"]], signals=1, bounds=Bounds(faults=1)),
    "continuing as new, a signal, a lost answer or a second delivery": Configuration(
        [["new"]], signals=1, bounds=Bounds(faults=1, kinds=_ANSWERS)
    ),
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
