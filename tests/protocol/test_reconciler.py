"""The reconciler wakes what it can."""

from __future__ import annotations

import asyncio

import pytest

from durability import Application, workflow
from durability._memory.cloud import MemoryCloud
from durability._memory.time import VirtualTimeLoop
from durability._runtime.ports import WakeUp
from durability._runtime.settings import Settings
from durability.client import Client

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
