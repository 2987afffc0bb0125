"""What a client sees of executions: descriptions and histories, field by field."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.common import RetryPolicy
from tests.differential.stage import Stage, scenario


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.told = ""

    @workflow.run
    async def run(self, name: str) -> str:
        await workflow.wait_condition(lambda: bool(self.told))
        return f"{name}: {self.told}"

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told = text


@workflow.defn
class HasChild:
    @workflow.run
    async def run(self, child_id: str) -> str:
        return await workflow.execute_child_workflow(Waits.run, "child", id=child_id)


@activity.defn
async def fails_once_then_waits() -> str:
    if activity.info().attempt == 1:
        raise ValueError("at first")
    activity.heartbeat("beat", 2)
    while not activity.is_cancelled():
        await asyncio.sleep(0.05)
        activity.heartbeat("beat", 2)
    return "ended"


@workflow.defn
class HasActivity:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            fails_once_then_waits,
            activity_id="the-activity",
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=2),
        )


async def _eventually(look: Any) -> Any:
    while True:
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.05)


@scenario(HasChild, Waits)
async def described_child(stage: Stage) -> Any:
    child_id = stage.id("-child")
    parent = await stage.start(
        HasChild.run, child_id, memo={"key": "value"}, static_summary="one line", static_details="more lines"
    )
    child = stage.client.get_workflow_handle(child_id)

    async def described() -> Any:
        try:
            return await child.describe()
        except Exception:  # not started yet
            return None

    of_child, of_parent = await _eventually(described), await parent.describe()
    await child.signal("tell", "go on")
    await parent.result()
    return {
        "parent": (of_child.parent_id, of_child.parent_run_id == of_parent.run_id),
        "root": (of_child.root_id, of_child.root_run_id == of_parent.run_id),
        "own root": (of_parent.root_id, of_parent.root_run_id == of_parent.run_id),
        "no parent": (of_parent.parent_id, of_parent.parent_run_id),
        "summary": (await of_parent.static_summary(), await of_parent.static_details()),
        "no summary": (await of_child.static_summary(), await of_child.static_details()),
        "memo": (dict(await of_parent.memo()), await of_parent.memo_value("key"), await of_child.memo_value("x", 1)),
        "info": (
            of_parent.raw_info.execution.workflow_id,
            of_parent.raw_info.type.name,
            of_parent.raw_info.status,
            of_parent.raw_info.HasField("close_time"),
            of_child.raw_info.parent_execution.workflow_id,
        ),
        "config": of_parent.raw_description.execution_config.task_queue.name == stage.task_queue,
    }


@scenario(HasActivity, activities=[fails_once_then_waits])
async def described_pending_activity(stage: Stage) -> Any:
    handle = await stage.start(HasActivity.run)

    async def pending() -> Any:
        found = (await handle.describe()).raw_description.pending_activities
        return found if found and found[0].attempt == 2 and found[0].HasField("heartbeat_details") else None

    [one] = await _eventually(pending)
    await handle.cancel()
    try:
        await handle.result()
    except Exception as error:
        ended = type(error).__name__
    return {
        "names": (one.activity_id, one.activity_type.name),
        "state": one.state,
        "failure": (one.last_failure.message, one.last_failure.application_failure_info.type),
        "heartbeat": [payload.data for payload in one.heartbeat_details.payloads],
        "ended": ended,
    }


@scenario(Waits, histories=False)
async def history_of_what_has_not_begun(stage: Stage) -> Any:
    handle = await stage.start(
        Waits.run,
        "late",
        start_delay=timedelta(hours=1, seconds=30),
        start_signal="tell",
        start_signal_args=["early"],
        static_summary="one line",
        memo={"key": "value"},
    )
    first, *others = [event async for event in handle.fetch_history_events()]
    started = first.workflow_execution_started_event_attributes
    await handle.terminate()
    return {
        "delay": started.first_workflow_task_backoff.ToTimedelta(),
        "input": [payload.data for payload in started.input.payloads],
        "memo": started.memo.fields["key"].data,
        "type": started.workflow_type.name,
        "parent": (started.HasField("parent_workflow_execution"), started.parent_workflow_execution.workflow_id),
        "summary": first.user_metadata.summary.data,
        "signal": [
            event.workflow_execution_signaled_event_attributes.signal_name
            for event in others
            if event.HasField("workflow_execution_signaled_event_attributes")
        ],
        "other attributes": first.timer_started_event_attributes.timer_id,
    }
