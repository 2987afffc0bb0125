"""Which task queues workers serve, and the SQS queues of those: items of the table, looked up and remembered.

The functions serve the stack's own task queue, about which nobody asks, and every other one that no worker has
registered. A worker registers the kinds of tasks that it takes, workflow tasks or activities, each with an SQS queue
of its own; from then on tasks go there and wait there, whether a worker runs or not.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from durability._aws import items
from durability._aws.callers import AwsError, Caller
from durability._aws.items import number, string
from durability._runtime.ports import TaskKind
from durability.exceptions import ConfigurationError

KINDS: Final[tuple[TaskKind, ...]] = ("workflow", "activity")
FUNCTIONS, WORKERS = "FUNCTIONS", "WORKERS"
"""Who serves a task queue that no worker has registered: the functions, or a worker that is still to come."""
REMEMBER_NOTHING: Final = 5.0
"""Seconds for which it is remembered that a task queue is not a worker's."""
VISIBILITY: Final = 20
"""Seconds after which the task of a worker that died comes again; workers prolong them while they work."""
RETENTION: Final = 1_209_600
"""Seconds; SQS's limit. After that the reconciler and the runs' own checks send again what is still wanted."""
LONGEST_NAME: Final = 80
"""Characters of a queue's name; SQS's limit."""
_NO_PREFIX: Final = (
    "cannot be a worker's: DURABILITY_WORKER_QUEUE_PREFIX is not set, as `durability env` and the template do"
)
MISSING: Final = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"})


@dataclass(frozen=True, slots=True)
class RegisteredQueue:
    """A task queue that workers serve, for one kind of tasks."""

    name: str
    kind: TaskKind
    url: str


class TaskQueues:
    """See the module's text. Implements ``TaskRoutes`` for the functions."""

    def __init__(
        self,
        caller: Caller,
        table: str,
        namespace: str,
        *,
        own: str,
        prefix: str,
        account_url: str,
        others: str = FUNCTIONS,
        kms_key: str = "",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create it; nothing is asked yet.

        Args:
            caller: Carries requests.
            table: The table.
            namespace: Task queues of other namespaces are others.
            own: The task queue that only the functions serve; the attribute of that name.
            prefix: How the names of workers' SQS queues begin; without one there are no workers.
            account_url: URL of an SQS queue without the queue's name and the slash before it.
            others: ``FUNCTIONS`` or ``WORKERS``.
            kms_key: ARN of the key for new queues; they are encrypted with SQS's own without.
            now: Seconds of a clock that is never put back.
        """
        self._caller = caller
        self._table = table
        self.namespace = namespace
        self.own = own
        self._prefix = prefix
        self._account_url = account_url
        self._others = others
        self._kms_key = kms_key
        self._now = now
        self._known: dict[tuple[str, TaskKind], str] = {}
        self._unknown: dict[tuple[str, TaskKind], float] = {}
        self._asking: dict[tuple[str, TaskKind], asyncio.Future[str | None]] = {}

    @property
    def environment(self) -> tuple[str, str, str]:
        """What tells the task queues of one deployment and namespace from those of others."""
        return self._account_url, self._table, self.namespace

    def is_own(self, name: str) -> bool:
        """Whether a task queue is the stack's own."""
        return name in ("", self.own)

    async def elsewhere(self, task_queue: str, kind: TaskKind) -> bool:
        """See ``TaskRoutes.elsewhere``, for the functions."""
        return await self.find(task_queue, kind) is not None

    async def find(self, name: str, kind: TaskKind) -> str | None:
        """The URL of the SQS queue where tasks wait for workers; None if they are the functions' business."""
        if self.is_own(name) or not self._prefix:
            return None
        key = (name, kind)
        url = self._known.get(key)
        if url is not None:
            return url
        if self._unknown.get(key, 0.0) > self._now():
            return None
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._ask(name, kind))
            asking.add_done_callback(lambda _: self._asking.pop(key))
            asking.add_done_callback(_retrieve)
        return await asyncio.shield(asking)  # many may wait for the one answer

    async def _ask(self, name: str, kind: TaskKind) -> str | None:
        key = (name, kind)
        answer = await self._request("get_item", Key=self._key(name, kind), ConsistentRead=True)
        item = answer.get("Item")
        if item is not None:
            self._known[key] = str(item["url"]["S"])
            return self._known[key]
        if self._others == WORKERS:
            return await self.register(name, kind)
        if len(self._unknown) > 10_000:
            self._unknown.clear()
        self._unknown[key] = self._now() + REMEMBER_NOTHING
        return None

    async def register(self, name: str, kind: TaskKind, *, visibility: int = VISIBILITY) -> str:
        """Have workers serve a task queue from now on; makes its SQS queue unless there is one.

        Args:
            name: The task queue; not the stack's own.
            kind: Which tasks.
            visibility: Seconds after which a task comes again if its worker died, for a new queue.

        Returns:
            The URL of the SQS queue.

        Raises:
            AwsError: AWS refused.
            ConfigurationError: The task queue is the stack's own, or its functions know nothing of workers.
        """
        if self.is_own(name) or not self._prefix:
            why = "is the stack's own, which its functions serve: name another" if self.is_own(name) else _NO_PREFIX
            raise ConfigurationError(f"task queue {name!r} {why}")
        attributes = {"VisibilityTimeout": str(visibility), "MessageRetentionPeriod": str(RETENTION)}
        attributes |= {"KmsMasterKeyId": self._kms_key} if self._kms_key else {"SqsManagedSseEnabled": "true"}
        queue = queue_name(self._prefix, self.namespace, name, kind)
        try:
            await self._caller.call("sqs", "create_queue", QueueName=queue, Attributes=attributes)
        except AwsError as error:
            if "Exist" not in error.code:  # there already, with other attributes
                raise
        url = f"{self._account_url}/{queue}"
        item = {**self._key(name, kind), "name": string(name), "kind": string(kind), "url": string(url)}
        await self._request("put_item", Item=item)
        self._known[name, kind] = url
        return url

    async def delete(self, name: str, kind: TaskKind) -> None:
        """Have the functions serve a task queue again. Tasks that wait for a worker are lost to it, not to their runs.

        Whoever sends next finds no queue and asks anew; what was waiting is sent again by the reconciler and by the
        runs' own checks.
        """
        await self._request("delete_item", Key=self._key(name, kind))
        self.forget(name, kind)
        try:
            queue = queue_name(self._prefix, self.namespace, name, kind)
            await self._caller.call("sqs", "delete_queue", QueueUrl=f"{self._account_url}/{queue}")
        except AwsError as error:
            if error.code not in MISSING:
                raise

    async def registered(self) -> list[RegisteredQueue]:
        """All task queues that workers serve."""
        found: list[RegisteredQueue] = []
        more: dict[str, Any] = {}
        while True:
            answer = await self._request(
                "query",
                KeyConditionExpression="#pk = :pk",
                ExpressionAttributeNames={"#pk": items.PARTITION},
                ExpressionAttributeValues={":pk": string(items.task_queues_partition(self.namespace))},
                ConsistentRead=True,
                **more,
            )
            found += [
                RegisteredQueue(i["name"]["S"], i["kind"]["S"], i["url"]["S"]) for i in answer["Items"] if "url" in i
            ]
            if "LastEvaluatedKey" not in answer:
                return found
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def take_turn(self, name: str, interval: float, now: int) -> float:
        """Take the next turn of those that all workers of a task queue have together; one write each.

        Args:
            name: The task queue.
            interval: Milliseconds between two turns.
            now: Milliseconds since the epoch.

        Returns:
            When the turn is, in milliseconds since the epoch.
        """
        step = max(1, round(interval))
        while True:
            for update, condition in (
                ("SET #next = #next + :step", "#next >= :now"),
                ("SET #next = :after", "attribute_not_exists(#next) OR #next < :now"),
            ):
                values = {":now": number(now)}
                values |= {":step": number(step)} if ":step" in update else {":after": number(now + step)}
                try:
                    answer = await self._request(
                        "update_item",
                        Key={**self._key(name, "activity"), items.SORT: string(f"pace#{name}")},
                        UpdateExpression=update,
                        ConditionExpression=condition,
                        ExpressionAttributeNames={"#next": "next"},
                        ExpressionAttributeValues=values,
                        ReturnValues="ALL_NEW",
                    )
                except AwsError as error:
                    if error.code != "ConditionalCheckFailedException":
                        raise
                else:
                    return float(answer["Attributes"]["next"]["N"]) - step

    def forget(self, name: str, kind: TaskKind) -> None:
        """Ask again next time: the queue was not there."""
        self._known.pop((name, kind), None)

    def _key(self, name: str, kind: TaskKind) -> dict[str, Any]:
        return {
            items.PARTITION: string(items.task_queues_partition(self.namespace)),
            items.SORT: string(f"{kind}#{name}"),
        }

    async def _request(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self._caller.call("dynamodb", operation, TableName=self._table, **parameters)


def _retrieve(asking: asyncio.Future[str | None]) -> None:
    """An error is for whoever still waits; it is none that nobody does."""
    if not asking.cancelled():
        asking.exception()


def queue_name(prefix: str, namespace: str, name: str, kind: TaskKind) -> str:
    """The name of the SQS queue of a task queue: readable, and distinct even where the readable part is not."""
    digest = hashlib.sha256(f"{namespace}\0{name}\0{kind}".encode()).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", f"{kind}-{name}")[: LONGEST_NAME - len(prefix) - len(digest) - 1]
    return f"{prefix}{readable.rstrip('-')}-{digest}"
