"""Activities: functions that do the work of workflows, and what they can ask for and tell while they run.

Everything here but ``defn`` works in activities only. It finds the activity by a context variable; threads that
activity code starts by itself need a copy of the context.
"""

from __future__ import annotations

from durability.activity._cancellation import ActivityCancellationDetails
from durability.activity._context import CompleteAsyncError as _CompleteAsyncError  # noqa: F401 - Temporal's name
from durability.activity._context import Context as _Context  # noqa: F401 - Temporal's name
from durability.activity._context import (
    Info,
    cancellation_details,
    client,
    heartbeat,
    in_activity,
    info,
    is_cancelled,
    is_worker_shutdown,
    metric_meter,
    payload_converter,
    raise_complete_async,
    shield_thread_cancel_exception,
    wait_for_cancelled,
    wait_for_cancelled_sync,
    wait_for_worker_shutdown,
    wait_for_worker_shutdown_sync,
)
from durability.activity._definition import _Definition, defn  # noqa: F401 - for the packages beside this one
from durability.activity._logger import LoggerAdapter, logger

__all__ = [
    "ActivityCancellationDetails",
    "Info",
    "LoggerAdapter",
    "cancellation_details",
    "client",
    "defn",
    "heartbeat",
    "in_activity",
    "info",
    "is_cancelled",
    "is_worker_shutdown",
    "logger",
    "metric_meter",
    "payload_converter",
    "raise_complete_async",
    "shield_thread_cancel_exception",
    "wait_for_cancelled",
    "wait_for_cancelled_sync",
    "wait_for_worker_shutdown",
    "wait_for_worker_shutdown_sync",
]
