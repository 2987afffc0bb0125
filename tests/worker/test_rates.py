"""Activities begin no faster than a worker, or its task queue, allows."""

from __future__ import annotations

import asyncio
import itertools
from datetime import datetime, timedelta

import pytest

from durability import activity, workflow
from durability.testing import WorkflowEnvironment
from durability.worker import Worker

BEGUN: list[datetime] = []


@activity.defn
async def begin() -> None:
    BEGUN.append(activity.info().started_time)


@workflow.defn
class Five:
    @workflow.run
    async def run(self) -> None:
        timeout = timedelta(minutes=1)
        await asyncio.gather(*(workflow.execute_activity(begin, start_to_close_timeout=timeout) for _ in range(5)))


@pytest.mark.parametrize("limit", ["max_activities_per_second", "max_task_queue_activities_per_second"])
async def test_one_in_two_seconds(env: WorkflowEnvironment, limit: str) -> None:
    BEGUN.clear()
    async with Worker(env.client, task_queue="q", workflows=[Five], activities=[begin], **{limit: 0.5}):  # type: ignore[arg-type]
        await env.client.execute_workflow(Five.run, id="five", task_queue="q")
    pauses = [later - earlier for earlier, later in itertools.pairwise(BEGUN)]
    assert len(pauses) == 4
    assert all(pause >= timedelta(seconds=1.99) for pause in pauses)


async def test_two_workers_share_the_task_queues_rate(env: WorkflowEnvironment) -> None:
    BEGUN.clear()
    options = {"task_queue": "q", "activities": [begin], "max_task_queue_activities_per_second": 1}
    async with (
        Worker(env.client, workflows=[Five], **options),  # type: ignore[arg-type]
        Worker(env.client, **options),  # type: ignore[arg-type]
    ):
        await env.client.execute_workflow(Five.run, id="five", task_queue="q")
    assert max(BEGUN) - min(BEGUN) >= timedelta(seconds=3.99)
