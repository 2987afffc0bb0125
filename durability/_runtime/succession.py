"""What follows a run: continue-as-new, the next attempt of its retry policy, the next time of its cron schedule.

The rules are those of Temporal's server (``service/history/workflow/retry.go``, ``common/backoff/cron.go``): a retry
comes before the schedule, and neither outlives the execution timeout.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from durability._core import history
from durability._core.failure import Failure
from durability._core.history import Input, WorkflowExecutionStarted
from durability._core.retry import next_retry
from durability._core.run import Run
from durability._runtime.cron import delay_until_next
from durability._runtime.outcomes import timed_out_failure
from durability._runtime.ports import Head
from durability.exceptions import RetryState

_ENDS_WITHOUT_ASKING: Final = (history.WorkflowExecutionTerminated, history.WorkflowExecutionCancelRequested)


def successor_of(run: Run, now: int) -> WorkflowExecutionStarted | None:
    """The start of the run that follows a closing one; None if it is the last.

    Args:
        run: The run, with its closing delta.
        now: When the next one begins, in milliseconds since the epoch.
    """
    ending, first = run.closing, run.started
    assert first is not None
    if isinstance(ending, history.WorkflowExecutionContinuedAsNew):
        return _continued(run, ending, now)
    if not isinstance(
        ending,
        history.WorkflowExecutionCompleted | history.WorkflowExecutionFailed | history.WorkflowExecutionTimedOut,
    ):
        return None
    failure = _failure_of(run)
    delay, _ = _next_attempt(run, failure)
    if delay is not None:
        return _following(run, now, delay, attempt=first.attempt + 1, last_failure=failure)
    if not first.cron_schedule:
        return None
    wait = delay_until_next(first.cron_schedule, first.time + first.start_delay, now)
    if _too_late(first, now + wait):
        return None
    results = first.last_completion_result
    if isinstance(ending, history.WorkflowExecutionCompleted):
        results = [] if ending.result is None else [ending.result]
    return _following(run, now, wait, attempt=1, last_failure=failure, last_completion_result=results)


def note_retry_state(run: Run) -> None:
    """Record with a closing run why no attempt follows it, or that one does."""
    ending = run.closing
    if isinstance(ending, history.WorkflowExecutionFailed | history.WorkflowExecutionTimedOut):
        ending.retry_state = int(_next_attempt(run, _failure_of(run))[1])


def _failure_of(run: Run) -> Failure | None:
    match run.closing:
        case history.WorkflowExecutionFailed(failure=failure):
            return failure
        case history.WorkflowExecutionTimedOut():
            return timed_out_failure()
        case _:
            return None


def _next_attempt(run: Run, failure: Failure | None) -> tuple[int | None, RetryState]:
    first = run.started
    assert first is not None
    if failure is None or first.retry_policy is None:
        return None, RetryState.RETRY_POLICY_NOT_SET
    delay, state = next_retry(
        first.retry_policy, first.attempt, failure, now=run.time, scheduled=first.time, schedule_to_close=0
    )
    if delay is not None and _too_late(first, run.time + delay):
        return None, RetryState.TIMEOUT
    return delay, state


def _too_late(first: WorkflowExecutionStarted, begin: int) -> bool:
    return bool(first.execution_deadline) and begin >= first.execution_deadline


def _following(run: Run, now: int, delay: int, **changes: Any) -> WorkflowExecutionStarted:
    first = run.started
    assert first is not None
    return msgspec.structs.replace(
        first,
        time=now,
        start_delay=delay,
        first_run_id=first.first_run_id or run.run_id,
        continued_run_id=run.run_id,
        recent_keys=run.recent_keys(),
        **changes,
    )


def _continued(run: Run, ending: history.WorkflowExecutionContinuedAsNew, now: int) -> WorkflowExecutionStarted:
    first = run.started
    assert first is not None
    return _following(
        run,
        now,
        ending.backoff_start_interval,
        attempt=1,
        workflow_type=ending.workflow_type,
        task_queue=ending.task_queue or first.task_queue,
        arguments=ending.arguments,
        headers=ending.headers,
        # Not what the run has made of its memo: Temporal hands on the one that it was started with.
        memo=first.memo if ending.memo is None else ending.memo,
        search_attributes=run.search_attributes if ending.search_attributes is None else ending.search_attributes,
        run_timeout=first.run_timeout if ending.run_timeout is None else ending.run_timeout,
        task_timeout=first.task_timeout if ending.task_timeout is None else ending.task_timeout,
        retry_policy=ending.retry_policy or first.retry_policy,
    )


def held_until(head: Head, waiting: list[Input], *, updated: bool) -> int:
    """When a run may have its first workflow task, in milliseconds since the epoch; 0 for at once.

    A start delay ends with the first message; the wait for the next attempt, or for the next time of a schedule, only
    when the run is to end.

    Args:
        head: A run that has no history yet.
        waiting: Its messages, the start among them.
        updated: Whether an update waits for it as well.
    """
    started = next(message for message in waiting if isinstance(message, WorkflowExecutionStarted))
    others = [message for message in waiting if message is not started and not _came_with(started, message)]
    patient = bool(started.continued_run_id or started.cron_schedule)
    if any(isinstance(message, _ENDS_WITHOUT_ASKING) for message in others) or (not patient and (others or updated)):
        return 0
    return min(head.record.execution_time, started.execution_deadline or head.record.execution_time)


def _came_with(started: WorkflowExecutionStarted, message: Input) -> bool:
    """Whether a message is the signal of a signal-with-start."""
    return isinstance(message, history.WorkflowExecutionSignaled) and message.key == f"s:{started.key}"
