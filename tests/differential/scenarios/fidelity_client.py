"""Clients in detail: policies, chains of runs, descriptions, what a start accepts."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import workflow
from durability.common import (
    SearchAttributeKey,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from durability.exceptions import ApplicationError
from tests.differential.stage import Stage, describe, scenario


@workflow.defn
class Chain:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.released = False

    @workflow.run
    async def run(self, left: int) -> list[str]:
        if left:
            await workflow.wait_condition(lambda: self.released)
            workflow.continue_as_new(left - 1)
        await workflow.wait_condition(lambda: self.released)
        return self.notes

    @workflow.signal
    def note(self, text: str) -> None:
        self.notes.append(text)

    @workflow.signal
    def release(self) -> None:
        self.released = True

    @workflow.query
    def noted(self) -> list[str]:
        return self.notes


async def _next_run(stage: Stage, handle: Any, run_id: str) -> str:
    for _ in range(200):
        current = (await stage.client.get_workflow_handle(handle.id).describe()).run_id
        if current != run_id:
            return current
        await asyncio.sleep(0.05)
    raise TimeoutError


async def _told(call: Any) -> Any:
    try:
        return await call
    except Exception as error:
        return describe(error)


@scenario(Chain, histories=False)
async def handles_and_chains(stage: Stage) -> Any:
    handle = await stage.start(Chain.run, 1)
    first = handle.first_execution_run_id
    await handle.signal(Chain.release)
    second = await _next_run(stage, handle, first)
    of_first = stage.client.get_workflow_handle(handle.id, run_id=first)
    of_chain = stage.client.get_workflow_handle(handle.id, first_execution_run_id=first)
    seen: list[Any] = [
        handle.run_id is None,
        handle.result_run_id == first,
        (await of_first.describe()).status.name,
        (await of_chain.describe()).run_id == second,
        await _told(of_first.signal(Chain.note, "to the first run")),
        await _told(of_chain.signal(Chain.note, "to the chain")),
        await _told(handle.signal(Chain.note, "by the handle")),
        await _told(of_first.terminate()),
        await _told(of_first.cancel()),
        await handle.query(Chain.noted),
        await _told(of_first.result(follow_runs=False)) is not None,
    ]
    await of_chain.signal(Chain.release)
    seen.append(await of_first.result())
    seen.append(await handle.result())
    return seen


@scenario(Chain, histories=False)
async def cancel_and_terminate_reach_the_chain(stage: Stage) -> Any:
    seen: list[Any] = []
    for how in ("cancel", "terminate"):
        handle = await stage.start(Chain.run, 1, id=stage.id(how))
        await handle.signal(Chain.release)
        await _next_run(stage, handle, handle.first_execution_run_id)
        await (handle.cancel() if how == "cancel" else handle.terminate(reason="enough"))
        seen.append(await _told(handle.result()))
        seen.append((await handle.describe()).status.name)
    return seen


@workflow.defn
class Ending:
    @workflow.run
    async def run(self, how: str) -> str:
        if how == "wait":
            await asyncio.sleep(100)
        if how == "fail":
            raise ApplicationError("as asked")
        return how


@scenario(Ending, histories=False)
async def reuse_and_conflict_policies(stage: Stage) -> Any:
    seen: list[Any] = []
    for before in ("complete", "fail", "wait"):
        for reuse in WorkflowIDReusePolicy:
            for conflict in WorkflowIDConflictPolicy:
                id = stage.id(f"-{before}-{reuse.name}-{conflict.name}")
                first = await stage.start(Ending.run, before, id=id)
                if before != "wait":
                    await _told(first.result())
                try:
                    again = await stage.start(
                        Ending.run, "complete", id=id, id_reuse_policy=reuse, id_conflict_policy=conflict
                    )
                    same = again.result_run_id == first.result_run_id
                    seen.append([before, reuse.name, conflict.name, "same" if same else "new"])
                except Exception as error:
                    told = describe(error)
                    seen.append([before, reuse.name, conflict.name, told["class"], told["message"]])
                if before == "wait":
                    await _told(stage.client.get_workflow_handle(id).terminate())
    stage.handles.clear()
    return seen


KEYWORD = SearchAttributeKey.for_keyword("CustomKeywordField")


@scenario(Ending, histories=False)
async def descriptions_in_full(stage: Stage) -> Any:
    handle = await stage.start(
        Ending.run,
        "complete",
        memo={"a": 1, "b": [True]},
        start_delay=timedelta(milliseconds=300),
        execution_timeout=timedelta(minutes=1),
        rpc_metadata={"k": "v"},
        rpc_timeout=timedelta(seconds=5),
        request_eager_start=True,
        static_summary="summary",
        static_details="details",
    )
    await handle.result()
    told = await handle.describe()
    return [
        told.id,
        told.run_id == handle.result_run_id,
        told.workflow_type,
        told.task_queue,
        told.status.name,
        told.history_length,
        told.parent_id,
        told.parent_run_id,
        told.root_id == handle.id,
        told.root_run_id == handle.result_run_id,
        told.start_time <= told.execution_time <= told.close_time,
        await told.memo(),
        await told.memo_value("a"),
        await told.memo_value("c", "default"),
        await told.static_summary(),
        await told.static_details(),
        told.start_time.tzinfo is not None,
    ]
