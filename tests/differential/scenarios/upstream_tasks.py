"""Workflow tasks that fail, code that does not fit its history, and what histories tell of both."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.client import WorkflowUpdateStage
from durability.common import Priority
from tests.differential.stage import Stage, scenario

TRIES: dict[str, int] = {}
SECONDS = timedelta(seconds=10)


def _is_first_try(name: str) -> bool:
    TRIES[name] = TRIES.get(name, 0) + 1  # durability: ignore[DUR401]
    return TRIES[name] == 1


@activity.defn
async def known(value: str) -> str:
    return value


@workflow.defn
class FailsOnce:
    """Has a bug that is gone when its task is tried again."""

    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self, name: str, expected: int) -> list[str]:
        if _is_first_try(name):
            raise RuntimeError("a bug")
        await workflow.wait_condition(lambda: len(self.got) >= expected)
        return self.got

    @workflow.signal
    def put(self, value: str) -> None:
        self.got.append(value)


@scenario(FailsOnce)
async def a_failed_workflow_task_stays_in_the_history(stage: Stage) -> Any:
    return await stage.execute(FailsOnce.run, "fails once", 0)


@workflow.defn(failure_exception_types=[workflow.NondeterminismError])
class Changes:
    """Decides something else on replay, and says that this fails it."""

    @workflow.run
    async def run(self, by_signal: bool) -> None:
        if by_signal:
            await workflow.wait_condition(lambda: False)
        await self._change()

    @workflow.signal
    async def change(self) -> None:
        await self._change()

    async def _change(self) -> None:
        if not workflow.unsafe.is_replaying():
            await asyncio.sleep(1)  # beyond this workflow task, which would go on with the timer instead of replaying


async def _fails_of_nondeterminism(stage: Stage, by_signal: bool) -> Any:
    # Not noted on the stage: its code does not replay.
    handle = await stage.client.start_workflow(Changes.run, by_signal, id=stage.id(), task_queue=stage.task_queue)
    if by_signal:
        await handle.signal(Changes.change)
    try:
        await handle.result()
    except Exception as error:
        cause: Any = getattr(error, "cause", None)
        return [type(error).__name__, type(cause).__name__, "Nondeterminism error" in cause.message]
    return "no error"


@scenario(Changes, histories=False, max_cached_workflows=0)
async def nondeterminism_fails_a_workflow_that_asks_for_it(stage: Stage) -> Any:
    return await _fails_of_nondeterminism(stage, False)


@scenario(Changes, histories=False, max_cached_workflows=0)
async def nondeterminism_in_a_signal_fails_a_workflow_that_asks_for_it(stage: Stage) -> Any:
    return await _fails_of_nondeterminism(stage, True)


@workflow.defn
class Careful:
    """Calls what may not be there."""

    @workflow.run
    async def run(self, name: str) -> str:
        if _is_first_try(name):
            return await workflow.execute_local_activity("unknown", "x", start_to_close_timeout=SECONDS)
        return await workflow.execute_local_activity(known, "known", start_to_close_timeout=SECONDS)


@scenario(Careful, activities=[known], histories=False)
async def a_local_activity_that_is_not_there_fails_the_workflow_task(stage: Stage) -> Any:
    return await stage.execute(Careful.run, "careful")


@workflow.defn
class Important:
    @workflow.run
    async def run(self, depth: int) -> Any:
        if depth:
            await workflow.execute_activity(
                known, "x", start_to_close_timeout=SECONDS, priority=Priority(priority_key=5, fairness_key="a")
            )
            await workflow.execute_child_workflow(
                Important.run, 0, id=f"{workflow.info().workflow_id}-child", priority=Priority(priority_key=2)
            )
        return workflow.info().priority.priority_key


@scenario(Important, activities=[known])
async def priorities_in_histories(stage: Stage) -> Any:
    handle = await stage.start(Important.run, 1, priority=Priority(priority_key=4, fairness_weight=1.5))
    result = await handle.result()
    seen: list[Any] = [result]
    for event in (await handle.fetch_history()).events:
        for kind in (
            "workflow_execution_started",
            "activity_task_scheduled",
            "start_child_workflow_execution_initiated",
        ):
            if event.HasField(f"{kind}_event_attributes"):
                priority = getattr(event, f"{kind}_event_attributes").priority
                seen.append([kind, priority.priority_key, priority.fairness_key, priority.fairness_weight])
    return seen


@workflow.defn
class Stays:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    async def wait(self) -> None:
        await asyncio.sleep(1000)


@scenario(Stays, histories=False)
async def an_update_to_a_run_that_was_replaced(stage: Stage) -> Any:
    first = await stage.start(Stays.run)
    await first.start_update(Stays.wait, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    await first.terminate()
    second = await stage.start(Stays.run)
    try:
        await first.execute_update(Stays.wait)
    except Exception as error:
        await second.terminate()
        return [type(error).__name__, getattr(error, "status", None).name, "workflow execution not found" in str(error)]
    return "no error"
