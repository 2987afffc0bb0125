"""Random numbers that replay repeats."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cached_property

_MASK = (1 << 64) - 1


class Randomness:
    """The run's generator of random numbers.

    Its seed follows from the run id as in Temporal's core, so that a history replays there as it does here, whatever
    in it came from random numbers or UUIDs.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._callbacks: list[Callable[[int], None]] = []

    @cached_property
    def seed(self) -> int:
        """What the generator starts from; computed when it is first asked for, as most workflows never do."""
        # Rust's hash of a string: its bytes and an end mark.
        return siphash13(self._run_id.encode() + b"\xff")

    @cached_property
    def generator(self) -> random.Random:
        """The generator."""
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


def siphash13(data: bytes) -> int:
    """SipHash-1-3 (https://www.aumasson.jp/siphash/) with a key of zeros, which is Rust's ``DefaultHasher``."""
    a, b, c, d = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
    whole = len(data) // 8 * 8
    words = [int.from_bytes(data[start : start + 8], "little") for start in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56)
    for word in words:
        a, b, c, d = _round(a, b, c, d ^ word)
        a ^= word
    c ^= 0xFF
    for _ in range(3):
        a, b, c, d = _round(a, b, c, d)
    return a ^ b ^ c ^ d


def _round(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    a = (a + b) & _MASK
    b = _rotate(b, 13) ^ a
    a = _rotate(a, 32)
    c = (c + d) & _MASK
    d = _rotate(d, 16) ^ c
    a = (a + d) & _MASK
    d = _rotate(d, 21) ^ a
    c = (c + b) & _MASK
    b = _rotate(b, 17) ^ c
    return a, b, _rotate(c, 32), d


def _rotate(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (64 - bits))) & _MASK
