"""Each sabotage is noticed within the seeds that the suite plays: the tests above can fail."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import chain

import pytest

from tests.simulation.explore import failure_of
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.sabotages import SABOTAGES, sabotaged
from tests.simulation.scenario import scenario_of
from tests.simulation.test_seeds import SEEDS

# Broken executors leave tasks behind.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True, scope="module")
def no_other_test_finds_them() -> Iterator[None]:
    yield
    gc.collect()


@pytest.mark.parametrize("name", SABOTAGES)
def test_it_is_noticed(name: str) -> None:
    played = chain(REGRESSIONS.values(), map(scenario_of, range(SEEDS)))
    with sabotaged(name):
        assert any(failure_of(scenario)[0] for scenario in played)
