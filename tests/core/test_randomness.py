"""The seed of a run's random numbers."""

from __future__ import annotations

import uuid

from durability._core.randomness import Randomness, siphash13


def test_the_hash_is_siphash_1_3() -> None:
    assert siphash13(b"") == 0xD1FBA762150C532C  # as of Rust's DefaultHasher::new().finish() with nothing written


def test_the_seed_is_that_of_temporals_core() -> None:
    # As seen on Temporal's development server.
    randomness = Randomness("01a2191e-3bc5-70f1-9732-3088f67f6f75")
    assert randomness.seed == 1827369542730959916
    assert str(uuid.UUID(int=randomness.generator.getrandbits(128), version=4)) == (
        "0d2341ea-d4dd-4bec-a9cb-a2cca6c9ea9a"
    )
