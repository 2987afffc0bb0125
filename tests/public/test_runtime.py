"""Runtimes: where metrics go."""

from __future__ import annotations

import logging
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
import temporalio.runtime

from durability import activity, runtime, workflow
from durability.testing import WorkflowEnvironment
from durability.worker import Worker


@pytest.fixture(autouse=True)
def _no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_default", runtime._Default())


def recorded(module: ModuleType, seconds: bool) -> list[tuple[Any, ...]]:
    durations = module.MetricBufferDurationFormat.SECONDS if seconds else module.MetricBufferDurationFormat.MILLISECONDS
    buffer = module.MetricBuffer(100, durations)
    meter = module.Runtime(telemetry=module.TelemetryConfig(metrics=buffer)).metric_meter
    meter = meter.with_additional_attributes({"a": 1})
    meter.create_counter("counter", "described", "things").with_additional_attributes({"b": True}).add(3, {"c": "d"})
    meter.create_histogram("histogram").record(4)
    meter.create_histogram_float("histogram-float").record(4.5)
    meter.create_histogram_timedelta("durations", unit="duration").record(timedelta(milliseconds=1500))
    meter.create_gauge("gauge").set(5)
    meter.create_gauge_float("gauge-float").set(5.5)
    with pytest.raises(ValueError, match="Metric value cannot be negative"):
        meter.create_counter("negative").add(-1)
    with pytest.raises(TypeError, match="Invalid value type for key x"):
        meter.create_counter("typed").add(1, {"x": [1]})
    return [
        (one.metric.name, one.metric.description, one.metric.unit, one.metric.kind, one.value, dict(one.attributes))
        for one in buffer.retrieve_updates()
    ]


@pytest.mark.parametrize("seconds", [False, True])
def test_buffers_keep_what_the_reference_keeps(seconds: bool) -> None:
    assert recorded(runtime, seconds) == recorded(temporalio.runtime, seconds)


def test_what_does_not_fit_is_dropped_with_a_log(caplog: pytest.LogCaptureFixture) -> None:
    buffer = runtime.MetricBuffer(1)
    with pytest.raises(RuntimeError, match="before runtime created"):
        buffer.retrieve_updates()
    counter = runtime.Runtime(telemetry=runtime.TelemetryConfig(metrics=buffer)).metric_meter.create_counter("c")
    counter.add(1)
    with caplog.at_level(logging.ERROR):
        counter.add(2)
    assert "dropped" in caplog.text
    assert [update.value for update in buffer.retrieve_updates()] == [1]
    assert buffer.retrieve_updates() == []


def test_there_is_one_default_runtime() -> None:
    default = runtime.Runtime.default()
    assert runtime.Runtime.default() is default
    other = runtime.Runtime(telemetry=runtime.TelemetryConfig())
    with pytest.raises(RuntimeError, match="already set"):
        runtime.Runtime.set_default(other)
    with pytest.raises(RuntimeError, match="already"):
        runtime.Runtime.prevent_default()
    runtime.Runtime.set_default(other, error_if_already_set=False)
    assert runtime.Runtime.default() is other


def test_the_default_runtime_can_be_prevented() -> None:
    runtime.Runtime.prevent_default()
    with pytest.raises(RuntimeError, match="prevent_default"):
        runtime.Runtime.default()
    with pytest.raises(ValueError, match="positive"):
        runtime.Runtime(telemetry=runtime.TelemetryConfig(), worker_heartbeat_interval=timedelta(0))


@activity.defn
async def count() -> None:
    activity.metric_meter().create_counter("in-activity").add(1)


@workflow.defn
class Counts:
    @workflow.run
    async def run(self) -> None:
        workflow.metric_meter().create_counter("in-workflow").add(1)
        await workflow.execute_activity(count, start_to_close_timeout=timedelta(seconds=5))


async def test_workers_record_what_workflows_and_activities_count() -> None:
    buffer = runtime.MetricBuffer(100)
    runtime.Runtime.set_default(runtime.Runtime(telemetry=runtime.TelemetryConfig(metrics=buffer)))
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        Worker(env.client, task_queue="metrics", workflows=[Counts], activities=[count]),
    ):
        await env.client.execute_workflow(Counts.run, id="counts", task_queue="metrics")
    updates = {update.metric.name: update for update in buffer.retrieve_updates()}
    assert updates["in-workflow"].value == updates["in-activity"].value == 1
    assert updates["in-workflow"].attributes["workflow_type"] == "Counts"
    assert updates["in-workflow"].attributes["task_queue"] == "metrics"
    assert updates["in-activity"].attributes["activity_type"] == "count"


@pytest.mark.asyncio
@pytest.mark.parametrize("start", ["start_local", "start_time_skipping"])
async def test_environments_take_a_runtime(start: str) -> None:
    buffer = runtime.MetricBuffer(100)
    chosen = runtime.Runtime(telemetry=runtime.TelemetryConfig(metrics=buffer))
    async with await getattr(WorkflowEnvironment, start)(runtime=chosen) as environment:
        same = WorkflowEnvironment.from_client(environment.client)
        async with Worker(same.client, task_queue="queue", workflows=[CountsOnce]):
            await environment.client.execute_workflow(CountsOnce.run, id="counts", task_queue="queue")
        assert "counted" in {update.metric.name for update in buffer.retrieve_updates()}


@workflow.defn
class CountsOnce:
    @workflow.run
    async def run(self) -> None:
        workflow.metric_meter().create_counter("counted").add(1)
