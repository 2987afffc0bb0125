"""Each sabotage is noticed within the seeds that the suite plays: the tests above can fail."""

from __future__ import annotations

import pytest

from tests.simulation.explore import failure_of
from tests.simulation.sabotages import SABOTAGES, sabotaged
from tests.simulation.scenario import scenario_of
from tests.simulation.test_seeds import SEEDS


@pytest.mark.parametrize("name", SABOTAGES)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # broken executors leave tasks behind
def test_it_is_noticed(name: str) -> None:
    with sabotaged(name):
        assert any(failure_of(scenario_of(seed))[0] for seed in range(SEEDS))
