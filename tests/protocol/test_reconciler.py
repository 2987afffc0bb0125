"""The reconciler wakes what it can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from durability import Application, workflow
from durability._aws.callers import AwsError
from durability._aws.dynamodb import DynamoDBStore
from durability._aws.queues import SqsQueues, decode_wake_up
from durability._aws.task_queues import TaskQueues
from durability._memory.cloud import MemoryCloud
from durability._memory.time import VirtualTimeLoop
from durability._runtime.ports import WakeUp, WorkflowKey
from durability._runtime.settings import Settings
from durability._simulation.table import Table, TableCaller
from durability.client import Client
from tests.protocol.test_store_contract import NOW, new_head

OVERDUE = Settings().overdue / 1000 + 1


@workflow.defn
class Short:
    @workflow.run
    async def run(self) -> str:
        return "done"


class Outage(MemoryCloud):
    """A cloud in which some workflows' wake-ups cannot be sent."""

    unreachable: frozenset[str] = frozenset()

    async def send_wake_up(self, wake_up: WakeUp, *, delay: int = 0) -> None:
        if wake_up.workflow_id in self.unreachable:
            raise ConnectionError(f"no queue for {wake_up.workflow_id}")
        await super().send_wake_up(wake_up, delay=delay)


def test_a_run_that_cannot_be_woken_keeps_nobody_from_being_woken() -> None:
    async def scenario(cloud: Outage) -> None:
        client = Client(cloud.gateway)
        cloud.unreachable = frozenset({"first", "second", "third"})
        for workflow_id in ("first", "second", "third"):
            with pytest.raises(ConnectionError):
                await client.start_workflow(Short.run, id=workflow_id, task_queue="default")
        await asyncio.sleep(OVERDUE)
        cloud.unreachable = frozenset({"first"})
        with pytest.raises(ConnectionError, match="first"):
            await cloud.reconcile()
        async with asyncio.timeout(60):
            for workflow_id in ("second", "third"):
                assert await client.get_workflow_handle(workflow_id).result() == "done"
        cloud.unreachable = frozenset()
        assert await cloud.reconcile() == 1
        assert await client.get_workflow_handle("first").result() == "done"

    play(scenario)


def test_however_many_are_overdue_none_is_left_for_another_round() -> None:
    async def scenario(cloud: Outage) -> None:
        client = Client(cloud.gateway)
        ids = [f"w{n}" for n in range(1_100)]
        cloud.unreachable = frozenset(ids)
        for workflow_id in ids:
            with pytest.raises(ConnectionError):
                await client.start_workflow(Short.run, id=workflow_id, task_queue="default")
        await asyncio.sleep(OVERDUE)
        cloud.unreachable = frozenset()
        assert await cloud.reconcile() == len(ids)
        async with asyncio.timeout(60):
            for workflow_id in ids:
                assert await client.get_workflow_handle(workflow_id).result() == "done"

    play(scenario)


async def test_all_pages_of_the_index_are_read() -> None:
    table = Table(lambda: NOW)
    table.page_limit = 1_000
    store = DynamoDBStore(TableCaller(table), "table")
    heads = [new_head(WorkflowKey("default", f"w{n}"), awake=NOW + n, attention=NOW + n) for n in range(100)]
    for head in heads:
        assert await store.create(head) is None
    due = [head.wake_up_at(0) for head in heads]
    assert await store.overdue("default", NOW + 100, 1_000) == due
    assert await store.overdue("default", NOW + 100, 50) == due[:50]


async def test_a_batch_that_is_refused_keeps_no_other_from_being_sent() -> None:
    sent: list[str] = []

    class Sqs:
        async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
            assert (service, operation, parameters["QueueUrl"]) == ("sqs", "send_message_batch", "workflows")
            bodies = [entry["MessageBody"] for entry in parameters["Entries"]]
            refused = [body for body in bodies if decode_wake_up(body).workflow_id == "w3"]
            sent.extend(decode_wake_up(body).workflow_id for body in bodies if body not in refused)
            return {"Failed": [{"Code": "InternalError", "Message": "try again"}]} if refused else {}

        async def close(self) -> None: ...

    caller = Sqs()
    queues = SqsQueues(
        caller,
        TaskQueues(caller, "table", "default", own="own", prefix="", account_url=""),
        workflow_queue_url="workflows",
        activity_queue_url="activities",
    )
    with pytest.raises(AwsError, match="InternalError"):
        await queues.send_wake_ups([WakeUp(f"w{n}", "r") for n in range(25)])
    assert sorted(sent) == sorted(f"w{n}" for n in range(25) if n != 3)


def play(scenario: Callable[[Outage], Coroutine[Any, Any, None]]) -> None:
    """Run in virtual time."""
    application = Application(workflows=[Short])
    loop = VirtualTimeLoop()

    async def run() -> None:
        registry = application.registry
        cloud = Outage(registry.create, application.runner, clock=loop.milliseconds, to_failure=registry.to_failure)
        async with cloud:
            await scenario(cloud)

    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
