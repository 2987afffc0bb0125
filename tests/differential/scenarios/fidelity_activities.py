"""Activities in detail: what they are told, how they are cancelled, what reaches the next attempt."""

import asyncio
import time
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.common import Priority, RetryPolicy
from durability.exceptions import ActivityError, ApplicationError, CancelledError
from tests.differential.stage import Stage, describe, scenario

SECONDS = timedelta(seconds=10)


@activity.defn
async def tells_everything() -> dict[str, Any]:
    info = activity.info()
    return {
        "attempt": info.attempt,
        "token": bool(info.task_token),
        "run": info.workflow_run_id is not None,
        "namespaces": [info.namespace, info.workflow_namespace],
        "timeouts": [
            value and value.total_seconds()
            for value in (info.schedule_to_close_timeout, info.start_to_close_timeout, info.heartbeat_timeout)
        ],
        "order": info.scheduled_time <= info.current_attempt_scheduled_time <= info.started_time,
        "priority": [info.priority.priority_key, info.priority.fairness_key],
        "retry": info.retry_policy and info.retry_policy.maximum_attempts,
        "details": list(info.heartbeat_details),
        "activity_run_id": info.activity_run_id,
    }


@workflow.defn
class Telling:
    @workflow.run
    async def run(self) -> Any:
        return [
            await workflow.execute_activity(
                tells_everything,
                schedule_to_close_timeout=timedelta(seconds=5),
                retry_policy=RetryPolicy(maximum_attempts=7),
            ),
            await workflow.execute_activity(
                tells_everything,
                start_to_close_timeout=SECONDS,
                heartbeat_timeout=timedelta(seconds=3),
                priority=Priority(priority_key=2),
            ),
        ]


@scenario(Telling, activities=[tells_everything])
async def activity_info_is_complete(stage: Stage) -> Any:
    return await stage.execute(Telling.run)


@activity.defn
async def talks_then_fails() -> list[Any]:
    info = activity.info()
    if info.attempt == 1:
        activity.heartbeat("first", 1)
        await asyncio.sleep(0.1)
    if info.attempt < 3:
        raise ApplicationError("again", next_retry_delay=timedelta(milliseconds=20))
    return [info.attempt, *info.heartbeat_details]


@workflow.defn
class Talking:
    @workflow.run
    async def run(self) -> Any:
        return await workflow.execute_activity(talks_then_fails, start_to_close_timeout=SECONDS)


@scenario(Talking, activities=[talks_then_fails])
async def heartbeat_details_without_a_heartbeat_timeout(stage: Stage) -> Any:
    return await stage.execute(Talking.run)


@activity.defn
async def explains_its_cancellation() -> list[Any]:
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        return [activity.is_cancelled(), details and [details.cancel_requested, details.timed_out, details.not_found]]


@activity.defn
def shields_its_cleaning_up() -> list[Any]:
    seen: list[Any] = []
    try:
        while True:
            with activity.shield_thread_cancel_exception():
                activity.heartbeat()
                time.sleep(0.05)
                seen[:] = [activity.is_cancelled()]
    except CancelledError:
        details = activity.cancellation_details()
        return [*seen, details and details.cancel_requested]


@activity.defn(no_thread_cancel_exception=True)
def waits_to_be_cancelled() -> list[Any]:
    for _ in range(100):
        activity.heartbeat()
        if activity.is_cancelled():
            break
        time.sleep(0.05)
    activity.wait_for_cancelled_sync(timedelta(seconds=1))
    return [activity.is_cancelled()]


@activity.defn
async def raises_with_details() -> None:
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        raise CancelledError("mine", "a detail") from None


@workflow.defn
class Cancelling:
    @workflow.run
    async def run(self, name: str) -> Any:
        handle = workflow.start_activity(
            name,
            start_to_close_timeout=SECONDS,
            heartbeat_timeout=timedelta(seconds=1),
            retry_policy=RetryPolicy(maximum_attempts=1),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await asyncio.sleep(0.3)
        handle.cancel()
        try:
            return await handle
        except ActivityError as error:
            return describe(error)


def _cancelled(function: Any) -> Any:
    async def play(stage: Stage) -> Any:
        return await stage.execute(Cancelling.run, function.__name__)

    play.__name__ = f"cancelled_activity_{function.__name__}"
    return scenario(Cancelling, activities=[function])(play)


cancelled_1 = _cancelled(explains_its_cancellation)
cancelled_2 = _cancelled(shields_its_cleaning_up)
cancelled_3 = _cancelled(waits_to_be_cancelled)
cancelled_4 = _cancelled(raises_with_details)


@activity.defn
async def after(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


@workflow.defn
class Racing:
    @workflow.run
    async def run(self) -> list[float]:
        seen: list[float] = []

        async def one(seconds: float) -> None:
            seen.append(await workflow.execute_local_activity(after, seconds, start_to_close_timeout=SECONDS))

        await asyncio.gather(one(0.3), one(0.05), one(0.15))
        return seen


@scenario(Racing, activities=[after])
async def local_activities_in_the_order_of_their_ends(stage: Stage) -> Any:
    return await stage.execute(Racing.run)


@workflow.defn
class Outward:
    @workflow.run
    async def run(self, other: str) -> list[Any]:
        seen: list[Any] = []
        handle = workflow.get_external_workflow_handle(other)
        for call in (handle.cancel, lambda: handle.signal("anything")):
            try:
                await call()
                seen.append("accepted")
            except Exception as error:
                seen.append(describe(error))
        return seen


@workflow.defn
class AtOnce:
    @workflow.run
    async def run(self) -> None:
        pass


@scenario(Outward, AtOnce)
async def messages_from_a_workflow_to_a_closed_one(stage: Stage) -> Any:
    await stage.execute(AtOnce.run, id=stage.id("-closed"))
    return await stage.execute(Outward.run, stage.id("-closed"))
