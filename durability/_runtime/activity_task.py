"""One attempt of a dispatched activity: claim, run, report.

What may crash: before the claim, the message comes again. After it, nobody else may begin the same attempt: the run
that waits notices at the attempt's timeout and decides the next one. Between the decision to retry and the message for
the next attempt, the redelivered message finds the decision and sends again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from durability._core import history
from durability._core.encoding import decode_command
from durability._core.failure import Failure
from durability._core.history import ActivityTaskScheduled, Input
from durability._core.payload import Payload
from durability._runtime.attempts import (
    activity_task,
    cancelled,
    decide_retry,
    ended_badly,
    outcome_key,
    start_to_close,
)
from durability._runtime.engine import Engine
from durability._runtime.heartbeats import Heartbeats, interval_of
from durability._runtime.large_payloads import PayloadList
from durability._runtime.leftovers import decode_details, encode_details, encode_failure
from durability._runtime.ports import ActivityAttempt, WorkflowKey
from durability.activity._runner import (
    NOT_FOUND,
    ActivityCancelled,
    ActivityCompleted,
    ActivityCompletesLater,
    ActivityFailed,
    Cancellation,
)
from durability.exceptions import RetryState

logger = logging.getLogger("durability.runtime")

_LATE = 5_000
"""Milliseconds after which a message is taken for one that may have come before: then a read comes before the claim."""


async def execute_attempt(engine: Engine, attempt: ActivityAttempt) -> None:
    """Run an attempt if nobody else has begun it.

    Raises:
        Exception: A port failed. The message must not be acknowledged.
    """
    command = decode_command(attempt.body)
    if not isinstance(command, ActivityTaskScheduled):
        raise TypeError(f"an activity message holds a {type(command).__name__}")
    await _AttemptExecution(engine, attempt, command).execute()


@dataclass(slots=True)
class _AttemptExecution:
    engine: Engine
    attempt: ActivityAttempt
    record: ActivityTaskScheduled

    @property
    def key(self) -> WorkflowKey:
        return WorkflowKey(self.engine.namespace, self.attempt.workflow_id)

    async def execute(self) -> None:
        engine, attempt = self.engine, self.attempt
        now = engine.clock()
        if attempt.due - now > 0:
            if attempt.due - now > engine.settings.linger:
                await self._send(attempt, attempt.due - now)
                return
            await engine.sleep((attempt.due - now) / 1000)
        async with engine.runner.slot(self.record.activity_type):
            await self._claim_and_run()

    async def _claim_and_run(self) -> None:
        engine, attempt = self.engine, self.attempt
        now = engine.clock()
        if now - attempt.due > _LATE and not await self._is_awaited():
            return
        mine, state = await engine.store.claim(self.key, attempt.run_id, attempt.sequence, attempt.attempt, now)
        if not mine:
            if state.next_attempt > attempt.attempt and state.attempt == attempt.attempt:
                await self._send_next(state.next_attempt, state.next_due)
            return
        told = await engine.large.bring_back(decode_details(state.details))
        record = await engine.large.bring_back(self.record)
        if engine.clock() - now >= (record.heartbeat_timeout or start_to_close(record)):
            # This process was frozen: the run may have declared the attempt lost and decided the next one.
            # Nothing that waits may stand between here and the activity's code.
            return
        await self._run(record, told.payloads, now)

    async def _is_awaited(self) -> bool:
        """Whether the run is open. Its items may be gone, with the claim that would stop a message that comes again."""
        return await self.engine.is_open(self.key, self.attempt.run_id)

    async def _run(self, record: ActivityTaskScheduled, told: list[Payload], started: int) -> None:
        engine, attempt = self.engine, self.attempt
        cancellation = Cancellation()
        task = activity_task(
            engine.namespace,
            attempt.workflow_id,
            attempt.run_id,
            attempt.workflow_type,
            record.task_queue,
            record,
            attempt=attempt.attempt,
            scheduled=attempt.scheduled,
            started=started,
            current_scheduled=attempt.due,
            heartbeat_details=told,
        )

        async def heartbeat(details: list[Payload]) -> None:
            kept = await engine.large.put_away(PayloadList(details), engine.namespace, attempt.run_id)
            now_state = await engine.store.heartbeat(
                self.key,
                attempt.run_id,
                attempt.sequence,
                attempt.attempt,
                encode_details(kept),
                engine.clock(),
            )
            if now_state is None or not await self._is_awaited():
                cancellation.request(NOT_FOUND)
            elif now_state.cancel_requested:
                cancellation.request()

        interval = interval_of(record.heartbeat_timeout, engine.settings)
        heartbeats = Heartbeats(heartbeat, interval, engine.clock, engine.sleep)
        try:
            result = await engine.runner.run(task, heartbeat=heartbeats.beat, cancellation=cancellation)
        finally:
            await heartbeats.end()
        if isinstance(result, ActivityFailed | ActivityCompletesLater):
            await heartbeats.flush()
        now = engine.clock()
        common = (
            now,
            outcome_key(record.sequence, attempt.attempt),
            record.sequence,
            attempt.attempt,
            started,
            engine.identity,
        )
        match result:
            case ActivityCompleted(payload):
                await self._report(history.ActivityTaskCompleted(*common, payload))
            case ActivityCancelled(failure):
                await self._report(cancelled(record.sequence, attempt.attempt, now, failure))
            case ActivityFailed(failure):
                await self._failed(failure, started, now)
            case ActivityCompletesLater():
                return

    async def _failed(self, failure: Failure, started: int, now: int) -> None:
        engine, attempt, record = self.engine, self.attempt, self.record
        decision = decide_retry(record, attempt.attempt, failure, now=now, scheduled=attempt.scheduled)
        retry_state = decision.retry_state
        if decision.delay_ms is not None:
            due = now + decision.delay_ms
            encoded = encode_failure(await engine.large.put_away(failure, engine.namespace, attempt.run_id))
            if await engine.store.retry(self.key, attempt.run_id, attempt.sequence, attempt.attempt + 1, due, encoded):
                await self._send_next(attempt.attempt + 1, due)
                return
            state = await engine.store.task(self.key, attempt.run_id, attempt.sequence)
            if not state.cancel_requested:
                return
            retry_state = RetryState.CANCEL_REQUESTED
        elif (await engine.store.task(self.key, attempt.run_id, attempt.sequence)).cancel_requested:
            retry_state = RetryState.CANCEL_REQUESTED
        await self._report(
            ended_badly(
                record,
                failure,
                retry_state,
                attempt=attempt.attempt,
                started=started,
                now=now,
                identity=engine.identity,
            )
        )

    async def _report(self, outcome: Input) -> None:
        assert isinstance(outcome, history.ActivityOutcome)
        attempt = self.attempt
        if not await self.engine.gateway.deliver(self.key, attempt.run_id, outcome.key, outcome, apart=attempt.apart):
            logger.info(
                "activity %r of workflow %r ended after its run had closed",
                self.record.activity_type,
                attempt.workflow_id,
            )

    async def _send_next(self, number: int, due: int) -> None:
        attempt = self.attempt
        following = replace(attempt, attempt=number, due=due)
        await self._send(following, max(0, due - self.engine.clock()))

    async def _send(self, attempt: ActivityAttempt, delay: int) -> None:
        await self.engine.queue.send_activities([attempt], delay=min(delay, self.engine.settings.queue_delay))
