"""When a queue next has something to deliver: what lets pollers sleep instead of polling."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from moto.sqs.models import Queue, sqs_backends

from durability._local.identity import ACCOUNT

_READ_ONLY = frozenset(
    {"GetQueueAttributes", "GetQueueUrl", "ListQueues", "ListQueueTags", "ListDeadLetterSourceQueues"}
)


class QueueWatch:
    """Publishes the instant at which the next message of a queue can be received, whenever that may have changed."""

    def __init__(self, publish: Callable[[dict[str, Any]], None]) -> None:
        self._publish = publish
        self._due: dict[str, float | None] = {}
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._region = "us-east-1"

    def default_wait(self, name: str) -> float:
        """Seconds that a receive on the queue waits when the request does not say."""
        queue = self._queue(name)
        return float(getattr(queue, "receive_message_wait_time_seconds", 0) or 0)

    def changed(self, operation: str, request: bytes, response: bytes, region: str) -> None:
        """Publish the next due time of the queue that an operation touched, and of its dead-letter queue.

        Args:
            operation: SQS operation that has just been done.
            request: its JSON body.
            response: its JSON answer.
            region: region of the request.
        """
        if operation in _READ_ONLY:
            return
        self._region = region
        name = str(json.loads(request).get("QueueUrl", "")).rsplit("/", 1)[-1]
        queue = self._queue(name)
        if queue is None:
            return
        empty = operation == "ReceiveMessage" and b'"Messages"' not in response
        self._announce(queue, after_nothing=empty)
        if operation == "ReceiveMessage" and queue.dead_letter_queue is not None:
            self._announce(queue.dead_letter_queue, after_nothing=True)

    async def wait(self, name: str, looked: float, deadline: float) -> None:
        """Wait until a message of the queue may be due.

        Args:
            name: queue name.
            looked: Unix time in seconds before which the queue had nothing to give. What was due by then and was not
                given cannot be received; what has become due since can.
            deadline: Unix time in seconds after which to return anyway.
        """
        event = asyncio.Event()
        self._waiters[name].add(event)
        due = self._due.get(name)
        until = deadline if due is None or due <= looked else min(deadline, due)
        try:
            # Not `wait_for`, which until Python 3.12 takes no notice of a cancellation that comes together with the
            # event: a poll whose client has gone would wait on, and be given the next message.
            async with asyncio.timeout(max(0.0, until - time.time())):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiters[name].discard(event)

    def _announce(self, queue: Queue, *, after_nothing: bool) -> None:
        due = _next_due(queue)
        # To say "due now" again after a receive that gave nothing would make the poller receive in a circle.
        if after_nothing and self._due.get(queue.name) == due and (due is None or due <= time.time()):
            return
        self._due[queue.name] = due
        self._publish({"queue": queue.name, "due": due})
        for event in self._waiters[queue.name]:
            event.set()

    def _queue(self, name: str) -> Queue | None:
        return sqs_backends[ACCOUNT][self._region].queues.get(name)


def _next_due(queue: Queue) -> float | None:
    """Unix time in seconds when the first message is visible, or None for an empty queue."""
    # moto shows a message strictly after the millisecond that it noted.
    times = [max(message.visible_at, message.delayed_until) for message in queue._messages]
    return (min(times) + 1) / 1000 if times else None
