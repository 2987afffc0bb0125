"""``HistoryStore`` in memory. Every operation is atomic, as every DynamoDB write to one item is."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from collections.abc import Awaitable, Callable

from durability._runtime.frontend import ListFilter
from durability._runtime.ports import (
    Delivery,
    FencedError,
    Head,
    ItemTooLargeError,
    Loaded,
    Settlement,
    TaskState,
    WakeUp,
    WorkflowKey,
)
from durability._runtime.selection import selects

ITEM_LIMIT = 400 * 1024
"""Bytes; DynamoDB's limit for an item."""


class MemoryStore:
    """See ``HistoryStore``. ``requests`` counts calls by name."""

    def __init__(self) -> None:
        self.requests: dict[str, int] = {}
        self._heads: dict[WorkflowKey, Head] = {}
        self._closed: dict[tuple[WorkflowKey, str], Head] = {}
        self._deltas: dict[tuple[WorkflowKey, str], dict[int, bytes]] = {}
        self._tasks: dict[tuple[WorkflowKey, str, int], TaskState] = {}
        self._apart: dict[tuple[WorkflowKey, str], dict[str, tuple[int, bytes]]] = {}

    async def _request(self, name: str) -> None:
        self.requests[name] = self.requests.get(name, 0) + 1
        await asyncio.sleep(0)

    async def load(self, key: WorkflowKey, run_id: str, after: int) -> Loaded:
        """See ``HistoryStore.load``."""
        await self._request("load")
        deltas = self._deltas.get((key, run_id), {})
        return Loaded(self._with_apart(self._heads.get(key)), [(n, deltas[n]) for n in sorted(deltas) if n > after])

    async def deltas(self, key: WorkflowKey, run_id: str) -> list[tuple[int, bytes]]:
        """See ``HistoryStore.deltas``."""
        await self._request("deltas")
        return sorted(self._deltas.get((key, run_id), {}).items())

    async def head(self, key: WorkflowKey) -> Head | None:
        """See ``HistoryStore.head``."""
        await self._request("head")
        return copy.deepcopy(self._heads.get(key))

    async def closed_run(self, key: WorkflowKey, run_id: str) -> Head | None:
        """See ``HistoryStore.closed_run``."""
        await self._request("closed_run")
        return copy.deepcopy(self._closed.get((key, run_id)))

    async def delete(self, key: WorkflowKey, run_id: str, also: Callable[[], Awaitable[None]]) -> bool:
        """See ``HistoryStore.delete``."""
        await self._request("delete")
        head = self._heads.get(key)
        run = head if head is not None and head.run_id == run_id else self._closed.get((key, run_id))
        if run is None:
            return True
        if run.open or run.awake or max(self._deltas.get((key, run_id), ()), default=0) > run.dispatched:
            return False
        await also()
        self._deltas.pop((key, run_id), None)
        for task in [task for task in self._tasks if task[:2] == (key, run_id)]:
            del self._tasks[task]
        self._apart.pop((key, run_id), None)
        now = self._heads.get(key)
        if now is not None and now.run_id == run_id:
            del self._heads[key]
        self._closed.pop((key, run_id), None)
        return True

    async def create(self, head: Head) -> Head | None:
        """See ``HistoryStore.create``."""
        await self._request("create")
        existing = self._heads.get(head.key)
        if existing is not None:
            return copy.deepcopy(existing)
        _check_size(head)
        self._heads[head.key] = copy.deepcopy(head)
        return None

    async def replace(self, head: Head, expected: Head, summary: Head) -> Head | None:
        """See ``HistoryStore.replace``."""
        await self._request("replace")
        current = self._heads[head.key]
        if not _same(current, expected) or current.status != expected.status:
            return copy.deepcopy(current)
        self._closed[head.key, summary.run_id] = copy.deepcopy(summary)
        self._heads[head.key] = copy.deepcopy(head)
        return None

    async def append(self, key: WorkflowKey, run_id: str, sequence: int, body: bytes) -> None:
        """See ``HistoryStore.append``."""
        await self._request("append")
        deltas = self._deltas.setdefault((key, run_id), {})
        if sequence in deltas:
            raise FencedError
        deltas[sequence] = body

    async def deliver(
        self, key: WorkflowKey, run_id: str | None, message: str, body: bytes, now: int, *, apart: bool = False
    ) -> Delivery:
        """See ``HistoryStore.deliver``."""
        if apart:
            assert run_id is not None
            await self._request("put_apart")
            self._apart.setdefault((key, run_id), {})[message] = (now, body)
        await self._request("deliver")
        head = self._heads.get(key)
        before = copy.deepcopy(head)
        if head is None or not head.open or (run_id is not None and head.run_id != run_id):
            return Delivery(False, before)
        if apart:
            head.apart = head.apart or message
        elif len(body) + sum(map(len, head.inbox.values())) > ITEM_LIMIT:
            raise ItemTooLargeError(f"{len(body):,} bytes beside what is waiting already")
        else:
            head.inbox.setdefault(message, body)
        head.counter += 1
        head.attention = head.awake or now
        head.awake = head.awake or now
        return Delivery(True, before)

    def _with_apart(self, head: Head | None) -> Head | None:
        head = copy.deepcopy(head)
        if head is not None and head.apart:
            apart = self._apart.get((head.key, head.run_id), {})
            for name, (_, body) in sorted(apart.items(), key=lambda entry: entry[1][0]):
                head.apart_names.add(name)
                head.inbox.setdefault(name, body)
        return head

    def _delete_apart(self, head: Head, names: list[str]) -> None:
        apart = self._apart.get((head.key, head.run_id), {})
        for name in head.apart_names.intersection(names):
            apart.pop(name, None)

    async def count_again(self, head: Head) -> bool:
        """See ``HistoryStore.count_again``."""
        await self._request("count_again")
        current = self._heads[head.key]
        if not _same(current, head) or not current.open:
            return False
        current.counter += 1
        return True

    async def settle(self, head: Head, settlement: Settlement, *, drop: list[str]) -> Head | None:
        """See ``HistoryStore.settle``."""
        await self._request("settle")
        current = self._heads[head.key]
        if not _same(current, head) or not current.open:
            return self._with_apart(current)
        current.inbox.clear()
        current.apart = ""
        self._delete_apart(head, drop)
        current.dispatched = settlement.dispatched
        current.wake_up = settlement.wake_up
        current.history_length = settlement.history_length
        current.open_since = settlement.open_since
        current.status = settlement.status
        current.close_time = settlement.close_time
        current.outcome = settlement.outcome
        current.next_run_id = settlement.next_run_id
        current.attention = settlement.attention
        current.awake = settlement.awake
        current.task_attempts = 0
        current.task_failure = ""
        if settlement.record is not None:
            current.record = copy.deepcopy(settlement.record)
        return None

    async def drop(self, head: Head, dispatched: int, messages: list[str]) -> Head | None:
        """See ``HistoryStore.drop``."""
        await self._request("drop")
        current = self._heads[head.key]
        if current.run_id != head.run_id or current.dispatched != dispatched or not current.open:
            return None
        for message in messages:
            current.inbox.pop(message, None)
        self._delete_apart(head, messages)
        return self._with_apart(current)

    async def fail_task(self, head: Head, failure: str, wake_up: int, *, record: tuple[str, bytes] | None) -> None:
        """See ``HistoryStore.fail_task``."""
        await self._request("fail_task")
        current = self._heads[head.key]
        if current.run_id != head.run_id or current.dispatched != head.dispatched or not current.open:
            return
        current.task_attempts += 1
        current.task_failure = failure
        if record is not None:
            current.inbox.setdefault(*record)
            current.counter += 1
        current.awake = 0
        current.wake_up = wake_up
        current.attention = wake_up

    async def postpone(self, head: Head, until: int) -> bool:
        """See ``HistoryStore.postpone``."""
        await self._request("postpone")
        current = self._heads[head.key]
        if not _same(current, head) or not current.open:
            return False
        current.awake, current.wake_up, current.attention = 0, until, until
        return True

    async def finish(self, key: WorkflowKey, run_id: str, dispatched: int) -> None:
        """See ``HistoryStore.finish``."""
        await self._request("finish")
        head = self._heads[key]
        if head.run_id == run_id and not head.open:
            head.dispatched, head.awake, head.attention = dispatched, 0, 0

    async def finish_closed(self, key: WorkflowKey, run_id: str, dispatched: int) -> None:
        """See ``HistoryStore.finish_closed``."""
        await self._request("finish_closed")
        self._closed[key, run_id].dispatched = dispatched

    async def set_wake_up(self, head: Head, wake_up: int) -> None:
        """See ``HistoryStore.set_wake_up``."""
        await self._request("set_wake_up")
        current = self._heads[head.key]
        if _same(current, head) and current.open:
            current.wake_up = wake_up

    async def claim(
        self, key: WorkflowKey, run_id: str, sequence: int, attempt: int, now: int
    ) -> tuple[bool, TaskState]:
        """See ``HistoryStore.claim``."""
        await self._request("claim")
        state = self._tasks.setdefault((key, run_id, sequence), TaskState())
        if state.attempt >= attempt or state.cancel_requested or (attempt > 1 and state.next_attempt != attempt):
            return False, dataclasses.replace(state)
        state.attempt, state.claimed, state.heartbeat = attempt, now, 0
        return True, dataclasses.replace(state)

    async def task(self, key: WorkflowKey, run_id: str, sequence: int) -> TaskState:
        """See ``HistoryStore.task``."""
        await self._request("task")
        return dataclasses.replace(self._tasks.get((key, run_id, sequence), TaskState()))

    async def heartbeat(
        self,
        key: WorkflowKey,
        run_id: str,
        sequence: int,
        attempt: int,
        details: bytes,
        now: int,
        *,
        eager: bool = False,
    ) -> TaskState | None:
        """See ``HistoryStore.heartbeat``."""
        await self._request("heartbeat")
        state = self._tasks.get((key, run_id, sequence), TaskState())
        if eager and state.attempt <= attempt:
            state = self._tasks.setdefault((key, run_id, sequence), state)
            state.attempt = attempt
        if state.attempt != attempt or state.next_attempt > attempt:
            return None
        state.heartbeat, state.details = now, details
        return dataclasses.replace(state)

    async def retry(self, key: WorkflowKey, run_id: str, sequence: int, attempt: int, due: int, failure: bytes) -> bool:
        """See ``HistoryStore.retry``."""
        await self._request("retry")
        state = self._tasks.setdefault((key, run_id, sequence), TaskState())
        if state.attempt != attempt - 1 or state.next_attempt >= attempt or state.cancel_requested:
            return False
        state.next_attempt, state.next_due, state.failure = attempt, due, failure
        return True

    async def request_cancel(self, key: WorkflowKey, run_id: str, sequence: int) -> TaskState:
        """See ``HistoryStore.request_cancel``."""
        await self._request("request_cancel")
        state = self._tasks.setdefault((key, run_id, sequence), TaskState())
        before = dataclasses.replace(state)
        state.cancel_requested = True
        return before

    async def overdue(self, namespace: str, before: int, limit: int) -> list[WakeUp]:
        """See ``HistoryStore.overdue``."""
        await self._request("overdue")
        found = [
            head
            for key, head in self._heads.items()
            if key.namespace == namespace and head.attention and head.attention <= before
        ]
        found.sort(key=lambda head: head.attention)
        return [head.wake_up_at(0) for head in found[:limit]]

    async def list_runs(self, namespace: str, filter: ListFilter) -> tuple[list[Head], str]:
        """See ``HistoryStore.list_runs``."""
        await self._request("list")
        heads = [*self._heads.values(), *self._closed.values()]
        chosen = [head for head in heads if head.key.namespace == namespace and selects(filter, head)]
        chosen.sort(key=lambda head: (head.start_time, head.run_id), reverse=True)
        start = int(filter.page_token or 0)
        page = chosen[start : start + filter.page_size]
        token = str(start + filter.page_size) if start + filter.page_size < len(chosen) else ""
        return copy.deepcopy(page), token


def _same(current: Head, expected: Head) -> bool:
    return (
        current.run_id == expected.run_id
        and current.dispatched == expected.dispatched
        and current.counter == expected.counter
    )


def _check_size(head: Head) -> None:
    size = sum(map(len, head.inbox.values()))
    if size > ITEM_LIMIT:
        raise ItemTooLargeError(f"{size:,} bytes, the limit is {ITEM_LIMIT:,}")
