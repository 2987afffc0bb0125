"""Activities: results, failures, retries, timeouts, heartbeats, cancellation."""

import asyncio
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.common import RetryPolicy
from durability.exceptions import ActivityError, ApplicationError, CancelledError
from tests.differential.stage import Stage, scenario

SECONDS = timedelta(seconds=10)
ONCE = RetryPolicy(maximum_attempts=1)


@dataclass
class Person:
    name: str
    age: int = 3


@activity.defn
async def greet(person: Person) -> str:
    return f"Hello, {person.name} ({person.age})"


@activity.defn
def threaded(number: int) -> int:
    time.sleep(0.01)
    return number * 2


@activity.defn
async def fails(kind: str) -> None:
    if kind == "application":
        raise ApplicationError("broken", "detail", 7, type="Kind", non_retryable=True)
    if kind == "caused":
        raise ApplicationError("outer", type="Outer", non_retryable=True) from ValueError("inner")
    if kind == "value":
        raise ValueError("not this")
    raise RuntimeError(kind)


@activity.defn
async def succeeds_at(attempt: int) -> int:
    if activity.info().attempt < attempt:
        raise RuntimeError(f"attempt {activity.info().attempt}")
    return activity.info().attempt


@activity.defn
async def sleeps(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


@activity.defn
async def beats_until_cancelled(then: str) -> str:
    try:
        while True:
            activity.heartbeat("alive")
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        if then == "return":
            return "returned anyway"
        if then == "raise":
            raise ApplicationError("instead of ending") from None
        raise


@activity.defn
async def beats_then_fails() -> list[str]:
    if activity.info().attempt == 1:
        activity.heartbeat("got to", 3)
        await asyncio.sleep(0.2)
        raise RuntimeError("again")
    return [str(detail) for detail in activity.info().heartbeat_details]


@activity.defn
async def silent() -> None:
    activity.heartbeat("last words")
    await asyncio.sleep(5)


@activity.defn
async def tells_info() -> list[Any]:
    info = activity.info()
    return [
        info.activity_id,
        info.activity_type,
        info.attempt,
        info.is_local,
        info.namespace,
        info.task_queue,
        info.workflow_id,
        info.workflow_type,
        info.heartbeat_timeout is None,
        info.start_to_close_timeout is not None and info.start_to_close_timeout.total_seconds(),
        activity.in_activity(),
    ]


@workflow.defn
class Greeting:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, Person(name), start_to_close_timeout=SECONDS)


@scenario(Greeting, activities=[greet])
async def activity_result(stage: Stage) -> Any:
    return await stage.execute(Greeting.run, "Ada")


@workflow.defn
class Sequence:
    @workflow.run
    async def run(self, steps: int) -> int:
        value = 1
        for _ in range(steps):
            value = await workflow.execute_activity(threaded, value, start_to_close_timeout=SECONDS)
        return value


@scenario(Sequence, activities=[threaded])
async def threaded_activities_in_sequence(stage: Stage) -> Any:
    return await stage.execute(Sequence.run, 3)


@workflow.defn
class Failing:
    @workflow.run
    async def run(self, kind: str, attempts: int) -> None:
        await workflow.execute_activity(
            fails,
            kind,
            start_to_close_timeout=SECONDS,
            retry_policy=RetryPolicy(
                maximum_attempts=attempts,
                initial_interval=timedelta(milliseconds=10),
                non_retryable_error_types=["ValueError"],
            ),
        )


@scenario(Failing, activities=[fails])
async def activity_fails_non_retryable(stage: Stage) -> Any:
    return await stage.execute(Failing.run, "application", 0)


@scenario(Failing, activities=[fails])
async def activity_fails_with_cause(stage: Stage) -> Any:
    return await stage.execute(Failing.run, "caused", 0)


@scenario(Failing, activities=[fails])
async def activity_fails_with_non_retryable_type(stage: Stage) -> Any:
    return await stage.execute(Failing.run, "value", 0)


@scenario(Failing, activities=[fails])
async def activity_attempts_exhausted(stage: Stage) -> Any:
    return await stage.execute(Failing.run, "over and over", 2)


@scenario(Failing)
async def activity_not_registered_without_worker_activities(stage: Stage) -> Any:
    handle = await stage.start(Failing.run, "x", 1, execution_timeout=timedelta(seconds=1))
    stage.handles.clear()
    return await handle.result()


@workflow.defn
class ByName:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity("unknown", "x", start_to_close_timeout=SECONDS, retry_policy=ONCE)


@scenario(ByName, activities=[greet])
async def activity_not_registered(stage: Stage) -> Any:
    return await stage.execute(ByName.run)


@workflow.defn
class Persistent:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(
            succeeds_at,
            3,
            start_to_close_timeout=SECONDS,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=20)),
        )


@scenario(Persistent, activities=[succeeds_at])
async def activity_retried(stage: Stage) -> Any:
    return await stage.execute(Persistent.run)


@workflow.defn
class TooSlow:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            sleeps, 3.0, start_to_close_timeout=timedelta(milliseconds=300), retry_policy=ONCE
        )


@scenario(TooSlow, activities=[sleeps])
async def activity_start_to_close_timeout(stage: Stage) -> Any:
    return await stage.execute(TooSlow.run)


@workflow.defn
class TooSlowInTotal:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            fails,
            "each time",
            schedule_to_close_timeout=timedelta(seconds=1),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=5)),
        )


@scenario(TooSlowInTotal, activities=[fails])
async def activity_schedule_to_close_timeout(stage: Stage) -> Any:
    return await stage.execute(TooSlowInTotal.run)


@workflow.defn
class Silent:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            silent, start_to_close_timeout=SECONDS, heartbeat_timeout=timedelta(milliseconds=500), retry_policy=ONCE
        )


@scenario(Silent, activities=[silent])
async def activity_heartbeat_timeout(stage: Stage) -> Any:
    return await stage.execute(Silent.run)


@workflow.defn
class NobodyThere:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            greet,
            Person("x"),
            task_queue="nobody-serves-this",
            schedule_to_start_timeout=timedelta(milliseconds=300),
            start_to_close_timeout=SECONDS,
        )


@scenario(NobodyThere, activities=[greet])
async def activity_schedule_to_start_timeout(stage: Stage) -> Any:
    return await stage.execute(NobodyThere.run)


@workflow.defn
class Resuming:
    @workflow.run
    async def run(self) -> list[str]:
        return await workflow.execute_activity(
            beats_then_fails,
            start_to_close_timeout=SECONDS,
            heartbeat_timeout=timedelta(seconds=2),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50)),
        )


@scenario(Resuming, activities=[beats_then_fails])
async def heartbeat_details_reach_next_attempt(stage: Stage) -> Any:
    return await stage.execute(Resuming.run)


@workflow.defn
class Cancelling:
    @workflow.run
    async def run(self, type: str, then: str) -> str:
        handle = workflow.start_activity(
            beats_until_cancelled,
            then,
            start_to_close_timeout=SECONDS,
            heartbeat_timeout=timedelta(seconds=1),
            cancellation_type=workflow.ActivityCancellationType[type],
            retry_policy=ONCE,
        )
        await asyncio.sleep(0.3)
        handle.cancel()
        return await handle


@scenario(Cancelling, activities=[beats_until_cancelled])
async def cancel_activity_try(stage: Stage) -> Any:
    return await stage.execute(Cancelling.run, "TRY_CANCEL", "end")


@scenario(Cancelling, activities=[beats_until_cancelled])
async def cancel_activity_wait(stage: Stage) -> Any:
    return await stage.execute(Cancelling.run, "WAIT_CANCELLATION_COMPLETED", "end")


@scenario(Cancelling, activities=[beats_until_cancelled])
async def cancel_activity_wait_and_it_returns(stage: Stage) -> Any:
    return await stage.execute(Cancelling.run, "WAIT_CANCELLATION_COMPLETED", "return")


@scenario(Cancelling, activities=[beats_until_cancelled])
async def cancel_activity_wait_and_it_raises(stage: Stage) -> Any:
    return await stage.execute(Cancelling.run, "WAIT_CANCELLATION_COMPLETED", "raise")


@scenario(Cancelling, activities=[beats_until_cancelled])
async def cancel_activity_abandon(stage: Stage) -> Any:
    return await stage.execute(Cancelling.run, "ABANDON", "end")


@workflow.defn
class CancelledAtOnce:
    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_activity(sleeps, 5.0, start_to_close_timeout=SECONDS)
        handle.cancel()
        try:
            await handle
        except ActivityError as error:
            return f"{type(error.cause).__name__}: {error.cause}"
        return "not cancelled"


@scenario(CancelledAtOnce, activities=[sleeps])
async def cancel_activity_before_it_is_scheduled(stage: Stage) -> Any:
    return await stage.execute(CancelledAtOnce.run)


@workflow.defn
class InParallel:
    @workflow.run
    async def run(self) -> list[int]:
        return await asyncio.gather(
            *(workflow.execute_activity(threaded, n, start_to_close_timeout=SECONDS) for n in range(5))
        )


@scenario(InParallel, activities=[threaded], histories=False)
async def activities_in_parallel(stage: Stage) -> Any:
    return await stage.execute(InParallel.run)


@workflow.defn
class InTime:
    @workflow.run
    async def run(self) -> str:
        try:
            async with asyncio.timeout(0.2):
                await workflow.execute_activity(sleeps, 5.0, start_to_close_timeout=SECONDS)
        except TimeoutError:
            return "timed out"
        return "in time"


@scenario(InTime, activities=[sleeps])
async def asyncio_timeout_around_activity(stage: Stage) -> Any:
    return await stage.execute(InTime.run)


@workflow.defn
class Informed:
    @workflow.run
    async def run(self) -> list[Any]:
        return await workflow.execute_activity(tells_info, start_to_close_timeout=SECONDS)


@scenario(Informed, activities=[tells_info])
async def activity_info(stage: Stage) -> Any:
    return await stage.execute(Informed.run)


@workflow.defn
class InformedFromTheQueue:
    @workflow.run
    async def run(self) -> list[Any]:
        return await workflow.execute_activity(
            tells_info, start_to_close_timeout=SECONDS, heartbeat_timeout=SECONDS, activity_id="mine"
        )


@scenario(InformedFromTheQueue, activities=[tells_info])
async def activity_info_off_the_queue(stage: Stage) -> Any:
    return await stage.execute(InformedFromTheQueue.run)


@workflow.defn
class Local:
    @workflow.run
    async def run(self, kind: str) -> Any:
        if kind == "info":
            return await workflow.execute_local_activity(tells_info, start_to_close_timeout=SECONDS)
        if kind == "retried":
            return await workflow.execute_local_activity(
                succeeds_at,
                3,
                start_to_close_timeout=SECONDS,
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=20)),
            )
        return await workflow.execute_local_activity(
            fails, kind, start_to_close_timeout=SECONDS, retry_policy=RetryPolicy(maximum_attempts=2)
        )


@scenario(Local, activities=[tells_info, succeeds_at, fails], histories=False)
async def local_activity_info(stage: Stage) -> Any:
    return await stage.execute(Local.run, "info")


@scenario(Local, activities=[tells_info, succeeds_at, fails], histories=False)
async def local_activity_retried(stage: Stage) -> Any:
    return await stage.execute(Local.run, "retried")


@scenario(Local, activities=[tells_info, succeeds_at, fails], histories=False)
async def local_activity_fails(stage: Stage) -> Any:
    return await stage.execute(Local.run, "application")


@activity.defn
def blocks_until_cancelled() -> str:
    try:
        while True:
            activity.heartbeat()
            threading.Event().wait(0.05)
    except CancelledError:
        return f"cancelled: {activity.is_cancelled()}"


@workflow.defn
class CancellingThread:
    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_activity(
            blocks_until_cancelled,
            start_to_close_timeout=SECONDS,
            heartbeat_timeout=timedelta(seconds=1),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await asyncio.sleep(0.3)
        handle.cancel()
        return await handle


@scenario(CancellingThread, activities=[blocks_until_cancelled])
async def cancel_threaded_activity(stage: Stage) -> Any:
    return await stage.execute(CancellingThread.run)


FATES: dict[str, str] = {}
"""What became of the activity of a workflow, by its run id: activities may outlive it."""


@activity.defn
async def hears_with_a_heartbeat(kind: str) -> str:
    run_id = activity.info().workflow_run_id or ""
    try:
        if kind == "beats from the beginning":
            activity.heartbeat("before the cancellation")
        FATES[run_id] = "begun"
        await asyncio.sleep(0.8)
        if kind != "quiet":
            activity.heartbeat("after it")
        await asyncio.sleep(0.8)
    except asyncio.CancelledError:
        FATES[run_id] = "cancelled"
        raise
    FATES[run_id] = "ended"
    return "ended"


@workflow.defn
class CancellingWithoutHeartbeatTimeout:
    def __init__(self) -> None:
        self.begun = False

    @workflow.run
    async def run(self, type: int, kind: str) -> str:
        handle = workflow.start_activity(
            hears_with_a_heartbeat,
            kind,
            start_to_close_timeout=SECONDS,
            cancellation_type=workflow.ActivityCancellationType(type),
        )
        await workflow.wait_condition(lambda: self.begun)
        handle.cancel()
        try:
            return await handle
        except ActivityError as error:
            return repr(error.cause)

    @workflow.signal
    def cancel(self) -> None:
        self.begun = True


@scenario(
    CancellingWithoutHeartbeatTimeout,
    activities=[hears_with_a_heartbeat],
    cases=[
        (type, kind)
        for type in ("TRY_CANCEL", "WAIT_CANCELLATION_COMPLETED", "ABANDON")
        for kind in ("quiet", "beats from the beginning", "beats once")
    ],
)
async def cancellation_comes_with_a_heartbeat(stage: Stage, case: tuple[str, str]) -> Any:
    type, kind = case
    handle = await stage.start(
        CancellingWithoutHeartbeatTimeout.run, int(workflow.ActivityCancellationType[type]), kind
    )
    await _fate(handle, "")
    await handle.signal(CancellingWithoutHeartbeatTimeout.cancel)
    return await handle.result(), await _fate(handle, "begun")


async def _fate(handle: Any, last: str) -> str:
    """What became of a workflow's activity after what was known last."""
    for _ in range(300):
        if FATES.get(handle.first_execution_run_id, "") != last:
            break
        await asyncio.sleep(0.03)
    return FATES.get(handle.first_execution_run_id, "")


@activity.defn
async def beats_while_there_is_a_workflow() -> None:
    run_id = activity.info().workflow_run_id or ""
    FATES[run_id] = "begun"
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        FATES[run_id] = f"not found: {details and details.not_found}, asked: {details and details.cancel_requested}"
        raise


@workflow.defn
class LeavingAnActivityBehind:
    def __init__(self) -> None:
        self.over = False

    @workflow.run
    async def run(self) -> None:
        activities = [
            workflow.start_activity(
                beats_while_there_is_a_workflow, start_to_close_timeout=SECONDS, heartbeat_timeout=timedelta(seconds=1)
            )
        ]
        await workflow.wait_condition(lambda: self.over)
        del activities

    @workflow.signal
    def finish(self) -> None:
        self.over = True


@scenario(LeavingAnActivityBehind, activities=[beats_while_there_is_a_workflow], cases=["completed", "terminated"])
async def an_activity_hears_that_its_workflow_has(stage: Stage, how: str) -> Any:
    handle = await stage.start(LeavingAnActivityBehind.run)
    await _fate(handle, "")
    await (handle.terminate() if how == "terminated" else handle.signal(LeavingAnActivityBehind.finish))
    return await _fate(handle, "begun")
