"""The store of a local cloud: one can wait for what happens to a run instead of asking again."""

from __future__ import annotations

import asyncio

from durability._core.encoding import decode_delta
from durability._core.history import ActivityOutcome, ActivityRetryScheduled, Input
from durability._memory.store import MemoryStore
from durability._runtime.attempts import TaskToken
from durability._runtime.inbox import deadline_in, waiting_messages
from durability._runtime.ports import Delivery, Head, Settlement, WorkflowKey


class WatchedStore(MemoryStore):
    """A ``MemoryStore`` in which one can wait for a workflow id's head to change."""

    def __init__(self) -> None:
        super().__init__()
        self._watchers: dict[WorkflowKey, list[asyncio.Future[None]]] = {}
        self._readers: dict[WorkflowKey, asyncio.Future[None]] = {}
        self.unread: set[WorkflowKey] = set()
        """Runs that have been sent something since a delta was appended to them last."""

    def current(self, key: WorkflowKey) -> Head | None:
        """The head itself, to look at."""
        return self._heads.get(key)

    def deadline(self, key: WorkflowKey) -> int:
        """When the current run times out, in milliseconds since the epoch; 0 for never, or if it has ended."""
        head = self._heads.get(key)
        if head is None or not head.open:
            return 0
        begun = self._deltas.get((key, head.run_id), {}).get(1)
        inputs = [message for _, message in waiting_messages(head)] if begun is None else decode_delta(begun).inputs
        return deadline_in(inputs)

    def awaits_report(self, token: TaskToken) -> bool:
        """Whether an attempt that is to be completed from outside has not ended."""
        key = WorkflowKey(token.namespace, token.workflow_id)
        head = self._heads.get(key)
        if head is None or not head.open or head.run_id != token.run_id:
            return False
        task = self._tasks.get((key, token.run_id, token.sequence))
        if task is not None and task.next_attempt > token.attempt:
            return False
        recorded = (decode_delta(body).inputs for body in self._deltas.get((key, token.run_id), {}).values())
        waiting = [message for _, message in waiting_messages(head)]
        return not any(_ends_attempt(message, token) for inputs in (*recorded, waiting) for message in inputs)

    def change(self, key: WorkflowKey) -> asyncio.Future[None]:
        """Done when the run ends or another one takes its place."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        watchers = self._watchers.setdefault(key, [])
        watchers[:] = [other for other in watchers if not other.done()]
        watchers.append(future)
        return future

    def growth(self, key: WorkflowKey) -> asyncio.Future[None]:
        """Done when a delta is appended, or as ``change``."""
        reader = self._readers.get(key)
        if reader is None:
            reader = self._readers[key] = asyncio.get_running_loop().create_future()
        return reader

    async def append(self, key: WorkflowKey, run_id: str, sequence: int, body: bytes) -> None:
        """See ``HistoryStore.append``."""
        await super().append(key, run_id, sequence, body)
        self._grown(key)

    async def create(self, head: Head) -> Head | None:
        """See ``HistoryStore.create``."""
        existing = await super().create(head)
        if existing is None:
            self.unread.add(head.key)
        return existing

    async def deliver(
        self, key: WorkflowKey, run_id: str | None, message: str, body: bytes, now: int, *, apart: bool = False
    ) -> Delivery:
        """See ``HistoryStore.deliver``."""
        delivery = await super().deliver(key, run_id, message, body, now, apart=apart)
        if delivery.accepted:
            self.unread.add(key)
        return delivery

    async def fail_task(self, head: Head, failure: str, wake_up: int, *, record: tuple[str, bytes] | None) -> None:
        """See ``HistoryStore.fail_task``."""
        await super().fail_task(head, failure, wake_up, record=record)
        self._grown(head.key)

    def _grown(self, key: WorkflowKey) -> None:
        self.unread.discard(key)
        reader = self._readers.pop(key, None)
        if reader is not None and not reader.done():
            reader.set_result(None)

    async def replace(self, head: Head, expected: Head, summary: Head) -> Head | None:
        """See ``HistoryStore.replace``."""
        conflict = await super().replace(head, expected, summary)
        self._changed(head.key)
        return conflict

    async def settle(self, head: Head, settlement: Settlement, *, drop: list[str]) -> Head | None:
        """See ``HistoryStore.settle``."""
        conflict = await super().settle(head, settlement, drop=drop)
        if settlement.close_time:
            self._changed(head.key)
        return conflict

    def _changed(self, key: WorkflowKey) -> None:
        self._grown(key)
        for future in self._watchers.pop(key, ()):
            if not future.done():
                future.set_result(None)


def _ends_attempt(message: Input, token: TaskToken) -> bool:
    if isinstance(message, ActivityRetryScheduled):
        return message.sequence == token.sequence and message.attempt > token.attempt
    return isinstance(message, ActivityOutcome) and message.sequence == token.sequence
