"""Asking a worker: a message on the queue of its workflow tasks, and the answer as an item of the table.

A worker has no address, so a query or an update goes the way of all tasks. The answer is written once, under a key
that only the asker knows, and goes away by itself. Whoever asks reads at short and growing intervals: a worker
answers in milliseconds, or is not there.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final

from durability._aws import items
from durability._aws.callers import Caller
from durability._aws.items import Item, binary, number
from durability._aws.message_items import BODY_LIMIT
from durability._runtime.direct import shortened
from durability.service import RPCError, RPCStatusCode

PATIENCE: Final = 10.0
"""Seconds; Temporal's server waits as long for a worker to answer a query."""
KEPT: Final = 3_600
"""Seconds after which DynamoDB may drop an answer (``TimeToLiveSpecification`` of the template)."""
_MARKED_AFTER: Final = 0.5
_MARK_OUTLASTS: Final = 6.0
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Request:
    """A question that has arrived.

    Attributes:
        event: What a workflow function would be invoked with.
        reply: Where the answer is to be laid down.
        expires: When nobody waits for it any more; seconds since the epoch.
    """

    event: dict[str, Any]
    reply: str
    expires: float


def read_request(body: str) -> Request | None:
    """A message as a question; None if it is a task."""
    fields = json.loads(body)
    if not isinstance(fields, dict) or "reply" not in fields:
        return None
    return Request(fields["event"], str(fields["reply"]), float(fields["expires"]))


class Mailbox:
    """Questions to workers, and their answers."""

    def __init__(self, caller: Caller, table: str, *, patience: float = PATIENCE) -> None:
        """Create it.

        Args:
            caller: Carries requests.
            table: Where answers are laid down.
            patience: Seconds to wait for an answer.
        """
        self._caller = caller
        self._table = table
        self._patience = patience

    async def ask(self, url: str, request: bytes, task_queue: str, *, mark: Item | None = None) -> bytes:
        """Send a question and wait for the answer.

        Args:
            url: SQS queue of the worker's workflow tasks.
            request: What a workflow function would be invoked with.
            task_queue: For the message, should nobody answer.
            mark: Key of an item that tells others that somebody waits. It is written once the wait is long, and so
                costs nothing while workers are there; it outlasts the pause before the question is asked again.

        Raises:
            RPCError: DEADLINE_EXCEEDED if no worker has answered in time.
        """
        reply = uuid.uuid4().hex
        deadline = time.time() + self._patience
        body = json.dumps({"event": json.loads(request), "reply": reply, "expires": deadline})
        await self._caller.call("sqs", "send_message", QueueUrl=url, MessageBody=body)
        pause, marked = _FIRST_PAUSE, False
        while (now := time.time()) < deadline:
            if mark is not None and not marked and now >= deadline - self._patience + _MARKED_AFTER:
                marked = True
                await self._mark(mark, deadline + _MARK_OUTLASTS)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            answer = await self._caller.call(
                "dynamodb", "get_item", TableName=self._table, Key=items.reply_key(reply), ConsistentRead=True
            )
            if "Item" in answer:
                if marked:
                    await self._caller.call("dynamodb", "delete_item", TableName=self._table, Key=mark)
                return bytes(answer["Item"]["answer"]["B"])
        raise RPCError(
            f"no worker of task queue {task_queue!r} has answered within {self._patience:.0f} s: is one running?",
            RPCStatusCode.DEADLINE_EXCEEDED,
            b"",
        )

    async def is_marked(self, mark: Item) -> bool:
        """Whether somebody waits who was to leave a mark."""
        answer = await self._caller.call("dynamodb", "get_item", TableName=self._table, Key=mark, ConsistentRead=True)
        return "Item" in answer and int(answer["Item"][items.EXPIRES]["N"]) >= time.time()

    async def _mark(self, mark: Item, until: float) -> None:
        item = {**mark, items.EXPIRES: number(int(until))}
        await self._caller.call("dynamodb", "put_item", TableName=self._table, Item=item)

    async def answer(self, request: Request, answer: dict[str, str]) -> None:
        """Lay down the answer to a question."""
        body = json.dumps(answer).encode()
        if len(body) > BODY_LIMIT:
            body = json.dumps(shortened(request.event, answer, len(body), BODY_LIMIT)).encode()
        expires = int(time.time()) + KEPT
        item = {**items.reply_key(request.reply), "answer": binary(body), items.EXPIRES: number(expires)}
        await self._caller.call("dynamodb", "put_item", TableName=self._table, Item=item)
