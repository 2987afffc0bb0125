"""Retry decisions follow the rules of Temporal's server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durability._core.failure import (
    ActivityFailureInfo,
    ApplicationFailureInfo,
    CanceledFailureInfo,
    Failure,
    FailureInfo,
    ServerFailureInfo,
    TerminatedFailureInfo,
    TimeoutFailureInfo,
    timeout_failure,
)
from durability._core.history import RetryPolicyRecord
from durability._core.retry import RetryDecision, backoff, next_retry
from durability.exceptions import RetryState, TimeoutType

policies = st.builds(
    RetryPolicyRecord,
    initial_interval=st.integers(1, 10**7),
    backoff_coefficient=st.floats(1, 100),
    maximum_interval=st.integers(1, 10**9),
    maximum_attempts=st.integers(0, 20),
)
FAILURE = Failure(info=ApplicationFailureInfo(type="Kind"))


def decide(failure: Failure = FAILURE, attempt: int = 1, schedule_to_close: int = 0, **policy: object) -> RetryDecision:
    record = RetryPolicyRecord(**policy)  # type: ignore[arg-type]
    return next_retry(record, attempt, failure, now=1000, scheduled=0, schedule_to_close=schedule_to_close)


def test_delays_grow_up_to_the_maximum() -> None:
    policy = RetryPolicyRecord(initial_interval=100, backoff_coefficient=3.0, maximum_interval=1000)
    assert [backoff(policy, attempt) for attempt in range(1, 6)] == [100, 300, 900, 1000, 1000]


def test_delays_that_overflow_are_the_maximum() -> None:
    assert decide(attempt=10**6, backoff_coefficient=10.0).delay_ms == 100_000


def test_maximum_attempts_count_the_first_one() -> None:
    assert decide(attempt=1, maximum_attempts=2).retry_state is RetryState.IN_PROGRESS
    assert decide(attempt=2, maximum_attempts=2) == (None, RetryState.MAXIMUM_ATTEMPTS_REACHED)


@pytest.mark.parametrize(
    ("info", "retryable"),
    [
        (None, True),
        (ApplicationFailureInfo(type="Kind"), True),
        (ApplicationFailureInfo(type="Kind", non_retryable=True), False),
        (ApplicationFailureInfo(type="Fatal"), False),
        (TimeoutFailureInfo(timeout_type=TimeoutType.START_TO_CLOSE), True),
        (TimeoutFailureInfo(timeout_type=TimeoutType.HEARTBEAT), False),
        (CanceledFailureInfo(), False),
        (TerminatedFailureInfo(), False),
        (ServerFailureInfo(), True),
        (ServerFailureInfo(non_retryable=True), False),
        (ActivityFailureInfo(), True),
    ],
)
def test_kinds_of_failures(info: FailureInfo | None, retryable: bool) -> None:
    decision = decide(Failure(info=info), non_retryable_error_types=("Fatal", "TemporalTimeout:Heartbeat"))
    assert decision.retry_state is (RetryState.IN_PROGRESS if retryable else RetryState.NON_RETRYABLE_FAILURE)
    assert (decision.delay_ms is not None) == retryable


@pytest.mark.parametrize("kind", [TimeoutType.SCHEDULE_TO_CLOSE, TimeoutType.SCHEDULE_TO_START])
def test_timeouts_of_all_attempts_end_them(kind: TimeoutType) -> None:
    assert decide(timeout_failure(kind)) == (None, RetryState.TIMEOUT)


def test_heartbeat_timeouts_are_retried_by_default() -> None:
    assert decide(timeout_failure(TimeoutType.HEARTBEAT)).delay_ms == 1000


def test_a_requested_delay_overrides_the_policy_and_its_maximum() -> None:
    failure = Failure(info=ApplicationFailureInfo(next_retry_delay=500_000))
    assert decide(failure).delay_ms == 500_000
    assert decide(failure, schedule_to_close=500_000) == (None, RetryState.TIMEOUT)
    assert decide(failure, maximum_attempts=1).retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED


def test_a_delay_may_end_exactly_with_the_schedule_to_close_timeout() -> None:
    assert decide(schedule_to_close=2000).delay_ms == 1000
    assert decide(schedule_to_close=1999) == (None, RetryState.TIMEOUT)


@given(policies, st.integers(1, 10**4), st.integers(0, 10**10), st.integers(0, 10**10))
def test_decisions_keep_every_limit(policy: RetryPolicyRecord, attempt: int, elapsed: int, limit: int) -> None:
    scheduled = 1_700_000_000_000
    decision = next_retry(
        policy, attempt, FAILURE, now=scheduled + elapsed, scheduled=scheduled, schedule_to_close=limit
    )
    if decision.delay_ms is None:
        assert decision.retry_state is not RetryState.IN_PROGRESS
        exhausted = 0 < policy.maximum_attempts <= attempt
        assert exhausted == (decision.retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED)
        if not exhausted:
            assert elapsed + backoff(policy, attempt) > limit > 0
    else:
        assert 0 < decision.delay_ms <= policy.maximum_interval
        assert not limit or elapsed + decision.delay_ms <= limit
        assert not policy.maximum_attempts or attempt < policy.maximum_attempts


@given(policies, st.integers(1, 1000))
def test_delays_never_shrink(policy: RetryPolicyRecord, attempt: int) -> None:
    assert backoff(policy, attempt) <= backoff(policy, attempt + 1)
