"""What runs on both sides: in the stack's functions and in workers, which differ in the task queue that they serve."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

from durability import Application, activity, callbacks, workflow

SHORT = timedelta(seconds=10)


@activity.defn
async def where() -> str:
    """Where the activity ran."""
    return os.environ.get("AWS_LAMBDA_FUNCTION_NAME", f"worker {os.getpid()}")


@activity.defn
async def hold(folder: str) -> str:
    """Say that it has begun, wait until it is let go, and tell what the attempt before left behind."""
    info = activity.info()
    activity.heartbeat(*info.heartbeat_details, os.getpid())
    (Path(folder) / f"attempt-{info.attempt}").write_text(str(os.getpid()))
    while not (Path(folder) / "go").exists():
        activity.heartbeat(*info.heartbeat_details, os.getpid())
        await asyncio.sleep(0.05)
    return f"attempt {info.attempt} after {info.heartbeat_details}"


@workflow.defn
class Sends:
    """One activity on a task queue, its own by default."""

    @workflow.run
    async def run(self, task_queue: str | None) -> str:
        return await workflow.execute_activity(where, task_queue=task_queue, start_to_close_timeout=SHORT)


@workflow.defn
class SendsChild:
    """A child on a task queue."""

    @workflow.run
    async def run(self, task_queue: str) -> str:
        return await workflow.execute_child_workflow(Sends.run, None, task_queue=task_queue)


@workflow.defn
class Moves:
    """Continues as new through task queues; ends in the last one."""

    @workflow.run
    async def run(self, task_queues: list[str], trace: list[str]) -> list[str]:
        trace = [*trace, await workflow.execute_activity(where, start_to_close_timeout=SHORT)]
        if task_queues:
            workflow.continue_as_new(args=[task_queues[1:], trace], task_queue=task_queues[0])
        return trace


@workflow.defn
class Counter:
    """Counts until it is told to stop, or for a time."""

    def __init__(self) -> None:
        self._count = 0
        self._stopped = False

    @workflow.run
    async def run(self, seconds: float = 0) -> int:
        if seconds:
            await workflow.sleep(seconds)
        else:
            await workflow.wait_condition(lambda: self._stopped)
        return self._count

    @workflow.signal
    def stop(self) -> None:
        self._stopped = True

    @workflow.query
    def count(self) -> int:
        return self._count

    @workflow.update
    def add(self, number: int) -> int:
        self._count += number
        return self._count


@workflow.defn
class Holds:
    """An activity that is under way until it is let go, dispatched because it has a heartbeat timeout."""

    @workflow.run
    async def run(self, folder: str, task_queue: str | None, heartbeat: float) -> str:
        return await workflow.execute_activity(
            hold,
            folder,
            task_queue=task_queue,
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(seconds=heartbeat),
        )


@workflow.defn
class KillsItsTask:
    """The process dies in the middle of a workflow task, the first time."""

    @workflow.run
    async def run(self, folder: str) -> str:
        before = await workflow.execute_activity(where, start_to_close_timeout=timedelta(seconds=2))
        with workflow.unsafe.sandbox_unrestricted():
            mark = Path(folder) / "killed"
            if not mark.exists():
                mark.write_text(before)
                os.kill(os.getpid(), signal.SIGKILL)
        return await workflow.execute_activity(where, start_to_close_timeout=SHORT)


@workflow.defn
class Calls:
    """Gives away a URL, and returns what is brought to it."""

    def __init__(self) -> None:
        self.url = ""

    @workflow.run
    async def run(self) -> Any:
        callback = await callbacks.create("anybody")
        self.url = callback.url
        return await callback.wait(timeout=timedelta(hours=1))

    @workflow.update
    async def callback_url(self) -> str:
        await workflow.wait_condition(lambda: self.url != "")
        return self.url


WORKFLOWS = [Sends, SendsChild, Moves, Counter, Holds, KillsItsTask, Calls]
ACTIVITIES = [where, hold]

app = Application(workflows=WORKFLOWS, activities=ACTIVITIES)
