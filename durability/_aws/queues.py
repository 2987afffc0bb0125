"""``TaskQueue`` on SQS: what the messages look like, for those who send and those who receive."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from durability._aws.callers import AwsError, Caller
from durability._runtime.ports import ActivityAttempt, WakeUp

BATCH: Final = 10
"""Entries of one SendMessageBatch."""
BATCH_BYTES: Final = 1_000_000
"""Bytes of one SendMessageBatch: SQS takes 1 MiB."""
LONGEST_DELAY: Final = 900
"""Seconds; SQS's limit."""


class SqsQueues:
    """The workflow queue and the activity queue."""

    def __init__(self, caller: Caller, workflow_queue_url: str, activity_queue_url: str) -> None:
        self._caller = caller
        self._workflow_queue_url = workflow_queue_url
        self._activity_queue_url = activity_queue_url

    async def send_wake_up(self, wake_up: WakeUp, *, delay: int = 0) -> None:
        """See ``TaskQueue.send_wake_up``."""
        await self._caller.call(
            "sqs",
            "send_message",
            QueueUrl=self._workflow_queue_url,
            MessageBody=encode_wake_up(wake_up),
            DelaySeconds=_seconds(delay),
        )

    async def send_activities(self, attempts: list[ActivityAttempt], *, delay: int = 0) -> None:
        """See ``TaskQueue.send_activities``."""
        for batch in _batches([_encode_attempt(attempt) for attempt in attempts]):
            entries = [
                {"Id": str(position), "MessageBody": body, "DelaySeconds": _seconds(delay)}
                for position, body in enumerate(batch)
            ]
            answer = await self._caller.call(
                "sqs", "send_message_batch", QueueUrl=self._activity_queue_url, Entries=entries
            )
            failed = answer.get("Failed")
            if failed:
                raise AwsError(failed[0].get("Code", ""), failed[0].get("Message", "message not accepted"), answer)


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
    return json.dumps({"workflow_id": wake_up.workflow_id, "run_id": wake_up.run_id, "due": wake_up.due})


def decode_wake_up(body: str) -> WakeUp:
    """Read such a message. Raises ValueError for anything else."""
    fields = _object(body)
    return WakeUp(_text(fields, "workflow_id"), _text(fields, "run_id"), _integer(fields, "due"))


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
