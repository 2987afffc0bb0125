"""Histories that grow long: workflows are told, on replay as when it happened."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import workflow
from tests.differential.stage import Stage, scenario


@workflow.defn
class Growing:
    def __init__(self) -> None:
        self.told: list[bool] = []

    @workflow.run
    async def run(self, timers: int) -> list[bool]:
        self.tell()
        for _ in range(timers):
            asyncio.create_task(workflow.sleep(timedelta(days=1)))  # noqa: RUF006 - the loop has them
        await workflow.wait_condition(lambda: len(self.told) > 1)
        if self.told[-1]:
            await workflow.sleep(0.01)  # on replay as well, or this timer is missed
        return self.told

    @workflow.signal
    def tell(self) -> None:
        self.told.append(workflow.info().is_continue_as_new_suggested())


@scenario(Growing, cases=[4_088, 4_089])
async def told_to_continue_as_new(stage: Stage, timers: int) -> Any:
    """With the three events before them and the four after them these are just one too few, and enough."""
    handle = await stage.start(Growing.run, timers)
    await stage.reached(handle, "TimerStarted")
    await handle.signal(Growing.tell)
    return await handle.result()
