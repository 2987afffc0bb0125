"""What starting activities has in common: types, configurations, names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any, TypedDict

from durability.activity._definition import _Definition
from durability.common import Priority, RetryPolicy
from durability.types import ReturnType
from durability.workflow._event_groups import EventGroup
from durability.workflow._exceptions import VersioningIntent


class ActivityHandle(asyncio.Task[ReturnType]):
    """An activity that was started: a task that waits for its result."""


class ActivityCancellationType(IntEnum):
    """What cancelling an activity's handle does."""

    TRY_CANCEL = 0
    """Ask for cancellation and raise at once."""
    WAIT_CANCELLATION_COMPLETED = 1
    """Ask for cancellation and wait for what the activity makes of it."""
    ABANDON = 2
    """Raise at once, and let the activity go on."""


class ActivityConfig(TypedDict, total=False):
    """Options of ``start_activity`` and ``execute_activity``."""

    task_queue: str | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    cancellation_type: ActivityCancellationType
    activity_id: str | None
    versioning_intent: VersioningIntent | None
    summary: str | None
    event_groups: Sequence[EventGroup] | None
    priority: Priority


class LocalActivityConfig(TypedDict, total=False):
    """Options of ``start_local_activity`` and ``execute_local_activity``."""

    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    retry_policy: RetryPolicy | None
    local_retry_threshold: timedelta | None
    cancellation_type: ActivityCancellationType
    activity_id: str | None
    summary: str | None
    event_groups: Sequence[EventGroup] | None


def describe_activity(activity: Any, result_type: type | None) -> tuple[str, list[type] | None, type | None]:
    """Name, argument types and result type of what was given as an activity.

    Raises:
        TypeError: It is neither a name nor a decorated function.
        ValueError: It is dynamic.
    """
    if isinstance(activity, str):
        return activity, None, result_type
    if not callable(activity):
        raise TypeError("Activity must be a string or callable")
    definition = _Definition.must_from_callable(activity)
    if not definition.name:
        raise ValueError("Cannot invoke dynamic activity explicitly")
    return definition.name, definition.arg_types, definition.ret_type
