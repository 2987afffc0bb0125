"""Attempts of activities: what an attempt needs to run, and what follows from how it ended."""

from __future__ import annotations

from typing import Final

import msgspec

from durability._core import history
from durability._core.failure import CanceledFailureInfo, Failure, TimeoutFailureInfo
from durability._core.history import ActivityTaskScheduled, Input, RetryPolicyRecord
from durability._core.payload import Payload
from durability._core.retry import RetryDecision, next_retry
from durability.activity._runner import ActivityTask
from durability.exceptions import RetryState, TimeoutType

DEFAULT_RETRY_POLICY: Final = RetryPolicyRecord()
_NO_TIME: Final = "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying"
"""The text of Temporal's server (``timer_queue_active_task_executor.go``)."""
_LOCAL_TIMEOUT: Final = "Activity timed out"
"""The text of Temporal's core, whichever timeout it was."""


class TaskToken(msgspec.Struct, array_like=True, frozen=True):
    """Names an attempt, for whoever completes the activity from outside; its bytes are opaque to users."""

    namespace: str
    workflow_id: str
    run_id: str
    sequence: int
    attempt: int

    def encode(self) -> bytes:
        """The token's bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, encoded: bytes) -> TaskToken:
        """Read a token. Raises msgspec.MsgspecError or UnicodeDecodeError."""
        return msgspec.msgpack.decode(encoded, type=cls)


def start_to_close(record: ActivityTaskScheduled) -> int:
    """How long one attempt may take, in milliseconds."""
    limits = [limit for limit in (record.start_to_close_timeout, record.schedule_to_close_timeout) if limit]
    return min(limits, default=0)


def attempt_limit(record: ActivityTaskScheduled, scheduled: int, start: int) -> int:
    """How long an attempt that starts at ``start`` may take, in milliseconds; 0 for no limit."""
    limits = [record.start_to_close_timeout] if record.start_to_close_timeout else []
    if record.schedule_to_close_timeout:
        limits.append(max(1, scheduled + record.schedule_to_close_timeout - start))
    return min(limits, default=0)


def timeout_at(record: ActivityTaskScheduled, scheduled: int, deadline: int) -> TimeoutType:
    """Which timeout an attempt has exceeded that was to end by ``deadline``."""
    end = scheduled + record.schedule_to_close_timeout
    in_total = record.schedule_to_close_timeout and deadline >= end
    return TimeoutType.SCHEDULE_TO_CLOSE if in_total else TimeoutType.START_TO_CLOSE


def decide_retry(
    record: ActivityTaskScheduled, attempt: int, failure: Failure, *, now: int, scheduled: int
) -> RetryDecision:
    """What follows a failed attempt."""
    return next_retry(
        record.retry_policy or DEFAULT_RETRY_POLICY,
        attempt,
        failure,
        now=now,
        scheduled=scheduled,
        schedule_to_close=record.schedule_to_close_timeout,
    )


def cancelled(sequence: int, attempt: int, now: int, failure: Failure | None = None) -> history.ActivityTaskCanceled:
    """The outcome of an activity that was cancelled."""
    return history.ActivityTaskCanceled(
        time=now,
        key=outcome_key(sequence, attempt),
        sequence=sequence,
        attempt=attempt,
        started=now,
        identity="",
        failure=failure or Failure(message="Cancelled", info=CanceledFailureInfo()),
    )


def ended_badly(
    record: ActivityTaskScheduled,
    failure: Failure,
    state: RetryState,
    *,
    attempt: int,
    started: int,
    now: int,
    identity: str,
    last_failure: Failure | None = None,
) -> Input:
    """The outcome of an activity whose last attempt failed or timed out for good."""
    common = (now, outcome_key(record.sequence, attempt), record.sequence, attempt, started, identity)
    timeout = failure.info
    if not isinstance(timeout, TimeoutFailureInfo):
        return history.ActivityTaskFailed(*common, failure, int(state))
    if record.local:
        failure.message = _LOCAL_TIMEOUT
    elif state is RetryState.TIMEOUT and timeout.timeout_type != TimeoutType.SCHEDULE_TO_START:
        # Whichever timeout it was: the schedule-to-close timeout is why there is no other attempt.
        failure.message = _NO_TIME
        timeout.timeout_type = int(TimeoutType.SCHEDULE_TO_CLOSE)
    if failure.cause is None:
        failure.cause = last_failure
    return history.ActivityTaskTimedOut(*common, failure, int(state))


def outcome_key(sequence: int, attempt: int) -> str:
    """The inbox key of an attempt's outcome."""
    return f"activity:{sequence}:{attempt}"


def activity_task(
    namespace: str,
    workflow_id: str,
    run_id: str,
    workflow_type: str,
    task_queue: str,
    record: ActivityTaskScheduled,
    *,
    attempt: int,
    scheduled: int,
    started: int,
    current_scheduled: int = 0,
    heartbeat_details: list[Payload] | None = None,
) -> ActivityTask:
    """Everything that an attempt is run with."""
    return ActivityTask(
        namespace=namespace,
        workflow_id=workflow_id,
        run_id=run_id,
        workflow_type=workflow_type,
        activity_id=record.activity_id,
        activity_type=record.activity_type,
        task_queue=record.task_queue or task_queue,
        arguments=record.arguments,
        headers=record.headers,
        attempt=attempt,
        scheduled_time=scheduled,
        started_time=started,
        current_attempt_scheduled_time=current_scheduled or scheduled,
        schedule_to_close_timeout=record.schedule_to_close_timeout,
        start_to_close_timeout=start_to_close(record),
        heartbeat_timeout=record.heartbeat_timeout,
        heartbeat_details=heartbeat_details or [],
        task_token=TaskToken(namespace, workflow_id, run_id, record.sequence, attempt).encode(),
        is_local=record.local,
        retry_policy=record.retry_policy or DEFAULT_RETRY_POLICY,
        priority=record.priority,
    )
