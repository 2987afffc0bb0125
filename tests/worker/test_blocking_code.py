"""Workflow code that blocks: its own workflow task fails, and nothing else of the process waits for it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from durability import workflow
from durability._core.deadlock import DeadlockDetector
from durability._runtime import code
from durability.client import WorkflowHandle
from durability.testing import WorkflowEnvironment
from durability.worker import Worker, _config

LIMIT = 0.05


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_config, "_DEADLOCK_DETECTOR", DeadlockDetector(LIMIT))
    monkeypatch.setattr(code, "_LOOK", LIMIT / 4)
    monkeypatch.setattr(code, "DEFAULT_LIMIT", LIMIT)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    Blocking.released = threading.Event()
    yield Blocking.released
    Blocking.released.set()


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_local() as env:
        yield env


@workflow.defn(sandboxed=False)
class Blocking:
    released: threading.Event

    @workflow.run
    async def run(self) -> str:
        self.released.wait()
        return "released"

    @workflow.query
    def wait(self) -> None:
        self.released.wait()


@workflow.defn(sandboxed=False)
class Prompt:
    @workflow.run
    async def run(self) -> str:
        return threading.current_thread().name


async def failure(handle: WorkflowHandle[Blocking, str]) -> str:
    """What its first workflow task failed with, once it has."""
    while True:
        events = (await handle.fetch_history()).to_json_dict()["events"]
        for event in events:
            if event["eventType"] == "EVENT_TYPE_WORKFLOW_TASK_FAILED":
                told = event["workflowTaskFailedEventAttributes"]["failure"]
                assert "in run" in told["stackTrace"], "it says where"
                return str(told["message"])
        await asyncio.sleep(LIMIT / 5)


async def test_others_go_on_and_so_does_the_run_when_it_is_released(
    env: WorkflowEnvironment, released: threading.Event
) -> None:
    async with asyncio.timeout(10), Worker(env.client, task_queue="q", workflows=[Blocking, Prompt]):
        handle = await env.client.start_workflow(Blocking.run, id="blocking", task_queue="q")
        thread = await env.client.execute_workflow(Prompt.run, id="prompt", task_queue="q")
        assert thread.startswith("temporal_workflow_")
        message = await failure(handle)
        assert message == f"[TMPRL1101] Potential deadlock detected: workflow didn't yield within {LIMIT} second(s)."
        assert not released.is_set(), "nobody waited for it"
        released.set()
        assert await handle.result() == "released"


async def test_as_many_may_be_stuck_as_there_are_tasks_at_a_time(
    env: WorkflowEnvironment, released: threading.Event
) -> None:
    worker = Worker(env.client, task_queue="q", workflows=[Blocking, Prompt], max_concurrent_workflow_tasks=3)
    async with asyncio.timeout(10), worker:
        handles = [await env.client.start_workflow(Blocking.run, id=f"b{n}", task_queue="q") for n in range(2)]
        for handle in handles:
            await failure(handle)
        assert await env.client.execute_workflow(Prompt.run, id="prompt", task_queue="q")
        released.set()
        assert [await handle.result() for handle in handles] == ["released"] * 2


async def test_a_run_keeps_one_thread_however_often_its_workflow_task_is_tried(
    env: WorkflowEnvironment, released: threading.Event
) -> None:
    worker = Worker(env.client, task_queue="q", workflows=[Blocking, Prompt], max_concurrent_workflow_tasks=2)
    async with asyncio.timeout(10), worker:
        handle = await env.client.start_workflow(Blocking.run, id="blocking", task_queue="q")
        await failed_twice(handle)
        assert await env.client.execute_workflow(Prompt.run, id="prompt", task_queue="q")
        released.set()
        assert await handle.result() == "released"


async def failed_twice(handle: WorkflowHandle[Blocking, str]) -> None:
    while True:
        description = (await handle.describe()).raw_description
        if int(description.pending_workflow_task.attempt) > 2:
            return
        await asyncio.sleep(LIMIT)


async def test_threads_of_the_users_choice(env: WorkflowEnvironment) -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        async with Worker(env.client, task_queue="q", workflows=[Prompt], workflow_task_executor=executor):
            assert await env.client.execute_workflow(Prompt.run, id="w", task_queue="q") == "mine_0"
        assert executor.submit(int).result() == 0, "it is not the worker's to shut down"


class OfAnotherLoop(ThreadPoolExecutor):
    """As trio-asyncio's: only its own event loop can use it."""

    async def submit(self, *args: object) -> None:  # type: ignore[override]
        raise NotImplementedError


async def test_an_executor_that_gives_no_futures_is_left_alone(env: WorkflowEnvironment) -> None:
    with OfAnotherLoop() as executor:
        async with Worker(env.client, task_queue="q", workflows=[Prompt], workflow_task_executor=executor):
            name = await env.client.execute_workflow(Prompt.run, id="w", task_queue="q")
            assert name.startswith("temporal_workflow_")


@workflow.defn(sandboxed=False)
class Stubborn:
    goes_on = True

    @workflow.run
    async def run(self) -> str:
        self.task = asyncio.create_task(self.catch())
        return "done"

    async def catch(self) -> None:
        while Stubborn.goes_on:
            with suppress(BaseException):
                await workflow.wait_condition(lambda: False)


async def test_code_that_refuses_to_end_is_told_of_and_holds_nobody_up(
    env: WorkflowEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    complained = asyncio.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith(f"Timed out running eviction job for run ID {handle.result_run_id}"):
                complained.set()

    handler = Handler()
    code.logger.addHandler(handler)
    Stubborn.goes_on = True
    try:
        async with asyncio.timeout(10), Worker(env.client, task_queue="q", workflows=[Stubborn, Prompt]):
            handle = await env.client.start_workflow(Stubborn.run, id="stubborn", task_queue="q")
            assert await handle.result() == "done"
            await complained.wait()
            assert await env.client.execute_workflow(Prompt.run, id="prompt", task_queue="q")
    finally:
        Stubborn.goes_on = False
        code.logger.removeHandler(handler)
