"""A deployment in memory, with a workflow that does a bit of everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from durability import activity, workflow
from durability._memory.cloud import MemoryCloud
from durability.application import Application
from durability.client import Client
from durability.exceptions import ApplicationError


@dataclass
class Order:
    item: str
    count: int = 1


@activity.defn
async def charge(order: Order) -> str:
    return f"{order.count} x {order.item}"


@workflow.defn
class Shop:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done = False

    @workflow.run
    async def run(self, order: Order) -> str:
        if order.item == "broken":
            raise ApplicationError("out of stock", "detail", type="Stock") from ValueError("zero left")
        await workflow.wait_condition(lambda: self.done)
        paid = await workflow.execute_activity(charge, order, start_to_close_timeout=timedelta(seconds=5))
        return f"{paid}: {', '.join(self.notes)}"

    @workflow.signal
    def note(self, text: str) -> None:
        self.notes.append(text)

    @workflow.signal(name="finish")
    def finish_it(self) -> None:
        self.done = True

    @workflow.query
    def noted(self) -> list[str]:
        return self.notes

    @workflow.query
    def fails(self, reason: str) -> str:
        raise ValueError(reason)


@workflow.defn
class Counter:
    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            workflow.continue_as_new(left - 1)
        return "landed"


@workflow.defn
class Sleeper:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(3600)


def milliseconds() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
async def cloud() -> AsyncIterator[MemoryCloud]:
    app = Application(workflows=[Shop, Counter, Sleeper], activities=[charge])
    async with MemoryCloud(
        app.registry.create, app.runner, clock=milliseconds, to_failure=app.registry.to_failure
    ) as cloud:
        yield cloud


@pytest.fixture
def client(cloud: MemoryCloud) -> Client:
    return Client(cloud.gateway)
