"""Where this engine differs from Temporal's: paths into the outcome of a scenario. It fails when it is stale."""

from __future__ import annotations

from typing import Final

KNOWN_DIFFERENCES: Final[dict[str, set[str]]] = {
    # That a local activity is no longer waited for is a marker there; here only that it has ended.
    "local-activity-ends-try-cancel": {"histories"},
    "local-activity-ends-abandon": {"histories"},
    # Attempts that are far apart are told apart by markers and timers there; here they are retries as any others.
    "local-activity-far-off-alone": {"histories"},
    "local-activity-far-off-with-others": {"histories"},
    "local-activity-far-off-cancelled": {"histories", "result"},
}

NOT_FOR_TEMPORALS_REPLAYER: Final = {"local-activity-ends-try-cancel", "local-activity-ends-abandon"}
"""Scenarios whose histories of ours Temporal's replayer refuses, for want of that marker."""
