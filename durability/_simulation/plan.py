"""What goes wrong in a simulated world, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Fault(Enum):
    """What happens at a request, or at an effect of an activity."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    FREEZE_BEFORE = "freeze before"
    FREEZE_AFTER = "freeze after"
    LOSE_ANSWER = "answer lost"
    THROTTLE = "throttled"
    UNAVAILABLE = "unavailable"


class Delivery(Enum):
    """What happens to a message."""

    TWICE = "delivered twice"
    LATE = "delivered late"
    LOST = "first receipt lost"
    GIVEN_UP = "to the dead-letter queue"


@dataclass(frozen=True)
class Plan:
    """What goes wrong, and the circumstances.

    Attributes:
        seed: Of latencies, the choice of containers and the order of deliveries.
        faults: By the number of the point, counted from 1.
        deliveries: By the number of the message.
        skew: Seconds by which the clocks of containers may differ from the truth.
        lag: Seconds by which indexes may lag behind.
        page_limit: Bytes of a query's page.
        deployed_at: Second at which version 2 of the code is deployed; 0 for never.
        at_once: The share of requests, and of answers, that take no time.
        apart: Whether outcomes of dispatched activities lie beside the head, as if there were many.
        crowded: The share of wake-ups that come twice at the same moment, so that executors meet.
    """

    seed: int = 0
    faults: Mapping[int, Fault] = field(default_factory=dict)
    deliveries: Mapping[int, Delivery] = field(default_factory=dict)
    skew: float = 0.0
    lag: float = 0.0
    page_limit: int = 1_048_576
    deployed_at: float = 0.0
    at_once: float = 0.0
    apart: bool = False
    crowded: float = 0.0
