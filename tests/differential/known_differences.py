"""Where this engine differs from Temporal's: paths into the outcome of a scenario. It fails when it is stale."""

from __future__ import annotations

from typing import Final

KNOWN_DIFFERENCES: Final[dict[str, set[str]]] = {
    "activity-attempts-exhausted": {"error.cause.scheduled_event_id"},
    "activity-fails-non-retryable": {"error.cause.scheduled_event_id"},
    "activity-fails-with-cause": {"error.cause.scheduled_event_id"},
    "activity-fails-with-non-retryable-type": {"error.cause.scheduled_event_id"},
    "activity-heartbeat-timeout": {"error.cause.scheduled_event_id"},
    "activity-not-registered": {"error.cause.scheduled_event_id"},
    "activity-schedule-to-close-timeout": {
        "error.cause.cause.category",
        "error.cause.cause.cause",
        "error.cause.cause.class",
        "error.cause.cause.details",
        "error.cause.cause.last_heartbeat_details",
        "error.cause.cause.message",
        "error.cause.cause.non_retryable",
        "error.cause.cause.type",
        "error.cause.message",
        "error.cause.scheduled_event_id",
        "histories",
    },
    "activity-schedule-to-start-timeout": {"error.cause.scheduled_event_id", "histories"},
    "activity-start-to-close-timeout": {"error.cause.scheduled_event_id"},
    "asyncio-timeout-around-activity": {"error.cause.retry_state"},
    "cancel-activity-abandon": {"error.cause.retry_state"},
    "cancel-activity-try": {"error.cause.retry_state"},
    "cancel-activity-wait": {"error.cause.retry_state", "error.cause.scheduled_event_id"},
    "cancel-activity-wait-and-it-raises": {"error.cause.retry_state", "error.cause.scheduled_event_id"},
    "child-cancelled": {"error.cause.cause.message", "error.cause.initiated_event_id", "error.cause.retry_state"},
    "child-cancelled-before-it-is-started": {"error.cause.message", "error.cause.retry_state"},
    "child-fails": {"error.cause.initiated_event_id"},
    "child-terminated": {"error.cause.initiated_event_id"},
    "child-times-out": {"error.cause.cause.message", "error.cause.initiated_event_id"},
    "closed-workflow": {"result"},
    "external-cancel-of-nobody": {"error.cause.message", "error.cause.type"},
    "external-cancelled": {"error.cause.cause.message", "error.cause.initiated_event_id", "error.cause.retry_state"},
    "external-signal-to-nobody": {"error.cause.message", "error.cause.type"},
    "local-activity-fails": {
        "error.cause.activity_id",
        "error.cause.activity_type",
        "error.cause.category",
        "error.cause.cause",
        "error.cause.class",
        "error.cause.details",
        "error.cause.message",
        "error.cause.non_retryable",
        "error.cause.retry_state",
        "error.cause.scheduled_event_id",
        "error.cause.type",
    },
    "started-twice": {"result"},
}

UNREADABLE_EVENTS: Final = ("EVENT_TYPE_WORKFLOW_TASK_FAILED", "EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT")
"""Histories with these cannot be read from Temporal's JSON yet."""

NOT_FOR_TEMPORALS_REPLAYER: Final = {"workflow-info"}
"""Scenarios whose histories Temporal's replayer sees differently: timeouts that are not set read as zero there."""
