"""Listing and counting workflows by what queries can say."""

import asyncio
from typing import Any

from durability import workflow
from durability.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from tests.differential.stage import Stage, attempt, scenario

WORD = SearchAttributeKey.for_keyword("Word")
NUMBER = SearchAttributeKey.for_int("Number")


@workflow.defn
class Listed:
    @workflow.run
    async def run(self, outcome: str) -> str:
        await workflow.wait_condition(lambda: outcome == "completes")
        return outcome


async def _populate(stage: Stage) -> None:
    for number, outcome in enumerate(("completes", "stays", "completes", "stays", "stays")):
        attributes = TypedSearchAttributes(
            [
                SearchAttributePair(WORD, "even" if number % 2 == 0 else "odd"),
                SearchAttributePair(NUMBER, number),
            ]
        )
        handle = await stage.client.start_workflow(
            Listed.run,
            outcome,
            id=stage.id(f"-{number}"),
            task_queue=stage.task_queue,
            search_attributes=attributes,
        )
        if outcome == "completes":
            await handle.result()
        elif number == 4:
            await handle.terminate()


async def _until(stage: Stage, query: str, count: int) -> None:
    """Let a count be reached: what is listed is there a little later."""
    for _ in range(200):
        if (await stage.client.count_workflows(query)).count == count:
            return
        await asyncio.sleep(0.05)


@scenario(Listed, histories=False)
async def list_by_task_queue_status_and_attributes(stage: Stage) -> Any:
    await _populate(stage)
    own = f"TaskQueue = '{stage.task_queue}'"
    await _until(stage, f"{own} AND ExecutionStatus = 'Terminated'", 1)
    await _until(stage, f"{own} AND ExecutionStatus = 'Completed'", 2)
    seen = {}
    for condition in (
        "",
        " AND Word = 'odd'",
        " AND Word = 'even'",
        " AND Number = 3",
        " AND Word = 'odd' AND ExecutionStatus = 'Running'",
        " AND Word = 'neither'",
        " AND WorkflowType = 'Listed' AND Number = 0",
    ):
        listed = [one.id async for one in stage.client.list_workflows(own + condition, page_size=2)]
        seen[condition] = sorted(listed)
    await _end(stage)
    return seen


@scenario(Listed, histories=False)
async def count_by_status(stage: Stage) -> Any:
    await _populate(stage)
    own = f"TaskQueue = '{stage.task_queue}'"
    await _until(stage, f"{own} AND ExecutionStatus = 'Terminated'", 1)
    await _until(stage, f"{own} AND ExecutionStatus = 'Completed'", 2)
    seen = [
        await _counted(stage, f"{own}{condition}")
        for condition in (
            " GROUP BY ExecutionStatus",
            " AND Word = 'odd' group by ExecutionStatus",
            " AND Number = 0",
            " AND Word = 'neither' GROUP BY ExecutionStatus",
        )
    ]
    errors = [
        await attempt(stage.client.count_workflows(f"{own} GROUP BY {fields}"))
        for fields in ("WorkflowType", "ExecutionStatus, WorkflowType")
    ]
    await _end(stage)
    return [seen, errors]


async def _counted(stage: Stage, query: str) -> Any:
    counted = await stage.client.count_workflows(query)
    return [counted.count, sorted([list(group.group_values), group.count] for group in counted.groups)]


async def _end(stage: Stage) -> None:
    for number in (1, 3):
        await stage.client.get_workflow_handle(stage.id(f"-{number}")).terminate()
