"""The replayer tells whether code fits histories, of this engine and of Temporal's."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability.api.common.v1 import Payload
from durability.client import (
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHistory,
)
from durability.common import WorkflowIDConflictPolicy
from durability.converter import DataConverter, PayloadCodec
from durability.exceptions import ApplicationError
from durability.testing import WorkflowEnvironment
from durability.worker import Replayer, Worker
from durability.workflow import NondeterminismError

SECONDS = timedelta(seconds=5)


@activity.defn
async def double(value: int) -> int:
    return value * 2


@activity.defn
async def fails() -> None:
    raise ApplicationError("broken", non_retryable=True)


@workflow.defn
class Child:
    @workflow.run
    async def run(self, value: int) -> int:
        await asyncio.sleep(1)
        return value + 1


@workflow.defn
class Everything:
    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self, kind: str) -> list[Any]:
        seen: list[Any] = [await workflow.execute_activity(double, 2, start_to_close_timeout=SECONDS)]
        await asyncio.sleep(3600)
        seen.append(await workflow.execute_local_activity(double, 5, start_to_close_timeout=SECONDS))
        if workflow.patched("more"):
            seen += await asyncio.gather(
                workflow.execute_child_workflow(Child.run, 1, id="child"),
                workflow.execute_activity(double, 10, start_to_close_timeout=SECONDS, activity_id="named"),
            )
        timer = asyncio.create_task(asyncio.sleep(100))
        await asyncio.sleep(0)
        timer.cancel()
        workflow.upsert_memo({"a": 1})
        try:
            await workflow.execute_activity(fails, start_to_close_timeout=SECONDS)
        except Exception as error:
            seen.append(str(error.__cause__))
        await workflow.wait_condition(lambda: bool(self.told))
        if kind == "fail":
            raise ApplicationError("as told")
        return [*seen, *self.told]

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told.append(text)


@workflow.defn(name="Everything")
class Otherwise:
    @workflow.run
    async def run(self, kind: str) -> None:
        await asyncio.sleep(10)


@workflow.defn(name="Everything")
class Raising:
    @workflow.run
    async def run(self, kind: str) -> None:
        raise ValueError("a bug")


async def history(kind: str) -> WorkflowHistory:
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        Worker(env.client, task_queue="q", workflows=[Everything, Child], activities=[double, fails]),
    ):
        handle = await env.client.start_workflow(
            Everything.run, kind, id=f"w-{kind}", task_queue="q", start_signal="tell", start_signal_args=["x"]
        )
        try:
            assert await handle.result() == [4, 10, 2, 20, "ApplicationError: broken", "x"] or kind
        except WorkflowFailureError:
            assert kind == "fail"
        return await handle.fetch_history()


@pytest.mark.parametrize("kind", ["complete", "fail"])
async def test_the_same_code_replays(kind: str) -> None:
    recorded = await history(kind)
    result = await Replayer(workflows=[Everything]).replay_workflow(recorded)
    assert result.replay_failure is None
    assert result.history is recorded


async def test_json_replays() -> None:
    recorded = await history("complete")
    read = WorkflowHistory.from_json("w-complete", recorded.to_json())
    assert (await Replayer(workflows=[Everything]).replay_workflow(read)).replay_failure is None


OLD_ENUMS = re.compile(
    r'"(?:EVENT_TYPE|TASK_QUEUE_KIND|PARENT_CLOSE_POLICY|WORKFLOW_ID_REUSE_POLICY|RETRY_STATE|INITIATOR)_(\w+)"'
)


async def test_json_of_old_servers_replays() -> None:
    recorded = await history("complete")
    old, changed = OLD_ENUMS.subn(lambda name: f'"{name[1].title().replace("_", "")}"', recorded.to_json())
    assert changed > 20
    document = json.loads(old)
    assert document["events"][0]["eventType"] == "WorkflowExecutionStarted"
    for event in document["events"]:  # fields that were not set were written out
        attributes = next(value for name, value in event.items() if name.endswith("Attributes"))
        attributes.setdefault("header", None)
        attributes.setdefault("parentWorkflowExecution", None)
    read = WorkflowHistory.from_json("w-complete", document)
    assert (await Replayer(workflows=[Everything]).replay_workflow(read)).replay_failure is None
    with pytest.raises(NondeterminismError):
        await Replayer(workflows=[Otherwise]).replay_workflow(read)


@workflow.defn
class Shop:
    """Ends before the update that came with its start is answered."""

    def __init__(self) -> None:
        self.closed = False

    @workflow.run
    async def run(self) -> str:
        self.closed = True
        return "closed"

    @workflow.update
    async def order(self) -> str:
        await workflow.wait_condition(lambda: self.closed)
        return "too late"


async def test_sdks_that_dropped_what_came_after_the_end() -> None:
    async with (
        await WorkflowEnvironment.start_local() as env,
        Worker(env.client, task_queue="q", workflows=[Shop]),
    ):
        start = WithStartWorkflowOperation(
            Shop.run, id="shop", task_queue="q", id_conflict_policy=WorkflowIDConflictPolicy.FAIL
        )
        assert await env.client.execute_update_with_start_workflow(Shop.order, start_workflow_operation=start)
        document = (await (await start.workflow_handle()).fetch_history()).to_json_dict()
    await Replayer(workflows=[Shop]).replay_workflow(WorkflowHistory.from_json("shop", document))
    completed, answered = document["events"][3], document["events"][5]
    assert (completed["eventType"], answered["eventType"]) == (
        "EVENT_TYPE_WORKFLOW_TASK_COMPLETED",
        "EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED",
    )
    document["events"].remove(answered)
    with pytest.raises(NondeterminismError, match="UpdateCompleted"):
        await Replayer(workflows=[Shop]).replay_workflow(WorkflowHistory.from_json("shop", document))
    completed["workflowTaskCompletedEventAttributes"]["sdkMetadata"]["coreUsedFlags"] = [1, 2]
    await Replayer(workflows=[Shop]).replay_workflow(WorkflowHistory.from_json("shop", document))


async def test_part_of_a_history_replays() -> None:
    recorded = await history("complete")
    for length in range(1, len(recorded.events)):
        part = WorkflowHistory(recorded.workflow_id, recorded.events[:length])
        result = await Replayer(workflows=[Everything]).replay_workflow(part, raise_on_replay_failure=False)
        complete = length not in _within_a_task(recorded)
        assert not complete or result.replay_failure is None, (length, result.replay_failure)


def _within_a_task(recorded: WorkflowHistory) -> set[int]:
    """Lengths that cut a task's commands off."""
    commands = [event.event_id for event in recorded.events if "workflowTaskCompletedEventId" in event.attributes]
    return {event_id - 1 for event_id in commands}


async def test_other_code_is_found_out() -> None:
    recorded = await history("complete")
    with pytest.raises(NondeterminismError, match="ActivityTaskScheduled"):
        await Replayer(workflows=[Otherwise]).replay_workflow(recorded)
    result = await Replayer(workflows=[Otherwise]).replay_workflow(recorded, raise_on_replay_failure=False)
    assert isinstance(result.replay_failure, NondeterminismError)


async def test_failing_task_is_a_replay_failure() -> None:
    with pytest.raises(RuntimeError, match="ValueError: a bug") as raised:
        await Replayer(workflows=[Raising]).replay_workflow(await history("complete"))
    assert isinstance(raised.value.__cause__, ValueError)


@workflow.defn
class Echo:
    @workflow.run
    async def run(self, text: str) -> str:
        return text


class Locked(PayloadCodec):
    """Gives nothing out as soon as it is locked."""

    error: Exception | None = None

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        if self.error is not None:
            raise self.error
        return list(payloads)


async def test_payloads_that_cannot_be_read() -> None:
    codec = Locked()
    converter = DataConverter(payload_codec=codec)
    replayer = Replayer(workflows=[Echo], data_converter=converter)
    async with (
        await WorkflowEnvironment.start_local(data_converter=converter) as env,
        Worker(env.client, task_queue="q", workflows=[Echo]),
    ):
        readable = await env.client.start_workflow(Echo.run, "x", id="readable", task_queue="q")
        assert await readable.result() == "x"
        codec.error = ApplicationError("locked", non_retryable=True)
        unreadable = await env.client.start_workflow(Echo.run, "x", id="unreadable", task_queue="q")
        with pytest.raises(WorkflowFailureError):
            await unreadable.result()
        completed, failed = await readable.fetch_history(), await unreadable.fetch_history()
    await replayer.replay_workflow(failed)  # as it did then
    with pytest.raises(NondeterminismError, match="locked"):
        await replayer.replay_workflow(completed)
    codec.error = OSError("unplugged")
    for history in (completed, failed):
        with pytest.raises(RuntimeError, match="OSError: unplugged"):
            await replayer.replay_workflow(history)


async def test_failures_of_many() -> None:
    recorded = [await history("complete"), await history("fail")]

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for one in recorded:
            yield one

    fitting = await Replayer(workflows=[Everything]).replay_workflows(histories())
    assert fitting.replay_failures == {}
    other = Replayer(workflows=[Otherwise])
    results = await other.replay_workflows(histories(), raise_on_replay_failure=False)
    assert set(results.replay_failures) == {one.run_id for one in recorded}
    with pytest.raises(NondeterminismError):
        await other.replay_workflows(histories())


async def test_unknown_workflow() -> None:
    with pytest.raises(RuntimeError, match=r"Workflow class Everything is not registered on this worker.*: Child"):
        await Replayer(workflows=[Child]).replay_workflow(await history("complete"))


def test_nothing_to_replay_with() -> None:
    with pytest.raises(ValueError, match="At least one workflow"):
        Replayer(workflows=[])


def cancelled_at_its_outcome(*, flagged: bool, end: str) -> WorkflowHistory:
    """A run that was cancelled when its activity had completed, of an SDK that notes what it does then, or not."""
    task = {"startedEventId": "10", "scheduledEventId": "8", "sdkMetadata": {"langUsedFlags": [1] * flagged}}
    result = {"result": {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "NA=="}]}}
    queue = {"taskQueue": {"name": "q"}}
    start = {"workflowType": {"name": "Doubles"}, "workflowId": "w", "originalExecutionRunId": "r", **queue}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("WorkflowExecutionStarted", start),
        ("WorkflowTaskScheduled", queue),
        ("WorkflowTaskStarted", {"scheduledEventId": "2"}),
        ("WorkflowTaskCompleted", {"startedEventId": "3", "sdkMetadata": {"coreUsedFlags": [1, 2, 3]}}),
        ("ActivityTaskScheduled", {"activityId": "1", "activityType": {"name": "double"}, **queue}),
        ("ActivityTaskStarted", {"scheduledEventId": "5", "attempt": 1}),
        ("ActivityTaskCompleted", {"scheduledEventId": "5", "startedEventId": "6", **result}),
        ("WorkflowTaskScheduled", queue),
        ("WorkflowExecutionCancelRequested", {}),
        ("WorkflowTaskStarted", {"scheduledEventId": "8"}),
        ("WorkflowTaskCompleted", task),
        (end, {"workflowTaskCompletedEventId": "11", **(result if end == "WorkflowExecutionCompleted" else {})}),
    ]
    events = [
        {
            "eventId": str(number),
            "eventTime": f"2025-01-01T00:00:{number:02}Z",
            "eventType": "EVENT_TYPE" + re.sub("([A-Z])", r"_\1", name).upper(),
            name[0].lower() + name[1:] + "EventAttributes": body,
        }
        for number, (name, body) in enumerate(bodies, 1)
    ]
    return WorkflowHistory.from_json("w", {"events": events})


@workflow.defn
class Doubles:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(double, 2, start_to_close_timeout=SECONDS)


@pytest.mark.parametrize("flagged", [True, False])
async def test_sdks_that_lost_cancellations(flagged: bool) -> None:
    ends = ["WorkflowExecutionCanceled", "WorkflowExecutionCompleted"]
    right, wrong = ends if flagged else ends[::-1]
    replayer = Replayer(workflows=[Doubles])
    await replayer.replay_workflow(cancelled_at_its_outcome(flagged=flagged, end=right))
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(cancelled_at_its_outcome(flagged=flagged, end=wrong))
