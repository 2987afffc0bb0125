"""``breakpoint()`` in workflow code: refused, unless the worker or the replayer is in debug mode."""

from __future__ import annotations

import pdb
import sys
import threading
from types import FrameType
from typing import Any

import pytest

from durability import workflow
from durability.client import WorkflowFailureError, WorkflowHistory
from durability.testing import WorkflowEnvironment
from durability.worker import Replayer, Worker
from durability.worker.workflow_sandbox import RestrictedWorkflowAccessError


@workflow.defn
class Stops:
    @workflow.run
    async def run(self) -> str:
        animal = "bird"
        breakpoint()
        return f"{animal} of {threading.main_thread().name}"


async def result(**options: Any) -> tuple[str, WorkflowHistory]:
    async with (
        await WorkflowEnvironment.start_local() as env,
        Worker(env.client, task_queue="q", workflows=[Stops], **options),
    ):
        handle = await env.client.start_workflow(Stops.run, id="w", task_queue="q")
        return await handle.result(), await handle.fetch_history()


@pytest.fixture
def stops(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, object]]:
    """Where a debugger stopped that is told to quit at once: thread, function, and what a variable was."""
    stops: list[tuple[str, str, object]] = []

    class Scripted(pdb.Pdb):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.cmdqueue = ["import os", "p os.listdir('/')", "q"]

        def interaction(self, frame: FrameType | None, *args: Any) -> None:  # type: ignore[override]
            assert frame is not None
            stops.append((threading.current_thread().name, frame.f_code.co_name, frame.f_locals.get("animal")))
            super().interaction(frame, *args)

    monkeypatch.setattr(pdb, "Pdb", Scripted)
    monkeypatch.setattr(sys, "breakpointhook", sys.breakpointhook)  # is put back
    return stops


async def test_the_debugger_stops_in_workflow_code_and_quitting_goes_on(
    stops: list[tuple[str, str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    given, history = await result(debug_mode=True)
    assert given == "bird of MainThread"
    assert stops == [("MainThread", "run", "bird")]
    assert "'usr'" in capsys.readouterr().out  # what the workflow itself may not look at
    await Replayer(workflows=[Stops], debug_mode=True).replay_workflow(history)
    assert len(stops) == 2


async def test_without_debug_mode_it_is_refused() -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await result(workflow_failure_exception_types=[RestrictedWorkflowAccessError])
    assert "debug_mode=True" in str(caught.value.cause)


async def test_elsewhere_it_calls_what_it_called_before(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(sys, "breakpointhook", lambda: called.append("before"))
    Replayer(workflows=[Stops], debug_mode=True)
    breakpoint()
    assert called == ["before"]
