"""What describing an open run shows: the same as its whole history would, without reading that."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from typing import Any

import pytest

from durability import workflow
from durability._memory.store import MemoryStore
from durability._runtime.frontend import Description
from durability._runtime.settings import Settings
from tests.protocol.programs import ACTIVITIES, PROGRAMS, SHORT, WORKFLOWS, Program, double, slow
from tests.protocol.simulation import Simulation


def snapshot(store: MemoryStore) -> MemoryStore:
    taken = MemoryStore()
    for name in ("_heads", "_closed", "_deltas", "_tasks", "_apart"):
        setattr(taken, name, copy.deepcopy(getattr(store, name)))
    return taken


async def described(world: Simulation, workflow_id: str) -> tuple[Description, Description]:
    """As it is described, and as it would be if the head told nothing of the history."""
    store, ignorant = snapshot(world.store), snapshot(world.store)
    head = ignorant._heads[next(key for key in ignorant._heads if key.workflow_id == workflow_id)]
    head.open_since = head.dispatched = head.history_length = 0
    return (
        await dataclasses.replace(world.reader, store=store).describe(workflow_id, None),
        await dataclasses.replace(world.reader, store=ignorant).describe(workflow_id, None),
    )


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_it_shows_what_the_whole_history_would(program: Program, apart: bool) -> None:
    settings = Settings(apart_from=0) if apart else Settings()
    world = Simulation(WORKFLOWS, ACTIVITIES, settings=settings, latencies=(0.05, 0.3))
    compared: list[Description] = []

    async def watch(world: Simulation) -> None:
        seen: dict[str, int] = {}
        while True:
            news = seen != world.store.requests
            seen = dict(world.store.requests)
            for key in list(world.store._heads):
                if news and world.store._heads[key].open:
                    quick, whole = await described(world, key.workflow_id)
                    assert quick == whole
                    compared.append(quick)
            await asyncio.sleep(0.04)

    async def scenario(world: Simulation) -> Any:
        watcher = asyncio.ensure_future(watch(world))
        result = asyncio.ensure_future(program.drive(world))
        await asyncio.wait([watcher, result], return_when=asyncio.FIRST_COMPLETED)
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        if not watcher.cancelled():
            watcher.result()
        return await result

    assert world.run(scenario) == program.expected
    assert compared


@workflow.defn
class ManySteps:
    @workflow.run
    async def run(self) -> None:
        for value in range(30):
            await workflow.execute_activity(double, value, start_to_close_timeout=SHORT)
        last = workflow.start_activity(slow, 5, start_to_close_timeout=SHORT, heartbeat_timeout=SHORT)
        for _ in range(3):
            await workflow.sleep(1)
        await last
        await workflow.sleep(100)


def test_it_reads_no_more_of_the_history_than_open_activities_need() -> None:
    world = Simulation([*WORKFLOWS, ManySteps], ACTIVITIES)
    read: list[int] = []
    load = world.store.load

    async def scenario(world: Simulation) -> None:
        async def counting(*args: Any) -> Any:
            loaded = await load(*args)
            read.append(len(loaded.deltas))
            return loaded

        await world.start(ManySteps)
        for seconds in (4, 10):
            await asyncio.sleep(seconds)
            world.store.load = counting  # type: ignore[method-assign]
            found = await world.reader.describe("w", None)
            world.store.load = load  # type: ignore[method-assign]
            assert [activity.activity_type for activity in found.pending_activities] == ["slow"] * (seconds == 4)
        await world.result()

    world.run(scenario)
    during, after = read
    assert 1 <= during <= 5
    assert after == 0
