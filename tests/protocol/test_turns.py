from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from durability import workflow
from durability._memory.cloud import MemoryCloud
from durability._memory.time import VirtualTimeLoop
from durability._runtime.turns import Turns
from durability.application import Application
from durability.client import Client


async def test_one_at_a_time_in_the_order_of_asking() -> None:
    turns, log = Turns(), []

    async def work(name: str) -> None:
        async with turns.of("w"):
            log.append(f"{name} begins")
            await asyncio.sleep(0)
            log.append(f"{name} ends")

    await asyncio.gather(work("a"), work("b"), work("c"))
    assert log == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_whoever_has_the_turn_hears_that_others_want_it() -> None:
    turns, wanted = Turns(), asyncio.Event()

    async def other() -> None:
        async with turns.of("w") as turn:
            assert turn.on_wanted is None

    async with turns.of("w") as turn:
        turn.on_wanted = wanted.set
        async with turns.of("another"):
            assert not turn.waiting
        waiting = asyncio.create_task(other())
        await wanted.wait()
        assert turn.waiting == 1
    await waiting
    assert turns._turns == {}


async def test_whoever_gives_up_does_not_hold_up_others() -> None:
    turns = Turns()
    async with turns.of("w"):
        waiting = asyncio.create_task(turns.of("w").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(5), turns.of("w") as turn:
        assert turn.waiting == 0


@workflow.defn
class WaitsAMoment:
    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self) -> float:
        before = workflow.time()
        await workflow.wait_condition(lambda: self.told, timeout=timedelta(seconds=1.2))
        return workflow.time() - before

    @workflow.signal
    def tell(self) -> None:
        self.told = True


@pytest.mark.parametrize(("same_process", "waited"), [(True, 0.5), (False, 1.2)])
def test_who_waits_for_a_timer_hears_of_messages_that_come_from_its_process(same_process: bool, waited: float) -> None:
    loop = VirtualTimeLoop()
    app = Application(workflows=[WaitsAMoment], deadlock_detection=False)

    async def play() -> float:
        async with MemoryCloud(
            app.registry.create, app.runner, clock=loop.milliseconds, to_failure=app.registry.to_failure
        ) as cloud:

            def tell(workflow_id: str) -> None:
                for engine in cloud._engines:
                    engine.turns.tell(workflow_id)

            client = Client(replace(cloud.gateway, told=tell) if same_process else cloud.gateway)
            handle = await client.start_workflow(WaitsAMoment.run, id="w", task_queue="q")
            await asyncio.sleep(0.5)
            await handle.signal(WaitsAMoment.tell)
            return await handle.result()

    try:
        assert loop.run_until_complete(play()) == pytest.approx(waited)
    finally:
        loop.close()
