"""How many activities a worker, or all workers of a task queue, take in a second."""

from __future__ import annotations


class Pace:
    """Spreads what is taken evenly: one every so many milliseconds, and no more after a pause."""

    def __init__(self, per_second: float | None) -> None:
        """Set the pace; None for none."""
        self.interval = 1000 / per_second if per_second else 0.0
        self.next = 0.0
        """When the next one may be taken, in milliseconds since the epoch."""

    def take(self, now: float) -> None:
        """One was taken."""
        self.next = max(self.next, now) + self.interval
