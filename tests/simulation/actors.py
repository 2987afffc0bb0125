"""What is under way in a state of a stepped world: processes, their requests, and messages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from tests.simulation.solo import Asked, Local
from tests.simulation.steps import NOTHING, Fate, Footprint, Step

_EPOCH: Final = 1_700_000_000.0


@dataclass(frozen=True)
class Parcel:
    """A message on a queue."""

    queue: str
    body: str
    name: str
    due: float = 0.0
    receives: int = 0
    failures: int = 0

    @property
    def state(self) -> tuple[str, str, float, int]:
        """What matters of it. Not how often it was received: where few faults are, it is not given up for that."""
        return self.queue, self.body, self.due, self.failures


@dataclass(frozen=True)
class Actor:
    """A process that is at work: an invocation with its message, or a call of a client."""

    name: str
    local: Local
    deadline: float = math.inf
    parcel: Parcel | None = None
    client: str = ""
    sent: int = 0

    @property
    def key(self) -> str:
        """Equal for processes that differ in names alone."""
        return self.local.name


@dataclass(frozen=True)
class Held:
    """A request that waits, or the end of a process, or a message that is to be delivered."""

    name: str
    key: str
    process: str
    footprint: Footprint
    fates: tuple[Fate, ...]
    actor: Actor | None = None
    asked: Asked | None = None
    parcel: Parcel | None = None

    def step(self, fate: Fate = Fate.DONE) -> Step:
        """What may become of it."""
        name = self.name if fate is Fate.DONE else f"{self.name}, {fate.value}"
        # Who dies instead touches nothing.
        return Step(name, self.key, self.process, NOTHING if fate is Fate.CRASH else self.footprint, fate)


class Clock:
    """The time of a state."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        """Virtual seconds."""
        return self.now

    def milliseconds(self) -> int:
        """Virtual milliseconds since the epoch."""
        return round((_EPOCH + self.now) * 1000)
