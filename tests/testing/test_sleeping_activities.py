"""Activities that simulate work by sleeping in the time of an environment in which time is skipped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability.client import WorkflowExecutionStatus, WorkflowFailureError
from durability.common import RetryPolicy
from durability.exceptions import ActivityError, TimeoutError, TimeoutType
from durability.testing import WorkflowEnvironment
from durability.worker import Worker

environment: ContextVar[WorkflowEnvironment] = ContextVar("environment")
DISPATCHED: dict[str, Any] = {"heartbeat_timeout": timedelta(minutes=30)}


@activity.defn
async def nap(seconds: float) -> None:
    await environment.get().sleep(seconds)


@activity.defn
async def naps_at_once(seconds: list[float]) -> None:
    await asyncio.gather(*map(environment.get().sleep, seconds))


@activity.defn
async def work(seconds: float) -> None:
    await asyncio.sleep(seconds)


@workflow.defn
class Naps:
    """Activities side by side, beside a timer; tells what ended after how many seconds of the workflow's time."""

    @workflow.run
    async def run(self, activities: list[tuple[str, Any]], timer: float, dispatched: bool) -> list[str]:
        began, ends = workflow.time(), list[str]()

        def ended(what: str) -> None:
            ends.append(f"{what} at {workflow.time() - began:.0f}")

        async def execute(name: str, argument: Any) -> None:
            options = DISPATCHED if dispatched else {}
            await workflow.execute_activity(name, argument, start_to_close_timeout=timedelta(hours=1), **options)
            ended(name)

        async def wait() -> None:
            await asyncio.sleep(timer)
            ended("timer")

        await asyncio.gather(wait(), *(execute(*each) for each in activities))
        return ends


@workflow.defn
class NapsTooLong:
    @workflow.run
    async def run(self, timeout: str) -> None:
        options: dict[str, Any] = {"schedule_to_close_timeout": timedelta(hours=1), timeout: timedelta(minutes=1)}
        await workflow.execute_activity(nap, 100, retry_policy=RetryPolicy(maximum_attempts=2), **options)


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping() as env:
        environment.set(env)
        activities = [nap, naps_at_once, work]
        async with Worker(env.client, task_queue="q", workflows=[Naps, NapsTooLong], activities=activities):
            yield env


@pytest.mark.parametrize("dispatched", [False, True])
@pytest.mark.parametrize(
    ("activities", "timer", "expected"),
    [
        ([("nap", 600)], 1200, ["nap at 600", "timer at 1200"]),
        ([("nap", 600)], 300, ["timer at 300", "nap at 600"]),
        ([("nap", 600), ("nap", 500)], 400, ["timer at 400", "nap at 500", "nap at 600"]),
        ([("naps_at_once", [600, 500])], 300, ["timer at 300", "naps_at_once at 600"]),
        # What works is waited for, whatever sleeps beside it.
        ([("naps_at_once", [600, 500]), ("work", 0.3)], 300, ["work at 0", "timer at 300", "naps_at_once at 600"]),
    ],
)
async def test_time_is_skipped_over_sleeping_activities(
    env: WorkflowEnvironment, activities: list[tuple[str, Any]], timer: float, expected: list[str], dispatched: bool
) -> None:
    began = time.monotonic()
    ends = await env.client.execute_workflow(Naps.run, args=[activities, timer, dispatched], id="w", task_queue="q")
    assert ends == expected
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("dispatched", [False, True])
async def test_time_is_not_skipped_for_a_sleeping_activity_alone(env: WorkflowEnvironment, dispatched: bool) -> None:
    handle = await env.client.start_workflow(Naps.run, args=[[("nap", 600)], 1, dispatched], id="w", task_queue="q")
    before = await env.get_current_time()
    await asyncio.sleep(0.1)
    assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
    assert await env.get_current_time() - before < timedelta(seconds=10)
    assert await handle.result() == ["timer at 1", "nap at 600"]


@pytest.mark.parametrize(
    ("timeout", "type"),
    [
        ("start_to_close_timeout", TimeoutType.START_TO_CLOSE),
        ("schedule_to_close_timeout", TimeoutType.SCHEDULE_TO_CLOSE),
        ("heartbeat_timeout", TimeoutType.HEARTBEAT),
    ],
)
async def test_sleeping_activities_time_out(env: WorkflowEnvironment, timeout: str, type: TimeoutType) -> None:
    with pytest.raises(WorkflowFailureError) as failed:
        await env.client.execute_workflow(NapsTooLong.run, timeout, id="w", task_queue="q")
    assert isinstance(failed.value.cause, ActivityError)
    assert isinstance(failed.value.cause.cause, TimeoutError)
    assert failed.value.cause.cause.type == type
