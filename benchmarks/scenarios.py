"""The work whose requests are counted. Times are virtual: waiting an hour means "until nothing is under way"."""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.counting import LATENCY, CountedCloud, Scenario
from benchmarks.usage import Usage
from benchmarks.workflows import app
from durability._memory.cloud import MemoryCloud
from durability._memory.store import MemoryStore
from durability._memory.time import VirtualTimeLoop
from durability._runtime.frontend import StartRequest

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR


def start_to_result(workflow_type: str, *arguments: object, within: float = HOUR) -> Scenario:
    """A run from its start to its end, by itself."""

    async def scenario(cloud: CountedCloud) -> Usage:
        workflow_id = await cloud.start(workflow_type, *arguments)
        await asyncio.sleep(within)
        usage = cloud.usage()
        await cloud.check_closed(workflow_id)
        return usage

    return scenario


def signal(*, warm: bool) -> Scenario:
    """One signal to a run that waits for it and goes on waiting."""

    async def scenario(cloud: CountedCloud) -> Usage:
        workflow_id = await cloud.start("Waiting")
        await asyncio.sleep(HOUR)
        if not warm:
            cloud.forget()
        cloud.begin()
        await cloud.signal(workflow_id, "poke")
        await asyncio.sleep(HOUR)
        return cloud.usage()

    return scenario


def idle(runs: int) -> Scenario:
    """A day in the life of runs that wait: every other one for a signal, the rest for a time to come."""

    async def scenario(cloud: CountedCloud) -> Usage:
        for number in range(runs):
            await (cloud.start("Waiting") if number % 2 else cloud.start("Sleeping", 1, 365 * DAY))
        await asyncio.sleep(HOUR)
        cloud.begin()
        await asyncio.sleep(DAY)
        return cloud.usage()

    return scenario


async def reconciler(cloud: CountedCloud) -> Usage:
    """One round of the reconciler that finds nothing."""
    await asyncio.sleep(HOUR)
    cloud.begin()
    if await cloud.reconcile():
        raise AssertionError("the reconciler found runs that nobody had looked at")
    return cloud.usage()


def sleeps(times: int, *, warm: bool) -> Scenario:
    """A run that sleeps ten minutes at a time, each wake-up in the same process or in a new one."""

    async def scenario(cloud: CountedCloud) -> Usage:
        workflow_id = await cloud.start("Sleeping", times, 600.0)
        for _ in range(times):
            await asyncio.sleep(599.0)
            if not warm:
                cloud.forget()
            await asyncio.sleep(2.0)
        await asyncio.sleep(HOUR)
        usage = cloud.usage()
        await cloud.check_closed(workflow_id)
        return usage

    return scenario


async def priced(cloud: CountedCloud) -> Usage:
    """A start, ten steps, a sleep of ten minutes in between, and a signal at the end."""
    workflow_id = await cloud.start("Priced")
    await asyncio.sleep(HOUR)
    cloud.forget()
    await cloud.signal(workflow_id, "approve")
    await asyncio.sleep(HOUR)
    usage = cloud.usage()
    await cloud.check_closed(workflow_id)
    return usage


class _SlowStore(MemoryStore):
    async def _request(self, name: str) -> None:
        await asyncio.sleep(LATENCY)
        await super()._request(name)


def coalescing(activities: int, milliseconds: float, spread: float) -> dict[str, int]:
    """Requests, by their name in ``HistoryStore``, of a run that dispatches activities side by side.

    Over a store in memory: moto takes minutes for a thousand updates of a head that holds hundreds of messages.
    """
    loop = VirtualTimeLoop()

    async def run() -> dict[str, int]:
        store = _SlowStore()
        cloud = MemoryCloud(
            app.registry.create,
            app.runner,
            clock=loop.milliseconds,
            to_failure=app.registry.to_failure,
            store=store,
        )
        async with cloud:
            values = [activities, milliseconds, spread, True]
            request = StartRequest(
                workflow_id="parallel",
                workflow_type="Parallel",
                task_queue="benchmark",
                arguments=app.data_converter.payload_converter.to_payloads(values),
                request_id="start",
            )
            await cloud.gateway.start(request)
            await asyncio.sleep(HOUR)
            requests = dict(store.requests)
            outcome = await cloud.gateway.outcome("parallel", None, wait=0)
            if outcome is None or outcome.failure is not None:
                raise AssertionError(f"the run has not completed: {outcome}")
            return requests

    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()
