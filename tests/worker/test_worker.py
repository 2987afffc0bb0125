"""Workers: what they accept, what they are given, and how they end."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability._memory.workers import AttachedWorker
from durability.api.enums.v1 import EventType
from durability.client import Client, RPCError, WorkflowFailureError, WorkflowQueryFailedError
from durability.common import RawValue, RetryPolicy
from durability.exceptions import ActivityError, ApplicationError, ConfigurationError
from durability.service import RPCStatusCode
from durability.testing import WorkflowEnvironment
from durability.worker import (
    FixedSizeSlotSupplier,
    PatchActivationInput,
    Plugin,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkerConfig,
    WorkerTuner,
)
from durability.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

SECONDS = timedelta(seconds=10)


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}, from {activity.info().task_queue}"


@activity.defn
def blocking(name: str) -> str:
    return f"{name} in {threading.current_thread().name.split('_')[0]}"


@workflow.defn
class Greeting:
    @workflow.run
    async def run(self, name: str, task_queue: str | None) -> str:
        return await workflow.execute_activity(
            greet,
            name,
            start_to_close_timeout=SECONDS,
            task_queue=task_queue,
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


@workflow.defn
class Blocking:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(blocking, "x", start_to_close_timeout=SECONDS)


@workflow.defn
class Named:
    @workflow.run
    async def run(self) -> str:
        return "named"

    @workflow.query
    def state(self) -> str:
        return "there"


@workflow.defn(name="Named")
class SameName:
    @workflow.run
    async def run(self) -> None: ...


@workflow.defn(dynamic=True)
class Anything:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> str:
        return f"{workflow.info().workflow_type} with {len(args)}"


@workflow.defn(dynamic=True)
class AnythingElse:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> None: ...


@workflow.defn
class Patched:
    @workflow.run
    async def run(self) -> list[bool]:
        return [workflow.patched("wanted"), workflow.patched("unwanted")]


@workflow.defn
class FailingValue:
    @workflow.run
    async def run(self) -> None:
        raise ValueError("mine")


# --- what is accepted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "At least one activity"),
        ({"activities": [blocking]}, ValueError, "blocking is not async so an activity_executor must be present"),
        ({"activities": [greet, greet]}, ValueError, "More than one activity named greet"),
        ({"workflows": [Named, SameName]}, ValueError, "More than one workflow named Named"),
        ({"workflows": [Anything, AnythingElse]}, TypeError, "More than one dynamic workflow"),
        ({"workflows": [Named], "use_worker_versioning": True}, ValueError, "build_id must be specified"),
        (
            {"workflows": [Named], "max_concurrent_activities": 1, "tuner": WorkerTuner.create_fixed()},
            ValueError,
            "tuner",
        ),
        ({"workflows": [Named], "max_eager_activity_reservations_per_workflow_task": 0}, ValueError, "positive"),
        ({"workflows": [str]}, ValueError, "str"),
        ({"activities": [print]}, TypeError, "print"),
    ],
)
async def test_refused(env: WorkflowEnvironment, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Worker(env.client, task_queue="q", **options)


async def test_client_that_cannot_host_workers(env: WorkflowEnvironment) -> None:
    class Elsewhere:
        pass

    with pytest.raises(ConfigurationError, match="Elsewhere, which cannot host workers"):
        Worker(Client(Elsewhere()), task_queue="q", workflows=[Named])  # type: ignore[arg-type]


async def test_small_executor_is_warned_of(env: WorkflowEnvironment) -> None:
    with ThreadPoolExecutor(1) as executor, pytest.warns(UserWarning, match="max_workers is only 1"):
        Worker(
            env.client, task_queue="q", activities=[blocking], activity_executor=executor, max_concurrent_activities=2
        )


async def test_accepted_and_without_effect(env: WorkflowEnvironment) -> None:
    runner = SandboxedWorkflowRunner(SandboxRestrictions.default.with_passthrough_modules("numpy"))
    async with Worker(
        env.client,
        task_queue="q",
        workflows=[Named],
        workflow_runner=runner,
        unsandboxed_workflow_runner=UnsandboxedWorkflowRunner(),
        debug_mode=True,
    ):
        assert await env.client.execute_workflow(Named.run, id="w", task_queue="q") == "named"


# --- what they are given ----------------------------------------------------------------------------------------------


async def test_activity_on_a_queue_of_its_own(env: WorkflowEnvironment) -> None:
    async with (
        Worker(env.client, task_queue="workflows", workflows=[Greeting]),
        Worker(env.client, task_queue="activities", activities=[greet]),
    ):
        result = await env.client.execute_workflow(
            Greeting.run, args=["Ada", "activities"], id="w", task_queue="workflows"
        )
    assert result == "Hello, Ada, from activities"


async def test_workflows_and_activities_of_one_queue_on_two_workers(env: WorkflowEnvironment) -> None:
    async with (
        Worker(env.client, task_queue="q", workflows=[Greeting]),
        Worker(env.client, task_queue="q", activities=[greet]),
    ):
        result = await env.client.execute_workflow(Greeting.run, args=["Ada", None], id="w", task_queue="q")
    assert result == "Hello, Ada, from q"


async def test_activity_that_only_another_worker_of_the_queue_has(env: WorkflowEnvironment) -> None:
    with ThreadPoolExecutor(1) as executor:
        async with (
            Worker(env.client, task_queue="q", workflows=[Greeting], activities=[blocking], activity_executor=executor),
            Worker(env.client, task_queue="q", activities=[greet]),
        ):
            result = await env.client.execute_workflow(Greeting.run, args=["Ada", None], id="w", task_queue="q")
    assert result == "Hello, Ada, from q"


async def test_tasks_wait_for_a_worker(env: WorkflowEnvironment) -> None:
    handle = await env.client.start_workflow(Greeting.run, args=["Ada", None], id="w", task_queue="q")
    with pytest.raises(RPCError) as raised:
        await handle.query("state")
    assert raised.value.status == RPCStatusCode.FAILED_PRECONDITION
    async with Worker(env.client, task_queue="q", workflows=[Greeting], activities=[greet]):
        assert await handle.result() == "Hello, Ada, from q"


async def test_a_run_goes_on_on_another_worker(env: WorkflowEnvironment) -> None:
    async with Worker(env.client, task_queue="q", workflows=[Greeting]):
        handle = await env.client.start_workflow(Greeting.run, args=["Ada", None], id="w", task_queue="q")
        while not (await handle.describe()).history_length:  # noqa: ASYNC110 - nothing tells the test
            await asyncio.sleep(0)
    async with Worker(env.client, task_queue="q", workflows=[Greeting], activities=[greet]):
        assert await handle.result() == "Hello, Ada, from q"


@workflow.defn(name="Changed")
class Before:
    @workflow.run
    async def run(self, wait: bool) -> None:
        await workflow.sleep(0.001)
        await workflow.wait_condition(lambda: not wait)

    @workflow.query
    def state(self) -> str:
        return "before"


@workflow.defn(name="Changed")
class After:
    @workflow.run
    async def run(self, wait: bool) -> None:
        await workflow.execute_activity(greet, "Ada", start_to_close_timeout=SECONDS)

    @workflow.query
    def state(self) -> str:
        return "after"


@pytest.mark.parametrize("waits", [True, False])
async def test_a_query_fails_if_the_code_is_not_that_of_the_history(env: WorkflowEnvironment, waits: bool) -> None:
    async with Worker(env.client, task_queue="q", workflows=[Before]):
        handle = await env.client.start_workflow(Before.run, waits, id="w", task_queue="q")
        fired = EventType.EVENT_TYPE_TIMER_FIRED
        while fired not in [event.event_type for event in (await handle.fetch_history()).events]:  # noqa: ASYNC110 - nothing tells the test
            await asyncio.sleep(0.01)
        if not waits:
            await handle.result()
        assert await handle.query(Before.state) == "before"
    async with Worker(env.client, task_queue="q", workflows=[After]):
        with pytest.raises(WorkflowQueryFailedError, match=r"\[TMPRL1100\] Nondeterminism error"):
            await handle.query("state")


async def test_threads_and_dynamic_workflows(env: WorkflowEnvironment) -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        async with Worker(
            env.client,
            task_queue="q",
            workflows=[Blocking, Anything],
            activities=[blocking],
            activity_executor=executor,
            tuner=WorkerTuner.create_composite(
                workflow_supplier=FixedSizeSlotSupplier(2),
                activity_supplier=FixedSizeSlotSupplier(1),
                local_activity_supplier=FixedSizeSlotSupplier(1),
                nexus_supplier=FixedSizeSlotSupplier(1),
            ),
        ):
            assert await env.client.execute_workflow(Blocking.run, id="a", task_queue="q") == "x in mine"
            assert await env.client.execute_workflow("Some", args=[1, 2], id="b", task_queue="q") == "Some with 2"


async def test_activity_slots(env: WorkflowEnvironment) -> None:
    running = most = 0

    @activity.defn(name="greet")
    async def counted(name: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(10):
            await asyncio.sleep(0)
        running -= 1
        return name

    async with Worker(
        env.client, task_queue="q", workflows=[Greeting], activities=[counted], max_concurrent_activities=2
    ):
        handles = [
            await env.client.start_workflow(Greeting.run, args=[str(n), None], id=str(n), task_queue="q")
            for n in range(6)
        ]
        assert [await handle.result() for handle in handles] == [str(n) for n in range(6)]
    assert most == 2


async def test_failure_exception_types(env: WorkflowEnvironment) -> None:
    async with Worker(
        env.client, task_queue="q", workflows=[FailingValue], workflow_failure_exception_types=[ValueError]
    ):
        with pytest.raises(WorkflowFailureError) as raised:
            await env.client.execute_workflow(FailingValue.run, id="w", task_queue="q")
    assert isinstance(raised.value.cause, ApplicationError)


async def test_patch_activation_callback(env: WorkflowEnvironment) -> None:
    asked: list[tuple[str, str]] = []

    def decide(input: PatchActivationInput) -> bool:
        asked.append((input.workflow_info.workflow_id, input.patch_id))
        return input.patch_id == "wanted"

    async with Worker(env.client, task_queue="q", workflows=[Patched], patch_activation_callback=decide):
        assert await env.client.execute_workflow(Patched.run, id="w", task_queue="q") == [True, False]
    assert asked == [("w", "wanted"), ("w", "unwanted")]


async def test_activities_get_the_client(env: WorkflowEnvironment) -> None:
    @activity.defn(name="greet")
    async def asks(name: str) -> str:
        return str(activity.client() is env.client)

    async with Worker(env.client, task_queue="q", workflows=[Greeting], activities=[asks]):
        assert await env.client.execute_workflow(Greeting.run, args=["", None], id="w", task_queue="q") == "True"


async def test_the_client_is_replaced_by_one_of_the_same_environment(env: WorkflowEnvironment) -> None:
    worker = Worker(env.client, task_queue="q", workflows=[Named])
    other = Client(**env.client.config())
    worker.client = other
    assert worker.client is other
    async with await WorkflowEnvironment.start_time_skipping() as elsewhere:
        with pytest.raises(ValueError, match="connected to another environment"):
            worker.client = elsewhere.client
    assert worker.client is other


# --- how they end -----------------------------------------------------------------------------------------------------


async def test_states(env: WorkflowEnvironment) -> None:
    worker = Worker(env.client, task_queue="q", workflows=[Named])
    assert (worker.is_running, worker.is_shutdown) == (False, False)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    assert (worker.is_running, worker.is_shutdown) == (True, False)
    await worker.shutdown()
    await running
    assert (worker.is_running, worker.is_shutdown) == (False, True)
    with pytest.raises(RuntimeError, match="Already started"):
        await worker.run()


async def test_cancelling_run_shuts_down(env: WorkflowEnvironment) -> None:
    worker = Worker(env.client, task_queue="q", workflows=[Named])
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert worker.is_shutdown


@pytest.mark.parametrize("eager", [True, False])
async def test_activities_are_cancelled_at_shutdown_and_tried_elsewhere(env: WorkflowEnvironment, eager: bool) -> None:
    started = asyncio.Event()

    @activity.defn(name="greet")
    async def endless(name: str) -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    async with Worker(
        env.client,
        task_queue="q",
        workflows=[Patient],
        activities=[endless],
        disable_eager_activity_execution=not eager,
    ):
        handle = await env.client.start_workflow(Patient.run, id="w", task_queue="q")
        await started.wait()
    async with Worker(env.client, task_queue="q", workflows=[Patient], activities=[greet]):
        assert await handle.result() == "Hello, Ada, from q"


@workflow.defn
class Patient:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(greet, "Ada", start_to_close_timeout=timedelta(hours=1))


async def test_shutdown_waits_for_activities_within_the_graceful_timeout(env: WorkflowEnvironment) -> None:
    started = asyncio.Event()

    @activity.defn(name="greet")
    async def ends_at_shutdown(name: str) -> str:
        started.set()
        await activity.wait_for_worker_shutdown()
        await asyncio.sleep(0)
        return "in time"

    async with Worker(
        env.client,
        task_queue="q",
        workflows=[Greeting],
        activities=[ends_at_shutdown],
        graceful_shutdown_timeout=timedelta(seconds=30),
    ):
        handle = await env.client.start_workflow(Greeting.run, args=["", None], id="w", task_queue="q")
        await started.wait()
    async with Worker(env.client, task_queue="q", workflows=[Greeting]):
        assert await handle.result() == "in time"


async def test_shut_down_activity_without_attempts_left_fails(env: WorkflowEnvironment) -> None:
    started = asyncio.Event()

    @activity.defn(name="greet")
    async def endless(name: str) -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    async with Worker(env.client, task_queue="q", workflows=[Greeting], activities=[endless]):
        handle = await env.client.start_workflow(Greeting.run, args=["", None], id="w", task_queue="q")
        await started.wait()
    async with Worker(env.client, task_queue="q", workflows=[Greeting]):
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, ActivityError)
    assert isinstance(raised.value.cause.cause, ApplicationError)
    assert raised.value.cause.cause.type == "WorkerShutdown"


class Recording(Plugin):
    def __init__(self, name: str, calls: list[str]) -> None:
        self._name = name
        self._calls = calls

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        self._calls.append(f"{self._name} configures")
        config["workflows"] = [*config["workflows"], Named]
        return config

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        self._calls.append(f"{self._name} begins")
        await next(worker)
        self._calls.append(f"{self._name} ends")

    def configure_replayer(self, config: Any) -> Any:
        return config

    def run_replayer(self, replayer: Any, histories: Any, next: Any) -> Any:
        return next(replayer, histories)


async def test_plugins_wrap_each_other(env: WorkflowEnvironment) -> None:
    calls: list[str] = []
    plugins = [Recording("outer", calls)]
    worker = Worker(env.client, task_queue="q", workflows=[], plugins=plugins)
    async with worker:
        assert await env.client.execute_workflow(Named.run, id="w", task_queue="q") == "named"
    assert calls == ["outer configures", "outer begins", "outer ends"]
    assert worker.config()["workflows"] == []
    assert worker.config(active_config=True)["workflows"] == [Named]


async def test_failing_plugin_ends_the_block(env: WorkflowEnvironment) -> None:
    class Failing(Recording):
        async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
            raise RuntimeError("not today")

    with pytest.raises(RuntimeError, match="not today"):
        async with Worker(env.client, task_queue="q", workflows=[], plugins=[Failing("f", [])]):
            await asyncio.Event().wait()


async def test_a_namespace_that_does_not_exist() -> None:
    async with await WorkflowEnvironment.start_local() as env:
        config = env.client.config()
        config["namespace"] = "elsewhere"
        worker = Worker(Client(**config), task_queue="queue", activities=[greet])
        with pytest.raises(RuntimeError, match="Worker validation failed: there is no namespace 'elsewhere'"):
            await worker.run()
        await worker.shutdown()
        assert not worker.is_running


@pytest.mark.parametrize("in_block", [False, True])
@pytest.mark.parametrize("handler_fails", [False, True])
async def test_on_fatal_error_comes_before_the_shutdown(
    env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch, in_block: bool, handler_fails: bool
) -> None:
    fatal = RuntimeError("Workflow worker failed")
    told: list[tuple[BaseException, bool]] = []

    async def failed(worker: AttachedWorker) -> None:
        await asyncio.sleep(0)
        raise fatal

    async def tell(error: BaseException) -> None:
        told.append((error, worker.is_running))
        if handler_fails:
            raise ValueError("could not tell")

    monkeypatch.setattr(AttachedWorker, "failed", failed)
    worker = Worker(env.client, task_queue="q", workflows=[Named], on_fatal_error=tell)

    async def serve() -> None:
        async with worker:
            await asyncio.sleep(10)

    with pytest.raises(RuntimeError) as raised:
        await (serve() if in_block else worker.run())
    assert raised.value is fatal
    assert told == [(fatal, True)]
    assert worker.is_shutdown


async def test_an_error_made_of_a_fatal_one_takes_its_place(
    env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failed(worker: AttachedWorker) -> None:
        raise RuntimeError("Workflow worker failed")

    monkeypatch.setattr(AttachedWorker, "failed", failed)

    async def serve() -> None:
        async with Worker(env.client, task_queue="q", workflows=[Named]):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError as error:
                raise ValueError("interrupted") from error

    with pytest.raises(ValueError, match="interrupted"):
        await serve()


async def test_clients_and_workers_are_of_the_process_that_made_them(
    env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(env.client, task_queue="before", workflows=[Named])
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: 1)
        with pytest.raises(AssertionError, match="Cannot use client across forks"):
            await env.client.execute_workflow(Named.run, id="forked", task_queue="before")
        with pytest.raises(AssertionError, match="Cannot create worker across forks"):
            Worker(env.client, task_queue="after", workflows=[Named])
        with pytest.raises(AssertionError, match="Cannot use worker across forks"):
            await worker.run()
        with pytest.raises(AssertionError, match="Cannot use worker across forks"):
            async with worker:
                await asyncio.sleep(10)
    async with Worker(env.client, task_queue="before", workflows=[Named]):
        assert await env.client.execute_workflow(Named.run, id="not-forked", task_queue="before") == "named"
