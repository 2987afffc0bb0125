"""What workers do with what does not replay, and with workflow runners."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from durability import workflow
from durability.client import WorkflowHistory
from durability.testing import WorkflowEnvironment
from durability.worker import (
    Replayer,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)
from durability.worker.workflow_sandbox import RestrictedWorkflowAccessError, SandboxedWorkflowRunner

LOOKS_AT_THE_CLOCK = False


@workflow.defn
class Careless:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(1)
        if LOOKS_AT_THE_CLOCK:
            time.time()
        return "done"


async def run(runner: WorkflowRunner, between: Any = None) -> WorkflowHistory:
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        Worker(env.client, task_queue="runners", workflows=[Careless], workflow_runner=runner),
    ):
        handle = await env.client.start_workflow(
            Careless.run, id="careless", task_queue="runners", task_timeout=timedelta(seconds=10)
        )
        if between is not None:
            await env.sleep(2)
            await between(handle)
        assert await handle.result() == "done"
        return await handle.fetch_history()


async def test_a_violation_fails_the_task_until_the_code_is_fixed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(globals(), "LOOKS_AT_THE_CLOCK", True)

    async def fix(handle: Any) -> None:
        assert (await handle.describe()).status.name == "RUNNING"
        monkeypatch.setitem(globals(), "LOOKS_AT_THE_CLOCK", False)

    await run(SandboxedWorkflowRunner(), fix)
    assert "Cannot access time.time from inside a workflow" in caplog.text
    assert "use workflow.time()" in caplog.text


async def test_replayers_guard_as_workers_do(monkeypatch: pytest.MonkeyPatch) -> None:
    history = await run(UnsandboxedWorkflowRunner())
    monkeypatch.setitem(globals(), "LOOKS_AT_THE_CLOCK", True)
    result = await Replayer(workflows=[Careless]).replay_workflow(history, raise_on_replay_failure=False)
    assert isinstance(result.replay_failure, RestrictedWorkflowAccessError)
    await Replayer(workflows=[Careless], workflow_runner=UnsandboxedWorkflowRunner()).replay_workflow(history)


class Counting(WorkflowRunner):
    """Makes what another runner makes, and counts."""

    def __init__(self) -> None:
        self.other = UnsandboxedWorkflowRunner()
        self.prepared: list[type] = []
        self.created: list[str] = []

    def prepare_workflow(self, defn: Any) -> None:
        self.prepared.append(defn.cls)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        self.created.append(det.run.workflow_id)
        return self.other.create_instance(det)


async def test_runners_of_the_user_make_the_instances() -> None:
    runner = Counting()
    await run(runner)
    assert runner.prepared == [Careless]
    assert runner.created == ["careless"]
