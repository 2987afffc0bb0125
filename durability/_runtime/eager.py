"""Activities that run inside the workflow task that scheduled them.

The delta that schedules the activity says until when its first attempt may run here, so that another executor knows
when to count it as lost: no attempt is ever begun without a durable record of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from durability._core import history
from durability._core.failure import Failure, timeout_failure
from durability._core.history import ActivityTaskScheduled, Input
from durability._core.payload import Payload
from durability._core.run import OpenActivity, Run
from durability._runtime.attempts import (
    activity_task,
    cancelled,
    decide_retry,
    ended_badly,
    outcome_key,
    start_to_close,
)
from durability._runtime.engine import Engine
from durability._runtime.ports import WorkflowKey
from durability.activity._runner import (
    ActivityCancelled,
    ActivityCompleted,
    ActivityCompletesLater,
    ActivityFailed,
    Cancellation,
)
from durability.exceptions import RetryState, TimeoutType

NOT_BEGUN = -1
"""``eager_deadline`` of an activity that will run eagerly, but in an invocation yet to come."""


@dataclass(slots=True)
class EagerActivities:
    """The attempts that one executor runs.

    Attributes:
        deadline: When the invocation ends, in milliseconds since the epoch.
        capacity: How long an attempt may take at most to be run eagerly in some invocation, in milliseconds.
        handed_over: Whether something was left to the next invocation, because this one's time is running out.
        news: Outcomes that no delta has recorded yet.
        released: Whether the run was let go of, so that others may decide about it.
    """

    engine: Engine
    deadline: int
    capacity: int
    handed_over: bool = False
    released: bool = False
    news: deque[Input] = field(default_factory=deque)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[int, tuple[int, asyncio.Task[None], Cancellation]] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether an attempt is under way here."""
        return bool(self._running)

    def owns(self, sequence: int) -> bool:
        """Whether an activity's attempt is under way here."""
        return sequence in self._running

    def plan(self, record: ActivityTaskScheduled, task_queue: str, now: int) -> int:
        """Decide how an activity is to run: the value for the record's ``eager_deadline``; 0 means "dispatch it"."""
        limit = start_to_close(record)
        elsewhere = record.task_queue not in ("", task_queue)
        if record.local:
            limit = limit or self.capacity
        elif record.disable_eager_execution or elsewhere or record.heartbeat_timeout:
            return 0
        if not limit or limit > self.capacity:
            return 0
        return self.begin_by(limit, now) or NOT_BEGUN

    def begin_by(self, limit: int, now: int) -> int:
        """Until when an attempt of ``limit`` milliseconds may run here; 0 if this invocation has no room for it."""
        room = self.deadline - self.engine.settings.reserve - now
        if limit > room or len(self._running) >= self.engine.settings.eager_limit:
            self.handed_over = True
            return 0
        return now + limit

    def start(self, run: Run, activity: OpenActivity) -> None:
        """Run an attempt that a durable record says has begun here."""
        sequence = activity.record.sequence
        cancellation = Cancellation()
        task = asyncio.create_task(self._attempt(run, activity, activity.attempt, cancellation))
        self._running[sequence] = (activity.attempt, task, cancellation)

    def cancel(self, sequence: int) -> None:
        """Ask an attempt that is under way here to stop."""
        self._running[sequence][2].request()

    async def stop(self) -> None:
        """End everything at once, without outcomes: the invocation is over."""
        tasks = [task for _, task, _ in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()

    def begin_due(self, run: Run, now: int, ended: set[int]) -> list[Input]:
        """What eager activities that nobody runs need now: to be begun, to be tried again, or to be given up.

        ``ended`` are those whose outcome has come.
        """
        inputs: list[Input] = []
        for sequence, activity in run.activities.items():
            if not activity.eager or sequence in self._running or sequence in ended:
                continue
            if activity.deadline > 0:
                if activity.deadline <= now:
                    lost = timeout_failure(TimeoutType.START_TO_CLOSE)
                    inputs.append(self._after_failure(activity.record, activity, activity.attempt, lost, now, 0))
            elif activity.cancel_requested:
                inputs.append(cancelled(sequence, activity.attempt, now))
            elif activity.due <= now:
                limit = start_to_close(activity.record) or self.capacity
                deadline = self.begin_by(limit, now)
                if deadline:
                    inputs.append(
                        history.ActivityRetryScheduled(now, sequence, activity.attempt, now, deadline, activity.failure)
                    )
        return inputs

    def next_due(self, run: Run, *, released: bool) -> int:
        """When time alone will next change something about the run's eager activities; 0 for never.

        Once the run is released, the deadlines of attempts under way here count as well: this process may die, and
        then somebody has to be woken to find them lost.
        """
        times = [
            activity.deadline if activity.deadline > 0 else activity.due
            for sequence, activity in run.activities.items()
            if activity.eager and (released or sequence not in self._running)
        ]
        return min(times, default=0)

    def _heartbeat(
        self, run: Run, sequence: int, cancellation: Cancellation
    ) -> Callable[[list[Payload]], Awaitable[None]]:
        """What a sign of life does: once the run is released, it is how the attempt hears that it is cancelled."""
        key = WorkflowKey(run.namespace, run.workflow_id)
        asked = 0

        async def heartbeat(_: list[Payload]) -> None:
            nonlocal asked
            now = self.engine.clock()
            if not self.released or now - asked < self.engine.settings.detach_after:
                return
            asked = now
            if (await self.engine.store.task(key, run.run_id, sequence)).cancel_requested:
                cancellation.request()

        return heartbeat

    async def _attempt(self, run: Run, activity: OpenActivity, attempt: int, cancellation: Cancellation) -> None:
        engine = self.engine
        record = activity.record
        pause = activity.due - engine.clock()
        if pause > 0:
            await engine.sleep(pause / 1000)
        started = engine.clock()
        if 0 < activity.deadline <= started:
            # This process was frozen: somebody else may have declared the attempt lost and begun the next one.
            self._over(record.sequence, attempt)
            return
        assert run.started is not None
        task = activity_task(
            run.namespace,
            run.workflow_id,
            run.run_id,
            run.started.workflow_type,
            run.started.task_queue,
            record,
            attempt=attempt,
            scheduled=activity.scheduled,
            started=started,
            current_scheduled=activity.due,
        )
        result = await engine.runner.run(
            task, heartbeat=self._heartbeat(run, record.sequence, cancellation), cancellation=cancellation
        )
        now = engine.clock()
        common = (now, outcome_key(record.sequence, attempt), record.sequence, attempt, started, engine.identity)
        outcome: Input | None
        match result:
            case ActivityCompleted(payload):
                outcome = history.ActivityTaskCompleted(*common, payload)
            case ActivityCancelled(failure):
                outcome = history.ActivityTaskCanceled(*common, failure)
            case ActivityFailed(failure):
                outcome = self._after_failure(record, activity, attempt, failure, now, started)
            case ActivityCompletesLater():
                outcome = None
        if outcome is not None:
            self.news.append(outcome)
        self._over(record.sequence, attempt)

    def _over(self, sequence: int, attempt: int) -> None:
        running = self._running.get(sequence)
        if running is not None and running[0] == attempt:
            del self._running[sequence]
        self.changed.set()

    def _after_failure(
        self,
        record: ActivityTaskScheduled,
        activity: OpenActivity,
        attempt: int,
        failure: Failure,
        now: int,
        started: int,
    ) -> Input:
        decision = decide_retry(record, attempt, failure, now=now, scheduled=activity.scheduled)
        if decision.delay_ms is None or activity.cancel_requested:
            return ended_badly(
                record,
                failure,
                RetryState.CANCEL_REQUESTED if activity.cancel_requested else decision.retry_state,
                attempt=attempt,
                started=started or now,
                now=now,
                identity=self.engine.identity,
                last_failure=activity.failure,
            )
        due = now + decision.delay_ms
        limit = start_to_close(record) or self.capacity
        stay = decision.delay_ms <= self.engine.settings.linger
        deadline = self.begin_by(decision.delay_ms + limit, now) if stay else 0
        return history.ActivityRetryScheduled(now, record.sequence, attempt + 1, due, deadline, failure)
