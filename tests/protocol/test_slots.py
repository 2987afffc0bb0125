"""Activities for which there is no slot yet: their time runs from when they begin."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import pytest

from durability import activity, workflow
from durability._memory.cloud import MemoryCloud
from durability._memory.time import VirtualTimeLoop
from durability.activity._runner import ActivityRunner
from durability.application import Application
from durability.client import Client
from durability.common import RetryPolicy

WORK = 1.2
LIMIT = timedelta(seconds=2)
"""Longer than one activity takes, and shorter than two."""


@activity.defn
async def work(number: int) -> float:
    begun = asyncio.get_running_loop().time()
    await asyncio.sleep(WORK)
    info = activity.info()
    assert info.started_time - info.current_attempt_scheduled_time >= timedelta(0)
    return begun


@workflow.defn
class Crowd:
    @workflow.run
    async def run(self, eager: bool) -> list[float]:
        return await asyncio.gather(
            *(
                workflow.execute_activity(
                    work,
                    number,
                    start_to_close_timeout=LIMIT,
                    retry_policy=RetryPolicy(maximum_attempts=1),
                    heartbeat_timeout=None if eager else LIMIT,
                )
                for number in range(4)
            )
        )


class OneAtATime(ActivityRunner):
    """A runner with one slot."""

    free = 1

    @property
    def free_slots(self) -> int:
        return self.free

    def slot(self, activity_type: str, *, local: bool = False) -> AbstractAsyncContextManager[None]:
        return self._take()

    @asynccontextmanager
    async def _take(self) -> AsyncIterator[None]:
        async with self.only:
            self.free -= 1
            yield
            self.free += 1

    only: asyncio.Semaphore


@pytest.mark.parametrize("eager", [True, False])
def test_waiting_for_a_slot_is_not_working(eager: bool) -> None:
    loop = VirtualTimeLoop()
    app = Application(workflows=[Crowd], deadlock_detection=False)
    runner = OneAtATime([work])

    async def play() -> list[float]:
        runner.only = asyncio.Semaphore(1)
        async with MemoryCloud(
            app.registry.create, runner, clock=loop.milliseconds, to_failure=app.registry.to_failure
        ) as cloud:
            client = Client(cloud.gateway)
            return await client.execute_workflow(Crowd.run, eager, id="w", task_queue="q")

    try:
        begun = sorted(loop.run_until_complete(play()))
    finally:
        loop.close()
    pauses = [later - before for before, later in itertools.pairwise(begun)]
    assert all(pause == pytest.approx(WORK, abs=0.01) for pause in pauses)
