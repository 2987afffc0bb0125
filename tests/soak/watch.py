"""Looks at the heads of the workflows that the soak has started: which have ended, and which stand still."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from durability._aws.items import HEAD, partition, read_head, string
from durability._runtime.ports import Head, WorkflowKey

_WORKFLOW_ID = re.compile(rb"(?:order|collector)-\d+(?:-\d+)?")
_EVERYBODY = "*"
_BATCH = 100
"""Keys of one BatchGetItem."""

Token = tuple[str, int, int, int]


@dataclass
class Standing:
    """What was last seen of a workflow. Times are ``time.monotonic``.

    Args:
        token: what changes when the run moves on.
        since: when it last moved on, or began to have something to do; 0 if it has nothing to do.
    """

    token: Token = ("", 0, 0, 0)
    since: float = 0.0


@dataclass
class Standstill:
    """A workflow that had something to do and did not move on.

    Args:
        workflow_id: whose.
        seconds: how long, after the last fault that befell it.
        head: where it stands.
    """

    workflow_id: str
    seconds: float
    head: str


class Watch:
    """Watches workflow ids until they have ended.

    A run has something to do if it is awake, has unread messages, or its wake-up is due. Its standstill counts from the
    last fault that befell it: bounds hold for each fault.

    Args:
        bound: seconds that a run may stand still.
        clock: seconds that do not go back.
        now: milliseconds since the epoch.
    """

    def __init__(
        self,
        bound: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = lambda: time.time() * 1000,
    ) -> None:
        self.bound = bound
        self.longest = Standstill("", 0.0, "")
        self.stuck: dict[str, Standstill] = {}
        self.failed_tasks: Counter[str] = Counter()
        self._clock = clock
        self._now = now
        self._standings: dict[str, Standing] = {}
        self._closed: dict[str, asyncio.Event] = {}
        self._seen: set[str] = set()
        self._befallen: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, workflow_id: str) -> None:
        """Begin to watch."""
        self._standings[workflow_id] = Standing()
        self._closed[workflow_id] = asyncio.Event()

    def drop(self, workflow_id: str) -> None:
        """Watch no longer."""
        self._standings.pop(workflow_id, None)
        self._closed.pop(workflow_id, None)
        self._seen.discard(workflow_id)
        with self._lock:
            self._befallen.pop(workflow_id, None)

    @property
    def watched(self) -> list[str]:
        """The ids that are watched and have not been seen closed."""
        return [workflow_id for workflow_id, closed in self._closed.items() if not closed.is_set()]

    @property
    def open(self) -> list[str]:
        """The ids that have been seen open."""
        return [workflow_id for workflow_id in self.watched if workflow_id in self._seen]

    def seen(self, workflow_id: str) -> bool:
        """Whether there is such a workflow."""
        return workflow_id in self._seen

    async def closed(self, workflow_id: str) -> None:
        """Wait until a workflow has been seen closed."""
        await self._closed[workflow_id].wait()

    def befell(self, content: bytes, at: float) -> None:
        """Hear of a fault; from any thread.

        Args:
            content: what was on its way, or being handled; the workflows are those that it names.
            at: when, by the clock.
        """
        names = {found.decode() for found in _WORKFLOW_ID.findall(content)} or {_EVERYBODY}
        with self._lock:
            for name in names:
                self._befallen[name] = max(at, self._befallen.get(name, 0.0))

    def look(self, heads: dict[str, Head]) -> None:
        """Take note of heads as they have just been read, by workflow id."""
        now = self._clock()
        for workflow_id, head in heads.items():
            if workflow_id not in self._standings:
                continue
            self._seen.add(workflow_id)
            standing = self._standings[workflow_id]
            if not head.open:
                self._closed[workflow_id].set()
            token = (head.run_id, head.dispatched, head.counter, head.task_attempts)
            if not self._has_something_to_do(head):
                standing.token, standing.since = token, 0.0
                continue
            if head.task_attempts > standing.token[3]:
                self.failed_tasks[head.task_failure] += 1
            if token != standing.token or not standing.since:
                standing.token, standing.since = token, now
            self._measure(workflow_id, standing, head, now)

    def _has_something_to_do(self, head: Head) -> bool:
        return bool(head.awake or (head.open and (head.inbox or 0 < head.wake_up <= self._now())))

    def _measure(self, workflow_id: str, standing: Standing, head: Head, now: float) -> None:
        with self._lock:
            fault = max(self._befallen.get(workflow_id, 0.0), self._befallen.get(_EVERYBODY, 0.0))
        seconds = now - max(standing.since, fault)
        standstill = Standstill(workflow_id, round(seconds, 1), describe(head))
        if seconds > self.longest.seconds:
            self.longest = standstill
        if seconds > self.bound:
            self.stuck[workflow_id] = standstill


def describe(head: Head) -> str:
    """What matters of a head, for who has to find out why it stands."""
    return (
        f"run {head.run_id} {head.status.name}, dispatched {head.dispatched}, awake {head.awake}, "
        f"wake-up {head.wake_up}, attention {head.attention}, inbox {list(head.inbox)}, "
        f"failed tasks {head.task_attempts} {head.task_failure}"
    )


@dataclass
class Table:
    """The table, read past the proxy.

    Args:
        dynamodb: a boto3 client.
        name: of the table.
    """

    dynamodb: Any
    name: str
    namespace: str = field(default="default")

    def heads(self, workflow_ids: list[str]) -> dict[str, Head]:
        """The heads of the current runs of those workflow ids that there are."""
        heads = {}
        for start in range(0, len(workflow_ids), _BATCH):
            keys = [
                {"pk": string(partition(WorkflowKey(self.namespace, workflow_id))), "sk": string(HEAD)}
                for workflow_id in workflow_ids[start : start + _BATCH]
            ]
            answer = self.dynamodb.batch_get_item(RequestItems={self.name: {"Keys": keys, "ConsistentRead": True}})
            for item in answer["Responses"].get(self.name, []):
                head = read_head(item)
                heads[head.key.workflow_id] = head
        return heads

    def runs(self, workflow_id: str) -> list[str]:
        """Ids of the runs of a workflow id, the current one last."""
        key = string(partition(WorkflowKey(self.namespace, workflow_id)))
        answer = self.dynamodb.query(
            TableName=self.name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :run)",
            ExpressionAttributeValues={":pk": key, ":run": string("RUN#")},
            ProjectionExpression="sk",
            ConsistentRead=True,
        )
        earlier = [str(item["sk"]["S"]).removeprefix("RUN#") for item in answer["Items"]]
        return earlier + [head.run_id for head in self.heads([workflow_id]).values()]

    def keys(self) -> list[str]:
        """Partition and sort key of everything in the table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name, ProjectionExpression="pk, sk")
        return sorted(f"{item['pk']['S']} {item['sk']['S']}" for page in pages for item in page["Items"])
