"""Deleting runs: what the port of the history store promises, and what the engine makes of it."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from durability._aws import items
from durability._aws.dynamodb import DynamoDBStore
from durability._aws.message_items import SPILL_FROM, MessageItems
from durability._aws.requests import TableRequests
from durability._memory.payloads import MemoryPayloadStore
from durability._runtime.activity_task import execute_attempt
from durability._runtime.frontend import ListFilter, Status
from durability._runtime.identifiers import new_run_id
from durability._runtime.ports import Head, HistoryStore, Settlement, WorkflowKey
from durability._runtime.retention import sweep
from durability._runtime.settings import Settings
from durability.service import RPCError, RPCStatusCode
from tests.protocol.conftest import TwiceCaller
from tests.protocol.programs import ACTIVITIES, WORKFLOWS, Retrying, Steps
from tests.protocol.simulation import Begun, Sent, Simulation
from tests.protocol.test_store_contract import NOW, created, new_head


@pytest.fixture
def key(namespace: str) -> WorkflowKey:
    return WorkflowKey(namespace, "order#1/ü")


class Also:
    """What is deleted besides; counts how often it was asked for."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self) -> None:
        self.calls += 1


async def close(store: HistoryStore, head: Head, *, dispatched: int = 1, awake: int = 0) -> None:
    settlement = Settlement(
        dispatched=dispatched, wake_up=0, history_length=3, status=Status.COMPLETED, close_time=NOW + 5, awake=awake
    )
    assert await store.settle(head, settlement, drop=[]) is None


async def run_with_everything(store: HistoryStore, key: WorkflowKey) -> Head:
    head = await created(store, key)
    await store.append(key, head.run_id, 1, b"delta")
    await store.claim(key, head.run_id, 1, 1, NOW)
    return head


async def test_a_closed_run_goes_with_all_its_items(store: HistoryStore, key: WorkflowKey) -> None:
    head = await run_with_everything(store, key)
    await close(store, head)
    also = Also()
    assert await store.delete(key, head.run_id, also)
    assert also.calls == 1
    assert await store.head(key) is None
    assert await store.deltas(key, head.run_id) == []
    assert (await store.task(key, head.run_id, 1)).attempt == 0
    assert (await store.list_runs(key.namespace, ListFilter()))[0] == []
    assert await store.delete(key, head.run_id, also)


async def test_nothing_is_left_in_the_table(dynamodb: DynamoDBStore, caller: TwiceCaller, key: WorkflowKey) -> None:
    head = await run_with_everything(dynamodb, key)
    for sequence in range(2, 60):
        await dynamodb.append(key, head.run_id, sequence, b"delta")
    await dynamodb.append(key, head.run_id, 60, bytes(range(256)) * 2_000)
    assert (await dynamodb.deliver(key, head.run_id, "large", b"m" * (SPILL_FROM + 1), NOW)).accepted
    current = (await dynamodb.load(key, head.run_id, 60)).head
    assert current is not None
    messages = MessageItems(TableRequests(caller, "history"))
    for number in range(30):  # of senders that died before the head was told
        await messages.put_apart(key, head.run_id, f"activity:{number}:1", b"x", NOW)
    await close(dynamodb, current, dispatched=60)
    caller.lost = {"batch_write_item", "delete_item"}
    assert await dynamodb.delete(key, head.run_id, Also())
    values = {":pk": items.string(items.partition(key))}
    left = await caller.call(
        "dynamodb", "query", TableName="history", KeyConditionExpression="pk = :pk", ExpressionAttributeValues=values
    )
    assert left["Items"] == []


async def test_an_open_run_stays(store: HistoryStore, key: WorkflowKey) -> None:
    head = await run_with_everything(store, key)
    also = Also()
    assert not await store.delete(key, head.run_id, also)
    assert also.calls == 0
    assert await store.deltas(key, head.run_id) == [(1, b"delta")]


@pytest.mark.parametrize(("dispatched", "awake"), [(0, 0), (1, NOW)])
async def test_a_run_that_is_not_done_with_its_end_stays(
    store: HistoryStore, key: WorkflowKey, dispatched: int, awake: int
) -> None:
    head = await run_with_everything(store, key)
    await close(store, head, dispatched=dispatched, awake=awake)
    assert not await store.delete(key, head.run_id, Also())
    assert await store.head(key) is not None


async def test_a_run_that_another_has_followed_goes_alone(store: HistoryStore, key: WorkflowKey) -> None:
    first = await run_with_everything(store, key)
    await close(store, first)
    closed = await store.head(key)
    assert closed is not None
    second = new_head(key, start=NOW + 10, run_id=new_run_id(NOW + 10), request_id="second")
    assert await store.replace(second, closed, closed) is None
    await store.append(key, second.run_id, 1, b"of the second")
    assert await store.delete(key, first.run_id, Also())
    assert await store.closed_run(key, first.run_id) is None
    assert await store.deltas(key, first.run_id) == []
    assert await store.deltas(key, second.run_id) == [(1, b"of the second")]
    head = await store.head(key)
    assert head is not None
    assert head.run_id == second.run_id


# --- the engine ------------------------------------------------------------------------------------------------------


def test_deleting_by_a_client() -> None:
    async def scenario(world: Simulation) -> None:
        await world.start(Steps, 3)
        await world.result()
        gateway = world.reader
        await gateway.delete("w", None)
        with pytest.raises(RPCError) as caught:
            await gateway.describe("w", None)
        assert caught.value.status == RPCStatusCode.NOT_FOUND
        with pytest.raises(RPCError) as caught:
            await gateway.delete("w", None)
        assert caught.value.status == RPCStatusCode.NOT_FOUND

    Simulation(WORKFLOWS, ACTIVITIES).run(scenario)


def test_retention() -> None:
    async def scenario(world: Simulation) -> None:
        await world.start(Steps, 3)
        await world.result()
        engine = world.cloud.engine
        engine = dataclasses.replace(engine, settings=Settings(retention=1_000), payload_store=MemoryPayloadStore())
        run_id = (await engine.gateway.describe("w", None)).run_id
        assert engine.payload_store is not None
        await engine.payload_store.put(f"{engine.namespace}/{run_id}/x", b"large")
        closed = (await engine.gateway.describe("w", None)).close_time
        early = dataclasses.replace(engine, clock=lambda: closed + 999)
        assert await sweep(early, until=closed + 10_000) == 0
        late = dataclasses.replace(engine, clock=lambda: closed + 1_000)
        assert await sweep(late, until=closed) == 0  # no time left
        assert await sweep(late, until=closed + 10_000) == 1
        assert not engine.payload_store.objects  # type: ignore[attr-defined]
        with pytest.raises(RPCError, match="not found"):
            await engine.gateway.describe("w", None)

    Simulation(WORKFLOWS, ACTIVITIES).run(scenario)


def test_an_attempt_that_comes_again_after_the_deletion_of_its_run_is_not_begun() -> None:
    async def scenario(world: Simulation) -> None:
        await world.start(Retrying)
        await world.result()
        await world.reader.delete("w", None)
        await asyncio.sleep(20)
        begun = [entry for entry in world.log if isinstance(entry, Begun)]
        attempts = [entry.attempt for entry in world.log if isinstance(entry, Sent)]
        assert attempts
        for attempt in attempts:
            await execute_attempt(world.cloud.engine, attempt)
        assert [entry for entry in world.log if isinstance(entry, Begun)] == begun

    Simulation(WORKFLOWS, ACTIVITIES).run(scenario)
