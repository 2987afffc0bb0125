"""Depth-first search over all that may happen in a stepped world.

Left out are states that were seen before, states that were seen with more faults to come, and orders of steps that
commute (sleep sets).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from durability._simulation.processes import NoProgressError
from tests.simulation.stepped import SteppedWorld
from tests.simulation.steps import Step

_State = tuple[bytes, int]
_NONE: Final[frozenset[int]] = frozenset()


@dataclass
class Figures:
    """How much was explored.

    Attributes:
        states: Different ones.
        transitions: Steps taken.
        ends: Different states in which everything is over.
        deepest: Steps of the longest path.
        places: Different ones in which single processes stood: so often the code ran.
    """

    states: int = 0
    transitions: int = 0
    ends: int = 0
    deepest: int = 0
    places: int = 0

    def __str__(self) -> str:
        return (
            f"{self.states:,} states, {self.transitions:,} transitions, {self.ends:,} ends, "
            f"up to {self.deepest} choices, {self.places:,} places of processes"
        )


class Found(AssertionError):
    """A violation, with the steps that lead to it."""


@dataclass
class _Node:
    """A state on the path: the steps to take from it, and which of them is being taken."""

    world: SteppedWorld
    state: _State
    steps: list[Step]
    asleep: frozenset[Step]
    position: int = -1

    @property
    def taken(self) -> Step:
        """The step that is being taken."""
        return self.steps[self.position]

    def asleep_after(self) -> frozenset[Step]:
        """What need not be explored after the step that is being taken."""
        before = {*self.asleep, *self.steps[: self.position]}
        return frozenset(step for step in before if step.commutes(self.taken))


class Explorer:
    """Depth-first search over the choices of one configuration.

    Args:
        begin: The first state.
        look: Checks a state, with what has newly happened in it. Raises AssertionError.
        reduced: Whether orders of what commutes are left out, and what was seen with more faults to come.

    Attributes:
        figures: How much has been explored.
        ends: The states in which everything was over.
    """

    def __init__(self, begin: SteppedWorld, look: Callable[[SteppedWorld], None], *, reduced: bool = True) -> None:
        self._begin = begin
        self._look = look
        self._reduced = reduced
        self.figures = Figures()
        self.ends: set[bytes] = set()
        self._path: list[_Node] = []
        self._on_path: set[_State] = set()
        self._seen: dict[_State, frozenset[int]] = {}
        self._numbers: dict[str, int] = {}

    def explore(self) -> Figures:
        """Explore everything. Raises Found."""
        try:
            self._arrive(self._begin, frozenset())
            while self._path:
                node = self._path[-1]
                node.position += 1
                if node.position == len(node.steps):
                    self._on_path.discard(self._path.pop().state)
                    continue
                self.figures.transitions += 1
                self._arrive(node.world.after(node.taken), node.asleep_after() if self._reduced else frozenset())
        except Exception as error:
            trace = "\n".join(f"  {node.taken.name}" for node in self._path)
            raise Found(f"{type(error).__name__}: {error}\nafter\n{trace}") from error
        self.figures.states = len(self._seen)
        self.figures.ends = len(self.ends)
        self.figures.places = len(self._begin.processes)
        return self.figures

    def _arrive(self, world: SteppedWorld, asleep: frozenset[Step]) -> None:
        """Check a state, and put it on the path if anything in it is left to explore."""
        digest = world.state()
        state = (digest, world.faults_left)
        if not world.over or digest not in self.ends:
            self._look(world)
        if world.over:
            self.ends.add(digest)
        if state in self._on_path:
            raise NoProgressError("what has been done since this state was met first has led back to it")
        names = frozenset(map(self._number, asleep)) or _NONE
        left = self._left(state, world.bounds.faults)
        if left is not None and not left - names:
            self._seen[state] = left & names or _NONE
            return
        steps = [] if world.over else world.steps()
        if left is None:
            todo = [step for step in steps if self._number(step) not in names]
            self._seen[state] = names
        else:
            todo = [step for step in steps if self._number(step) in left - names]
            self._seen[state] = left & names or _NONE
            asleep = frozenset(step for step in asleep if self._number(step) in left)
        if todo:
            self._path.append(_Node(world, state, todo, asleep))
            self._on_path.add(state)
            self.figures.deepest = max(self.figures.deepest, len(self._path))

    def _number(self, step: Step) -> int:
        """Stands for a step: there are many states, and few steps."""
        return self._numbers.setdefault(step.key, len(self._numbers))

    def _left(self, state: _State, faults: int) -> frozenset[int] | None:
        """The steps that were not explored when the state was seen, or seen with more to come; None if it was not."""
        digest, now = state
        most = faults if self._reduced else now
        seen = [self._seen[digest, f] for f in range(now, most + 1) if (digest, f) in self._seen]
        return frozenset.intersection(*seen) if seen else None
