"""Every order of requests of small configurations: every invariant holds in all of them, and sabotage shows."""

from __future__ import annotations

import pytest

from tests.simulation.exhaustive import SMALL, explore, explorer
from tests.simulation.sabotages import sabotaged
from tests.simulation.search import Found

# Processes that end in the middle leave coroutines that were never awaited.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("name", SMALL)
def test_every_order_keeps_the_invariants(name: str) -> None:
    figures = explore(SMALL[name])
    print(f"{name}: {figures}")
    assert figures.states > figures.ends > 1


@pytest.mark.parametrize(
    ("sabotage", "name"),
    [
        ("append without its condition", "a signal, a crash"),
        ("start without its condition", "a signal, a crash"),
        ("ignore the fence", "a signal, a crash"),
        ("release although messages have come", "two signals"),
        ("forget which messages were consumed", "a timer against a signal"),
        ("begin eager activities before the delta is durable", "an eager step, two signals"),
        ("never send a wake-up", "two signals"),
        ("arrange no wake-up for timers", "a timer against a signal"),
        ("no reconciler", "a signal, a crash, its client away"),
    ],
)
def test_sabotage_is_found(sabotage: str, name: str) -> None:
    with sabotaged(sabotage), pytest.raises(Found, match="Violation"):
        explore(SMALL[name])


def test_a_finding_is_reproducible() -> None:
    findings = []
    for _ in range(2):
        with sabotaged("append without its condition"), pytest.raises(Found) as found:
            explorer(SMALL["a signal, a crash"]).explore()
        findings.append(str(found.value))
    assert findings[0] == findings[1]


@pytest.mark.parametrize("name", ["two signals", "continuing as new, two signals", "a timer against a signal"])
def test_what_is_left_out_leads_nowhere_else(name: str) -> None:
    reduced, full = explorer(SMALL[name]), explorer(SMALL[name], reduced=False)
    assert reduced.explore().states <= full.explore().states
    assert reduced.ends == full.ends
