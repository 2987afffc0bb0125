"""Metrics that a worker records by itself: names and attributes as Temporal's SDK was seen to have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability.client import Client, WorkflowFailureError
from durability.common import RetryPolicy
from durability.exceptions import ApplicationError, ApplicationErrorCategory
from durability.runtime import BUFFERED_METRIC_KIND_COUNTER, MetricBuffer, Runtime, TelemetryConfig
from durability.testing import WorkflowEnvironment
from durability.worker import Worker

SECONDS = timedelta(seconds=10)
AT_ONCE = RetryPolicy(initial_interval=timedelta(milliseconds=1))


@activity.defn
async def stumble(benign: bool = False) -> None:
    if activity.info().attempt == 1:
        category = ApplicationErrorCategory.BENIGN if benign else ApplicationErrorCategory.UNSPECIFIED
        raise ApplicationError("once", category=category)


@workflow.defn(sandboxed=False)
class Ends:
    failed = False

    @workflow.query
    def waits(self) -> bool:
        return True

    @workflow.run
    async def run(self, how: str) -> None:
        match how:
            case "activity":
                await workflow.execute_activity(stumble, start_to_close_timeout=SECONDS, retry_policy=AT_ONCE)
            case "local activity":
                await workflow.execute_local_activity(stumble, start_to_close_timeout=SECONDS, retry_policy=AT_ONCE)
            case "benign":
                await workflow.execute_activity(stumble, True, start_to_close_timeout=SECONDS, retry_policy=AT_ONCE)
            case "fails":
                raise ApplicationError("it does")
            case "continues":
                workflow.continue_as_new("completes")
            case "waits":
                await workflow.wait_condition(lambda: False)
            case "task fails" if not Ends.failed:
                Ends.failed = True
                raise ValueError("only once")


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_local() as env:
        yield env


async def play(env: WorkflowEnvironment, how: str, **telemetry: Any) -> MetricBuffer:
    buffer = MetricBuffer(1000)
    runtime = Runtime(telemetry=TelemetryConfig(metrics=buffer, **telemetry))
    client = await Client.connect(env.client.service_client.config.target_host, runtime=runtime)
    async with Worker(client, task_queue="q", workflows=[Ends], activities=[stumble]):
        handle = await client.start_workflow(Ends.run, how, id=how, task_queue="q")
        if how == "waits":
            assert await handle.query(Ends.waits)
            await handle.cancel()
        with suppress(WorkflowFailureError):
            await handle.result()
    return buffer


async def counted(env: WorkflowEnvironment, how: str) -> Counter[str]:
    """Values of counters and numbers of latencies, by name."""
    seen: Counter[str] = Counter()
    for update in (await play(env, how)).retrieve_updates():
        assert update.attributes["task_queue"] == "q"
        assert update.attributes["namespace"] == "default"
        is_counter = update.metric.kind == BUFFERED_METRIC_KIND_COUNTER
        seen[update.metric.name.removeprefix("temporal_")] += int(update.value) if is_counter else 1
    return seen


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ("completes", "workflow_completed"),
        ("fails", "workflow_failed"),
        ("waits", "workflow_canceled"),
        ("continues", "workflow_continue_as_new"),
    ],
)
async def test_the_end_of_a_run(env: WorkflowEnvironment, how: str, name: str) -> None:
    seen = await counted(env, how)
    ends = {"workflow_completed", "workflow_failed", "workflow_canceled", "workflow_continue_as_new"} & set(seen)
    assert ends == ({name, "workflow_completed"} if how == "continues" else {name})
    assert seen["workflow_endtoend_latency"] == len(ends)
    assert seen["workflow_task_execution_latency"] >= 1
    assert seen["workflow_task_execution_failed"] == 0


async def test_a_workflow_task_that_fails(env: WorkflowEnvironment) -> None:
    Ends.failed = False
    updates = (await play(env, "task fails")).retrieve_updates()
    [failed] = [one for one in updates if one.metric.name == "temporal_workflow_task_execution_failed"]
    assert (failed.value, failed.attributes["failure_reason"]) == (1, "WorkflowError")
    assert failed.attributes["workflow_type"] == "Ends"


async def test_an_activity_that_fails_once(env: WorkflowEnvironment) -> None:
    seen = await counted(env, "activity")
    assert {name: count for name, count in seen.items() if name.startswith("activity")} == {
        "activity_task_received": 2,
        "activity_schedule_to_start_latency": 2,
        "activity_execution_latency": 2,
        "activity_execution_failed": 1,
        "activity_succeed_endtoend_latency": 1,
    }


async def test_a_local_activity_that_fails_once(env: WorkflowEnvironment) -> None:
    seen = await counted(env, "local activity")
    assert {name: count for name, count in seen.items() if "activity" in name} == {
        "local_activity_total": 2,
        "local_activity_execution_latency": 2,
        "local_activity_execution_failed": 1,
        "local_activity_succeed_endtoend_latency": 1,
    }


async def test_a_benign_failure_does_not_count(env: WorkflowEnvironment) -> None:
    seen = await counted(env, "benign")
    assert (seen["activity_execution_latency"], seen["activity_execution_failed"]) == (2, 0)


async def test_names_begin_as_the_user_wants_it(env: WorkflowEnvironment) -> None:
    updates = (await play(env, "completes", metric_prefix="mine_")).retrieve_updates()
    assert {one.metric.name.partition("_")[0] for one in updates} == {"mine"}
    assert all(one.metric.unit == "ms" for one in updates if one.metric.name.endswith("latency"))
