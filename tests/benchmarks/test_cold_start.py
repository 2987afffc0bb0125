"""The benchmark of cold starts has everything that the functions take from their environment."""

from __future__ import annotations

from benchmarks.processes import IMPORTS, cold_start


def test_a_function_is_ready_for_its_first_message() -> None:
    seconds = cold_start("examples.hello.app:app", repeat=1)
    assert seconds.keys() == IMPORTS.keys()
    assert all(seconds.values())
