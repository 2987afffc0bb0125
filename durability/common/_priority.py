"""Order of tasks that wait in a queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Priority:
    """Which of several waiting tasks goes first.

    A field that is None is inherited from the workflow that starts the activity or child, otherwise it has its
    default.

    Attributes:
        priority_key: A positive integer, smaller going first; 3 by default.
        fairness_key: Tasks with different keys, such as tenants, get their turns in proportion to their weights.
        fairness_weight: Weight of the fairness key; 1.0 by default.
    """

    priority_key: int | None = None
    fairness_key: str | None = None
    fairness_weight: float | None = None

    default: ClassVar[Priority]
    """Nothing set."""

    def __post_init__(self) -> None:
        """Check the priority key.

        Raises:
            TypeError: It is not an integer.
            ValueError: It is not positive.
        """
        if self.priority_key is None:
            return
        if not isinstance(self.priority_key, int):
            raise TypeError("priority_key must be an integer")
        if self.priority_key < 1:
            raise ValueError("priority_key must be a positive integer")


Priority.default = Priority()
