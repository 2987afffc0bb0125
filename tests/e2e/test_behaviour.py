"""What workflows do when nothing crashes: through queues, schedules and function processes."""

from __future__ import annotations

import asyncio

import pytest

from durability._core import history

from .application.workflows import Countdown, Dispatched, Gated, Order, Parallel, Progress, Sequence, Sleeper, Waiting
from .invariants import check
from .stage import ACTIVITY, WORKFLOW, Stage, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARAMETERS = {"WorkflowTimeout": "10"}
MINUTE = 60_000


async def test_eager_steps_take_one_invocation(stage: Stage) -> None:
    before = stage.cloud.functions[WORKFLOW].invocations
    handle = await stage.client.start_workflow(Sequence.run, 10, id="sequence", task_queue="e2e")
    assert await handle.result() == 10
    await stage.idle()
    check(stage)
    assert stage.names("sequence") == [f"step {number}" for number in range(10)]
    assert stage.cloud.functions[WORKFLOW].invocations == before + 1


async def test_parallel_steps_share_deltas(stage: Stage) -> None:
    handle = await stage.client.start_workflow(Parallel.run, 100, id="parallel", task_queue="e2e")
    assert await handle.result() == [f"part {number}" for number in range(100)]
    await stage.idle()
    runs = check(stage)
    (run,) = [run for (workflow_id, _), run in runs.items() if workflow_id == "parallel"]
    assert len(run.deltas) <= 15


async def test_an_order_uses_everything(stage: Stage) -> None:
    handle = await stage.client.start_workflow(Order.run, id="order", task_queue="e2e")
    assert await handle.result() == ["first", "dispatched", "eager", "child", "last"]
    await stage.idle()
    check(stage)
    child = stage.client.get_workflow_handle("order-child")
    assert (await child.describe()).parent_id == "order"
    assert await child.result() == "child"


async def test_dispatched_activities_run_in_the_other_function_and_are_tried_again(stage: Stage) -> None:
    before = stage.cloud.functions[ACTIVITY].invocations
    handle = await stage.client.start_workflow(Dispatched.run, id="dispatched", task_queue="e2e")
    assert await handle.result() == ["coroutine", "thread", 3]
    await stage.idle()
    check(stage)
    assert stage.cloud.functions[ACTIVITY].invocations >= before + 5


async def test_heartbeat_details_survive_the_process(stage: Stage) -> None:
    stage.arm("progress", "step 3")
    handle = await stage.client.start_workflow(Progress.run, 5, id="progress", task_queue="e2e")
    done = await handle.result()
    assert done
    assert done[0] in (2, 3, 4)
    assert done == list(range(done[0], 6))
    await stage.idle()
    check(stage)
    assert [effect.attempt for effect in stage.effects("progress")] == [1, 2]


async def test_a_timer_and_signals(stage: Stage) -> None:
    handle = await stage.client.start_workflow(Waiting.run, 2_000, id="waiting", task_queue="e2e")
    await handle.signal(Waiting.tell, "hello")
    await handle.signal(Waiting.tell, "end")
    assert await handle.result() == ["hello", "end"]
    await stage.idle()
    check(stage)


async def test_continue_as_new(stage: Stage) -> None:
    handle = await stage.client.start_workflow(Countdown.run, 3, id="countdown", task_queue="e2e")
    assert await handle.result() == "zero"
    await stage.idle()
    runs = check(stage)
    assert len([run_id for workflow_id, run_id in runs if workflow_id == "countdown"]) == 4
    assert stage.names("countdown") == [f"{left} left" for left in (3, 2, 1, 0)]


async def test_a_run_answers_while_a_long_eager_activity_runs(stage: Stage) -> None:
    """The executor lets go of the run after a second; queries do not wait even for that."""
    handle = await stage.client.start_workflow(Gated.run, 3, id="long", task_queue="e2e")
    await eventually(lambda: stage.effects("long"))
    assert await handle.query(Gated.notes) == []
    await handle.signal(Gated.note, "hello")
    assert await handle.query(Gated.notes) == ["hello"]
    await eventually(lambda: stage.head("long").dispatched >= 2)
    assert not stage.effects("long", "end"), "the signal had to wait for the activity"
    stage.open_gate("long")
    assert await handle.result() == ["hello"]
    await stage.idle()
    check(stage)
    assert len(stage.effects("long")) == 1


async def test_a_timer_beyond_the_queues_longest_delay_is_one_schedule(stage: Stage) -> None:
    known = {schedule.arn for schedule in stage.cloud.schedules}
    delayed = stage.queued("WorkflowQueue")["Delayed"]
    handle = await stage.client.start_workflow(Sleeper.run, 16 * 60, id="schedule", task_queue="e2e")
    await eventually(lambda: stage.head("schedule").wake_up)
    await stage.idle()
    (schedule,) = [schedule for schedule in stage.cloud.schedules if schedule.arn not in known]
    head = stage.head("schedule")
    assert schedule.at is not None
    assert head.wake_up / 1000 - 92 <= schedule.at <= head.wake_up / 1000 - 60, "not early enough for its precision"
    assert stage.queued("WorkflowQueue")["Delayed"] <= delayed  # those of other tests may fall due meanwhile
    stage.put_clock_forward(16 * MINUTE)
    await asyncio.to_thread(stage.cloud.fire_schedule, schedule.arn)
    assert await handle.result() == "awake"
    stage.put_clock_forward(0)
    await stage.idle()
    assert schedule.arn not in {schedule.arn for schedule in stage.cloud.schedules}, "it deletes itself"
    (run,) = [run for (workflow_id, _), run in check(stage).items() if workflow_id == "schedule"]
    assert len([m for delta in run.effective for m in delta.inputs if isinstance(m, history.TimerFired)]) == 1


async def test_a_schedule_that_fires_early_is_put_back_with_the_rest_of_the_delay(stage: Stage) -> None:
    handle = await stage.client.start_workflow(Sleeper.run, 16 * 60, id="early", task_queue="e2e")
    await eventually(lambda: stage.head("early").wake_up)
    await stage.idle()
    (schedule,) = [schedule for schedule in stage.cloud.schedules if '"early"' in str(schedule.input)]
    delayed = stage.queued("WorkflowQueue")["Delayed"]
    stage.cloud.reset_requests()
    stage.put_clock_forward(15 * MINUTE)
    await asyncio.to_thread(stage.cloud.fire_schedule, schedule.arn)
    await eventually(lambda: stage.queued("WorkflowQueue")["Delayed"] == delayed + 1)
    await stage.idle()
    stage.put_clock_forward(0)
    assert stage.cloud.requests_of(WORKFLOW) == {"sqs.SendMessage": 1}, "the table is not looked at"
    await handle.terminate()
    await stage.idle()
    check(stage)
