"""Handlers that run when their workflow ends, in all ways in which it ends."""

import asyncio
from typing import Any

from durability import workflow
from durability.client import WorkflowUpdateStage
from durability.exceptions import ApplicationError
from tests.differential.stage import Stage, attempt, scenario

ABANDON = workflow.HandlerUnfinishedPolicy.ABANDON


@workflow.defn
class Interrupting:
    def __init__(self) -> None:
        self.over = False

    @workflow.run
    async def run(self, how: str) -> str:
        await workflow.wait_condition(lambda: self.over)
        if how == "fails":
            raise ApplicationError("failed")
        if how == "continues":
            workflow.continue_as_new("completes")
        if how == "waits":
            await workflow.wait_condition(workflow.all_handlers_finished)
        return how

    @workflow.signal
    async def linger(self) -> None:
        await workflow.wait_condition(lambda: self.over)
        await asyncio.sleep(0.05)

    @workflow.signal(name="other")
    async def linger_as_well(self) -> None:
        await self.linger()

    @workflow.signal(unfinished_policy=ABANDON)
    async def abandoned(self) -> None:
        await self.linger()

    @workflow.update
    async def change(self) -> None:
        await self.linger()

    @workflow.update(unfinished_policy=ABANDON)
    async def abandoned_change(self) -> None:
        await self.linger()

    @workflow.signal
    def finish(self) -> None:
        self.over = True


@scenario(Interrupting, cases=["completes", "fails", "waits", "continues"], histories=False)
async def unfinished_handlers(stage: Stage, how: str) -> Any:
    handle = await stage.start(Interrupting.run, how)
    for name in ("linger", "other", "linger", "abandoned"):
        await handle.signal(name)
    updates = [
        await handle.start_update(name, id=name, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        for name in ("change", "abandoned_change")
    ]
    await handle.signal(Interrupting.finish)
    seen = [await attempt(update.result()) for update in updates]
    if how == "continues":
        await stage.client.get_workflow_handle(stage.id()).terminate()
        return seen
    return [seen, await attempt(handle.result())]
