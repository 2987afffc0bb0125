"""Random numbers that replay repeats."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from functools import cached_property


class Randomness:
    """The run's generator of random numbers; its seed follows from the run id.

    Attributes:
        seed: What the generator starts from.
    """

    def __init__(self, run_id: str) -> None:
        self.seed = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8], "big")
        self._callbacks: list[Callable[[int], None]] = []

    @cached_property
    def generator(self) -> random.Random:
        """The generator; made when it is first asked for, as most workflows never do."""
        return random.Random(self.seed)

    def on_reseed(self, callback: Callable[[int], None]) -> None:
        """Have a callback told of every new seed."""
        self._callbacks.append(callback)

    def reseed(self, seed: int) -> None:
        """Go on from another seed, as after a reset, so that the new run does not repeat the old one's numbers."""
        self.seed = seed
        self.generator.seed(seed)
        for callback in self._callbacks:
            callback(seed)
