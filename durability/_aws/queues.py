"""``TaskQueue`` on SQS: what the messages look like, for those who send and those who receive."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from durability._aws.callers import AwsError, Caller
from durability._aws.task_queues import MISSING, TaskQueues
from durability._runtime.ports import ActivityAttempt, TaskKind, WakeUp
from durability._runtime.together import together

BATCH: Final = 10
"""Entries of one SendMessageBatch."""
BATCH_BYTES: Final = 1_000_000
"""Bytes of one SendMessageBatch: SQS takes 1 MiB."""
LONGEST_DELAY: Final = 900
"""Seconds; SQS's limit."""


class SqsQueues:
    """The functions' workflow queue and activity queue, and those of the workers."""

    def __init__(
        self, caller: Caller, task_queues: TaskQueues, *, workflow_queue_url: str, activity_queue_url: str
    ) -> None:
        self._caller = caller
        self._task_queues = task_queues
        self._urls: dict[TaskKind, str] = {"workflow": workflow_queue_url, "activity": activity_queue_url}

    async def send_wake_up(self, wake_up: WakeUp, *, delay: int = 0) -> None:
        """See ``TaskQueue.send_wake_up``."""
        message = {"MessageBody": encode_wake_up(wake_up), "DelaySeconds": _seconds(delay)}
        await self._send("send_message", wake_up.task_queue, "workflow", message)

    async def send_wake_ups(self, wake_ups: list[WakeUp]) -> None:
        """See ``TaskQueue.send_wake_ups``."""
        await self._send_batches("workflow", [(each.task_queue, encode_wake_up(each)) for each in wake_ups])

    async def send_activities(self, attempts: list[ActivityAttempt], *, delay: int = 0) -> None:
        """See ``TaskQueue.send_activities``."""
        await self._send_batches("activity", [(each.task_queue, _encode_attempt(each)) for each in attempts], delay)

    async def has_backlog(self, task_queue: str) -> bool:
        """See ``TaskQueue.has_backlog``."""
        url = await self._task_queues.find(task_queue, "workflow")
        if url is None:
            return False
        name = "ApproximateNumberOfMessages"
        answer = await self._caller.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=[name])
        return int(answer["Attributes"][name]) > 0

    async def _send_batches(self, kind: TaskKind, messages: list[tuple[str, str]], delay: int = 0) -> None:
        """Send bodies to their task queues; a batch that is not accepted keeps none of the others from being sent."""
        by_queue: dict[str, list[str]] = {}
        for task_queue, body in messages:
            by_queue.setdefault(task_queue, []).append(body)
        await together(
            self._send_batch(task_queue, kind, batch, delay)
            for task_queue, bodies in by_queue.items()
            for batch in _batches(bodies)
        )

    async def _send_batch(self, task_queue: str, kind: TaskKind, bodies: list[str], delay: int) -> None:
        entries = [
            {"Id": str(position), "MessageBody": body, "DelaySeconds": _seconds(delay)}
            for position, body in enumerate(bodies)
        ]
        answer = await self._send("send_message_batch", task_queue, kind, {"Entries": entries})
        if failed := answer.get("Failed"):
            raise AwsError(failed[0].get("Code", ""), failed[0].get("Message", "message not accepted"), answer)

    async def _send(self, operation: str, task_queue: str, kind: TaskKind, message: dict[str, Any]) -> dict[str, Any]:
        url = await self._task_queues.find(task_queue, kind)
        if url is not None:
            try:
                return await self._caller.call("sqs", operation, QueueUrl=url, **message)
            except AwsError as error:
                if error.code not in MISSING:
                    raise
            self._task_queues.forget(task_queue, kind)
            url = await self._task_queues.find(task_queue, kind)
        return await self._caller.call("sqs", operation, QueueUrl=url or self._urls[kind], **message)


def _seconds(delay: int) -> int:
    return min(-(-delay // 1000), LONGEST_DELAY)


def _batches(bodies: list[str]) -> list[list[str]]:
    batches: list[list[str]] = []
    size = 0
    for body in bodies:
        if not batches or len(batches[-1]) == BATCH or size + len(body) > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(body)
        size += len(body)
    return batches


def encode_wake_up(wake_up: WakeUp) -> str:
    """A wake-up as a message body."""
    return json.dumps(
        {
            "workflow_id": wake_up.workflow_id,
            "run_id": wake_up.run_id,
            "due": wake_up.due,
            "task_queue": wake_up.task_queue,
        }
    )


def decode_wake_up(body: str) -> WakeUp:
    """Read such a message. Raises ValueError for anything else."""
    fields = _object(body)
    return WakeUp(
        _text(fields, "workflow_id"), _text(fields, "run_id"), _integer(fields, "due"), _text(fields, "task_queue")
    )


def _encode_attempt(attempt: ActivityAttempt) -> str:
    return json.dumps(
        {
            "workflow_id": attempt.workflow_id,
            "run_id": attempt.run_id,
            "workflow_type": attempt.workflow_type,
            "sequence": attempt.sequence,
            "attempt": attempt.attempt,
            "due": attempt.due,
            "scheduled": attempt.scheduled,
            "task_queue": attempt.task_queue,
            "apart": attempt.apart,
            "body": base64.b64encode(attempt.body).decode(),
        }
    )


def decode_attempt(body: str) -> ActivityAttempt:
    """Read an activity message. Raises ValueError for anything else."""
    fields = _object(body)
    return ActivityAttempt(
        _text(fields, "workflow_id"),
        _text(fields, "run_id"),
        _text(fields, "workflow_type"),
        _integer(fields, "sequence"),
        _integer(fields, "attempt"),
        _integer(fields, "due"),
        _integer(fields, "scheduled"),
        base64.b64decode(_text(fields, "body"), validate=True),
        _text(fields, "task_queue"),
        fields.get("apart") is True,
    )


def _object(body: str) -> dict[str, Any]:
    fields = json.loads(body)
    if not isinstance(fields, dict):
        raise ValueError("not one of the engine's messages: a JSON object is expected")
    return fields


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"not one of the engine's messages: {name!r} is missing")
    return value


def _integer(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int):
        raise ValueError(f"not one of the engine's messages: {name!r} is missing")
    return value
