"""Processes that hang, freeze and race, and code that is wrong for a while."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from durability._aws.queues import encode_wake_up
from durability._runtime.ports import WakeUp
from durability.client import WorkflowHandle

from .application.workflows import Hanging, Order, Sequence
from .invariants import check
from .stage import WORKFLOW, Stage, eventually, resume

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = ["first", "dispatched", "eager", "child", "last"]


@pytest.mark.parametrize("eager", [True, False], ids=["eager", "dispatched"])
async def test_the_service_kills_an_activity_that_blocks_its_process(stage: Stage, eager: bool) -> None:
    workflow_id = f"hanging-{eager}"
    handle = await stage.client.start_workflow(Hanging.run, eager, id=workflow_id, task_queue="e2e")
    assert await handle.result() == 2
    await stage.idle()
    check(stage)
    assert [effect.attempt for effect in stage.effects(workflow_id)] == [1, 2]
    assert "Task timed out after 5.00 seconds" in stage.cloud.logs(WORKFLOW if eager else "ActivityFunction")


@pytest.mark.parametrize("point", ["append.before", "settle.before", "load.after"])
async def test_a_process_that_was_frozen_and_comes_back_writes_nothing(stage: Stage, point: str) -> None:
    """Another one gets a wake-up (SQS may deliver twice), does the work, and then the first one goes on."""
    workflow_id, where = f"zombie-{point}", f"workflow.store.{point}"
    stage.arm(workflow_id, where, action="stop", passes=1 if point == "append.before" else 0)
    handle = await stage.client.start_workflow(Sequence.run, 3, id=workflow_id, task_queue="e2e")
    zombie = await eventually(lambda: stage.victim(workflow_id, where))
    stage.wake(workflow_id, stage.head(workflow_id).run_id)
    assert await handle.result() == 3
    before = _items_of(stage, workflow_id)
    resume(zombie)
    await stage.idle()
    check(stage)
    assert _items_of(stage, workflow_id) == before


async def test_an_activity_process_that_was_frozen_past_its_heartbeat_timeout_changes_nothing(stage: Stage) -> None:
    stage.arm("late", "activity.store.deliver.before", action="stop")
    handle = await stage.client.start_workflow(Order.run, id="late", task_queue="e2e")
    zombie = await eventually(lambda: stage.victim("late", "activity.store.deliver.before"))
    assert await handle.result() == ORDER
    before = _items_of(stage, "late")
    resume(zombie)
    await stage.idle()
    check(stage)
    assert _items_of(stage, "late") == before
    assert [effect.attempt for effect in stage.effects("late") if effect.name == "dispatched"] == [1, 2]


async def test_processes_race_for_one_run(stage: Stage) -> None:
    """All have loaded the same state and are about to append the same delta; one wins, the others do nothing."""
    point = "workflow.store.append.before"
    stage.arm("race", point, action="meet", passes=4)
    handle = await stage.client.start_workflow(Order.run, id="race", task_queue="e2e")
    wake_up = encode_wake_up(WakeUp("race", handle.first_execution_run_id or ""))
    event = {"Records": [{"messageId": "direct", "body": wake_up}]}
    answers = [asyncio.to_thread(stage.cloud.invoke, WORKFLOW, event) for _ in range(3)]
    assert await asyncio.gather(*answers) == [{"batchItemFailures": []}] * 3
    # Four race for the first delta; the run goes on meanwhile, and a later wake-up may start one process more.
    assert stage.met("race", point) >= 4
    assert await handle.result() == ORDER
    await stage.idle()
    check(stage)
    assert len(stage.effects("race")) == 4, "somebody who lost the race ran an activity"
    lost = [r for r in stage.cloud.records() if r["operation"] == "PutItem" and r["status"] == 400]
    assert len(lost) >= 3


async def test_an_activity_message_that_comes_twice_is_run_once(stage: Stage) -> None:
    point = "activity.store.claim.before"
    stage.arm("twice", point, action="meet", passes=2)
    handle = await stage.client.start_workflow(Order.run, id="twice", task_queue="e2e")
    await eventually(lambda: stage.met("twice", point))
    sent = [json.loads(r["request"]) for r in stage.cloud.records() if r["operation"] == "SendMessageBatch"]
    bodies = [entry["MessageBody"] for request in sent for entry in request["Entries"]]
    (body,) = [body for body in bodies if json.loads(body)["workflow_id"] == "twice"]
    stage.send("ActivityQueue", body)
    assert await handle.result() == ORDER
    await stage.idle()
    check(stage)
    assert stage.met("twice", point) == 2
    assert len([effect for effect in stage.effects("twice") if effect.name == "dispatched"]) == 1


async def test_a_bug_is_shown_and_the_run_goes_on_when_it_is_fixed(stage: Stage) -> None:
    source = stage.home / "application" / "repairable.py"
    wrong = source.read_text()
    handle: WorkflowHandle[object, str] = await stage.client.start_workflow(
        "Repairable", id="bug", task_queue="e2e", result_type=str
    )
    await eventually(lambda: stage.head("bug").task_attempts)
    failure = (await handle.describe()).raw_description.pending_workflow_task.last_failure.message
    assert "RuntimeError: a bug in workflow code" in failure
    assert "repairable.py" in failure
    source.write_text(wrong.replace('raise RuntimeError("a bug in workflow code")', 'return "fixed"'))
    await asyncio.to_thread(stage.cloud.reload)
    assert await handle.result() == "fixed"
    await stage.idle()
    check(stage, replay=False)
    assert stage.names("bug") == ["before"]
    assert stage.head("bug").task_failure == ""


async def test_code_that_does_not_fit_the_history_is_shown_and_waits_for_code_that_does(stage: Stage) -> None:
    source = stage.home / "application" / "repairable.py"
    fixed = source.read_text().replace('raise RuntimeError("a bug in workflow code")', 'return "fixed"')
    waiting = fixed.replace("asyncio.sleep(0.01)", "asyncio.sleep(2)")
    source.write_text(waiting)
    await asyncio.to_thread(stage.cloud.reload)
    handle: WorkflowHandle[object, str] = await stage.client.start_workflow(
        "Repairable", id="changed", task_queue="e2e", result_type=str
    )
    await eventually(lambda: stage.head("changed").wake_up)
    source.write_text(waiting.replace('effect, "before"', '"another_activity", "before"'))
    await asyncio.to_thread(stage.cloud.reload)
    await eventually(lambda: stage.head("changed").task_attempts)
    assert "NondeterminismError" in (await handle.describe()).raw_description.pending_workflow_task.last_failure.message
    source.write_text(waiting)
    await asyncio.to_thread(stage.cloud.reload)
    assert await handle.result() == "fixed"
    await stage.idle()
    check(stage, replay=False)


def _items_of(stage: Stage, workflow_id: str) -> list[dict[str, Any]]:
    return [item for item in stage.items() if item["pk"]["S"].endswith(f"#{workflow_id}")]
