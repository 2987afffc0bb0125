"""Updates: accepted, rejected, completed later, sent twice, at the end of a run, and together with a start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability._memory.cloud import MemoryCloud
from durability._memory.time import VirtualTimeLoop
from durability.application import Application
from durability.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    RPCError,
    StartWorkflowUpdateInput,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
)
from durability.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from durability.exceptions import ApplicationError, WorkflowAlreadyStartedError
from durability.service import RPCStatusCode

broken = False


@activity.defn
async def double(value: int) -> int:
    await asyncio.sleep(5)
    return 2 * value


@workflow.defn
class Account:
    def __init__(self) -> None:
        self.balance = 0
        self.open = True

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: not self.open)
        return self.balance

    @workflow.update
    def deposit(self, amount: int) -> int:
        if broken:
            raise ValueError("a bug")
        self.balance += amount
        return self.balance

    @deposit.validator
    def check_deposit(self, amount: int) -> None:
        if amount <= 0:
            raise ApplicationError("nothing to deposit", amount, type="Amount")

    @workflow.update
    async def deposit_doubled(self, amount: int) -> int:
        self.balance += await workflow.execute_activity(double, amount, start_to_close_timeout=timedelta(seconds=20))
        return self.balance

    @workflow.update
    async def wait_for_end(self) -> None:
        await workflow.wait_condition(lambda: not self.open)
        await asyncio.sleep(3600)

    @workflow.update
    async def fail(self) -> None:
        await asyncio.sleep(60)
        raise ApplicationError("refused", type="Refused")

    @workflow.update
    async def deposit_in_a_moment(self, amount: int) -> int:
        await asyncio.sleep(0.5)
        self.balance += amount
        return self.balance

    @workflow.update
    def close(self) -> str:
        self.open = False
        return "closed"

    @workflow.signal
    def note(self) -> None:
        self.balance += 1000

    @workflow.query
    def current(self) -> int:
        return self.balance


Scenario = Callable[[Client, MemoryCloud], Awaitable[None]]


def run(scenario: Scenario) -> None:
    """Play a scenario in virtual time."""
    loop = VirtualTimeLoop()
    app = Application(workflows=[Account], activities=[double], deadlock_detection=False)

    async def play() -> None:
        async with MemoryCloud(
            app.registry.create, app.runner, clock=loop.milliseconds, to_failure=app.registry.to_failure
        ) as cloud:
            await scenario(Client(cloud.gateway), cloud)

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()


async def opened(client: Client) -> Any:
    return await client.start_workflow(Account.run, id="account", task_queue="q")


def test_an_update_changes_the_workflow_and_answers() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        assert await handle.execute_update(Account.deposit, 5) == 5
        assert await handle.execute_update("deposit", 7, result_type=int) == 12
        assert await handle.query(Account.current) == 12

    run(scenario)


def test_an_update_of_a_waiting_workflow_is_one_write() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        await handle.execute_update(Account.deposit, 5)
        await asyncio.sleep(10)
        before = dict(cloud.store.requests)  # type: ignore[attr-defined]
        for _ in range(3):
            await handle.execute_update(Account.deposit, 5)
        after = cloud.store.requests  # type: ignore[attr-defined]
        writes = {name: after[name] - before.get(name, 0) for name in after if name not in ("load", "head", "deltas")}
        assert {name: count for name, count in writes.items() if count} == {"append": 3}
        events = [event async for event in handle.fetch_history_events()]
        assert (await handle.describe()).history_length == len(events)

    run(scenario)


def test_a_rejected_update_leaves_no_history() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        await handle.execute_update(Account.deposit, 5)
        before = [event.event_type async for event in handle.fetch_history_events()]
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await handle.execute_update(Account.deposit, -1, id="same")
        assert isinstance(caught.value.cause, ApplicationError)
        assert (caught.value.cause.type, caught.value.cause.details) == ("Amount", (-1,))
        assert [event.event_type async for event in handle.fetch_history_events()] == before
        with pytest.raises(WorkflowUpdateFailedError, match="Workflow update failed"):
            await handle.execute_update("no such update")
        assert await handle.execute_update(Account.deposit, 1, id="same") == 6

    run(scenario)


def test_one_id_is_one_update() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        sent = [handle.execute_update(Account.deposit, 5, id="once") for _ in range(6)]
        assert await asyncio.gather(*sent) == [5] * 6
        assert await handle.execute_update(Account.deposit, 5, id="once") == 5
        assert await handle.query(Account.current) == 5

    run(scenario)


def test_many_updates_at_once_all_count() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        calls = [handle.execute_update(Account.deposit, 1) for _ in range(20)]
        signals: list[Coroutine[Any, Any, None]] = [handle.signal(Account.note) for _ in range(5)]
        results, _ = await asyncio.gather(asyncio.gather(*calls), asyncio.gather(*signals))
        assert len(set(results)) == 20
        assert await handle.query(Account.current) == 5020
        await handle.execute_update(Account.close)
        assert await handle.result() == 5020

    run(scenario)


def test_an_update_that_takes_time() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        update = await handle.start_update(
            Account.deposit_doubled, 21, wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="slow"
        )
        assert await handle.query(Account.current) == 0
        assert await update.result() == 42
        again: WorkflowUpdateHandle[int] = handle.get_update_handle_for(Account.deposit_doubled, "slow")
        assert await again.result() == 42
        assert await handle.execute_update(Account.deposit_doubled, 1) == 44

    run(scenario)


def test_an_answer_does_not_wait_for_a_timer_of_the_workflow() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        late = await handle.start_update(Account.deposit_in_a_moment, 7, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        before = asyncio.get_running_loop().time()
        assert await handle.execute_update(Account.deposit, 5) == 5
        assert asyncio.get_running_loop().time() == before
        assert await late.result() == 12

    run(scenario)


def test_a_handler_that_fails() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await handle.execute_update(Account.fail)
        assert isinstance(caught.value.cause, ApplicationError)
        assert caught.value.cause.type == "Refused"

    run(scenario)


def test_the_end_of_the_run_fails_what_is_in_flight() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        waiting = await handle.start_update(Account.wait_for_end, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        with pytest.warns(workflow.UnfinishedUpdateHandlersWarning):
            await handle.execute_update(Account.close, id="last")
        assert await handle.result() == 0
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await waiting.result()
        assert isinstance(caught.value.cause, ApplicationError)
        assert caught.value.cause.type == "AcceptedUpdateCompletedWorkflow"
        assert await handle.execute_update(Account.close, id="last") == "closed"
        with pytest.raises(RPCError) as refused:
            await handle.execute_update(Account.deposit, 1)
        assert refused.value.status == RPCStatusCode.NOT_FOUND

    run(scenario)


def test_nobody_is_there() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        with pytest.raises(RPCError) as caught:
            await client.get_workflow_handle("nobody").execute_update("deposit", 1)
        assert caught.value.status == RPCStatusCode.NOT_FOUND
        handle = await opened(client)
        with pytest.raises(RPCError) as caught:
            await handle.get_update_handle("never sent").result(rpc_timeout=timedelta(seconds=90))
        assert caught.value.status == RPCStatusCode.NOT_FOUND
        with pytest.raises(ValueError, match="ADMITTED"):
            await handle.start_update(Account.deposit, 1, wait_for_stage=WorkflowUpdateStage.ADMITTED)

    run(scenario)


def test_a_bug_in_the_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller is told after twenty seconds, as by Temporal's server, and nothing of it is in the history."""

    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        monkeypatch.setitem(globals(), "broken", True)
        with pytest.raises(RPCError) as caught:
            await asyncio.wait_for(handle.execute_update(Account.deposit, 1), timeout=25)
        assert caught.value.status == RPCStatusCode.FAILED_PRECONDITION
        assert "a bug" in (await handle.describe()).raw_description.pending_workflow_task.last_failure.message
        later = asyncio.ensure_future(handle.execute_update(Account.deposit, 1))
        await asyncio.sleep(10)
        monkeypatch.setitem(globals(), "broken", False)
        assert await later == 1

    run(scenario)


def test_update_with_start() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        def operation(policy: WorkflowIDConflictPolicy) -> WithStartWorkflowOperation[Account, int]:
            return WithStartWorkflowOperation(Account.run, id="account", task_queue="q", id_conflict_policy=policy)

        start = operation(WorkflowIDConflictPolicy.FAIL)
        assert await client.execute_update_with_start_workflow(Account.deposit, 3, start_workflow_operation=start) == 3
        handle = await start.workflow_handle()
        assert handle.id == "account"
        assert handle.first_execution_run_id == handle.result_run_id
        deltas = [delta async for delta in client.frontend.history("account", None)]
        assert len(deltas) == 1  # the update was in the first workflow task

        existing = operation(WorkflowIDConflictPolicy.USE_EXISTING)
        update = await client.start_update_with_start_workflow(
            Account.deposit, 4, start_workflow_operation=existing, wait_for_stage=WorkflowUpdateStage.ACCEPTED
        )
        assert await update.result() == 7
        assert (await existing.workflow_handle()).result_run_id == handle.result_run_id
        assert (await existing.workflow_handle()).first_execution_run_id == handle.first_execution_run_id

        refused = operation(WorkflowIDConflictPolicy.FAIL)
        with pytest.raises(WorkflowAlreadyStartedError) as caught:
            await client.execute_update_with_start_workflow(Account.deposit, 1, start_workflow_operation=refused)
        assert caught.value.run_id == handle.result_run_id
        with pytest.raises(WorkflowAlreadyStartedError):
            await refused.workflow_handle()
        with pytest.raises(RuntimeError, match="cannot be reused"):
            await client.execute_update_with_start_workflow(Account.deposit, 1, start_workflow_operation=refused)
        with pytest.raises(ValueError, match="is required"):
            operation(WorkflowIDConflictPolicy.UNSPECIFIED)

    run(scenario)


def test_an_update_that_a_run_has_is_found_whatever_the_policies_say() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        async def deposit(amount: int, **policies: Any) -> tuple[int, str | None]:
            start = WithStartWorkflowOperation(Account.run, id="account", task_queue="q", **policies)
            balance = await client.execute_update_with_start_workflow(
                Account.deposit, amount, id="the deposit", start_workflow_operation=start
            )
            return balance, (await start.workflow_handle()).first_execution_run_id

        refuse = {"id_conflict_policy": WorkflowIDConflictPolicy.FAIL}
        terminate = {"id_conflict_policy": WorkflowIDConflictPolicy.TERMINATE_EXISTING}
        first = await deposit(3, **refuse)
        assert first == await deposit(4, **refuse) == await deposit(5, **terminate)
        handle = client.get_workflow_handle("account")
        await handle.execute_update(Account.close)
        assert await handle.result() == 3
        assert first == await deposit(6, **refuse)
        assert first == await deposit(7, **refuse, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)
        assert (await handle.describe()).run_id == first[1]

    run(scenario)


def test_a_rejection_with_start_leaves_the_workflow_running() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        start = WithStartWorkflowOperation(
            Account.run, id="account", task_queue="q", id_conflict_policy=WorkflowIDConflictPolicy.FAIL
        )
        with pytest.raises(WorkflowUpdateFailedError):
            await client.execute_update_with_start_workflow(Account.deposit, 0, start_workflow_operation=start)
        handle = await start.workflow_handle()
        assert await handle.execute_update(Account.deposit, 2) == 2

    run(scenario)


@pytest.mark.parametrize("at", ["before append", "after append"])
def test_what_an_update_began_goes_on_when_the_caller_and_its_executor_are_gone(
    at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await opened(client)
        await handle.execute_update(Account.deposit, 1)
        append = cloud.store.append

        async def die(*args: Any) -> None:
            monkeypatch.undo()
            if at == "after append":
                await append(*args)
            raise ConnectionError("the executor is gone")

        monkeypatch.setattr(cloud.store, "append", die)
        with pytest.raises(ConnectionError):
            await handle.execute_update(Account.deposit_doubled, 2, id="lost")
        await asyncio.sleep(120)
        assert await cloud.reconcile() == 1
        assert await handle.get_update_handle("lost", result_type=int).result() == 5
        assert await handle.query(Account.current) == 5

    run(scenario)


def test_interceptors_see_updates() -> None:
    class Outbound(OutboundInterceptor):
        async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
            input.args = [input.args[0] + 1]
            return await super().start_workflow_update(input)

    class Intercepting(Interceptor):
        def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
            return Outbound(next)

    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        await opened(client)
        intercepted = Client(cloud.gateway, interceptors=[Intercepting()])
        assert await intercepted.get_workflow_handle_for(Account.run, "account").execute_update(Account.deposit, 1) == 2

    run(scenario)
