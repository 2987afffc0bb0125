"""An update that is sent with a start once more, under the id that it had: which run gets it, by the id policies."""

import asyncio
import itertools
from typing import Any

from durability import workflow
from durability.client import WithStartWorkflowOperation, WorkflowUpdateStage
from durability.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from tests.differential.stage import Stage, attempt, scenario

CONFLICTS = ["FAIL", "USE_EXISTING", "TERMINATE_EXISTING"]
REUSES = ["ALLOW_DUPLICATE", "ALLOW_DUPLICATE_FAILED_ONLY", "REJECT_DUPLICATE"]
POLICIES = [pair for pair in itertools.product(CONFLICTS, REUSES) if pair != ("TERMINATE_EXISTING", "REJECT_DUPLICATE")]


@workflow.defn
class Shop:
    def __init__(self) -> None:
        self.served = 0
        self.closed = asyncio.Event()
        self.delivered = asyncio.Event()

    @workflow.run
    async def run(self, stays_open: bool) -> str:
        if stays_open:
            await self.closed.wait()
        return "closed"

    @workflow.update(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def order(self, waits: bool) -> int:
        self.served += 1
        served = self.served
        if waits:
            await self.delivered.wait()
        return served

    @workflow.signal
    def deliver(self) -> None:
        self.delivered.set()

    @workflow.signal
    def close(self) -> None:
        self.closed.set()


async def ordered(stage: Stage, policies: tuple[str, str], *, stays_open: bool, waits: bool) -> Any:
    """What an order with a start gives when it was accepted, and the handle on the workflow."""
    conflict, reuse = policies
    operation = WithStartWorkflowOperation(
        Shop.run,
        stays_open,
        id=stage.id(),
        task_queue=stage.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy[conflict],
        id_reuse_policy=WorkflowIDReusePolicy[reuse],
    )
    update = stage.client.start_update_with_start_workflow(
        Shop.order,
        waits,
        id="the order",
        wait_for_stage=WorkflowUpdateStage.ACCEPTED,
        start_workflow_operation=operation,
    )
    return await attempt(update), await attempt(operation.workflow_handle())


async def twice(stage: Stage, policies: tuple[str, str], *, stays_open: bool, waits: bool) -> Any:
    """Whether the second order found the first, and what became of both."""
    first, handle = await ordered(stage, policies, stays_open=stays_open, waits=waits)
    if not stays_open:
        await handle.result()
    second, again = await ordered(stage, policies, stays_open=stays_open, waits=False)
    run = stage.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    await attempt(run.signal(Shop.deliver))
    seen = [await attempt(first.result())]
    if isinstance(second, dict):
        seen += [second, again]
    else:
        seen += [await attempt(second.result()), handle.first_execution_run_id == again.first_execution_run_id]
    if stays_open:
        await attempt(stage.client.get_workflow_handle(handle.id).signal(Shop.close))
    return [*seen, await attempt(run.result())]


@scenario(Shop, histories=False, cases=POLICIES)
async def a_completed_update_with_start_again_while_open(stage: Stage, policies: tuple[str, str]) -> Any:
    return await twice(stage, policies, stays_open=True, waits=False)


@scenario(Shop, histories=False, cases=POLICIES)
async def a_completed_update_with_start_again_after_the_end(stage: Stage, policies: tuple[str, str]) -> Any:
    return await twice(stage, policies, stays_open=False, waits=False)


@scenario(Shop, histories=False, cases=POLICIES)
async def a_waiting_update_with_start_again_while_open(stage: Stage, policies: tuple[str, str]) -> Any:
    return await twice(stage, policies, stays_open=True, waits=True)


@scenario(Shop, histories=False, cases=POLICIES)
async def an_unfinished_update_with_start_again_after_the_end(stage: Stage, policies: tuple[str, str]) -> Any:
    return await twice(stage, policies, stays_open=False, waits=True)
