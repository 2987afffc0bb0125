"""Thousands of scenarios, each with its own program, clients and faults: every invariant holds in all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Final

import pytest

from durability._simulation.plan import Plan
from tests.simulation.checks import check
from tests.simulation.explore import explore, failure_of
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.scenario import play, scenario_of

# Processes that end in the middle leave coroutines that were never awaited.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SEEDS: Final = 2_400
CHUNK: Final = 150


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_invariants_hold(first: int) -> None:
    report = explore(range(first, first + CHUNK))
    assert not report.findings, report.findings[0]


@pytest.mark.parametrize("what", REGRESSIONS)
def test_what_once_failed(what: str) -> None:
    assert failure_of(REGRESSIONS[what])[0] == ""


def test_a_seed_is_one_run() -> None:
    """In this process, and in one whose strings hash otherwise."""
    for seed in range(20):
        first, again = (play(scenario_of(seed))[0] for _ in range(2))
        assert first.log.entries == again.log.entries
        assert first.points == again.points
    program = "import sys; from tests.simulation.explore import fingerprint; print(fingerprint(range(20)))"
    answers = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(answers) == 1


def test_a_quiet_world_needs_no_second_try() -> None:
    """Without faults nothing is repeated, nothing reconciled: the faults are what the other tests are about."""
    for seed in range(100):
        scenario = replace(scenario_of(seed), plan=Plan(seed=seed))
        world, told = play(scenario)
        check(scenario, world, told)
        assert not world.happened
        assert not world.errors
