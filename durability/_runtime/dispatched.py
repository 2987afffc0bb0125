"""Activities on the activity queue, as the run that waits for them sees them.

Their attempts and retries are the activity executors' business; the run only looks after attempts of which nothing is
heard: it has a wake-up at the time by which an attempt must have given a sign, reads the item on which attempts are
claimed, and declares the attempt timed out or waits on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from durability._core.encoding import encode_command
from durability._core.failure import timeout_failure
from durability._core.history import ActivityRetryScheduled, ActivityTaskScheduled, Input
from durability._core.run import OpenActivity, Run
from durability._runtime.attempts import decide_retry, ended_badly, start_to_close
from durability._runtime.engine import Engine
from durability._runtime.leftovers import decode_details, decode_failure, encode_failure
from durability._runtime.ports import ActivityAttempt, TaskState, WorkflowKey
from durability.exceptions import RetryState, TimeoutType

LONGEST_RECHECK: Final = 86_400_000
"""Milliseconds between two looks at an attempt that nobody claims."""


@dataclass(slots=True)
class DispatchedActivities:
    """Looks after the dispatched activities of one run. ``_checks`` holds when each is to be looked at next."""

    engine: Engine
    _checks: dict[int, int] = field(default_factory=dict)

    def first_attempts(self, run: Run, activities: list[OpenActivity]) -> list[ActivityAttempt]:
        """What goes on the activity queue for activities that have been scheduled."""
        apart = self._waits_for_many(run)
        return [self._message(run, activity, 1, activity.scheduled, apart=apart) for activity in activities]

    def _waits_for_many(self, run: Run) -> bool:
        """Whether outcomes are to be laid down beside the head: see ``Settings.apart_from``."""
        return sum(not activity.eager for activity in run.activities.values()) >= self.engine.settings.apart_from

    def _message(self, run: Run, activity: OpenActivity, attempt: int, due: int, *, apart: bool) -> ActivityAttempt:
        assert run.started is not None
        queue = activity.record.task_queue or run.started.task_queue
        return ActivityAttempt(
            workflow_id=run.workflow_id,
            run_id=run.run_id,
            workflow_type=run.started.workflow_type,
            sequence=activity.record.sequence,
            attempt=attempt,
            due=due,
            scheduled=activity.scheduled,
            body=encode_command(msgspec.structs.replace(activity.record, task_queue=queue)),
            task_queue=queue,
            apart=apart,
        )

    def next_due(self, run: Run) -> int:
        """When the next dispatched activity is to be looked at; 0 for never."""
        times = [self._check_at(activity) for activity in run.activities.values() if not activity.eager]
        return min(times, default=0)

    async def overdue(self, run: Run, now: int, ended: set[int]) -> list[Input]:
        """Look at the activities that must have given a sign by now; what their timing out means for the run.

        ``ended`` are those whose outcome has come.
        """
        inputs: list[Input] = []
        for sequence, activity in list(run.activities.items()):
            if not activity.eager and sequence not in ended and self._check_at(activity) <= now:
                outcome = await self._look_at(run, activity, now)
                if outcome is not None:
                    inputs.append(outcome)
        return inputs

    def _check_at(self, activity: OpenActivity) -> int:
        record = activity.record
        known = self._checks.get(record.sequence)
        if known is not None:
            return known
        limits = (
            record.schedule_to_start_timeout,
            record.schedule_to_close_timeout,
            record.start_to_close_timeout,
            record.heartbeat_timeout,
        )
        return activity.scheduled + min((limit for limit in limits if limit), default=0)

    async def _look_at(self, run: Run, activity: OpenActivity, now: int) -> Input | None:
        key = WorkflowKey(run.namespace, run.workflow_id)
        record = activity.record
        state = await self.engine.store.task(key, run.run_id, record.sequence)
        kind, next_check = self._timed_out(activity, state, now)
        if kind is None:
            await self._send_again(run, activity, state, now)
            self._checks[record.sequence] = next_check
            return None
        last_failure = decode_failure(state.failure)
        details = decode_details(state.details).payloads or None
        failure = timeout_failure(kind, last_heartbeat_details=details)
        attempt = max(state.attempt, activity.attempt)
        retry_state = RetryState.TIMEOUT
        if kind in (TimeoutType.START_TO_CLOSE, TimeoutType.HEARTBEAT):
            decision = decide_retry(record, attempt, failure, now=now, scheduled=activity.scheduled)
            if decision.delay_ms is not None and not activity.cancel_requested:
                due = now + decision.delay_ms
                self._checks[record.sequence] = due + self._patience(record)
                return ActivityRetryScheduled(now, record.sequence, attempt + 1, due, 0, failure)
            retry_state = RetryState.CANCEL_REQUESTED if activity.cancel_requested else decision.retry_state
        return ended_badly(
            record,
            failure,
            retry_state,
            attempt=attempt,
            started=0 if _waiting_attempt(state) else state.claimed,
            now=now,
            identity="",
            last_failure=last_failure,
        )

    async def try_again(self, run: Run, retry: ActivityRetryScheduled) -> None:
        """Have the attempt made that a durable record says comes next; whatever the one before reports is void."""
        activity = run.activities.get(retry.sequence)
        if activity is None or activity.eager or activity.attempt != retry.attempt:
            return
        key = WorkflowKey(run.namespace, run.workflow_id)
        failure = encode_failure(retry.failure) if retry.failure else b""
        await self.engine.store.retry(key, run.run_id, retry.sequence, retry.attempt, retry.due, failure)
        delay = min(max(0, retry.due - self.engine.clock()), self.engine.settings.queue_delay)
        message = self._message(run, activity, retry.attempt, retry.due, apart=self._waits_for_many(run))
        await self.engine.queue.send_activities([message], delay=delay)

    async def _send_again(self, run: Run, activity: OpenActivity, state: TaskState, now: int) -> None:
        """An attempt that nobody claims may be in the dead-letter queue; the claim makes sending it twice safe."""
        waiting = _waiting_attempt(state)
        since = max(activity.scheduled, state.next_due)
        if waiting and now - since >= self.engine.settings.attempt_recheck:
            message = self._message(run, activity, waiting, now, apart=self._waits_for_many(run))
            await self.engine.queue.send_activities([message])

    def _patience(self, record: ActivityTaskScheduled) -> int:
        """How long an attempt may be silent after it has begun."""
        return record.heartbeat_timeout or start_to_close(record)

    def _timed_out(self, activity: OpenActivity, state: TaskState, now: int) -> tuple[TimeoutType | None, int]:
        """Which timeout has passed, if any, and when to look again otherwise."""
        record = activity.record
        limits: list[tuple[int, TimeoutType]] = []
        if record.schedule_to_close_timeout:
            limits.append((activity.scheduled + record.schedule_to_close_timeout, TimeoutType.SCHEDULE_TO_CLOSE))
        again = 0
        if _waiting_attempt(state):
            since = max(activity.scheduled, state.next_due)
            # Ever more rarely: its worker may be away for days, and its message waits all the while.
            patience = self.engine.settings.attempt_recheck
            again = max(since, now) + min(max(patience, now - since), max(patience, LONGEST_RECHECK))
            to_start = record.schedule_to_start_timeout or record.schedule_to_close_timeout
            if to_start:
                limits.append((since + to_start, TimeoutType.SCHEDULE_TO_START))
        else:
            limits.append((state.claimed + start_to_close(record), TimeoutType.START_TO_CLOSE))
            if record.heartbeat_timeout:
                limits.append((max(state.claimed, state.heartbeat) + record.heartbeat_timeout, TimeoutType.HEARTBEAT))
        passed = [(when, kind) for when, kind in limits if when <= now]
        if passed:
            return min(passed)[1], 0
        return None, min([when for when, _ in limits] + ([again] if again else []))


def _waiting_attempt(state: TaskState) -> int:
    """The attempt that is to be claimed; 0 if one is under way."""
    if state.next_attempt > state.attempt:
        return state.next_attempt
    return 1 if state.attempt == 0 else 0
