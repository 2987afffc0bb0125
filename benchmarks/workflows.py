"""What is measured: small workflows, each of which costs one thing."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

from durability import Application, activity, workflow

TIMEOUT = timedelta(seconds=10)


@activity.defn
async def add_one(number: int) -> int:
    return number + 1


@activity.defn
async def work(milliseconds: float) -> None:
    await asyncio.sleep(milliseconds / 1000)


@activity.defn
async def draw(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@workflow.defn
class Sequential:
    """Steps one after the other."""

    @workflow.run
    async def run(self, steps: int) -> int:
        number = 0
        for _ in range(steps):
            number = await workflow.execute_activity(add_one, number, start_to_close_timeout=TIMEOUT)
        return number


@workflow.defn
class Lengthy:
    """Steps of some milliseconds one after the other."""

    @workflow.run
    async def run(self, steps: int, milliseconds: float) -> None:
        for _ in range(steps):
            await workflow.execute_activity(work, milliseconds, start_to_close_timeout=TIMEOUT)


@workflow.defn
class Drawing:
    """Steps one after the other whose results are some bytes that cannot be compressed."""

    @workflow.run
    async def run(self, steps: int, size: int) -> None:
        for _ in range(steps):
            await workflow.execute_activity(draw, size, start_to_close_timeout=TIMEOUT)


@workflow.defn
class Parallel:
    """Activities side by side, each of a random time around ``milliseconds``, give or take ``spread``."""

    @workflow.run
    async def run(self, activities: int, milliseconds: float, spread: float, dispatched: bool) -> None:
        times = random.Random(1)
        heartbeat = timedelta(minutes=5) if dispatched else None  # an activity that may heartbeat is not run eagerly
        await asyncio.gather(
            *(
                workflow.execute_activity(
                    work,
                    milliseconds + times.uniform(-spread, spread),
                    start_to_close_timeout=TIMEOUT,
                    heartbeat_timeout=heartbeat,
                )
                for _ in range(activities)
            )
        )


@workflow.defn
class Sleeping:
    """Sleeps a number of times, and does nothing else."""

    @workflow.run
    async def run(self, times: int, seconds: float) -> None:
        for _ in range(times):
            await workflow.sleep(seconds)


@workflow.defn
class Waiting:
    """Waits for signals until it is told to finish."""

    def __init__(self) -> None:
        self.received = 0
        self.finished = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.finished)
        return self.received

    @workflow.signal
    def poke(self) -> None:
        self.received += 1

    @workflow.signal
    def finish(self) -> None:
        self.finished = True


@workflow.defn
class Priced:
    """What prices are compared by: ten steps, a sleep and a signal."""

    def __init__(self) -> None:
        self.approved = False

    @workflow.run
    async def run(self) -> int:
        number = 0
        for _ in range(5):
            number = await workflow.execute_activity(add_one, number, start_to_close_timeout=TIMEOUT)
        await workflow.sleep(timedelta(minutes=10))
        for _ in range(5):
            number = await workflow.execute_activity(add_one, number, start_to_close_timeout=TIMEOUT)
        await workflow.wait_condition(lambda: self.approved)
        return number

    @workflow.signal
    def approve(self) -> None:
        self.approved = True


app = Application(
    workflows=[Sequential, Lengthy, Drawing, Parallel, Sleeping, Waiting, Priced], activities=[add_one, work, draw]
)
