"""Slot suppliers of the user decide how many activities run."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from durability import activity, workflow
from durability.testing import WorkflowEnvironment
from durability.worker import (
    ActivitySlotInfo,
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    ResourceBasedSlotConfig,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    Worker,
    WorkerTuner,
    WorkflowSlotInfo,
)
from durability.worker._tuning import slots_of


class OneAtATime(CustomSlotSupplier):
    def __init__(self) -> None:
        self.free = asyncio.Semaphore(1)
        self.log: list[str] = []
        self.fails = True

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        if self.fails:
            self.fails = False
            raise ValueError("not now")
        await self.free.acquire()
        self.log.append(f"reserved {ctx.slot_type} on {ctx.task_queue}")
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        return None

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        assert isinstance(ctx.slot_info, ActivitySlotInfo)
        self.log.append(f"used by {ctx.slot_info.activity_type}")

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        self.log.append("released")
        self.free.release()
        raise ValueError("logged, and ignored")


@activity.defn
async def step() -> None:
    pass


@workflow.defn
class Steps:
    @workflow.run
    async def run(self) -> None:
        await asyncio.gather(
            *(workflow.execute_activity(step, start_to_close_timeout=timedelta(seconds=5)) for _ in range(2))
        )


async def test_a_custom_supplier_is_asked_for_each_activity(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("durability.worker._slots._ASK_AGAIN", 0.0)
    supplier = OneAtATime()
    fixed = FixedSizeSlotSupplier(5)
    tuner = WorkerTuner.create_composite(
        workflow_supplier=fixed, activity_supplier=supplier, local_activity_supplier=fixed, nexus_supplier=fixed
    )
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        Worker(env.client, task_queue="slots", workflows=[Steps], activities=[step], tuner=tuner),
    ):
        await env.client.execute_workflow(Steps.run, id="steps", task_queue="slots")
    assert supplier.log == ["reserved activity on slots", "used by step", "released"] * 2
    assert "reserve_slot of the slot supplier failed" in caplog.text


class OneWorkflowTaskAtATime(OneAtATime):
    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        assert isinstance(ctx.slot_info, WorkflowSlotInfo)
        self.log.append(f"used by {ctx.slot_info.workflow_type}")


async def test_a_custom_supplier_is_asked_for_each_workflow_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durability.worker._slots._ASK_AGAIN", 0.0)
    supplier, fixed = OneWorkflowTaskAtATime(), FixedSizeSlotSupplier(5)
    tuner = WorkerTuner.create_composite(
        workflow_supplier=supplier, activity_supplier=fixed, local_activity_supplier=fixed, nexus_supplier=fixed
    )
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        Worker(env.client, task_queue="slots", workflows=[Steps], activities=[step], tuner=tuner),
    ):
        runs = (env.client.execute_workflow(Steps.run, id=f"steps {n}", task_queue="slots") for n in range(3))
        await asyncio.gather(*runs)
    tasks = [supplier.log[begin : begin + 3] for begin in range(0, len(supplier.log), 3)]
    assert len(tasks) >= 3
    used = ["reserved workflow on slots", "used by Steps", "released"]
    assert [task for task in tasks if task != used] == []


@workflow.defn
class LocalSteps:
    @workflow.run
    async def run(self) -> None:
        await asyncio.gather(
            *(workflow.execute_local_activity(step, start_to_close_timeout=timedelta(seconds=5)) for _ in range(2))
        )
        await workflow.execute_activity(step, start_to_close_timeout=timedelta(seconds=5))


async def test_local_activities_have_slots_of_their_own() -> None:
    supplier, fixed = OneAtATime(), FixedSizeSlotSupplier(1)
    supplier.fails = False
    tuner = WorkerTuner.create_composite(
        workflow_supplier=fixed, activity_supplier=fixed, local_activity_supplier=supplier, nexus_supplier=fixed
    )
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        Worker(env.client, task_queue="slots", workflows=[LocalSteps], activities=[step], tuner=tuner),
    ):
        await env.client.execute_workflow(LocalSteps.run, id="steps", task_queue="slots")
    assert supplier.log == ["reserved local-activity on slots", "used by step", "released"] * 2


def test_tuners_have_the_reference_s_defaults() -> None:
    assert slots_of(WorkerTuner.create_fixed()._activity_supplier) == 100
    assert slots_of(WorkerTuner.create_fixed(activity_slots=7)._activity_supplier) == 7
    resource_based = WorkerTuner.create_resource_based(
        target_memory_usage=0.5,
        target_cpu_usage=0.5,
        activity_config=ResourceBasedSlotConfig(maximum_slots=3),
    )
    assert slots_of(resource_based._activity_supplier) == 3
    assert slots_of(resource_based._workflow_supplier) == 500
