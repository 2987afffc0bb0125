"""Where this engine differs from Temporal's: paths into the outcome of a scenario. It fails when it is stale."""

from __future__ import annotations

from typing import Final

KNOWN_DIFFERENCES: Final[dict[str, set[str]]] = {
    # That a local activity is no longer waited for is a marker there; here only that it has ended.
    "local-activity-ends-try-cancel": {"histories"},
    "local-activity-ends-abandon": {"histories"},
}

NOT_FOR_TEMPORALS_REPLAYER: Final = {"local-activity-ends-try-cancel", "local-activity-ends-abandon"}
"""Scenarios whose histories of ours Temporal's replayer refuses, for want of that marker."""
