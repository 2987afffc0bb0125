"""Failures in every detail: which timeout, whose retry state, which event, what is told of the cause."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.common import RetryPolicy
from durability.exceptions import ApplicationError, ApplicationErrorCategory, FailureError
from tests.differential.stage import Stage, describe, scenario

SECONDS = timedelta(seconds=10)
SHORT = timedelta(milliseconds=20)


def ms(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)


@activity.defn
async def sleeps(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


@activity.defn
async def fails_then_sleeps(seconds: float) -> str:
    if activity.info().attempt == 1:
        raise ApplicationError("first", type="First")
    await asyncio.sleep(seconds)
    return "slept"


@activity.defn
async def beats_then_sleeps(seconds: float) -> str:
    activity.heartbeat("got", activity.info().attempt)
    await asyncio.sleep(seconds)
    return "slept"


@activity.defn
async def always_fails(kind: str) -> None:
    if kind == "delay":
        raise ApplicationError("later", type="Later", next_retry_delay=ms(50))
    if kind == "benign":
        raise ApplicationError("benign", type="Benign", category=ApplicationErrorCategory.BENIGN)
    if kind == "long delay":
        raise ApplicationError("too late", type="Later", next_retry_delay=timedelta(hours=1))
    raise RuntimeError(kind)


@activity.defn
async def attempts_in_time() -> int:
    if activity.info().attempt < 3:
        raise ApplicationError("again", next_retry_delay=ms(10 * activity.info().attempt))
    return activity.info().attempt


@workflow.defn
class ActivityTimeouts:
    @workflow.run
    async def run(self, kind: str, queue: str) -> Any:
        retry = RetryPolicy(initial_interval=SHORT, maximum_attempts=3)
        if kind == "schedule to close alone":
            return await workflow.execute_activity(sleeps, 3.0, schedule_to_close_timeout=ms(300))
        if kind == "schedule to close before start to close":
            return await workflow.execute_activity(
                sleeps, 3.0, schedule_to_close_timeout=ms(300), start_to_close_timeout=SECONDS
            )
        if kind == "start to close until schedule to close":
            return await workflow.execute_activity(
                sleeps,
                3.0,
                schedule_to_close_timeout=ms(500),
                start_to_close_timeout=ms(200),
                retry_policy=RetryPolicy(),
            )
        if kind == "schedule to close after a failure":
            return await workflow.execute_activity(
                fails_then_sleeps, 3.0, schedule_to_close_timeout=ms(2500), retry_policy=retry
            )
        if kind == "start to close after a failure":
            return await workflow.execute_activity(
                fails_then_sleeps,
                3.0,
                start_to_close_timeout=ms(300),
                retry_policy=RetryPolicy(initial_interval=SHORT, maximum_attempts=2),
            )
        if kind == "with heartbeats":
            return await workflow.execute_activity(
                beats_then_sleeps, 3.0, start_to_close_timeout=ms(300), retry_policy=RetryPolicy(maximum_attempts=1)
            )
        if kind == "heartbeat after a failure":
            return await workflow.execute_activity(
                fails_then_sleeps,
                3.0,
                start_to_close_timeout=SECONDS,
                heartbeat_timeout=ms(300),
                retry_policy=RetryPolicy(initial_interval=SHORT, maximum_attempts=2),
            )
        if kind == "schedule to start elsewhere":
            return await workflow.execute_activity(
                sleeps, 1.0, task_queue=queue, schedule_to_start_timeout=ms(200), start_to_close_timeout=SECONDS
            )
        return await workflow.execute_activity(sleeps, 1.0, task_queue=queue, schedule_to_close_timeout=ms(300))


def _timeout(kind: str) -> Any:
    async def play(stage: Stage) -> Any:
        return await stage.execute(ActivityTimeouts.run, kind, f"nobody-{stage.name}")

    play.__name__ = "times_out_" + kind.replace(" ", "_")
    return scenario(ActivityTimeouts, activities=[sleeps, fails_then_sleeps, beats_then_sleeps])(play)


timeout_1 = _timeout("schedule to close alone")
timeout_2 = _timeout("schedule to close before start to close")
timeout_3 = _timeout("start to close until schedule to close")
timeout_4 = _timeout("schedule to close after a failure")
timeout_5 = _timeout("start to close after a failure")
timeout_6 = _timeout("with heartbeats")
timeout_7 = _timeout("heartbeat after a failure")
timeout_8 = _timeout("schedule to start elsewhere")
timeout_9 = _timeout("schedule to close elsewhere")


@workflow.defn
class ActivityFailures:
    @workflow.run
    async def run(self, kind: str) -> Any:
        if kind == "in time":
            return await workflow.execute_activity(attempts_in_time, start_to_close_timeout=SECONDS)
        policy = RetryPolicy(initial_interval=SHORT, maximum_attempts=2)
        total = timedelta(seconds=5) if kind == "long delay" else None
        return await workflow.execute_activity(
            always_fails, kind, start_to_close_timeout=SECONDS, schedule_to_close_timeout=total, retry_policy=policy
        )


def _failure(kind: str) -> Any:
    async def play(stage: Stage) -> Any:
        return await stage.execute(ActivityFailures.run, kind)

    play.__name__ = "activity_failure_" + kind.replace(" ", "_")
    return scenario(ActivityFailures, activities=[always_fails, attempts_in_time])(play)


failure_1 = _failure("delay")
failure_2 = _failure("benign")
failure_3 = _failure("long delay")
failure_5 = _failure("in time")
failure_6 = _failure("something else")


@workflow.defn
class LocalFailures:
    @workflow.run
    async def run(self, kind: str) -> Any:
        retry = RetryPolicy(initial_interval=SHORT, maximum_attempts=2)
        if kind == "exhausted":
            return await workflow.execute_local_activity(
                always_fails, "again", start_to_close_timeout=SECONDS, retry_policy=retry
            )
        if kind == "start to close":
            return await workflow.execute_local_activity(
                sleeps, 3.0, start_to_close_timeout=ms(200), retry_policy=RetryPolicy(maximum_attempts=1)
            )
        if kind == "schedule to close":
            return await workflow.execute_local_activity(sleeps, 3.0, schedule_to_close_timeout=ms(200))
        kinds = workflow.ActivityCancellationType
        handle = workflow.start_local_activity(
            sleeps,
            2.0,
            start_to_close_timeout=SECONDS,
            cancellation_type=kinds[kind.upper()],
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
        # A local activity, as a timer would not be seen before the others have ended.
        await workflow.execute_local_activity(sleeps, 0.3, start_to_close_timeout=SECONDS)
        handle.cancel()
        return await handle


def _local(kind: str) -> Any:
    async def play(stage: Stage) -> Any:
        return await stage.execute(LocalFailures.run, kind)

    play.__name__ = "local_activity_ends_" + kind.replace(" ", "_")
    return scenario(LocalFailures, activities=[always_fails, sleeps])(play)


local_1 = _local("exhausted")
local_2 = _local("start to close")
local_3 = _local("schedule to close")
local_5 = _local("try_cancel")
local_6 = _local("wait_cancellation_completed")
local_7 = _local("abandon")


@activity.defn
async def doubles(number: int) -> int:
    return number * 2


@workflow.defn
class LocalSequence:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = [workflow.info().get_current_history_length()]
        for number in range(3):
            seen.append(await workflow.execute_local_activity(doubles, number, start_to_close_timeout=SECONDS))
            seen.append(workflow.info().get_current_history_length())
        seen.append(await workflow.execute_activity(doubles, 21, start_to_close_timeout=SECONDS))
        seen.append(workflow.info().get_current_history_length())
        try:
            await workflow.execute_activity(
                always_fails, "x", start_to_close_timeout=SECONDS, retry_policy=RetryPolicy(maximum_attempts=1)
            )
        except FailureError as error:
            seen.append(describe(error))
        return seen


@scenario(LocalSequence, activities=[doubles, always_fails])
async def local_activities_share_their_task(stage: Stage) -> Any:
    return await stage.execute(LocalSequence.run)


@workflow.defn
class Endless:
    @workflow.run
    async def run(self, how: str) -> str:
        if how == "fail":
            raise ApplicationError("at once")
        if how == "complete":
            return "done"
        await asyncio.sleep(100)
        return "woke"


@scenario(Endless, histories=False)
async def messages_to_closed_workflows(stage: Stage) -> Any:
    seen: list[Any] = []
    for how in ("complete", "fail", "cancel", "terminate"):
        handle = await stage.start(Endless.run, how, id=stage.id(f"-{how}"))
        if how == "cancel":
            await handle.cancel()
        elif how == "terminate":
            await handle.terminate()
        try:
            await handle.result()
        except Exception as error:
            seen.append(describe(error))
        named = stage.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
        first = stage.client.get_workflow_handle(handle.id, first_execution_run_id=handle.result_run_id)
        other = stage.client.get_workflow_handle(
            handle.id, first_execution_run_id="00000000-0000-4000-8000-000000000000"
        )
        again = None
        if how == "terminate":
            again = await stage.start(Endless.run, "wait", id=handle.id)
        for one in (handle, named, first, other):
            for call in (one.cancel, one.terminate, lambda one=one: one.signal("anything")):
                try:
                    await call()
                    seen.append("accepted")
                except Exception as error:
                    seen.append(describe(error))
        if again is not None:
            await stage.client.get_workflow_handle(again.id, run_id=again.result_run_id).terminate()
    return seen


@scenario(Endless, histories=False)
async def messages_to_nobody(stage: Stage) -> Any:
    seen: list[Any] = []
    unknown = stage.client.get_workflow_handle("unknown-id")
    run = stage.client.get_workflow_handle("unknown-id", run_id="00000000-0000-4000-8000-000000000000")
    bad = stage.client.get_workflow_handle("unknown-id", run_id="no-uuid")
    handle = await stage.start(Endless.run, "wait")
    other = stage.client.get_workflow_handle(handle.id, run_id="00000000-0000-4000-8000-000000000000")
    for one in (unknown, run, bad, other):
        calls = (
            one.cancel,
            one.terminate,
            lambda one=one: one.signal("x"),
            one.describe,
            one.result,
            lambda one=one: one.query("x"),
            lambda one=one: one.execute_update("x"),
            one.fetch_history,
        )
        for call in calls:
            try:
                await call()
                seen.append("accepted")
            except Exception as error:
                seen.append(describe(error))
    await handle.terminate()
    return seen
