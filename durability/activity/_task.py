"""What the runner is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from durability._core.failure import ApplicationFailureInfo, Failure
from durability._core.history import RetryPolicyRecord
from durability._core.payload import Payload


@dataclass(slots=True, kw_only=True)
class ActivityTask:
    """One attempt of an activity. Times are milliseconds since the epoch, durations milliseconds, 0 meaning "not set".

    Attributes:
        workflow_id: Empty for a standalone activity, as are ``run_id`` and ``workflow_type``.
        scheduled_time: When the first attempt was scheduled.
        current_attempt_scheduled_time: When this attempt was scheduled; ``scheduled_time`` if not set.
        heartbeat_details: What the last attempt reported last.
        task_token: Identifies this attempt, for completing the activity from outside.
        priority: Recorded form of a ``durability.common.Priority``.
        activity_run_id: Run of a standalone activity.
    """

    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    activity_id: str
    activity_type: str
    task_queue: str
    arguments: list[Payload]
    headers: Mapping[str, Payload] = field(default_factory=dict)
    attempt: int = 1
    scheduled_time: int = 0
    started_time: int = 0
    current_attempt_scheduled_time: int = 0
    schedule_to_close_timeout: int = 0
    start_to_close_timeout: int = 0
    heartbeat_timeout: int = 0
    heartbeat_details: list[Payload] = field(default_factory=list)
    task_token: bytes = b""
    is_local: bool = False
    priority: list[Payload] | None = None
    retry_policy: RetryPolicyRecord | None = None
    activity_run_id: str = ""


@dataclass(slots=True)
class ActivityCompleted:
    """The activity returned; ``result`` is what."""

    result: Payload | None


@dataclass(slots=True)
class ActivityFailed:
    """The attempt failed, or exceeded a timeout: then the failure's info is a ``TimeoutFailureInfo``.

    ``heartbeat_details`` are what the last heartbeat told, this attempt's or an earlier one's.
    """

    failure: Failure
    heartbeat_details: list[Payload] | None = None

    @property
    def non_retryable(self) -> bool:
        """Whether the activity ruled out further attempts."""
        return isinstance(self.failure.info, ApplicationFailureInfo) and self.failure.info.non_retryable

    @property
    def next_retry_delay(self) -> int | None:
        """Milliseconds that the activity wants to pass before the next attempt; None to go by the retry policy."""
        return self.failure.info.next_retry_delay if isinstance(self.failure.info, ApplicationFailureInfo) else None


@dataclass(slots=True)
class ActivityCancelled:
    """The activity ended by the cancellation that it was asked for."""

    failure: Failure


@dataclass(slots=True)
class ActivityCompletesLater:
    """The activity will be completed from outside, by its task token."""


ActivityResult = ActivityCompleted | ActivityFailed | ActivityCancelled | ActivityCompletesLater
