"""The budgets that are counts, over the real adapter and the template's table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import scenarios
from benchmarks.counting import Laboratory
from durability._local import LocalCloud

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"


@pytest.fixture(scope="module")
def laboratory() -> Iterator[Laboratory]:
    with LocalCloud(TEMPLATE, rate_schedules=False) as cloud:
        laboratory = Laboratory(cloud)
        yield laboratory
        laboratory.close()


def test_an_eager_step_is_one_request_and_one_write_unit(laboratory: Laboratory) -> None:
    few = laboratory.count(scenarios.start_to_result("Sequential", 2))
    more = laboratory.count(scenarios.start_to_result("Sequential", 12))
    step = (more - few) / 10
    assert (step.requests, step.write_requests, step.write_units, step.read_units) == (1, 1, 1, 0)
    assert more.write_requests <= 12 + 4
    assert more.invocations == 1


def test_parallel_eager_steps_share_requests(laboratory: Laboratory) -> None:
    assert laboratory.count(scenarios.start_to_result("Parallel", 50, 50.0, 10.0, False)).requests <= 50 / 10 + 5


@pytest.mark.parametrize("warm", [True, False])
def test_a_signal_is_four_requests(laboratory: Laboratory, warm: bool) -> None:
    usage = laboratory.count(scenarios.signal(warm=warm))
    assert usage.requests <= 4
    assert usage.invocations == 1


def test_a_sleep_of_thirty_days(laboratory: Laboratory) -> None:
    asleep = scenarios.start_to_result("Sleeping", 1, 30 * scenarios.DAY, within=31 * scenarios.DAY)
    usage = laboratory.count(asleep) - laboratory.count(scenarios.start_to_result("Sleeping", 0, 0.0))
    assert usage.requests <= 4
    assert usage.schedules == 1
    assert usage.messages <= 2


def test_runs_that_wait_cost_nothing(laboratory: Laboratory) -> None:
    usage = laboratory.count(scenarios.idle(4))
    assert (usage.requests, usage.invocations, usage.messages) == (0, 0, 0)


def test_a_wake_up_in_a_warm_process_does_not_read_the_history_again(laboratory: Laboratory) -> None:
    few, many = (laboratory.count(scenarios.sleeps(times, warm=True)) for times in (5, 15))
    assert many.read_bytes / 15 <= few.read_bytes / 5 * 1.1


def test_outcomes_that_come_at_once_cost_the_same_each(laboratory: Laboratory) -> None:
    fewer = laboratory.count(scenarios.start_to_result("Parallel", 60, 1000.0, 0.0, True))
    more = laboratory.count(scenarios.start_to_result("Parallel", 120, 1000.0, 0.0, True))
    each = (more - fewer) / 60
    assert each.write_units <= 4.1  # the claim, the outcome, the head, and the outcome's deletion
    assert each.requests <= 3.1
