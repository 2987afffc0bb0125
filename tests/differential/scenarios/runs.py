"""Runs that follow each other, patches, memos and search attributes, timeouts, and how a run can be ended."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import workflow
from durability.common import RetryPolicy, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durability.exceptions import ApplicationError, ApplicationErrorCategory
from tests.differential.stage import Stage, attempt, scenario


@workflow.defn
class Continuing:
    @workflow.run
    async def run(self, how: str, log: list[Any]) -> Any:
        info = workflow.info()
        log.append(
            [
                info.workflow_type,
                info.attempt,
                workflow.memo(),
                info.run_timeout.total_seconds() if info.run_timeout else None,
                info.task_timeout.total_seconds(),
                info.retry_policy.maximum_attempts if info.retry_policy else None,
                info.first_execution_run_id == info.run_id,
                info.original_execution_run_id == info.run_id,
            ]
        )
        if len(log) > 1:
            return log
        if how == "plain":
            workflow.continue_as_new(args=[how, log])
        if how == "options":
            workflow.continue_as_new(
                args=[how, log],
                run_timeout=timedelta(seconds=25),
                task_timeout=timedelta(seconds=7),
                retry_policy=RetryPolicy(maximum_attempts=3),
                memo={"new": "memo"},
            )
        if how == "another workflow":
            workflow.continue_as_new(args=[how, log], workflow=Successor.run)
        if how == "another by name":
            workflow.continue_as_new(args=[how, log], workflow="Successor")
        if how == "after an upsert":
            workflow.upsert_memo({"upserted": 1})
            workflow.continue_as_new(args=[how, log])
        if how == "caught":
            try:
                workflow.continue_as_new(args=[how, log])
            except Exception:
                return "caught it"
        try:
            workflow.continue_as_new(args=[how, log])
        finally:
            log.append("finally")


@workflow.defn
class Successor:
    @workflow.run
    async def run(self, how: str, log: list[Any]) -> Any:
        return [*log, workflow.info().workflow_type, workflow.memo()]


@scenario(
    Continuing,
    Successor,
    cases=["plain", "options", "another workflow", "another by name", "after an upsert", "caught", "finally"],
)
async def continue_as_new_with(stage: Stage, how: str) -> Any:
    handle = await stage.start(
        Continuing.run, how, [], memo={"old": 1}, run_timeout=timedelta(seconds=40), task_timeout=timedelta(seconds=9)
    )
    return await handle.result()


@workflow.defn
class Carrying:
    def __init__(self) -> None:
        self.got: list[Any] = []

    @workflow.run
    async def run(self, carried: list[Any]) -> Any:
        if carried:
            await workflow.wait_condition(lambda: bool(self.got))
            return [carried, self.got]
        await workflow.wait_condition(lambda: bool(self.got))
        workflow.continue_as_new(self.got)

    @workflow.signal
    def put(self, value: Any) -> None:
        self.got.append(value)


@scenario(Carrying, histories=False)
async def signals_before_and_after_continue_as_new(stage: Stage) -> Any:
    handle = await stage.start(Carrying.run, [], start_signal="put", start_signal_args=[1])
    first = stage.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    await stage.reached(first, "WorkflowExecutionContinuedAsNew")
    await handle.signal(Carrying.put, 2)
    return [await handle.result(), await attempt(first.signal(Carrying.put, 3)) is not None]


@workflow.defn
class Flaky:
    @workflow.run
    async def run(self, kind: str, succeed_at: int) -> Any:
        info = workflow.info()
        failure = workflow.get_last_failure()
        if info.attempt >= succeed_at:
            return [info.attempt, str(failure), type(failure).__name__, info.continued_run_id is not None]
        if kind == "non-retryable":
            raise ApplicationError("final", non_retryable=True)
        if kind == "type":
            raise ApplicationError("by its type", type="Fatal")
        if kind == "benign":
            raise ApplicationError("harmless", category=ApplicationErrorCategory.BENIGN)
        if kind == "delay":
            raise ApplicationError("soon", next_retry_delay=timedelta(milliseconds=10))
        raise ApplicationError(f"attempt {info.attempt}", info.attempt)


RETRIES = [("plain", 2), ("plain", 9), ("non-retryable", 2), ("type", 2), ("benign", 2), ("delay", 2)]


@scenario(Flaky, histories=False, cases=RETRIES)
async def workflow_retried(stage: Stage, case: tuple[str, int]) -> Any:
    policy = RetryPolicy(
        initial_interval=timedelta(milliseconds=20), maximum_attempts=2, non_retryable_error_types=["Fatal"]
    )
    return await attempt(stage.execute(Flaky.run, *case, retry_policy=policy))


@workflow.defn
class Regular:
    @workflow.run
    async def run(self) -> Any:
        last = workflow.get_last_completion_result(type_hint=int) if workflow.has_last_completion_result() else 0
        if last >= 1:
            workflow.continue_as_new("over", workflow="Farewell")
        return last + 1


@workflow.defn
class Farewell:
    @workflow.run
    async def run(self, text: str) -> Any:
        return [text, workflow.info().cron_schedule]


@scenario(Regular, Farewell, histories=False)
async def cron_schedule(stage: Stage) -> Any:
    """Its first run waits for its time; its result reaches the next one."""
    handle = await stage.start(Regular.run, cron_schedule="@every 1s")
    first = stage.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    stage.handles.append(first)
    seen = [await attempt(first.result(follow_runs=False)), (await first.describe()).status.name]
    await handle.terminate()
    return [*seen, (await attempt(handle.result()))["class"]]


@workflow.defn
class Patched:
    @workflow.run
    async def run(self, what: str) -> Any:
        if what == "deprecated":
            workflow.deprecate_patch("old")
            return "deprecated"
        seen = [workflow.patched("first"), workflow.patched("second"), workflow.patched("first")]
        await asyncio.sleep(0.01)
        return [*seen, workflow.patched("third")]


@scenario(Patched, cases=["several", "deprecated"])
async def patches(stage: Stage, what: str) -> Any:
    return await stage.execute(Patched.run, what)


@workflow.defn
class Attributed:
    @workflow.run
    async def run(self, how: str) -> Any:
        seen: list[Any] = []
        if how == "memo":
            workflow.upsert_memo({"a": 1, "b": {"c": [2]}})
            workflow.upsert_memo({"a": None, "given": "changed"})
            workflow.upsert_memo({})
            seen = [workflow.memo(), workflow.memo_value("b"), workflow.memo_value("none", "default")]
            try:
                workflow.memo_value("none")
            except KeyError as error:
                seen.append(str(error))
        return seen


@scenario(Attributed, cases=["memo"])
async def memo_upserted(stage: Stage, how: str) -> Any:
    handle = await stage.start(Attributed.run, how, memo={"given": 0, "kept": None})
    result = await handle.result()
    description = await handle.describe()
    return [result, await description.memo(), await description.memo_value("b"), await description.memo_value("x", 7)]


@workflow.defn
class Idle:
    @workflow.run
    async def run(self, then: str = "") -> Any:
        try:
            await workflow.wait_condition(lambda: False)
        except asyncio.CancelledError:
            if then == "again":
                try:
                    await workflow.wait_condition(lambda: False)
                except asyncio.CancelledError:
                    return "cancelled twice"
            if then == "return":
                return "returned"
            if then == "other error":
                raise ApplicationError("other") from None
            if then == "continue":
                workflow.continue_as_new("return")
            raise


@scenario(Idle)
async def cancel_before_the_first_task(stage: Stage) -> Any:
    handle = await stage.start(Idle.run, start_delay=timedelta(milliseconds=1500))
    await handle.cancel()
    return await attempt(handle.result())


@scenario(Idle, histories=False, cases=["", "return", "other error", "again", "continue"])
async def cancel_twice(stage: Stage, then: str) -> Any:
    handle = await stage.start(Idle.run, then)
    await stage.reached(handle, "WorkflowTaskCompleted")
    await handle.cancel()
    first = stage.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    if then == "again":
        await stage.reached(first, "WorkflowExecutionCancelRequested", "WorkflowTaskCompleted", "WorkflowTaskCompleted")
        await handle.cancel()
        await handle.terminate()
    if then == "continue":
        await stage.reached(first, "WorkflowExecutionContinuedAsNew")
        await handle.cancel()
    return await attempt(handle.result())


@scenario(Idle, histories=False, cases=["before its first task", "with details", "of a closed run", "by run id"])
async def terminate(stage: Stage, how: str) -> Any:
    delay = timedelta(seconds=30) if how == "before its first task" else None
    handle = await stage.start(Idle.run, start_delay=delay)
    if how == "by run id":
        other = stage.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
        await other.terminate(reason="this one")
    else:
        await handle.terminate("detail", {"n": 1}, reason="a reason")
    seen = [await attempt(handle.result()), (await handle.describe()).status.name]
    if how == "of a closed run":
        again = await attempt(handle.terminate())
        seen.append([again["class"], again["status"]])
    return seen


@scenario(Idle, histories=False, cases=["run", "execution"])
async def timeout_of_a_waiting(stage: Stage, kind: str) -> Any:
    return await attempt(stage.execute(Idle.run, **{f"{kind}_timeout": timedelta(seconds=1)}))


@scenario(Flaky, histories=False)
async def execution_timeout_ends_retries(stage: Stage) -> Any:
    policy = RetryPolicy(initial_interval=timedelta(seconds=30))
    return await attempt(
        stage.execute(Flaky.run, "plain", 9, retry_policy=policy, execution_timeout=timedelta(seconds=2))
    )


@workflow.defn
class Brief:
    @workflow.run
    async def run(self, fail: bool) -> str:
        if fail:
            raise ApplicationError("closed by failure")
        return "done"


STARTS = [
    (fail, reuse)
    for fail in (False, True)
    for reuse in ("ALLOW_DUPLICATE", "ALLOW_DUPLICATE_FAILED_ONLY", "REJECT_DUPLICATE")
]


@scenario(Brief, histories=False, cases=STARTS)
async def start_again_after(stage: Stage, case: tuple[bool, str]) -> Any:
    await attempt(stage.execute(Brief.run, case[0]))
    again = await attempt(stage.execute(Brief.run, False, id_reuse_policy=WorkflowIDReusePolicy[case[1]]))
    return {key: value for key, value in again.items() if key != "cause"} if isinstance(again, dict) else again


CONFLICTS = [
    (conflict, reuse)
    for conflict in ("FAIL", "USE_EXISTING", "TERMINATE_EXISTING", "UNSPECIFIED")
    for reuse in ("ALLOW_DUPLICATE", "ALLOW_DUPLICATE_FAILED_ONLY", "REJECT_DUPLICATE", "TERMINATE_IF_RUNNING")
]


@scenario(Idle, histories=False, cases=CONFLICTS)
async def start_while_one_is_open(stage: Stage, case: tuple[str, str]) -> Any:
    first = await stage.start(Idle.run)
    await stage.reached(first, "WorkflowTaskCompleted")
    again = await attempt(
        stage.start(
            Idle.run,
            id_conflict_policy=WorkflowIDConflictPolicy[case[0]],
            id_reuse_policy=WorkflowIDReusePolicy[case[1]],
        )
    )
    description = await stage.client.get_workflow_handle(first.id, run_id=first.result_run_id).describe()
    seen: list[Any] = [description.status.name]
    if isinstance(again, dict):
        seen.append({key: value for key, value in again.items() if key != "cause"})
    else:
        seen.append(again.result_run_id == first.result_run_id)
    await stage.client.get_workflow_handle(first.id).terminate()
    stage.handles.clear()
    return seen


@scenario(Flaky, histories=False)
async def first_run_of_a_retried_workflow(stage: Stage) -> Any:
    policy = RetryPolicy(initial_interval=timedelta(milliseconds=20), maximum_attempts=2)
    handle = await stage.start(Flaky.run, "plain", 2, retry_policy=policy)
    first = stage.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    await handle.result()
    return [await attempt(first.result(follow_runs=False)), (await first.describe()).status.name]
