"""Reports about activities from outside: of those that said they would be completed later.

A report is checked against the history: it must be about the attempt that is under way. What follows from it
is what would follow from the same news in the activity's own executor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from durability._core import history
from durability._core.encoding import decode_deltas, encode_command
from durability._core.failure import CanceledFailureInfo, Failure, too_large_failure
from durability._core.history import ActivityTaskScheduled, Delta, Input
from durability._core.payload import payload_size
from durability._core.payload_fields import PAYLOAD_LIMIT, failure_size
from durability._core.run import effective
from durability._runtime.attempts import TaskToken, cancelled, decide_retry, ended_badly, outcome_key
from durability._runtime.frontend import ActivityReport
from durability._runtime.large_payloads import PayloadList
from durability._runtime.leftovers import decode_details, encode_details, encode_failure
from durability._runtime.ports import ActivityAttempt, Head, TaskState
from durability._runtime.validation import workflow_closed
from durability.exceptions import RetryState
from durability.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durability._runtime.gateway import Gateway

QUEUE_DELAY: Final = 900_000
"""Milliseconds: the longest delay of a queue message (SQS: 900 s)."""


@dataclass(slots=True)
class _Scheduled:
    """An activity that has not ended, as the history shows it."""

    record: ActivityTaskScheduled
    scheduled: int
    eager: bool
    attempt: int = 1
    begun: int = 0
    failure: Failure | None = None
    cancel_requested: bool = False


async def report(gateway: Gateway, news: ActivityReport) -> bool:
    """Take a report. Returns whether the activity's cancellation has been asked for.

    Raises:
        RPCError: NOT_FOUND if the attempt is not under way; INVALID_ARGUMENT for a token that is none, and for a
            cancellation that nobody asked for.
    """
    token = _read_token(gateway, news.task_token) if news.task_token else None
    workflow_id = token.workflow_id if token else news.workflow_id
    head = await gateway.head_of(workflow_id, token.run_id if token else news.run_id or None)
    if not head.open:
        raise workflow_closed()
    deltas = decode_deltas(await gateway.store.deltas(head.key, head.run_id))
    activity = _find(news, token, [delta for _, delta, _ in effective(deltas)])
    state = TaskState() if activity.eager else await gateway.store.task(head.key, head.run_id, activity.record.sequence)
    attempt = activity.attempt if activity.eager else state.attempt
    started = activity.begun if activity.eager else state.claimed
    under_way = bool(started) and state.next_attempt <= attempt
    if not under_way or (token is not None and token.attempt != attempt):
        raise _not_found(news)
    if outcome_key(activity.record.sequence, attempt) in head.inbox:  # and so it is known, though not consumed yet
        raise _not_found(news)
    return await _Report(gateway, news, head, activity, attempt, started).take()


@dataclass(slots=True)
class _Report:
    gateway: Gateway
    news: ActivityReport
    head: Head
    activity: _Scheduled
    attempt: int
    started: int

    async def take(self) -> bool:
        news, record = within_limits(self.news), self.activity.record
        now = self.gateway.clock()
        common = (now, outcome_key(record.sequence, self.attempt), record.sequence, self.attempt, self.started)
        match news.kind:
            case "completed":
                await self._deliver(history.ActivityTaskCompleted(*common, news.identity, news.result))
            case "failed":
                if news.details:
                    await self._heartbeat(now)
                await self._failed(news.failure or Failure(message="failed"), now)
            case "canceled":
                if not self.activity.cancel_requested:
                    raise RPCError(
                        f"nobody asked for the cancellation of activity {record.activity_id!r}: complete it or fail it",
                        RPCStatusCode.INVALID_ARGUMENT,
                        b"",
                    )
                failure = Failure(message="Cancelled", info=CanceledFailureInfo(details=news.details or None))
                await self._deliver(cancelled(record.sequence, self.attempt, now, failure))
            case "heartbeat":
                await self._heartbeat(now)
        return self.activity.cancel_requested

    async def _heartbeat(self, now: int) -> None:
        head, sequence, eager = self.head, self.activity.record.sequence, self.activity.eager
        kept = await self.gateway.large.put_away(PayloadList(self.news.details), head.key.namespace, head.run_id)
        details = encode_details(kept)
        heartbeat = self.gateway.store.heartbeat
        if await heartbeat(head.key, head.run_id, sequence, self.attempt, details, now, eager=eager) is None:
            raise _not_found(self.news)

    async def _failed(self, failure: Failure, now: int) -> None:
        activity, record = self.activity, self.activity.record
        decision = decide_retry(record, self.attempt, failure, now=now, scheduled=activity.scheduled)
        if decision.delay_ms is not None and not activity.cancel_requested:
            await self._try_again(failure, now + decision.delay_ms, now)
            return
        await self._deliver(
            ended_badly(
                record,
                failure,
                RetryState.CANCEL_REQUESTED if activity.cancel_requested else decision.retry_state,
                attempt=self.attempt,
                started=self.started,
                now=now,
                identity=self.news.identity,
                last_failure=activity.failure,
            )
        )

    async def _try_again(self, failure: Failure, due: int, now: int) -> None:
        head, record, attempt = self.head, self.activity.record, self.attempt + 1
        if self.activity.eager:
            state = await self.gateway.store.task(head.key, head.run_id, record.sequence)
            details = decode_details(state.details).payloads or None
            retry = history.ActivityRetryScheduled(now, record.sequence, attempt, due, 0, failure, details)
            await self.gateway.deliver(head.key, head.run_id, f"retry:{record.sequence}:{attempt}", retry)
            return
        encoded = encode_failure(await self.gateway.large.put_away(failure, head.key.namespace, head.run_id))
        if not await self.gateway.store.retry(head.key, head.run_id, record.sequence, attempt, due, encoded):
            raise _not_found(self.news)
        message = ActivityAttempt(
            workflow_id=head.key.workflow_id,
            run_id=head.run_id,
            workflow_type=head.workflow_type,
            sequence=record.sequence,
            attempt=attempt,
            due=due,
            scheduled=self.activity.scheduled,
            body=encode_command(record),
            task_queue=record.task_queue or head.task_queue,
        )
        await self.gateway.queue.send_activities([message], delay=min(due - now, QUEUE_DELAY))

    async def _deliver(self, outcome: Input) -> None:
        assert isinstance(outcome, history.ActivityOutcome)
        if not await self.gateway.deliver(self.head.key, self.head.run_id, outcome.key, outcome):
            raise workflow_closed()


def within_limits(news: ActivityReport) -> ActivityReport:
    """A report, or the failure that Temporal's server puts in its place if its payloads are too large."""
    what = {"completed": "Complete result", "failed": "Failure", "heartbeat": "Heartbeat details"}.get(news.kind)
    size = payload_size(news.result) + sum(map(payload_size, news.details))
    size += failure_size(news.failure) if news.failure is not None else 0
    if size <= PAYLOAD_LIMIT:
        return news
    failure = too_large_failure(f"{what or 'Cancel details'} exceeds size limit.")
    return msgspec.structs.replace(news, kind="failed", result=None, details=[], failure=failure)


def _read_token(gateway: Gateway, encoded: bytes) -> TaskToken:
    try:
        token = TaskToken.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RPCError(
            f"the task token cannot be read ({error}): give the bytes of activity.info().task_token",
            RPCStatusCode.INVALID_ARGUMENT,
            b"",
        ) from error
    if token.namespace != gateway.namespace:
        raise RPCError(
            f"the task token is of namespace {token.namespace!r}, this is {gateway.namespace!r}",
            RPCStatusCode.INVALID_ARGUMENT,
            b"",
        )
    return token


def _find(news: ActivityReport, token: TaskToken | None, deltas: list[Delta]) -> _Scheduled:
    found: _Scheduled | None = None
    for delta in deltas:
        for message in delta.inputs:
            if found is not None and getattr(message, "sequence", None) == found.record.sequence:
                found = _after(found, message)
        for command in delta.commands:
            if isinstance(command, ActivityTaskScheduled):
                if command.sequence == token.sequence if token else command.activity_id == news.activity_id:
                    begun = delta.time if command.eager_deadline > 0 else 0
                    found = _Scheduled(command, delta.time, command.eager_deadline != 0, begun=begun)
            elif isinstance(command, history.ActivityTaskCancelRequested) and found is not None:
                found.cancel_requested |= found.record.sequence == command.sequence
    if found is None:
        raise _not_found(news)
    return found


def _after(activity: _Scheduled, message: Input) -> _Scheduled | None:
    """The activity after a message with its number, which may be a timer's too; None if it has ended."""
    if isinstance(message, history.ActivityOutcome):
        return None
    if isinstance(message, history.ActivityRetryScheduled):
        activity.attempt, activity.failure = message.attempt, message.failure
        activity.begun = max(message.due, message.time) if message.deadline > 0 else 0
    return activity


def _not_found(news: ActivityReport) -> RPCError:
    """Nothing waits for the report; the texts are those of Temporal's server."""
    text = "invalid activityID or activity already timed out or invoking workflow is completed"
    if news.activity_id:
        text = (
            f"cannot find pending activity with ActivityID {news.activity_id}, check workflow execution history for "
            "more details"
        )
    return RPCError(text, RPCStatusCode.NOT_FOUND, b"")
