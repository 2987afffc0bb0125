"""Updates: validators, concurrency, locks, failures, updates in flight at the end, results fetched later."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.client import WithStartWorkflowOperation, WorkflowUpdateStage
from durability.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durability.exceptions import ApplicationError
from tests.differential.stage import Stage, attempt, scenario

SECONDS = timedelta(seconds=10)


@activity.defn
async def double(number: int) -> int:
    return number * 2


@workflow.defn
class Account:
    def __init__(self) -> None:
        self.balance = 0
        self.open = True
        self.released = False
        self.lock = asyncio.Lock()
        self.log: list[Any] = []

    @workflow.run
    async def run(self, end: str = "") -> list[Any]:
        await workflow.wait_condition(lambda: not self.open)
        if end == "finish handlers":
            await workflow.wait_condition(workflow.all_handlers_finished)
        if end == "fail":
            raise ApplicationError("closed by failure")
        if end == "continue":
            workflow.continue_as_new("again")
        return self.log

    @workflow.update
    async def deposit(self, amount: int) -> int:
        self.balance += amount
        self.log.append(["deposit", amount])
        return self.balance

    @deposit.validator
    def check_deposit(self, amount: int) -> None:
        if amount <= 0:
            raise ApplicationError("not an amount", amount, type="Amount")
        if amount > 1000:
            raise ValueError("too much")

    @workflow.update(name="doubled", description="twice as much")
    async def deposit_doubled(self, amount: int) -> int:
        async with self.lock:
            self.log.append(["begins", amount])
            amount = await workflow.execute_activity(double, amount, start_to_close_timeout=SECONDS)
            self.balance += amount
            self.log.append(["ends", amount])
        return self.balance

    @workflow.update
    async def wait_for_release(self, name: str) -> str:
        self.log.append([name, "waits"])
        await workflow.wait_condition(lambda: self.released)
        self.log.append([name, "released"])
        return name

    @workflow.update
    def fail(self, kind: str) -> None:
        if kind == "application":
            raise ApplicationError("no", 1, type="Kind") from ValueError("because")
        raise workflow.ContinueAsNewError() if kind == "can" else asyncio.CancelledError("odd")

    @workflow.update
    async def close(self) -> str:
        self.open = False
        return "closing"

    @workflow.update
    def whoami(self) -> Any:
        info = workflow.current_update_info()
        return info and [info.id, info.name]

    @workflow.update
    async def spread(self, first: int, second: str = "b", third: list[int] | None = None) -> Any:
        await asyncio.sleep(0)
        return [first, second, third]

    @workflow.signal
    def release(self) -> None:
        self.released = True

    @workflow.signal
    def shut(self) -> None:
        self.open = False

    @workflow.query
    def how_much(self) -> int:
        return self.balance


async def _account(stage: Stage, end: str = "") -> Any:
    return await stage.start(Account.run, end)


@scenario(Account, histories=False)
async def updates_in_sequence(stage: Stage) -> Any:
    handle = await _account(stage)
    seen = [await handle.execute_update(Account.deposit, amount) for amount in (1, 2, 3)]
    seen.append(await handle.query(Account.how_much))
    seen.append(await handle.execute_update(Account.close))
    return [seen, await handle.result()]


@scenario(Account, cases=[0, 2000], histories=False)
async def update_rejected_by_validator(stage: Stage, amount: int) -> Any:
    handle = await _account(stage)
    seen = [await attempt(handle.execute_update(Account.deposit, amount))]
    await handle.execute_update(Account.close)
    return [seen, await handle.result()]


@scenario(Account)
async def update_rejected_leaves_no_history(stage: Stage) -> Any:
    handle = await _account(stage)
    await stage.reached(handle, "WorkflowTaskCompleted")
    for _ in range(3):
        await attempt(handle.execute_update(Account.deposit, -1))
    await handle.signal(Account.shut)
    return await handle.result()


@scenario(Account)
async def update_accepted_and_completed_in_one_task(stage: Stage) -> Any:
    handle = await _account(stage)
    await stage.reached(handle, "WorkflowTaskCompleted")
    result = await handle.execute_update(Account.deposit, 5)
    await handle.signal(Account.shut)
    return [result, await handle.result()]


@scenario(Account, activities=[double])
async def update_with_an_activity(stage: Stage) -> Any:
    handle = await _account(stage)
    await stage.reached(handle, "WorkflowTaskCompleted")
    result = await handle.execute_update("doubled", 5)
    await handle.signal(Account.shut)
    return [result, await handle.result()]


@scenario(Account, activities=[double], histories=False)
async def concurrent_updates_take_turns_with_a_lock(stage: Stage) -> Any:
    handle = await _account(stage)
    results = await asyncio.gather(*(handle.execute_update(Account.deposit_doubled, 1) for _ in range(4)))
    await handle.signal(Account.shut)
    return [sorted(results), await handle.result()]


@scenario(Account, histories=False)
async def concurrent_updates_wait_together(stage: Stage) -> Any:
    handle = await _account(stage)
    updates = [
        await handle.start_update(Account.wait_for_release, name, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        for name in ("a", "b", "c")
    ]
    await handle.signal(Account.release)
    results = [await update.result() for update in updates]
    await handle.signal(Account.shut)
    return [results, await handle.result()]


@scenario(Account, cases=["application", "cancelled"], histories=False)
async def update_fails(stage: Stage, kind: str) -> Any:
    handle = await _account(stage)
    seen = await attempt(handle.execute_update(Account.fail, kind))
    await handle.signal(Account.shut)
    return [seen, await handle.result()]


@scenario(Account, histories=False)
async def update_unknown(stage: Stage) -> Any:
    handle = await _account(stage)
    seen = await attempt(handle.execute_update("unheard of", 1))
    await handle.signal(Account.shut)
    return [seen, await handle.result()]


@scenario(Account, histories=False)
async def update_with_wrong_arguments(stage: Stage) -> Any:
    handle = await _account(stage)
    seen = [
        await attempt(handle.execute_update("deposit", "much")),
        await attempt(handle.execute_update("deposit")),
        await attempt(handle.execute_update("spread", args=[1])),
        await attempt(handle.execute_update("spread", args=[1, "x", [2]])),
    ]
    await handle.signal(Account.shut)
    return [seen, await handle.result()]


@scenario(Account, histories=False)
async def update_info_inside_its_handler(stage: Stage) -> Any:
    handle = await _account(stage)
    seen = await handle.execute_update(Account.whoami, id="my-id")
    await handle.signal(Account.shut)
    return [seen, await handle.result()]


@scenario(Account, histories=False)
async def update_with_the_same_id_runs_once(stage: Stage) -> Any:
    handle = await _account(stage)
    seen = [await handle.execute_update(Account.deposit, 7, id="once") for _ in range(3)]
    await handle.signal(Account.shut)
    return [seen, await handle.result()]


@scenario(Account, histories=False)
async def update_result_fetched_later_by_id(stage: Stage) -> Any:
    handle = await _account(stage)
    started = await handle.start_update(Account.deposit, 3, id="mine", wait_for_stage=WorkflowUpdateStage.COMPLETED)
    failed = await handle.start_update(
        Account.fail, "application", id="failed", wait_for_stage=WorkflowUpdateStage.ACCEPTED
    )
    later = handle.get_update_handle("mine", result_type=int)
    seen = [started.id, started.workflow_id == handle.id, await later.result(), await attempt(failed.result())]
    await handle.signal(Account.shut)
    await handle.result()
    closed = stage.client.get_workflow_handle(handle.id)
    return [
        *seen,
        await attempt(closed.get_update_handle_for(Account.deposit, "mine").result()),
        await attempt(closed.get_update_handle("failed").result()),
    ]


@scenario(Account, histories=False)
async def update_on_a_closed_workflow(stage: Stage) -> Any:
    handle = await _account(stage)
    await handle.signal(Account.shut)
    await handle.result()
    return await attempt(handle.execute_update(Account.deposit, 1))


@scenario(Account, histories=False)
async def update_on_an_unknown_workflow(stage: Stage) -> Any:
    return await attempt(stage.client.get_workflow_handle("nobody-at-all").execute_update("deposit", 1))


@scenario(Account, histories=False, cases=["return", "fail", "continue", "finish handlers"])
async def update_in_flight_when_the_workflow(stage: Stage, end: str) -> Any:
    handle = await _account(stage, end)
    update = await handle.start_update(
        Account.wait_for_release, "a", wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="flying"
    )
    await handle.signal(Account.shut)
    if end == "finish handlers":
        await handle.signal(Account.release)
    if end == "continue":
        await stage.reached(
            stage.client.get_workflow_handle(handle.id, run_id=handle.result_run_id), "WorkflowExecutionContinuedAsNew"
        )
        await handle.signal(Account.shut)
    return [await attempt(update.result()), await attempt(handle.result())]


@scenario(Account, histories=False, cases=["terminate", "cancel"])
async def update_in_flight_when_it_is_asked_to(stage: Stage, end: str) -> Any:
    handle = await _account(stage)
    update = await handle.start_update(
        Account.wait_for_release, "a", wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="flying"
    )
    await getattr(handle, end)()
    return [await attempt(update.result()), (await attempt(handle.result()))["cause"]["class"]]


@workflow.defn
class Brief:
    def __init__(self) -> None:
        self.log: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        self.log.append("run")
        await workflow.wait_condition(lambda: "update ends" in self.log)
        return self.log

    @workflow.update
    async def once(self, seconds: float) -> list[str]:
        self.log.append("update begins")
        if seconds:
            await asyncio.sleep(seconds)
        self.log.append("update ends")
        return self.log


async def _with_start(stage: Stage, seconds: float = 0, **options: Any) -> Any:
    operation = WithStartWorkflowOperation(
        Brief.run,
        id=stage.id(),
        task_queue=stage.task_queue,
        id_conflict_policy=options.pop("policy", WorkflowIDConflictPolicy.FAIL),
        **options,
    )
    result = await attempt(
        stage.client.execute_update_with_start_workflow(Brief.once, seconds, start_workflow_operation=operation)
    )
    return result, operation


@scenario(Brief, cases=[0, 0.05])
async def update_with_start(stage: Stage, seconds: float) -> Any:
    result, operation = await _with_start(stage, seconds)
    handle = await operation.workflow_handle()
    stage.handles.append(handle)
    return [result, await handle.result()]


@scenario(Account, Brief, histories=False, cases=["FAIL", "USE_EXISTING", "TERMINATE_EXISTING"])
async def update_with_start_while_one_is_open(stage: Stage, policy: str) -> Any:
    first = await stage.start(Brief.run)
    await stage.reached(first, "WorkflowTaskCompleted")
    result, operation = await attempt_with_start(stage, policy)
    handle = await attempt(operation.workflow_handle())
    seen = [result]
    if isinstance(handle, dict):
        seen.append(handle)
    else:
        seen += [handle.result_run_id == first.result_run_id, await handle.result()]
    if policy != "USE_EXISTING":
        await attempt(first.terminate(reason="over"))
        first = stage.client.get_workflow_handle(first.id, run_id=first.result_run_id)
        seen.append((await attempt(first.result()))["cause"]["class"])
    return seen


async def attempt_with_start(stage: Stage, policy: str) -> Any:
    return await _with_start(stage, policy=WorkflowIDConflictPolicy[policy])


@scenario(Brief, histories=False, cases=["ALLOW_DUPLICATE", "ALLOW_DUPLICATE_FAILED_ONLY", "REJECT_DUPLICATE"])
async def update_with_start_after_one_has_closed(stage: Stage, policy: str) -> Any:
    await _with_start(stage)
    await stage.client.get_workflow_handle(stage.id()).result()
    result, operation = await _with_start(stage, id_reuse_policy=WorkflowIDReusePolicy[policy])
    handle = await attempt(operation.workflow_handle())
    return [result, handle if isinstance(handle, dict) else "started"]


@workflow.defn
class Chatty:
    @workflow.run
    async def run(self) -> list[str]:
        self.log: list[str] = ["run"]
        await workflow.wait_condition(lambda: len(self.log) > 3)
        return self.log

    @workflow.update(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def note(self, text: str) -> int:
        self.log.append(text)
        return len(self.log)


@scenario(Chatty, histories=False)
async def the_update_that_ends_the_workflow_is_answered(stage: Stage) -> Any:
    handle = await stage.start(Chatty.run)
    await stage.reached(handle, "WorkflowTaskCompleted")
    return [[await handle.execute_update(Chatty.note, text) for text in "abc"], await handle.result()]


ATTEMPTS: list[str] = []
"""Workflow tasks that failed, in this engine's copy of the module."""


@workflow.defn
class Broken:
    """Fails its workflow tasks, the run or just the first update."""

    def __init__(self) -> None:
        self.over = False

    @workflow.run
    async def run(self, broken: bool) -> str:
        if broken:
            ATTEMPTS.append(workflow.info().workflow_id)  # durability: ignore[DUR401]
            raise KeyError("a bug")
        await workflow.wait_condition(lambda: self.over)
        return "over"

    @workflow.update
    async def mend(self) -> str:
        own = workflow.info().workflow_id
        if own not in ATTEMPTS:
            ATTEMPTS.append(own)  # durability: ignore[DUR401]
            raise KeyError("a bug, once")
        self.over = True
        return "mended"


@scenario(Broken, histories=False)
async def update_of_a_run_whose_tasks_fail(stage: Stage) -> Any:
    handle = await stage.client.start_workflow(
        Broken.run, True, id=stage.id(), task_queue=stage.task_queue, task_timeout=timedelta(seconds=1)
    )
    while ATTEMPTS.count(stage.id()) < 3:  # noqa: ASYNC110 - the attempts are made by the engine
        await asyncio.sleep(0.05)
    seen = await attempt(handle.execute_update(Broken.mend, id="refused"))
    await handle.terminate()
    return seen


@scenario(Broken, histories=False)
async def update_whose_first_task_fails(stage: Stage) -> Any:
    handle = await stage.start(Broken.run, False, task_timeout=timedelta(seconds=1))
    return [await handle.execute_update(Broken.mend), await handle.result()]
