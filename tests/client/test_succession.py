"""Runs that follow one another: retry policies, cron schedules, and the timeouts that end a chain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durability import workflow
from durability._memory.cloud import MemoryCloud
from durability._memory.time import VirtualTimeLoop
from durability._rest.chain import call_in_chain
from durability._runtime.cron import delay_until_next
from durability.application import Application
from durability.client import (
    Client,
    RPCError,
    WorkflowContinuedAsNewError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from durability.common import RetryPolicy
from durability.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    RetryState,
    TerminatedError,
    TimeoutError,
)
from durability.service import RPCStatusCode


@workflow.defn
class Flaky:
    def __init__(self) -> None:
        self.notes = 0

    @workflow.run
    async def run(self, fails: int, hours: float = 0) -> list[Any]:
        info = workflow.info()
        if hours:
            await asyncio.sleep(hours * 3600)
        if info.attempt <= fails:
            raise ApplicationError(f"attempt {info.attempt}", type="Flaky")
        failure = workflow.get_last_failure()
        return [info.attempt, str(failure) if failure else "", info.first_execution_run_id, info.run_id, self.notes]

    @workflow.signal
    def note(self) -> None:
        self.notes += 1


@workflow.defn
class Job:
    @workflow.run
    async def run(self, fail_at: int) -> int:
        last = workflow.get_last_completion_result(int) if workflow.has_last_completion_result() else 0
        if last + 1 == fail_at and workflow.get_last_failure() is None:
            raise ApplicationError("this time not")
        return last + 1


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, fails: int) -> Any:
        try:
            return await workflow.execute_child_workflow(
                Flaky.run, args=[fails], id="child", retry_policy=RetryPolicy(maximum_attempts=3)
            )
        except ChildWorkflowError as error:
            return [error.retry_state, str(error.cause)]


@workflow.defn
class BadParent:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_child_workflow(Flaky.run, args=[0], id="child", cron_schedule="never")


@workflow.defn
class Restless:
    def __init__(self) -> None:
        self.again = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.again)
        workflow.continue_as_new()

    @workflow.signal
    def restart(self) -> None:
        self.again = True

    @workflow.update
    def ask(self) -> str:
        return workflow.info().run_id


Scenario = Callable[[Client, MemoryCloud], Awaitable[None]]


def run(scenario: Scenario) -> None:
    loop = VirtualTimeLoop()
    app = Application(workflows=[Flaky, Job, Parent, BadParent, Restless], deadlock_detection=False)

    async def play() -> None:
        async with MemoryCloud(
            app.registry.create, app.runner, clock=loop.milliseconds, to_failure=app.registry.to_failure
        ) as cloud:
            await scenario(Client(cloud.gateway), cloud)

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()


POLICY = RetryPolicy(initial_interval=timedelta(seconds=10), maximum_attempts=3)


async def flaky(client: Client, *args: Any, **options: Any) -> Any:
    return await client.start_workflow(Flaky.run, args=args, id="flaky", task_queue="q", **options)


def test_a_failed_run_is_tried_again() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        begin = cloud.gateway.clock()
        handle = await flaky(client, 2, retry_policy=POLICY)
        attempt, failure, first, last, _ = await handle.result()
        assert (attempt, failure, first) == (3, "Flaky: attempt 2", handle.result_run_id)
        assert first != last
        assert 30_000 <= cloud.gateway.clock() - begin < 40_000
        chain = client.list_workflows("WorkflowId = 'flaky'")
        statuses = [execution.status async for execution in chain]
        assert sorted(statuses) == [
            WorkflowExecutionStatus.COMPLETED,
            WorkflowExecutionStatus.FAILED,
            WorkflowExecutionStatus.FAILED,
        ]
        with pytest.raises(WorkflowContinuedAsNewError) as caught:
            await handle.result(follow_runs=False)
        assert caught.value.new_execution_run_id not in (first, last)

    run(scenario)


def test_attempts_run_out() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await flaky(client, 9, retry_policy=POLICY)
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert str(caught.value.cause) == "Flaky: attempt 3"
        assert (await handle.describe()).status == WorkflowExecutionStatus.FAILED

    run(scenario)


def test_what_is_not_to_be_tried_again() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await flaky(client, 1, retry_policy=RetryPolicy(non_retryable_error_types=["Flaky"]))
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        again = await flaky(client, 0, 5, retry_policy=POLICY)
        await again.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await again.result()
        assert isinstance(caught.value.cause, CancelledError)
        once_more = await flaky(client, 0, 5, retry_policy=POLICY)
        await once_more.terminate()
        with pytest.raises(WorkflowFailureError) as caught:
            await once_more.result()
        assert isinstance(caught.value.cause, TerminatedError)

    run(scenario)


def test_a_run_timeout_is_tried_again_and_the_execution_timeout_ends_it() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        begin = cloud.gateway.clock()
        handle = await flaky(
            client,
            0,
            5,
            retry_policy=RetryPolicy(initial_interval=timedelta(minutes=1), backoff_coefficient=1),
            run_timeout=timedelta(hours=1),
            execution_timeout=timedelta(hours=3),
        )
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, TimeoutError)
        assert 3 * 3_600_000 <= cloud.gateway.clock() - begin < 3.1 * 3_600_000
        assert len([execution async for execution in client.list_workflows()]) == 3

    run(scenario)


def test_a_message_waits_for_the_next_attempt() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        policy = RetryPolicy(initial_interval=timedelta(hours=1))
        handle = await flaky(client, 1, retry_policy=policy)
        await asyncio.sleep(600)
        current = client.get_workflow_handle_for(Flaky.run, "flaky")
        begin = cloud.gateway.clock()
        await current.signal(Flaky.note)
        assert (await handle.result())[-1] == 1
        assert cloud.gateway.clock() - begin > 2_900_000
        assert await cloud.reconcile() == 0

    run(scenario)


def test_a_chain_can_be_ended_while_it_waits() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await flaky(client, 5, retry_policy=RetryPolicy(initial_interval=timedelta(hours=1)))
        await asyncio.sleep(60)
        await handle.terminate(reason="enough")
        with pytest.raises(WorkflowFailureError) as caught:
            await asyncio.wait_for(handle.result(), 60)
        assert isinstance(caught.value.cause, TerminatedError)

    run(scenario)


def test_a_start_delay_ends_with_the_first_signal() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        delay = timedelta(hours=2)
        begin = cloud.gateway.clock()
        handle = await flaky(client, 0, start_delay=delay)
        assert (await handle.result())[0] == 1
        assert 0 <= cloud.gateway.clock() - begin - 2 * 3_600_000 < 90_000
        hurried = await flaky(client, 0, start_delay=delay, start_signal="note")
        await asyncio.sleep(60)
        begin = cloud.gateway.clock()
        await hurried.signal(Flaky.note)
        assert (await hurried.result())[-1] == 2
        assert cloud.gateway.clock() - begin < 5_000

    run(scenario)


def test_a_child_is_tried_again_and_its_parent_hears_of_the_end() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        result = await client.execute_workflow(Parent.run, 2, id="parent", task_queue="q")
        assert result[0] == 3
        result = await client.execute_workflow(Parent.run, 3, id="parent", task_queue="q")
        assert result == [RetryState.MAXIMUM_ATTEMPTS_REACHED, "Flaky: attempt 3"]

    run(scenario)


def test_a_cron_schedule() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await client.start_workflow(Job.run, 3, id="job", task_queue="q", cron_schedule="*/10 * * * *")
        await asyncio.sleep(3600)
        runs = [execution async for execution in client.list_workflows("WorkflowId = 'job'")]
        closed = [execution for execution in reversed(runs) if execution.close_time]
        assert [execution.status.name for execution in closed if execution.status] == [
            "COMPLETED",
            "COMPLETED",
            "FAILED",
            "COMPLETED",
            "COMPLETED",
            "COMPLETED",
        ]
        times = [execution.execution_time for execution in closed if execution.execution_time]
        assert all(time.minute % 10 == 0 and time.second == 0 for time in times)
        result = await cloud.gateway.outcome("job", closed[-1].run_id, wait=0)
        assert result is not None
        assert result.result is not None
        assert result.result.data == b"5"
        await handle.terminate()
        with pytest.raises(WorkflowFailureError):
            await handle.result()

    run(scenario)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"cron_schedule": "every day"}, "five fields"),
        ({"cron_schedule": "61 * * * *"}, "cannot be read"),
        ({"cron_schedule": "0 0 30 2 *"}, "cannot be read"),
        ({"cron_schedule": "@every day"}, "no duration"),
        ({"cron_schedule": "CRON_TZ=Nowhere/Else 0 0 * * *"}, "time zone"),
        ({"cron_schedule": "@hourly", "start_delay": timedelta(1)}, "cannot be combined"),
    ],
)
def test_schedules_that_mean_nothing(options: dict[str, Any], what: str) -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        with pytest.raises(RPCError, match=what) as caught:
            await flaky(client, 0, **options)
        assert caught.value.status == RPCStatusCode.INVALID_ARGUMENT

    run(scenario)


def test_a_childs_bad_schedule_fails_the_workflow_task() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await client.start_workflow(BadParent.run, id="parent", task_queue="q")
        await asyncio.sleep(10)
        description = await handle.describe()
        assert "'never' cannot be read" in description.raw_description.pending_workflow_task.last_failure.message
        events = [event.name for event in (await handle.fetch_history()).events]
        task = ["WorkflowTaskScheduled", "WorkflowTaskStarted", "WorkflowTaskFailed"]
        assert events == ["WorkflowExecutionStarted", *task]

    run(scenario)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("30 14 * * *", datetime(2026, 1, 31, 14, 30, tzinfo=UTC)),
        ("0 12 * * *", datetime(2026, 1, 31, 12, 0, tzinfo=UTC)),
        ("0 0 1 */2 *", datetime(2026, 3, 1, tzinfo=UTC)),
        ("0 9 * * MON-FRI", datetime(2026, 2, 2, 9, tzinfo=UTC)),
        ("CRON_TZ=America/New_York 0 9 * * *", datetime(2026, 1, 31, 14, tzinfo=UTC)),
        ("@daily", datetime(2026, 2, 1, tzinfo=UTC)),
        ("@every 1h30m", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
    ],
)
def test_the_next_time(schedule: str, expected: datetime) -> None:
    now = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    started = round(now.timestamp() * 1000) - 3_600_000
    assert now + timedelta(milliseconds=delay_until_next(schedule, started, started + 3_600_000)) == expected


def test_a_message_to_a_chain_reaches_it_however_often_it_has_moved_on() -> None:
    async def scenario(client: Client, cloud: MemoryCloud) -> None:
        handle = await client.start_workflow(Restless.run, id="restless", task_queue="q")
        assert handle.result_run_id is not None
        current = client.get_workflow_handle("restless")
        tried: list[str] = []

        async def ask(run_id: str) -> str:
            """Have the run that is to be asked end just before."""
            tried.append(run_id)
            if len(tried) < 4:
                await current.signal(Restless.restart)
                while (await current.describe()).run_id == run_id:  # noqa: ASYNC110 - in virtual time
                    await asyncio.sleep(1)
            return await client.get_workflow_handle("restless", run_id=run_id).execute_update(Restless.ask)

        answer = await call_in_chain(client.frontend, "restless", handle.result_run_id, ask)
        assert answer == tried[-1] == (await current.describe()).run_id
        assert len(set(tried)) == 4

        await current.terminate()
        with pytest.raises(RPCError) as caught:
            await handle.execute_update(Restless.ask)
        assert caught.value.status == RPCStatusCode.NOT_FOUND

    run(scenario)
