"""kill -9 of the real function process at every step of the protocol."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

import pytest

from .application.workflows import Gated, Order, Parent, Sequence, Teller, Waiting
from .invariants import check
from .stage import ACTIVITY, WORKFLOW, Stage, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Room for a machine that does several things at once: nothing here is about the timeout.
PARAMETERS = {"WorkflowTimeout": "10"}
ORDER = ["first", "dispatched", "eager", "child", "last"]


@dataclass(frozen=True)
class Crash:
    """Where the process dies. ``of`` is what follows the order's id: whose point it is."""

    name: str
    point: str
    passes: int = 0
    of: str = ""


CRASHES = [
    Crash("before the run is loaded", "workflow.store.load.before"),
    Crash("before the first append", "workflow.store.append.before"),
    Crash("after the first append, before the activity begins", "workflow.store.append.after"),
    Crash("in an eager activity", "in first"),
    Crash("after an eager activity, before its result is recorded", "workflow.store.append.before", 1),
    Crash("after an append, before its dispatch", "workflow.store.append.after", 1),
    Crash("between two dispatches", "workflow.queue.send_activities.after"),
    Crash("before a child is created", "workflow.store.create.before", of="-child"),
    Crash("after a child is created, before its wake-up", "workflow.queue.send_wake_up.before", of="-child"),
    Crash("after a child is started, before the parent knows", "workflow.queue.send_wake_up.after", of="-child"),
    Crash("in a child's activity", "in child", of="-child"),
    Crash("before a child reports to its parent", "workflow.store.finish.before", of="-child"),
    Crash("before the release", "workflow.store.settle.before"),
    Crash("after the release", "workflow.store.settle.after"),
    Crash("before a dispatched activity is claimed", "activity.store.claim.before"),
    Crash("after it is claimed, before it begins", "activity.store.claim.after"),
    Crash("in a dispatched activity", "in dispatched"),
    Crash("after a dispatched activity, before its result is delivered", "activity.store.deliver.before"),
]


@pytest.mark.parametrize("crash", CRASHES, ids=[crash.name.replace(" ", "-") for crash in CRASHES])
async def test_an_order_survives(stage: Stage, crash: Crash) -> None:
    workflow_id = f"order-{CRASHES.index(crash)}"
    stage.arm(workflow_id + crash.of, crash.point, passes=crash.passes)
    handle = await stage.client.start_workflow(Order.run, id=workflow_id, task_queue="e2e")
    assert await handle.result() == ORDER
    assert stage.victim(workflow_id + crash.of, crash.point), "nothing was killed"
    await stage.idle()
    check(stage)
    ended = stage.names(workflow_id) + stage.names(f"{workflow_id}-child")
    assert set(ended) == set(ORDER)


@pytest.mark.parametrize("last", ["append.before", "append.after", "settle.before", "settle.after"])
async def test_a_closing_run_survives(stage: Stage, last: str) -> None:
    """A sequence of two: delta 1 schedules, delta 2 too, delta 3 closes; there is one settlement."""
    workflow_id = f"closing-{last}"
    stage.arm(workflow_id, f"workflow.store.{last}", passes=2 if last.startswith("append") else 0)
    handle = await stage.client.start_workflow(Sequence.run, 2, id=workflow_id, task_queue="e2e")
    assert await handle.result() == 2
    await eventually(lambda: stage.victim(workflow_id, f"workflow.store.{last}"))
    await stage.idle()
    check(stage)
    if last != "append.before":
        assert stage.names(workflow_id) == ["step 0", "step 1"]


async def test_a_detached_eager_activity_whose_executor_dies_before_the_result_is_delivered(stage: Stage) -> None:
    stage.arm("detached", "workflow.store.deliver.before")
    handle = await stage.client.start_workflow(Gated.run, 2.5, id="detached", task_queue="e2e")
    await eventually(lambda: stage.effects("detached"))
    await eventually(lambda: not stage.head("detached").awake)
    stage.open_gate("detached")
    assert await handle.result() == []
    assert stage.victim("detached", "workflow.store.deliver.before")
    await stage.idle()
    check(stage)
    assert [effect.attempt for effect in stage.effects("detached")] == [1, 2]


async def test_the_reconciler_wakes_a_run_whose_activity_died_before_sending_the_wake_up(stage: Stage) -> None:
    """Detached from its run, a dispatched activity owes it a wake-up."""
    stage.arm("owing", "activity.queue.send_wake_up.before")
    handle = await stage.client.start_workflow(Gated.run, 30, id="owing", task_queue="e2e")
    await eventually(lambda: stage.effects("owing"))
    await eventually(lambda: not stage.head("owing").awake)
    stage.open_gate("owing")
    await eventually(lambda: stage.victim("owing", "activity.queue.send_wake_up.before"))
    await stage.reconciled()
    assert await handle.result() == []
    await stage.idle()
    check(stage)
    assert [effect.attempt for effect in stage.effects("owing")] == [1]


async def test_the_reconciler_wakes_a_run_whose_starter_died(stage: Stage) -> None:
    stage.arm("orphan", "client.queue.send_wake_up.before")
    assert await stage.run_sender("orphan", "start") < 0
    await stage.reconciled()
    assert await stage.client.get_workflow_handle("orphan").result() == 2
    await stage.idle()
    check(stage)


async def test_the_reconciler_wakes_a_run_whose_signaller_died(stage: Stage) -> None:
    handle = await stage.client.start_workflow(Waiting.run, 10, id="signalled", task_queue="e2e")
    await eventually(lambda: stage.head("signalled").dispatched)
    await stage.idle()
    stage.arm("signalled", "client.queue.send_wake_up.before")
    assert await stage.run_sender("signalled", "signal") < 0
    await stage.reconciled()
    assert await handle.result() == ["end"]
    await stage.idle()
    check(stage)


async def test_a_workflow_that_dies_before_waking_the_one_it_signalled(stage: Stage) -> None:
    """It comes again, finds its message there, and cannot know whether the wake-up was sent."""
    listener = await stage.client.start_workflow(Waiting.run, 10, id="listener", task_queue="e2e")
    await eventually(lambda: stage.head("listener").dispatched)
    await stage.idle()
    stage.arm("listener", "workflow.queue.send_wake_up.before")
    teller = await stage.client.start_workflow(Teller.run, "listener", id="teller", task_queue="e2e")
    assert await teller.result() == "told"
    assert await listener.result() == ["end"]
    assert stage.victim("listener", "workflow.queue.send_wake_up.before")
    await stage.idle()
    check(stage)


async def test_a_child_that_dies_before_waking_its_parent(stage: Stage) -> None:
    """The parent waits for nothing else, so only the child's next try, or the reconciler, can wake it."""
    stage.arm("parent", "workflow.queue.send_wake_up.before")
    handle = await stage.client.start_workflow(Parent.run, id="parent", task_queue="e2e")
    child = stage.client.get_workflow_handle("parent-child")
    await eventually(lambda: stage.effects("parent-child"))
    await eventually(lambda: stage.head("parent").dispatched and not stage.head("parent").awake)
    stage.open_gate("parent-child")
    assert await handle.result() == []
    assert await child.result() == []
    assert stage.victim("parent", "workflow.queue.send_wake_up.before")
    await stage.idle()
    check(stage)


async def test_a_run_that_dies_between_deciding_an_attempt_and_sending_it(stage: Stage) -> None:
    """The process of the first attempt is gone, so the run decides the second one, and dies."""
    stage.arm("deciding", "in dispatched")
    stage.arm("deciding", "workflow.store.retry.after")
    handle = await stage.client.start_workflow(Order.run, id="deciding", task_queue="e2e")
    assert await handle.result() == ORDER
    assert stage.victim("deciding", "workflow.store.retry.after")
    await stage.idle()
    check(stage)


async def test_processes_killed_at_random_under_load(stage: Stage) -> None:
    handles = [
        await stage.client.start_workflow(Order.run, id=f"storm-{number}", task_queue="e2e") for number in range(8)
    ]
    results = asyncio.gather(*(handle.result() for handle in handles))
    # As in production, where it runs every minute: a kill may hit between a message and its wake-up.
    reconciling = asyncio.create_task(_reconcile_until(stage, results))
    for kill in range(5):
        await eventually(partial(_has_moved, stage, len(stage.ledger()) + 3, results))
        function = stage.cloud.functions[ACTIVITY if kill % 3 == 2 else WORKFLOW]
        for environment in [each for each in function.processes if each.request_id is not None][:1]:
            environment.kill()
    assert await results == [ORDER] * len(handles)
    await reconciling
    await stage.idle()
    check(stage, attempts=8)


def _has_moved(stage: Stage, effects: int, done: asyncio.Future[list[list[object]]]) -> bool:
    return len(stage.ledger()) >= effects or done.done()


async def _reconcile_until(stage: Stage, done: asyncio.Future[list[list[object]]]) -> None:
    while not done.done():
        await stage.reconcile()
        await asyncio.wait([done], timeout=1)
