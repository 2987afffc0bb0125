"""How long a run stands still after each fault: within what is promised, and as the documentation says."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.simulation.checks import Violation
from tests.simulation.recovery import ROWS, Measured, Row, measure, table
from tests.simulation.sabotages import sabotaged

# Processes that end in the middle leave coroutines that were never awaited.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

GUIDE = Path(__file__).parents[2] / "docs" / "reliability.md"

measured = cache(measure)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_recovery_is_within_its_bound(row: Row) -> None:
    found = measured(row)
    assert found.within, f"{found.longest:.1f} s"


def test_the_guide_shows_what_is_measured() -> None:
    assert table(map(measured, ROWS)) in GUIDE.read_text("utf-8")


def test_a_bound_can_be_missed() -> None:
    """The reconciler comes every minute: were it late, the rows that rely on it would show."""
    row = next(row for row in ROWS if row.because == "reconciler")
    found = measured(row)
    assert found.longest > 60
    assert not Measured(Row(row.what, 60.0, ""), found.delays).within


def test_nobody_recovers_without_the_reconciler() -> None:
    row = next(row for row in ROWS if row.because == "reconciler")
    with sabotaged("no reconciler"), pytest.raises(Violation, match="open"):
        measure(row)
