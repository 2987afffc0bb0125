"""From a seed to a plan, for programs of which nothing is known."""

from __future__ import annotations

import math
import random

from durability._simulation.plan import Delivery, Fault, Plan

_REACH = 1_000
"""Points of the latest fault; the early ones, which every program gets to, are the likelier."""


def plan_of(seed: int, *, faults: int, deployed_within: float = 0.0) -> Plan:
    """The plan that a seed stands for.

    Args:
        seed: Any number.
        faults: How many faults of requests and activities there are to be, and about half as many of deliveries.
        deployed_within: Seconds within which version 2 of the code is deployed; 0 for never.
    """
    source = random.Random(f"plan {seed}")
    return Plan(
        seed=source.randrange(2**32),
        faults={_position(source, _REACH): source.choice(list(Fault)) for _ in range(faults)},
        deliveries={_position(source, 60): source.choice(list(Delivery)) for _ in range(math.ceil(faults / 2))},
        skew=source.choice((0.0, 0.0, 0.5, 3.0)) if faults else 0.0,
        lag=source.choice((0.0, 0.5, 5.0)) if faults else 0.0,
        deployed_at=_moment(source, deployed_within) if deployed_within else 0.0,
        at_once=source.choice((0.0, 0.5, 0.9)),
    )


def _position(source: random.Random, most: int) -> int:
    return math.ceil(math.exp(source.random() * math.log(most)))


def _moment(source: random.Random, most: float) -> float:
    """A moment at which something may be under way: as likely within the first second as within days."""
    least = 0.01
    return least * math.exp(source.random() * math.log(max(most, least) / least))
