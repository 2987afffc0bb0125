"""The environments: real time, skipped time, and what they have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability.api.common.v1 import Payload
from durability.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHistory
from durability.common import RetryPolicy, SearchAttributeKey
from durability.converter import DataConverter, PayloadCodec
from durability.exceptions import ApplicationError
from durability.exceptions import TimeoutError as WorkflowTimeout
from durability.service import RPCError, RPCStatusCode
from durability.testing import WorkflowEnvironment
from durability.worker import Replayer, Worker

QUEUE = "queue"
YEAR = timedelta(days=365)


@workflow.defn
class Sleeper:
    @workflow.run
    async def run(self, seconds: float) -> float:
        begun = workflow.now()
        await asyncio.sleep(seconds)
        return (workflow.now() - begun).total_seconds()


@workflow.defn
class Waiter:
    def __init__(self) -> None:
        self.told = ""

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: bool(self.told), timeout=timedelta(days=1))
        except TimeoutError:
            return "nobody told"
        return self.told

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told = text


@activity.defn
async def succeeds_at(attempt: int) -> int:
    if activity.info().attempt < attempt:
        raise RuntimeError("not yet")
    return activity.info().attempt


@workflow.defn
class Patient:
    @workflow.run
    async def run(self) -> float:
        begun = workflow.now()
        await workflow.execute_activity(
            succeeds_at,
            3,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(hours=1), maximum_interval=timedelta(hours=2)),
        )
        return (workflow.now() - begun).total_seconds()


@workflow.defn
class Racing:
    @workflow.run
    async def run(self) -> str:
        held = workflow.start_activity("holds", start_to_close_timeout=timedelta(hours=2))
        timer = asyncio.create_task(asyncio.sleep(3600))
        await workflow.wait([held, timer], return_when=asyncio.FIRST_COMPLETED)
        return "activity" if held.done() else "timer"


@workflow.defn
class PutOff:
    """Sleeps for an hour, unless it is told to sleep for longer, or not to sleep until it is told again."""

    def __init__(self) -> None:
        self.hours: float | None = 1
        self.changed = False

    @workflow.run
    async def run(self) -> float:
        begun = workflow.now()
        while True:
            self.changed = False
            limit = None if self.hours is None else timedelta(hours=self.hours)
            try:
                await workflow.wait_condition(lambda: self.changed, timeout=limit)
            except TimeoutError:
                return (workflow.now() - begun).total_seconds() / 3600

    @workflow.update
    def change(self, hours: float | None) -> None:
        self.hours = hours
        self.changed = True


@workflow.defn
class Asserting:
    @workflow.run
    async def run(self) -> None:
        assert 1 + 1 == 3, "no luck"


def worker(client: Client, *workflows: type, **options: Any) -> Worker:
    return Worker(client, task_queue=QUEUE, workflows=workflows, **options)


async def test_a_year_passes_at_once() -> None:
    async with await WorkflowEnvironment.start_time_skipping() as env, worker(env.client, Sleeper):
        before = await env.get_current_time()
        slept = await env.client.execute_workflow(Sleeper.run, YEAR.total_seconds(), id="w", task_queue=QUEUE)
        after = await env.get_current_time()
    assert slept >= YEAR.total_seconds()
    assert YEAR <= after - before < YEAR + timedelta(minutes=1)


async def test_retries_hours_apart_pass_at_once() -> None:
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        worker(env.client, Patient, activities=[succeeds_at]),
    ):
        took = await env.client.execute_workflow(Patient.run, id="w", task_queue=QUEUE)
    assert 3 * 3600 <= took < 3 * 3600 + 60


async def test_sleep_skips_time_up_to_its_end() -> None:
    async with await WorkflowEnvironment.start_time_skipping() as env, worker(env.client, Waiter):
        handle = await env.client.start_workflow(Waiter.run, id="w", task_queue=QUEUE)
        await env.sleep(timedelta(hours=23))
        await handle.signal(Waiter.tell, "in time")
        assert await handle.result() == "in time"


async def test_sleep_fires_the_timers_on_its_way() -> None:
    async with await WorkflowEnvironment.start_time_skipping() as env, worker(env.client, Waiter):
        handle = await env.client.start_workflow(Waiter.run, id="w", task_queue=QUEUE)
        await env.sleep(timedelta(hours=25))
        with env.auto_time_skipping_disabled():
            assert await handle.result() == "nobody told"


@pytest.mark.parametrize("changes", [[2], [None, 2], [0.5, 3], [3, 2]])
async def test_a_timer_that_is_put_off_fires_later(changes: list[float | None]) -> None:
    async with await WorkflowEnvironment.start_time_skipping() as env, worker(env.client, PutOff):
        handle = await env.client.start_workflow(PutOff.run, id="w", task_queue=QUEUE)
        for hours in changes:
            await handle.execute_update(PutOff.change, hours)
            await env.sleep(60)
        assert await handle.result() == pytest.approx(changes[-1], abs=0.1)


async def test_time_is_not_skipped_without_somebody_waiting() -> None:
    async with await WorkflowEnvironment.start_time_skipping() as env, worker(env.client, Sleeper):
        handle = await env.client.start_workflow(Sleeper.run, 3600.0, id="w", task_queue=QUEUE)
        with env.auto_time_skipping_disabled(), pytest.raises(TimeoutError):
            await asyncio.wait_for(handle.result(), 0.05)
        assert (await handle.describe()).close_time is None
        assert await handle.result() >= 3600


async def test_time_is_not_skipped_while_an_activity_runs() -> None:
    released = asyncio.Event()

    @activity.defn
    async def holds() -> None:
        await released.wait()

    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        worker(env.client, Racing, activities=[holds]),
    ):
        handle = await env.client.start_workflow(Racing.run, id="w", task_queue=QUEUE)
        result = asyncio.create_task(handle.result())
        before = await env.get_current_time()
        for _ in range(200):
            await asyncio.sleep(0)
        assert (await env.get_current_time()) - before < timedelta(minutes=1)
        released.set()
        assert await result == "activity"


@activity.defn
async def completed_by_others() -> str:
    completed_by_others_token.set_result(activity.info().task_token)
    activity.raise_complete_async()


completed_by_others_token: asyncio.Future[bytes]


@workflow.defn
class AsksOthers:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(completed_by_others, start_to_close_timeout=timedelta(days=1))


@pytest.mark.parametrize("eager", [True, False], ids=["eager", "dispatched"])
async def test_time_is_not_skipped_while_an_activity_is_to_be_completed_from_outside(eager: bool) -> None:
    global completed_by_others_token
    completed_by_others_token = asyncio.get_running_loop().create_future()
    async with await WorkflowEnvironment.start_time_skipping() as env:
        worker = Worker(
            env.client,
            task_queue=QUEUE,
            workflows=[AsksOthers],
            activities=[completed_by_others],
            disable_eager_activity_execution=not eager,
        )
        async with worker:
            handle = await env.client.start_workflow(AsksOthers.run, id="asks", task_queue=QUEUE)
            result = asyncio.create_task(handle.result())
            token = await completed_by_others_token
            before = await env.get_current_time()
            for _ in range(100):
                await asyncio.sleep(0)
            assert await env.get_current_time() - before < timedelta(minutes=1)
            await env.client.get_async_activity_handle(task_token=token).complete("done")
            assert await result == "done"


async def test_local_environment_has_real_time() -> None:
    async with await WorkflowEnvironment.start_local(namespace="mine") as env, worker(env.client, Sleeper):
        assert not env.supports_time_skipping
        assert env.client.namespace == "mine"
        slept = await env.client.execute_workflow(Sleeper.run, 0.05, id="w", task_queue=QUEUE)
    assert 0.05 <= slept < 60


@pytest.mark.parametrize("start", ["start_local", "start_time_skipping"])
async def test_failed_assertion_fails_the_workflow(start: str) -> None:
    async with await getattr(WorkflowEnvironment, start)() as env, worker(env.client, Asserting):
        with pytest.raises(WorkflowFailureError) as raised:
            await env.client.execute_workflow(Asserting.run, id="w", task_queue=QUEUE)
    assert isinstance(raised.value.cause, ApplicationError)
    assert raised.value.cause.type == "AssertionError"
    assert "no luck" in str(raised.value.cause)


async def test_environment_of_a_client() -> None:
    async with await WorkflowEnvironment.start_local() as env:
        other = WorkflowEnvironment.from_client(await env.connect_client())
        async with worker(other.client, Sleeper):
            assert await other.client.execute_workflow(Sleeper.run, 0.0, id="w", task_queue=QUEUE) >= 0
        await other.shutdown()
        assert not other.supports_time_skipping


async def test_environments_know_nothing_of_each_other() -> None:
    async with await WorkflowEnvironment.start_local() as one, await WorkflowEnvironment.start_local() as other:
        await one.client.start_workflow(Sleeper.run, 1.0, id="w", task_queue=QUEUE)
        await other.client.start_workflow(Sleeper.run, 1.0, id="w", task_queue=QUEUE)


async def test_terminating_needs_no_worker() -> None:
    async with await WorkflowEnvironment.start_local() as env:
        handle = await env.client.start_workflow(Sleeper.run, 1.0, id="w", task_queue=QUEUE)
        await handle.terminate()
        assert (await handle.describe()).status == WorkflowExecutionStatus.TERMINATED
        async with worker(env.client, Waiter):
            begun = await env.client.start_workflow(Waiter.run, id="v", task_queue=QUEUE)
            while not (await begun.describe()).history_length:  # noqa: ASYNC110 - nothing tells the test
                await asyncio.sleep(0)
        await begun.terminate()
        assert (await begun.describe()).status == WorkflowExecutionStatus.TERMINATED


@pytest.mark.parametrize("limit", ["run_timeout", "execution_timeout"])
async def test_timing_out_needs_no_worker(limit: str) -> None:
    async with await WorkflowEnvironment.start_time_skipping() as env:
        options: dict[str, Any] = {limit: timedelta(hours=1)}
        handle = await env.client.start_workflow(Sleeper.run, 1.0, id="w", task_queue=QUEUE, **options)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, WorkflowTimeout)
        names = [event.name async for event in handle.fetch_history_events()]
        assert names == ["WorkflowExecutionStarted", "WorkflowTaskScheduled", "WorkflowExecutionTimedOut"]


async def test_a_run_that_has_lost_its_worker_times_out() -> None:
    async with await WorkflowEnvironment.start_time_skipping() as env:
        async with worker(env.client, Waiter):
            handle = await env.client.start_workflow(
                Waiter.run, id="v", task_queue=QUEUE, run_timeout=timedelta(hours=1)
            )
            while not (await handle.describe()).history_length:  # noqa: ASYNC110 - nothing tells the test
                await asyncio.sleep(0)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, WorkflowTimeout)


class Forgetful(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        raise RuntimeError("the key is lost")


async def test_a_run_whose_payloads_cannot_be_decoded_times_out() -> None:
    async with await WorkflowEnvironment.start_local() as env:
        config = env.client.config()
        config["data_converter"] = replace(DataConverter.default, payload_codec=Forgetful())
        async with worker(Client(**config), Sleeper):
            handle = await env.client.start_workflow(
                Sleeper.run, 1.0, id="w", task_queue=QUEUE, run_timeout=timedelta(milliseconds=300)
            )
            with pytest.raises(WorkflowFailureError) as failed:
                await asyncio.wait_for(handle.result(), 10)
        assert isinstance(failed.value.cause, WorkflowTimeout)


@workflow.defn
class Repaired:
    broken = True

    @workflow.run
    async def run(self) -> float:
        begun = workflow.now()
        if Repaired.broken:
            raise ValueError("a bug")
        await asyncio.sleep(3600)
        return (workflow.now() - begun).total_seconds()


async def test_time_is_not_skipped_while_a_workflow_task_fails() -> None:
    async with await WorkflowEnvironment.start_time_skipping() as env, worker(env.client, Repaired):
        before = await env.get_current_time()
        handle = await env.client.start_workflow(Repaired.run, id="w", task_queue=QUEUE)
        result = asyncio.create_task(handle.result())
        while not (await handle.describe()).raw_description.HasField("pending_workflow_task"):  # noqa: ASYNC110 - nothing tells the test
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert await env.get_current_time() - before < timedelta(minutes=1)
        Repaired.broken = False
        assert await result >= 3600


async def test_connecting_to_an_environment_by_its_address() -> None:
    env = await WorkflowEnvironment.start_local()
    async with env:
        address = env.client.service_client.config.target_host
        other = await Client.connect(address, identity="other")
        async with Worker(env.client, task_queue=QUEUE, workflows=[Sleeper]) as worker:
            handle = await other.start_workflow(Sleeper.run, 0, id="sleeper", task_queue=QUEUE)
            assert await env.client.get_workflow_handle_for(Sleeper.run, "sleeper").result() == 0
            worker.client = other
            assert await handle.result() == 0
        [first, *_] = (await handle.fetch_history()).events
        assert first.workflow_execution_started_event_attributes.identity == "other"
    with pytest.raises(RuntimeError, match="there is no environment"):
        await Client.connect(address)


@workflow.defn
class Labelled:
    def __init__(self) -> None:
        self.ended = False

    @workflow.run
    async def run(self) -> list[str]:
        seen = sorted(pair.key.indexed_value_type.name for pair in workflow.info().typed_search_attributes)
        workflow.upsert_search_attributes({"Word": ["changed"]})
        await workflow.wait_condition(lambda: self.ended)
        return seen

    @workflow.signal
    def end(self) -> None:
        self.ended = True


async def test_a_client_tells_whether_calls_can_be_made() -> None:
    async with await WorkflowEnvironment.start_local() as env:
        assert await env.client.service_client.check_health(timeout=timedelta(seconds=5))
        with pytest.raises(RPCError) as caught:
            await env.client.service_client.check_health(service="another")
        assert caught.value.status == RPCStatusCode.NOT_FOUND


@pytest.mark.filterwarnings("ignore:Dictionary-based search attributes")
async def test_untyped_search_attributes_have_the_types_that_their_values_suggest() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    async with await WorkflowEnvironment.start_local() as env:
        async with Worker(env.client, task_queue=QUEUE, workflows=[Labelled]):
            handle = await env.client.start_workflow(
                Labelled.run,
                id="labelled",
                task_queue=QUEUE,
                search_attributes={"Word": ["old"], "Number": [1], "When": [now], "Words": ["a", "b"]},
            )
            await handle.signal(Labelled.end)
            assert await handle.result() == ["DATETIME", "INT", "KEYWORD", "KEYWORD_LIST"]
        typed = (await handle.describe()).typed_search_attributes
        assert typed[SearchAttributeKey.for_keyword("Word")] == "changed"
        assert typed[SearchAttributeKey.for_datetime("When")] == now
        assert (await handle.describe()).search_attributes["Number"] == [1]


@workflow.defn
class Grows:
    @workflow.run
    async def run(self) -> list[bool]:
        told = [workflow.info().is_continue_as_new_suggested()]
        for _ in range(2):
            await workflow.sleep(0.001)
            told.append(workflow.info().is_continue_as_new_suggested())
        return told


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("limit.historyCount.suggestContinueAsNew=8", [False, True, True]),
        ("limit.historyCount.suggestContinueAsNew=9", [False, False, True]),
        ("limit.historySize.suggestContinueAsNew=1", [False, True, True]),
        ("frontend.enableExecuteMultiOperation=true", [False, False, False]),
    ],
)
async def test_when_workflows_are_told_to_continue_as_new(setting: str, told: list[bool]) -> None:
    arguments = ["--dynamic-config-value", setting]
    async with (
        await WorkflowEnvironment.start_local(dev_server_extra_args=arguments) as env,
        Worker(env.client, task_queue="q", workflows=[Grows]),
    ):
        handle = await env.client.start_workflow(Grows.run, id="w", task_queue="q")
        assert await handle.result() == told
        history = WorkflowHistory.from_json("w", (await handle.fetch_history()).to_json())
        await Replayer(workflows=[Grows]).replay_workflow(history)
