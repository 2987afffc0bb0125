"""How workflows end: results, failures, cancellation, termination, timeouts, continue-as-new."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import workflow
from durability.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durability.exceptions import ApplicationError
from tests.differential.stage import Stage, describe, scenario


@workflow.defn
class Echo:
    @workflow.run
    async def run(self, value: Any) -> Any:
        return value


@scenario(Echo)
async def result_none(stage: Stage) -> Any:
    return await stage.execute(Echo.run, None)


@scenario(Echo)
async def result_structure(stage: Stage) -> Any:
    return await stage.execute(Echo.run, {"list": [1, 2.5, "x", None, True], "nested": {"a": {}}})


@workflow.defn
class Raising:
    @workflow.run
    async def run(self, kind: str) -> None:
        if kind == "caused":
            try:
                raise ValueError("inner")
            except ValueError as error:
                raise ApplicationError("outer", [1, 2], type="Outer") from error
        if kind == "timeout":
            async with asyncio.timeout(0.05):
                await asyncio.sleep(10)
        raise ApplicationError("plain")


@scenario(Raising)
async def workflow_fails(stage: Stage) -> Any:
    return await stage.execute(Raising.run, "plain")


@scenario(Raising)
async def workflow_fails_with_cause(stage: Stage) -> Any:
    return await stage.execute(Raising.run, "caused")


@scenario(Raising)
async def workflow_fails_by_timeout_error(stage: Stage) -> Any:
    return await stage.execute(Raising.run, "timeout")


class CustomError(Exception):
    pass


@workflow.defn(failure_exception_types=[CustomError])
class FailingType:
    @workflow.run
    async def run(self) -> None:
        raise CustomError("of the definition")


@scenario(FailingType)
async def failure_exception_type_of_definition(stage: Stage) -> Any:
    return await stage.execute(FailingType.run)


@workflow.defn
class FailingValue:
    @workflow.run
    async def run(self) -> None:
        raise ValueError("of the worker")


@scenario(FailingValue, workflow_failure_exception_types=[ValueError])
async def failure_exception_type_of_worker(stage: Stage) -> Any:
    return await stage.execute(FailingValue.run)


@workflow.defn
class Waiting:
    @workflow.run
    async def run(self, then: str) -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            if then == "swallow":
                return "cancelled, and done"
            if then == "clean up":
                await asyncio.sleep(0.05)
                raise
            if then == "fail":
                raise ApplicationError("on cancellation") from None
            raise
        return "woke"


async def _waiting(stage: Stage, then: str):
    handle = await stage.start(Waiting.run, then)
    for _ in range(100):
        history = await handle.fetch_history()
        if len(history.events) > 4:
            return handle
        await asyncio.sleep(0.05)
    raise TimeoutError


@scenario(Waiting)
async def cancel_workflow(stage: Stage) -> Any:
    handle = await _waiting(stage, "")
    await handle.cancel()
    return await handle.result()


@scenario(Waiting)
async def cancel_workflow_with_cleanup(stage: Stage) -> Any:
    handle = await _waiting(stage, "clean up")
    await handle.cancel()
    return await handle.result()


@scenario(Waiting)
async def cancel_workflow_that_goes_on(stage: Stage) -> Any:
    handle = await _waiting(stage, "swallow")
    await handle.cancel()
    return await handle.result()


@scenario(Waiting)
async def cancel_workflow_that_fails(stage: Stage) -> Any:
    handle = await _waiting(stage, "fail")
    await handle.cancel()
    return await handle.result()


@scenario(Waiting)
async def terminate_workflow(stage: Stage) -> Any:
    handle = await _waiting(stage, "")
    await handle.terminate("a detail", reason="enough")
    return await handle.result()


@scenario(Waiting)
async def run_timeout(stage: Stage) -> Any:
    return await stage.execute(Waiting.run, "", run_timeout=timedelta(seconds=1))


@scenario(Waiting)
async def execution_timeout(stage: Stage) -> Any:
    return await stage.execute(Waiting.run, "", execution_timeout=timedelta(seconds=1))


@workflow.defn
class Counting:
    @workflow.run
    async def run(self, left: int, seen: list[bool]) -> list[bool]:
        seen.append(workflow.info().continued_run_id is not None)
        if left:
            workflow.continue_as_new(args=[left - 1, seen])
        return seen


@scenario(Counting)
async def continue_as_new(stage: Stage) -> Any:
    handle = await stage.start(Counting.run, 2, [])
    result = await handle.result()
    first = stage.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    stage.handles.append(first)
    description = await first.describe()
    return [result, description.status.name]


@scenario(Counting, histories=False)
async def continue_as_new_not_followed(stage: Stage) -> Any:
    handle = await stage.start(Counting.run, 1, [])
    try:
        await handle.result(follow_runs=False)
    except Exception as error:
        return type(error).__name__
    return "no error"


@scenario(Echo, histories=False)
async def unknown_workflow(stage: Stage) -> Any:
    errors = []
    handle = stage.client.get_workflow_handle("there-is-no-such-workflow")
    for call in (handle.result, handle.describe, handle.cancel, handle.terminate):
        try:
            await call()
        except Exception as error:
            errors.append([type(error).__name__, error.status.name])
    return errors


@scenario(Echo, histories=False)
async def closed_workflow(stage: Stage) -> Any:
    handle = await stage.start(Echo.run, 1)
    await handle.result()
    errors = []
    for call in (handle.cancel, handle.terminate, lambda: handle.signal("anything")):
        try:
            await call()
        except Exception as error:
            errors.append(describe(error))
    return errors


@scenario(Waiting, histories=False)
async def started_twice(stage: Stage) -> Any:
    first = await stage.start(Waiting.run, "")
    seen: list[Any] = []
    try:
        await stage.start(Waiting.run, "")
    except Exception as error:
        seen.append({key: value for key, value in describe(error).items() if key != "cause"})
    again = await stage.start(Waiting.run, "", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
    seen.append(again.result_run_id == first.result_run_id)
    other = await stage.start(Waiting.run, "", id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING)
    seen.append(other.result_run_id == first.result_run_id)
    try:
        await first.result()
    except Exception as error:
        told = describe(error)
        [detail] = told["cause"]["details"]
        told["cause"]["details"] = [detail.replace(other.result_run_id, "(the other run)")]
        seen.append(told)
    await other.terminate()
    return seen


@scenario(Echo, histories=False)
async def id_reuse_policies(stage: Stage) -> Any:
    seen: list[Any] = [await stage.execute(Echo.run, 1)]
    for policy in (
        WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        WorkflowIDReusePolicy.REJECT_DUPLICATE,
    ):
        try:
            seen.append(await stage.execute(Echo.run, 2, id_reuse_policy=policy))
        except Exception as error:
            seen.append([type(error).__name__, str(error)])
    return seen


@workflow.defn
class Timers:
    @workflow.run
    async def run(self) -> list[Any]:
        begun = workflow.now()
        long = asyncio.create_task(asyncio.sleep(50))
        await asyncio.sleep(0.1)
        long.cancel()
        await asyncio.wait_for(workflow.sleep(0.05), 10)
        took = (workflow.now() - begun).total_seconds()
        return [took >= 0.15, long.cancelled(), workflow.info().get_current_history_length()]


@scenario(Timers)
async def timers(stage: Stage) -> Any:
    return await stage.execute(Timers.run)


@workflow.defn
class Conditions:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: False, timeout=0.1)
        except TimeoutError:
            return "timed out"
        return "true"


@scenario(Conditions)
async def wait_condition_timeout(stage: Stage) -> Any:
    return await stage.execute(Conditions.run)


@workflow.defn
class Attributes:
    @workflow.run
    async def run(self) -> list[Any]:
        workflow.upsert_memo({"second": 2, "first": None})
        return [workflow.memo(), workflow.patched("a"), workflow.patched("a")]


@scenario(Attributes, histories=False)
async def memo_and_patches(stage: Stage) -> Any:
    handle = await stage.start(Attributes.run, memo={"first": 1, "other": "x"})
    result = await handle.result()
    return [result, await (await handle.describe()).memo()]


@workflow.defn
class Informed:
    @workflow.run
    async def run(self) -> list[Any]:
        info = workflow.info()
        return [
            info.attempt,
            info.cron_schedule,
            info.namespace,
            info.task_queue,
            info.workflow_id,
            info.workflow_type,
            info.task_timeout.total_seconds(),
            info.run_timeout and info.run_timeout.total_seconds(),
            info.execution_timeout and info.execution_timeout.total_seconds(),
            info.parent,
            info.is_continue_as_new_suggested(),
            info.get_current_history_length(),
            info.run_id == info.first_execution_run_id,
        ]


@scenario(Informed)
async def workflow_info(stage: Stage) -> Any:
    return await stage.execute(Informed.run, run_timeout=timedelta(seconds=30))


@scenario(Waiting, histories=False)
async def description(stage: Stage) -> Any:
    handle = await stage.start(Waiting.run, "", memo={"a": 1})
    open = await handle.describe()
    await handle.terminate()
    closed = await handle.describe()
    return [
        open.status.name,
        open.close_time,
        open.workflow_type,
        open.task_queue,
        open.id,
        open.parent_id,
        closed.status.name,
        closed.close_time is not None,
        await closed.memo(),
    ]


@workflow.defn
class Delayed:
    @workflow.run
    async def run(self) -> bool:
        return (workflow.info().start_time - workflow.info().workflow_start_time).total_seconds() >= 0.9


@scenario(Delayed)
async def start_delay(stage: Stage) -> Any:
    return await stage.execute(Delayed.run, start_delay=timedelta(seconds=1))
