"""Who serves what in an environment in memory: callers that come before workers, and workers that leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability.client import WorkflowContinuedAsNewError, WorkflowFailureError, WorkflowUpdateStage
from durability.common import SearchAttributeKey, WorkflowIDConflictPolicy
from durability.service import RPCError, RPCStatusCode
from durability.testing import WorkflowEnvironment
from durability.worker import UnsandboxedWorkflowRunner, Worker

SIZE = SearchAttributeKey.for_int("Size")
COLOUR = SearchAttributeKey.for_keyword("Colour")


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_local() as env:
        yield env


@workflow.defn
class Prompt:
    """Ends in its first workflow task."""

    @workflow.init
    def __init__(self, value: str) -> None:
        self.value = value

    @workflow.run
    async def run(self, value: str) -> str:
        self.value = "overwritten"
        return self.value

    @workflow.update
    async def ask(self) -> str:
        return self.value

    @workflow.query
    def state(self) -> str:
        return self.value


async def waiting(update: asyncio.Task[Any]) -> None:
    """Until a call waits for a worker."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert not update.done()


async def test_an_update_that_waited_belongs_to_the_first_workflow_task(env: WorkflowEnvironment) -> None:
    handle = await env.client.start_workflow(Prompt.run, "given", id="w", task_queue="q")
    update = asyncio.create_task(handle.execute_update(Prompt.ask))
    await waiting(update)
    async with Worker(env.client, task_queue="q", workflows=[Prompt]):
        assert await update == "given"
        assert await handle.result() == "overwritten"


async def test_a_query_waits_for_a_worker_where_there_was_one(env: WorkflowEnvironment) -> None:
    handle = await env.client.start_workflow(Prompt.run, "given", id="w", task_queue="q")
    with pytest.raises(RPCError, match="no poller") as caught:
        await handle.query(Prompt.state)
    assert caught.value.status == RPCStatusCode.FAILED_PRECONDITION
    async with Worker(env.client, task_queue="q", workflows=[Prompt]):
        await handle.result()
    with pytest.raises(RPCError) as caught:
        await handle.query(Prompt.state, rpc_timeout=timedelta(milliseconds=10))
    assert caught.value.status == RPCStatusCode.DEADLINE_EXCEEDED
    query = asyncio.create_task(handle.query(Prompt.state))
    await waiting(query)
    async with Worker(env.client, task_queue="q", workflows=[Prompt]):
        assert await query == "overwritten"


@workflow.defn
class Coloured:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def paint(self, colour: str) -> None:
        workflow.upsert_search_attributes([COLOUR.value_set(colour), SIZE.value_unset()])
        workflow.upsert_memo({"painted": True})

    @workflow.query
    def colour(self) -> str | None:
        return workflow.info().typed_search_attributes.get(COLOUR)


@pytest.mark.filterwarnings("ignore:Dictionary-based search attributes")
async def test_what_a_query_tells_of_has_happened(env: WorkflowEnvironment) -> None:
    async with Worker(env.client, task_queue="q", workflows=[Coloured]):
        handle = await env.client.start_workflow(
            Coloured.run, id="w", task_queue="q", search_attributes={"Size": [3], "Colour": ["red"]}
        )
        assert (await handle.describe()).typed_search_attributes[SIZE] == 3
        await handle.signal(Coloured.paint, "blue")
        assert await handle.query(Coloured.colour) == "blue"
        description = await handle.describe()
        assert description.search_attributes == {"Colour": ["blue"]}
        assert await description.memo() == {"painted": True}


@activity.defn
async def endless() -> None:
    await asyncio.Future()


@workflow.defn
class Busy:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(endless, start_to_close_timeout=timedelta(hours=1))

    @workflow.query
    def started(self) -> bool:
        return True


async def test_a_worker_that_leaves_at_once_cancels_what_it_is_about_to_begin(env: WorkflowEnvironment) -> None:
    async with asyncio.timeout(10), Worker(env.client, task_queue="q", workflows=[Busy], activities=[endless]):
        handle = await env.client.start_workflow(Busy.run, id="w", task_queue="q")
        assert await handle.query(Busy.started)


@activity.defn(name="adder")
class Adder:
    """An activity whose instances are called."""

    def __init__(self, more: int) -> None:
        self.more = more

    async def __call__(self, value: int) -> int:
        return value + self.more


@workflow.defn
class Adding:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity_class(Adder, 1, start_to_close_timeout=timedelta(seconds=10))


async def test_instances_with_an_asynchronous_call_are_asynchronous_activities(env: WorkflowEnvironment) -> None:
    async with Worker(env.client, task_queue="q", workflows=[Adding], activities=[Adder(41)]):
        assert await env.client.execute_workflow(Adding.run, id="w", task_queue="q") == 42


@workflow.defn
class Growing:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def size(self) -> tuple[int, int]:
        return workflow.info().get_current_history_length(), workflow.info().get_current_history_size()

    @workflow.update
    async def grow(self) -> None:
        await asyncio.sleep(0.001)


async def test_a_history_has_a_size_from_the_first_workflow_task_on(env: WorkflowEnvironment) -> None:
    async with Worker(env.client, task_queue="q", workflows=[Growing]):
        handle = await env.client.start_workflow(Growing.run, id="w", task_queue="q")
        length, size = await handle.query(Growing.size)
        assert length == 3
        assert size > 100
        update = await handle.start_update(Growing.grow, wait_for_stage=WorkflowUpdateStage.COMPLETED)
        await update.result()
        assert (await handle.query(Growing.size))[1] > size


caught: list[BaseException] = []


@workflow.defn
class CatchesAll:
    @workflow.run
    async def run(self) -> None:
        try:
            await asyncio.sleep(0.01)
        except BaseException as error:
            caught.append(error)
            raise


async def test_code_that_is_let_go_of_meets_the_error_of_the_reference(env: WorkflowEnvironment) -> None:
    caught.clear()
    async with Worker(env.client, task_queue="q", workflows=[CatchesAll], max_cached_workflows=0):
        await env.client.execute_workflow(CatchesAll.run, id="w", task_queue="q")
    assert [type(error).__name__ for error in caught] == ["_WorkflowBeingEvictedError"]


@workflow.defn
class Chained:
    @workflow.run
    async def run(self, first: bool) -> None:
        if first:
            workflow.continue_as_new(False)
        await workflow.wait_condition(lambda: False)


async def test_a_handle_on_an_existing_run_knows_the_first_run_of_its_chain(env: WorkflowEnvironment) -> None:
    async with Worker(env.client, task_queue="q", workflows=[Chained]):
        first = await env.client.start_workflow(Chained.run, True, id="w", task_queue="q")
        with pytest.raises(WorkflowContinuedAsNewError):
            await first.result(follow_runs=False)
        existing = await env.client.start_workflow(
            Chained.run, True, id="w", task_queue="q", id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
        )
        assert existing.result_run_id != first.result_run_id
        assert existing.first_execution_run_id == first.first_execution_run_id
        await existing.terminate()


@workflow.defn
class Prepares:
    """Takes updates only once it has begun."""

    @workflow.run
    async def run(self) -> None:
        workflow.set_update_handler("late", lambda: "here")
        await workflow.wait_condition(lambda: False)


async def test_an_idle_worker_begins_before_the_caller_goes_on(env: WorkflowEnvironment) -> None:
    async with Worker(env.client, task_queue="q", workflows=[Prepares]):
        handle = await env.client.start_workflow(Prepares.run, id="w", task_queue="q")
        assert await handle.execute_update("late") == "here"


@activity.defn
async def ends_when_cancelled() -> str:
    try:
        await asyncio.Future()
    except asyncio.CancelledError:
        return "cancelled"
    raise AssertionError


@workflow.defn
class CancelsLocal:
    def __init__(self) -> None:
        self.may_cancel = False

    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_local_activity(
            ends_when_cancelled,
            schedule_to_close_timeout=timedelta(seconds=30),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: self.may_cancel)
        handle.cancel()
        return await handle

    @workflow.signal
    def cancel(self) -> None:
        self.may_cancel = True

    @workflow.query
    def state(self) -> bool:
        return self.may_cancel


async def test_a_local_activity_is_cancelled_whoever_has_the_run_by_now(env: WorkflowEnvironment) -> None:
    async with (
        asyncio.timeout(10),
        Worker(env.client, task_queue="q", workflows=[CancelsLocal], activities=[ends_when_cancelled]),
    ):
        handle = await env.client.start_workflow(CancelsLocal.run, id="w", task_queue="q")
        assert not await handle.query(CancelsLocal.state), "for which the executor of the activity gives the run away"
        await handle.signal(CancelsLocal.cancel)
        assert await handle.result() == "cancelled"


instances = 0


@activity.defn
async def echo(value: int) -> int:
    return value


@workflow.defn
class Remade:
    """Counts how often it is made."""

    def __init__(self) -> None:
        global instances
        instances += 1

    @workflow.run
    async def run(self) -> None:
        for number in range(3):
            await workflow.execute_activity(echo, number, start_to_close_timeout=timedelta(seconds=5))
        both = [workflow.execute_activity(echo, n, start_to_close_timeout=timedelta(seconds=5)) for n in range(2)]
        await asyncio.gather(*both)
        await asyncio.sleep(0.001)
        for number in range(2):
            await workflow.execute_local_activity(echo, number, start_to_close_timeout=timedelta(seconds=5))
        await asyncio.sleep(0.001)


async def test_without_a_cache_every_workflow_task_replays(env: WorkflowEnvironment) -> None:
    global instances
    instances = 0
    async with Worker(
        env.client,
        task_queue="q",
        workflows=[Remade],
        activities=[echo],
        max_cached_workflows=0,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await env.client.start_workflow(Remade.run, id="w", task_queue="q")
        await handle.result()
    events = [event.name for event in (await handle.fetch_history()).events]
    assert instances == events.count("WorkflowTaskCompleted") > 5


@workflow.defn(sandboxed=False)
class DependsOnReplay:
    @workflow.run
    async def run(self) -> None:
        if workflow.unsafe.is_replaying():
            await workflow.sleep(1)
        await workflow.execute_activity(echo, 1, start_to_close_timeout=timedelta(seconds=5))


async def test_without_a_cache_code_that_does_not_replay_fails_at_once(env: WorkflowEnvironment) -> None:
    async with Worker(
        env.client,
        task_queue="q",
        workflows=[DependsOnReplay],
        activities=[echo],
        max_cached_workflows=0,
        workflow_failure_exception_types=[workflow.NondeterminismError],
    ):
        handle = await env.client.start_workflow(DependsOnReplay.run, id="w", task_queue="q")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert "Nondeterminism" in str(failed.value.cause)
    names = [event.name for event in (await handle.fetch_history()).events]
    assert names[-1] == "WorkflowExecutionFailed", names
    assert "WorkflowTaskFailed" not in names
