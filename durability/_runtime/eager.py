"""Activities that run inside the workflow task that scheduled them.

The delta that schedules the activity says until when its first attempt may run here, so that another executor knows
when to count it as lost: no attempt is ever begun without a durable record of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from durability._core import history
from durability._core.failure import Failure, TimeoutFailureInfo, timeout_failure
from durability._core.history import ActivityTaskScheduled, Input
from durability._core.payload import Payload
from durability._core.run import OpenActivity, Run
from durability._runtime.attempts import (
    activity_task,
    attempt_limit,
    cancelled,
    decide_retry,
    ended_badly,
    outcome_key,
    start_to_close,
    timeout_at,
)
from durability._runtime.engine import Engine
from durability._runtime.heartbeats import Heartbeats, interval_of
from durability._runtime.large_payloads import PayloadList
from durability._runtime.leftovers import decode_details, encode_details
from durability._runtime.ports import WorkflowKey
from durability.activity._runner import (
    NOT_FOUND,
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
class _Attempt:
    """An attempt under way here.

    Attributes:
        begun: Whether the activity's code has been called.
        cancel_requested: Whether the workflow has asked for its cancellation.
    """

    number: int
    local: bool
    task: asyncio.Task[None]
    cancellation: Cancellation
    begun: bool = False
    cancel_requested: bool = False


@dataclass(slots=True)
class EagerActivities:
    """The attempts that one executor runs.

    Attributes:
        deadline: When the invocation ends, in milliseconds since the epoch.
        capacity: How long an attempt may take at most to be run eagerly in some invocation, in milliseconds.
        handed_over: Whether something was left to the next invocation, because this one's time is running out.
        news: Outcomes that no delta has recorded yet.
        released: Whether the run was ever let go of, so that others may have decided about its activities.
        elsewhere: Whether the activities of the run's task queue are others' business.
        planned: How many the delta that is being made has planned so far.
        on_idle: Called when nothing is left to do here but to wait for attempts.
        idle: Whether that is so.
    """

    engine: Engine
    deadline: int
    capacity: int
    handed_over: bool = False
    released: bool = False
    elsewhere: bool = False
    planned: int = 0
    on_idle: Callable[[], None] = lambda: None
    idle: bool = False
    news: deque[Input] = field(default_factory=deque)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _unwritten: dict[int, tuple[int, list[Payload]]] = field(default_factory=dict)
    _written: dict[int, int] = field(default_factory=dict)
    _running: dict[int, _Attempt] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether an attempt is under way here."""
        return bool(self._running)

    @property
    def under_way(self) -> int:
        """How many attempts are under way here."""
        return len(self._running)

    def owns(self, sequence: int) -> bool:
        """Whether an activity's attempt is under way here."""
        return sequence in self._running

    def plan(self, record: ActivityTaskScheduled, task_queue: str, now: int) -> int:
        """Decide how an activity is to run: the value for the record's ``eager_deadline``; 0 means "dispatch it"."""
        limit = start_to_close(record)
        elsewhere = self.elsewhere or record.task_queue not in ("", task_queue)
        if record.local:
            limit = limit or self.capacity
        elif record.disable_eager_execution or elsewhere or record.heartbeat_timeout:
            return 0
        if not limit or limit > self.capacity:
            return 0
        if not record.local:
            if self.planned >= self.engine.runner.free_slots:
                return 0  # it would have to wait for others, and its time would run
            self.planned += 1
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
        self._running[sequence] = _Attempt(activity.attempt, activity.record.local, task, cancellation)
        if activity.record.local:
            attempts, key = self.engine.local_attempts, (run.run_id, sequence)
            attempts[key] = cancellation
            task.add_done_callback(lambda _: attempts.pop(key) if attempts.get(key) is cancellation else None)

    def cancel(self, sequence: int) -> None:
        """Ask an attempt that is under way here to stop. As in Temporal, its code hears of it with a heartbeat.

        That of a local activity hears of it at once.
        """
        attempt = self._running[sequence]
        attempt.cancel_requested = True
        if attempt.local or not attempt.begun:
            attempt.cancellation.request()

    async def wait_for_news(self, patience: int | None) -> bool:
        """Wait until an attempt has ended, at most ``patience`` milliseconds. True if one has.

        Somebody else who wants the run ends the wait as well.
        """
        if self.news:
            return True
        self.changed.clear()
        busy = self.busy
        changed = asyncio.ensure_future(self.changed.wait())
        waits: set[asyncio.Future[object]] = {changed}  # type: ignore[arg-type]
        if patience is not None:
            waits.add(asyncio.ensure_future(self.engine.sleep(patience / 1000)))
        self.idle = True
        self.on_idle()
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.idle = False
            for wait in waits:
                wait.cancel()
        # Others that end in the same turn of the loop share the next delta.
        await asyncio.sleep(0)
        return bool(self.news) or (busy and not self.busy)

    async def stop(self) -> None:
        """End everything at once, without outcomes: the invocation is over."""
        tasks = [attempt.task for attempt in self._running.values()]
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
                    lost = timeout_failure(timeout_at(activity.record, activity.scheduled, activity.deadline))
                    inputs.append(
                        self._after_failure(activity.record, activity, activity.attempt, lost, now, activity.due)
                    )
            elif activity.cancel_requested:
                inputs.append(cancelled(sequence, activity.attempt, now))
            elif (late := _not_begun_in_time(activity, now)) is not None:
                inputs.append(late)
            elif activity.due <= now:
                limit = attempt_limit(activity.record, activity.scheduled, now) or self.capacity
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
        self, run: Run, sequence: int, attempt: int, cancellation: Cancellation, hearing: Heartbeats
    ) -> Callable[[list[Payload]], Awaitable[None]]:
        """What a sign of life does: its details are kept in case this process dies, if the attempt takes long.

        It is also how the attempt hears that it is cancelled, as often as Temporal's worker would send one.
        """
        key = WorkflowKey(run.namespace, run.workflow_id)
        settings = self.engine.settings
        self._written[sequence] = 0
        write_from = self.engine.clock() + settings.detach_after

        async def heartbeat(details: list[Payload]) -> None:
            now = self.engine.clock()
            if now >= write_from and now - self._written[sequence] >= settings.eager_heartbeat_interval:
                self._written[sequence] = now
                self._unwritten.pop(sequence, None)
                encoded = await self._encoded(run, details)
                state = await self.engine.store.heartbeat(key, run.run_id, sequence, attempt, encoded, now, eager=True)
                if state is None:
                    cancellation.request(NOT_FOUND)  # another attempt has begun
            else:
                self._unwritten[sequence] = attempt, details
            await hearing.beat(details)

        return heartbeat

    async def _hear(self, run: Run, sequence: int, attempt: _Attempt, details: list[Payload]) -> None:
        """Let an attempt know if it is to stop. Since the release, the run may have said so elsewhere, or ended."""
        requested, key = attempt.cancel_requested, WorkflowKey(run.namespace, run.workflow_id)
        if self.released and not await self.engine.is_open(key, run.run_id):
            attempt.cancellation.request(NOT_FOUND)
        elif self.released and not requested:
            requested = (await self.engine.store.task(key, run.run_id, sequence)).cancel_requested
        if requested:
            attempt.cancellation.request()

    async def keep_details(self, run: Run) -> None:
        """When the run is released: write down what attempts under way have told, as others may give them up."""
        key, now = WorkflowKey(run.namespace, run.workflow_id), self.engine.clock()
        unwritten, self._unwritten = self._unwritten, {}
        for sequence, (attempt, details) in unwritten.items():
            if sequence in self._running and self._running[sequence].number == attempt:
                self._written[sequence] = now
                encoded = await self._encoded(run, details)
                await self.engine.store.heartbeat(key, run.run_id, sequence, attempt, encoded, now, eager=True)

    async def _encoded(self, run: Run, details: list[Payload]) -> bytes:
        return encode_details(await self.engine.large.put_away(PayloadList(details), run.namespace, run.run_id))

    async def _attempt(self, run: Run, activity: OpenActivity, attempt: int, cancellation: Cancellation) -> None:
        engine = self.engine
        pause = activity.due - engine.clock()
        if pause > 0:
            await engine.sleep(pause / 1000)
        async with engine.runner.slot(activity.record.activity_type, local=activity.record.local):
            await self._attempt_now(run, activity, attempt, cancellation)

    async def _attempt_now(self, run: Run, activity: OpenActivity, attempt: int, cancellation: Cancellation) -> None:
        engine = self.engine
        told = await engine.large.bring_back(await self._details(run, activity, attempt))
        record = await engine.large.bring_back(activity.record)
        started = engine.clock()
        if 0 < activity.deadline <= started:
            # This process was frozen: somebody else may have declared the attempt lost and begun the next one.
            # Nothing that waits may stand between here and the activity's code.
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
            heartbeat_details=told.payloads,
        )
        running = self._running[record.sequence]
        running.begun = True
        hear = partial(self._hear, run, record.sequence, running)
        hearing = Heartbeats(hear, interval_of(0, engine.settings), engine.clock, engine.sleep)
        heartbeat = self._heartbeat(run, record.sequence, attempt, cancellation, hearing)
        try:
            result = await engine.runner.run(task, heartbeat=heartbeat, cancellation=cancellation)
        finally:
            hearing.drop()  # it only reads; and nothing is to be waited for where a process ends in the middle
        now = engine.clock()
        common = (now, outcome_key(record.sequence, attempt), record.sequence, attempt, started, engine.identity)
        outcome: Input | None
        match result:
            case ActivityCompleted(payload):
                outcome = history.ActivityTaskCompleted(*common, payload)
            case ActivityCancelled(failure):
                outcome = history.ActivityTaskCanceled(*common, failure)
            case ActivityFailed(failure, details):
                outcome = self._after_failure(record, activity, attempt, failure, now, started, details)
            case ActivityCompletesLater():
                outcome = None
        if outcome is not None:
            self.news.append(outcome)
        self._over(record.sequence, attempt)

    def _over(self, sequence: int, attempt: int) -> None:
        running = self._running.get(sequence)
        if running is not None and running.number == attempt:
            del self._running[sequence]
        self.changed.set()

    async def _details(self, run: Run, activity: OpenActivity, attempt: int) -> PayloadList:
        """What the attempts before have told: the history knows it, unless the last one's process died."""
        last = activity.failure.info if activity.failure is not None else None
        if attempt == 1 or not isinstance(last, TimeoutFailureInfo):
            return PayloadList(activity.details or [])
        if last.last_heartbeat_details:
            return PayloadList(last.last_heartbeat_details)
        key = WorkflowKey(run.namespace, run.workflow_id)
        state = await self.engine.store.task(key, run.run_id, activity.record.sequence)
        return decode_details(state.details) if state.details else PayloadList(activity.details or [])

    def _after_failure(
        self,
        record: ActivityTaskScheduled,
        activity: OpenActivity,
        attempt: int,
        failure: Failure,
        now: int,
        started: int,
        details: list[Payload] | None = None,
    ) -> Input:
        decision = decide_retry(record, attempt, failure, now=now, scheduled=activity.scheduled)
        if decision.delay_ms is None or activity.cancel_requested:
            return ended_badly(
                record,
                failure,
                RetryState.CANCEL_REQUESTED if activity.cancel_requested else decision.retry_state,
                attempt=attempt,
                started=started,
                now=now,
                identity=self.engine.identity,
                last_failure=activity.failure,
            )
        due = now + decision.delay_ms
        limit = attempt_limit(record, activity.scheduled, due) or self.capacity
        stay = decision.delay_ms <= self.engine.settings.linger
        deadline = self.begin_by(decision.delay_ms + limit, now) if stay else 0
        return history.ActivityRetryScheduled(now, record.sequence, attempt + 1, due, deadline, failure, details)


def _not_begun_in_time(activity: OpenActivity, now: int) -> Input | None:
    record = activity.record
    limits = []
    if record.schedule_to_close_timeout:
        limits.append((activity.scheduled + record.schedule_to_close_timeout, TimeoutType.SCHEDULE_TO_CLOSE))
    to_start = record.schedule_to_start_timeout or record.schedule_to_close_timeout
    if to_start:
        limits.append((activity.due + to_start, TimeoutType.SCHEDULE_TO_START))
    passed = [(when, kind) for when, kind in limits if when <= now]
    if not passed:
        return None
    return ended_badly(
        record,
        timeout_failure(min(passed)[1]),
        RetryState.TIMEOUT,
        attempt=activity.attempt,
        started=0,
        now=now,
        identity="",
        last_failure=activity.failure,
    )
