"""Where this engine differs from Temporal's: paths into the outcome of a scenario. It fails when it is stale."""

from __future__ import annotations

from typing import Final

KNOWN_DIFFERENCES: Final[dict[str, set[str]]] = {
    # That a local activity is no longer waited for is a marker there; here only that it has ended.
    "local-activity-ends-try-cancel": {"histories"},
    "local-activity-ends-abandon": {"histories"},
}

UNREADABLE_EVENTS: Final = ("EVENT_TYPE_WORKFLOW_TASK_FAILED", "EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT")
"""Histories with these cannot be read from Temporal's JSON yet."""

NOT_FOR_TEMPORALS_REPLAYER: Final = {"workflow-info"}
"""Scenarios whose histories Temporal's replayer sees differently: timeouts that are not set read as zero there."""
