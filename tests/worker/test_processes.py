"""Activities in a process pool: what crosses the boundary both ways, and a pool that dies."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability.client import Client, WorkflowFailureError
from durability.common import RetryPolicy
from durability.exceptions import ActivityError, ApplicationError
from durability.testing import WorkflowEnvironment
from durability.worker import SharedStateManager, Worker

QUEUE = "processes"
SPAWN = multiprocessing.get_context("spawn")  # a fork of a process with threads is a warning on newer Pythons


@pytest.fixture(scope="module")
def state() -> Iterator[SharedStateManager]:
    with SPAWN.Manager() as manager:
        yield SharedStateManager.create_from_multiprocessing(manager)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=SPAWN) as executor:
        yield executor


@activity.defn
def tells_where_it_runs(expected: str) -> tuple[bool, str, list[str]]:
    before = list(activity.info().heartbeat_details)
    activity.logger.info("in a process")
    activity.heartbeat(f"attempt {activity.info().attempt}")
    if activity.info().attempt == 1:
        raise ValueError("once more")
    return os.getpid() != int(expected), activity.info().activity_type, before


@activity.defn
def runs_until_cancelled() -> str:
    while not activity.is_cancelled():
        activity.heartbeat("alive")
        activity.wait_for_cancelled_sync(0.02)
    return f"cancelled, details {activity.cancellation_details()}"


@activity.defn
def runs_until_shutdown() -> str:
    activity.heartbeat("running")
    activity.wait_for_worker_shutdown_sync(20)
    return f"shutdown {activity.is_worker_shutdown()}"


@activity.defn
def kills_its_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@activity.defn
def beats_with_what_cannot_be_pickled() -> None:
    activity.heartbeat(lambda: None)


@workflow.defn
class Calls:
    @workflow.run
    async def run(self, name: str, arguments: list[str], attempts: int) -> Any:
        return await workflow.execute_activity(
            name,
            args=arguments,
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=timedelta(seconds=20),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=attempts),
        )


ACTIVITIES = [
    tells_where_it_runs,
    runs_until_cancelled,
    runs_until_shutdown,
    kills_its_process,
    beats_with_what_cannot_be_pickled,
]


def a_worker(client: Client, executor: ProcessPoolExecutor, state: SharedStateManager) -> Worker:
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[Calls],
        activities=ACTIVITIES,
        activity_executor=executor,
        max_concurrent_activities=1,
        shared_state_manager=state,
        graceful_shutdown_timeout=timedelta(seconds=10),
    )


async def test_info_heartbeats_and_cancellation_cross_over(
    pool: ProcessPoolExecutor, state: SharedStateManager
) -> None:
    async with await WorkflowEnvironment.start_local() as env, a_worker(env.client, pool, state):
        result = await env.client.execute_workflow(
            Calls.run, args=["tells_where_it_runs", [str(os.getpid())], 2], id="where", task_queue=QUEUE
        )
        assert result == [True, "tells_where_it_runs", ["attempt 1"]]
        handle = await env.client.start_workflow(
            Calls.run, args=["runs_until_cancelled", [], 1], id="cancelled", task_queue=QUEUE
        )
        await _heartbeat(handle)
        await handle.cancel()
        assert await handle.result() == "cancelled, details None"
        with pytest.raises(WorkflowFailureError) as caught:
            await env.client.execute_workflow(
                Calls.run, args=["beats_with_what_cannot_be_pickled", [], 1], id="lambda", task_queue=QUEUE
            )
        assert isinstance(caught.value.cause, ActivityError)
        assert "pickle" in str(caught.value.cause.cause) or "local object" in str(caught.value.cause.cause)


async def test_shutdown_is_seen_in_the_process(pool: ProcessPoolExecutor, state: SharedStateManager) -> None:
    async with await WorkflowEnvironment.start_local() as env:
        async with a_worker(env.client, pool, state):
            handle = await env.client.start_workflow(
                Calls.run, args=["runs_until_shutdown", [], 1], id="shutdown", task_queue=QUEUE
            )
            await _heartbeat(handle)
        async with Worker(env.client, task_queue=QUEUE, workflows=[Calls]):
            assert await handle.result() == "shutdown True"


async def test_a_pool_that_dies_fails_the_activity_and_the_worker(state: SharedStateManager) -> None:
    async with await WorkflowEnvironment.start_local() as env:
        with (
            ProcessPoolExecutor(1, mp_context=SPAWN) as own,
            pytest.raises(RuntimeError, match="Activity worker failed") as ended,
        ):
            async with a_worker(env.client, own, state):
                await env.client.execute_workflow(
                    Calls.run, args=["kills_its_process", [], 1], id="killed", task_queue=QUEUE
                )
        assert isinstance(ended.value.__cause__, BrokenProcessPool)
        async with Worker(env.client, task_queue=QUEUE, workflows=[Calls]):
            with pytest.raises(WorkflowFailureError) as failed:
                await env.client.get_workflow_handle("killed").result()
        assert isinstance(failed.value.cause, ActivityError)
        assert isinstance(failed.value.cause.cause, ApplicationError)
        assert failed.value.cause.cause.type == "BrokenProcessPool"


async def test_what_a_process_pool_needs(pool: ProcessPoolExecutor, state: SharedStateManager) -> None:
    @activity.defn
    def local() -> None: ...

    async with await WorkflowEnvironment.start_local() as env:
        with pytest.raises(ValueError, match="a shared_state_manager must be present"):
            Worker(env.client, task_queue=QUEUE, activities=[kills_its_process], activity_executor=pool)
        with pytest.raises(TypeError, match="must be picklable when using a process executor"):
            Worker(
                env.client,
                task_queue=QUEUE,
                activities=[local],
                activity_executor=pool,
                shared_state_manager=state,
                max_concurrent_activities=1,
            )


async def _heartbeat(handle: Any) -> None:
    """Wait until the activity of a workflow has sent a heartbeat."""

    while True:
        pending = (await handle.describe()).raw_description.pending_activities
        if pending and pending[0].HasField("heartbeat_details"):
            return
        await asyncio.sleep(0)
