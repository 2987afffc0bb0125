"""Depth-first search over all that may happen in a stepped world.

Each execution starts a world anew, replays a prefix of choices and goes on from there. Left out are states that were
seen before, states that were seen with more faults to come, and orders of steps that commute (sleep sets).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.simulation.processes import NoProgressError
from tests.simulation.stepped import SteppedWorld
from tests.simulation.steps import Step

Direct = Callable[[SteppedWorld, list[Step]], Step | None]


@dataclass
class Figures:
    """How much was explored.

    Attributes:
        states: Different ones.
        transitions: Steps taken from a state for the first time.
        executions: Worlds that were started; some ended in a state seen before.
        finished: Those that ran to the end.
        deepest: Steps of the longest.
    """

    states: int = 0
    transitions: int = 0
    executions: int = 0
    finished: int = 0
    deepest: int = 0

    def __str__(self) -> str:
        return (
            f"{self.states:,} states, {self.transitions:,} transitions, {self.executions:,} executions, "
            f"{self.finished:,} of them to the end, up to {self.deepest} choices"
        )


class Found(AssertionError):
    """A violation, with the steps that lead to it."""


_State = tuple[bytes, int]
_NONE: Final[frozenset[int]] = frozenset()


@dataclass
class _Node:
    """A state on the path: the steps to take from it, and which of them is being taken."""

    state: _State
    steps: list[Step]
    asleep: frozenset[Step]
    position: int = 0

    @property
    def step(self) -> Step:
        return self.steps[self.position]

    def asleep_after(self) -> frozenset[Step]:
        """What need not be explored after the step that is being taken."""
        return frozenset(s for s in {*self.asleep, *self.steps[: self.position]} if s.commutes(self.step))


class Explorer:
    """Depth-first search over the choices of one configuration.

    Args:
        play: Plays one execution and checks it. Returns its end; nothing if it did not come to one.
        reduced: Whether orders of what commutes are left out, and what was seen with more faults to come.

    Attributes:
        figures: How much has been explored.
        ends: The states in which executions have ended.
    """

    def __init__(self, play: Callable[[Direct], bytes], *, reduced: bool = True) -> None:
        self._play = play
        self._reduced = reduced
        self.figures = Figures()
        self.ends: set[bytes] = set()
        self._path: list[_Node] = []
        self._depth = 0
        self._on_path: set[_State] = set()
        self._seen: dict[_State, frozenset[int]] = {}
        self._numbers: dict[str, int] = {}

    def explore(self, most: int | None = None) -> Figures:
        """Explore everything, or ``most`` executions. Raises Found."""
        while True:
            self._depth = 0
            self.figures.executions += 1
            try:
                end = self._play(self._choose)
            except Exception as error:
                trace = "\n".join(f"  {node.step.name}" for node in self._path)
                raise Found(f"{type(error).__name__}: {error}\nafter\n{trace}") from error
            self.figures.finished += bool(end)
            self.ends |= {end} if end else set()
            self.figures.states = len(self._seen)
            while self._path and self._path[-1].position + 1 == len(self._path[-1].steps):
                self._on_path.discard(self._path.pop().state)
            if not self._path or self.figures.executions == most:
                return self.figures
            self._path[-1].position += 1
            self.figures.transitions += 1

    def _choose(self, world: SteppedWorld, steps: list[Step]) -> Step | None:
        if self._depth < len(self._path):
            node = self._path[self._depth]
            if node.step not in steps:
                raise RuntimeError(f"not reproducible: {node.step.name} is not among {[step.name for step in steps]}")
        else:
            found = self._new_node(world, steps)
            if found is None:
                return None
            node = found
            self._path.append(node)
            self._on_path.add(node.state)
            self.figures.transitions += 1
        self._depth += 1
        self.figures.deepest = max(self.figures.deepest, self._depth)
        return node.step

    def _new_node(self, world: SteppedWorld, steps: list[Step]) -> _Node | None:
        """The state that the path has led to; None if nothing in it is left to explore."""
        state = (world.state(), world.faults_left)
        if state in self._on_path:
            raise NoProgressError("what has been done since this state was met first has led back to it")
        asleep = self._path[-1].asleep_after() if self._path and self._reduced else frozenset()
        names = frozenset(map(self._number, asleep)) or _NONE
        left = self._left(state, world.bounds.faults)
        if left is None:
            todo = [step for step in steps if self._number(step) not in names]
            self._seen[state] = names
        else:
            todo = [step for step in steps if self._number(step) in left - names]
            self._seen[state] = left & names or _NONE
            asleep = frozenset(step for step in asleep if self._number(step) in left)
        return _Node(state, todo, asleep) if todo else None

    def _number(self, step: Step) -> int:
        """Stands for a step: there are many states, and few steps."""
        return self._numbers.setdefault(step.key, len(self._numbers))

    def _left(self, state: _State, faults: int) -> frozenset[int] | None:
        """The steps that were not explored when the state was seen, or seen with more to come; None if it was not."""
        digest, now = state
        most = faults if self._reduced else now
        seen = [self._seen[digest, f] for f in range(now, most + 1) if (digest, f) in self._seen]
        return frozenset.intersection(*seen) if seen else None
