"""Whether, and when, to try again.

The rules of Temporal's server: ``service/history/workflow/retry.go`` and ``RetryActivity`` in
``mutable_state_impl.go`` of github.com/temporalio/temporal.
"""

from __future__ import annotations

from typing import NamedTuple

from durability._core.failure import (
    ApplicationFailureInfo,
    CanceledFailureInfo,
    Failure,
    ServerFailureInfo,
    TerminatedFailureInfo,
    TimeoutFailureInfo,
    timeout_name,
)
from durability._core.history import RetryPolicyRecord
from durability.exceptions import RetryState, TimeoutType

_RETRYABLE_TIMEOUTS = (TimeoutType.START_TO_CLOSE, TimeoutType.HEARTBEAT)
_FINAL_TIMEOUTS = (TimeoutType.SCHEDULE_TO_START, TimeoutType.SCHEDULE_TO_CLOSE)
_TIMEOUT_TYPE_PREFIX = "TemporalTimeout:"
"""Retry policies name timeouts as ``TemporalTimeout:StartToClose`` and ``TemporalTimeout:Heartbeat``."""


class RetryDecision(NamedTuple):
    """What follows a failed attempt.

    Attributes:
        delay_ms: Milliseconds until the next attempt; None when there is none.
        retry_state: Why.
    """

    delay_ms: int | None
    retry_state: RetryState


def next_retry(
    policy: RetryPolicyRecord, attempt: int, failure: Failure, *, now: int, scheduled: int, schedule_to_close: int
) -> RetryDecision:
    """Decide what follows a failed attempt.

    Args:
        policy: The retry policy, its defaults filled in.
        attempt: Number of the attempt that failed, counted from 1.
        failure: What the attempt failed with, not wrapped in an activity failure.
        now: When it failed, in milliseconds since the epoch.
        scheduled: When the first attempt was scheduled, in milliseconds since the epoch.
        schedule_to_close: Milliseconds that all attempts together may take; 0 for no limit.
    """
    if isinstance(failure.info, TimeoutFailureInfo) and failure.info.timeout_type in _FINAL_TIMEOUTS:
        return RetryDecision(None, RetryState.TIMEOUT)
    if not is_retryable(failure, policy):
        return RetryDecision(None, RetryState.NON_RETRYABLE_FAILURE)
    if policy.maximum_attempts and attempt >= policy.maximum_attempts:
        return RetryDecision(None, RetryState.MAXIMUM_ATTEMPTS_REACHED)
    delay = _requested_delay(failure) or backoff(policy, attempt)
    if schedule_to_close and now + delay > scheduled + schedule_to_close:
        return RetryDecision(None, RetryState.TIMEOUT)
    return RetryDecision(delay, RetryState.IN_PROGRESS)


def backoff(policy: RetryPolicyRecord, attempt: int) -> int:
    """Milliseconds to wait after an attempt: the initial interval grown by the coefficient, up to the maximum."""
    try:
        delay = int(policy.initial_interval * policy.backoff_coefficient ** (max(attempt, 1) - 1))
    except OverflowError:
        return policy.maximum_interval
    if policy.maximum_interval and not 0 < delay <= policy.maximum_interval:
        return policy.maximum_interval
    return delay


def is_retryable(failure: Failure, policy: RetryPolicyRecord) -> bool:
    """Whether a failure and a policy allow another attempt, attempts and time left aside."""
    match failure.info:
        case TerminatedFailureInfo() | CanceledFailureInfo():
            return False
        case TimeoutFailureInfo(timeout_type=timeout_type):
            name = _TIMEOUT_TYPE_PREFIX + timeout_name(timeout_type)
            return timeout_type in _RETRYABLE_TIMEOUTS and name not in policy.non_retryable_error_types
        case ServerFailureInfo(non_retryable=non_retryable):
            return not non_retryable
        case ApplicationFailureInfo(type=type, non_retryable=non_retryable):
            return not non_retryable and type not in policy.non_retryable_error_types
        case _:
            return True


def _requested_delay(failure: Failure) -> int:
    return failure.info.next_retry_delay or 0 if isinstance(failure.info, ApplicationFailureInfo) else 0
