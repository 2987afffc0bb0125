"""Activities by every way of calling them, their errors, local and asynchronous ones, and what surrounds calls."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.common import RawValue, RetryPolicy
from durability.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError
from tests.differential.stage import Stage, attempt, scenario

SECONDS = timedelta(seconds=10)
ONCE = RetryPolicy(maximum_attempts=1)


@activity.defn
async def add(first: int, second: int = 10) -> int:
    return first + second


@activity.defn(name="renamed")
async def named(text: str) -> str:
    return f"{text} by {activity.info().activity_type}"


@activity.defn(dynamic=True)
async def anything(args: Sequence[RawValue]) -> Any:
    values = [activity.payload_converter().from_payload(arg.payload) for arg in args]
    return [activity.info().activity_type, values]


@activity.defn
class Greeter:
    async def __call__(self, name: str) -> str:
        return f"Hello, {name}"


class Methods:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @activity.defn
    async def multiply(self, number: int) -> int:
        return number * self.factor

    @activity.defn(name="threaded-method")
    def divide(self, number: int) -> float:
        return number / self.factor


@dataclass
class Point:
    x: int
    y: int = 0


@activity.defn
async def mirror(point: Point, others: list[Point]) -> list[Point]:
    return [Point(point.y, point.x), *others]


@activity.defn
async def fail(kind: str) -> None:
    if kind == "plain":
        raise ApplicationError("plain")
    if kind == "details":
        raise ApplicationError("detailed", 1, {"a": [None]}, type="Typed", non_retryable=True)
    if kind == "benign":
        raise ApplicationError("harmless", category=ApplicationErrorCategory.BENIGN)
    if kind == "chain":
        try:
            try:
                raise KeyError("innermost")
            except KeyError as error:
                raise ValueError("middle") from error
        except ValueError as error:
            raise RuntimeError("outermost") from error
    if kind == "context":
        try:
            raise KeyError("handled")
        except KeyError:
            raise ValueError("while handling")  # noqa: B904
    if kind == "group":
        raise ExceptionGroup("several", [ValueError("a"), TypeError("b")])
    if kind == "cancelled":
        raise CancelledError("not asked for")
    if kind == "asyncio cancelled":
        raise asyncio.CancelledError("not asked for either")
    if kind == "timeout":
        raise TimeoutError("mine")
    if kind == "empty":
        raise RuntimeError
    raise LookupError(kind)


@activity.defn
async def returns_what_does_not_serialize() -> Any:
    return {1, 2}


@activity.defn
async def retried(attempts: int) -> Any:
    info = activity.info()
    if info.attempt < attempts:
        raise ApplicationError("again", next_retry_delay=timedelta(milliseconds=5))
    return info.attempt


TOKENS: dict[tuple[str, str], bytes] = {}


@activity.defn
async def finished_from_outside() -> str:
    TOKENS[activity.info().workflow_id or "", activity.info().activity_id] = activity.info().task_token
    activity.raise_complete_async()


ACTIVITIES = [
    add,
    named,
    anything,
    Greeter(),
    Methods(3).multiply,
    Methods(4).divide,
    mirror,
    fail,
    returns_what_does_not_serialize,
    retried,
    finished_from_outside,
]


@workflow.defn
class Calling:
    @workflow.run
    async def run(self, how: str, local: bool) -> Any:
        options: dict[str, Any] = {"start_to_close_timeout": SECONDS}
        execute = workflow.execute_local_activity if local else workflow.execute_activity
        method = workflow.execute_local_activity_method if local else workflow.execute_activity_method
        by_class = workflow.execute_local_activity_class if local else workflow.execute_activity_class
        start = workflow.start_local_activity if local else workflow.start_activity
        if how == "several arguments":
            return [await execute(add, args=[1, 2], **options), await execute(add, 1, **options)]
        if how == "by name":
            return [
                await execute("renamed", "x", **options),
                await execute("add", args=[5], result_type=int, **options),
            ]
        if how == "dynamic":
            return [await execute("unheard", args=[1, "b"], **options), await execute("of", **options)]
        if how == "class":
            return await by_class(Greeter, "Ada", **options)
        if how == "method":
            return [await method(Methods.multiply, 5, **options), await method(Methods.divide, 6, **options)]
        if how == "dataclasses":
            result = await execute(mirror, args=[Point(1, 2), [Point(3)]], **options)
            return [type(result[0]).__name__, result]
        if how == "result type":
            result = await execute("mirror", args=[Point(1, 2), []], result_type=list[Point], **options)
            return [type(result[0]).__name__, result[0].x]
        if how == "handle":
            handle = start(add, args=[1, 1], **options)
            seen = [handle.done(), await handle, handle.done(), handle.result(), handle.cancel()]
            return seen
        if how == "retried":
            return await execute(retried, 3, retry_policy=RetryPolicy(initial_interval=SECONDS), **options)
        if how == "no timeout":
            try:
                await execute(add, 1)
            except ValueError as error:
                return str(error)
        raise AssertionError(how)


WAYS = [
    "several arguments",
    "by name",
    "dynamic",
    "class",
    "method",
    "dataclasses",
    "result type",
    "handle",
    "retried",
    "no timeout",
]


@scenario(Calling, activities=ACTIVITIES, cases=WAYS)
async def activity_called_with(stage: Stage, how: str) -> Any:
    return await stage.execute(Calling.run, how, False)


@scenario(Calling, activities=ACTIVITIES, cases=WAYS, histories=False)
async def local_activity_called_with(stage: Stage, how: str) -> Any:
    return await stage.execute(Calling.run, how, True)


@workflow.defn
class Failing:
    @workflow.run
    async def run(self, kind: str, local: bool) -> Any:
        execute = workflow.execute_local_activity if local else workflow.execute_activity
        return await execute(fail, kind, start_to_close_timeout=SECONDS, retry_policy=ONCE)


KINDS = [
    "plain",
    "details",
    "benign",
    "chain",
    "context",
    "group",
    "cancelled",
    "asyncio cancelled",
    "timeout",
    "empty",
]


@scenario(Failing, activities=ACTIVITIES, cases=[kind for kind in KINDS if kind != "cancelled"])
async def activity_raises(stage: Stage, kind: str) -> Any:
    return await attempt(stage.execute(Failing.run, kind, False))


@scenario(Failing, activities=ACTIVITIES, cases=["plain", "chain", "cancelled"], histories=False)
async def local_activity_raises(stage: Stage, kind: str) -> Any:
    return await attempt(stage.execute(Failing.run, kind, True))


@workflow.defn
class Unserializable:
    @workflow.run
    async def run(self) -> Any:
        return await workflow.execute_activity(
            returns_what_does_not_serialize, start_to_close_timeout=SECONDS, retry_policy=ONCE
        )


@scenario(Unserializable, activities=ACTIVITIES)
async def activity_result_that_does_not_serialize(stage: Stage) -> Any:
    return await attempt(stage.execute(Unserializable.run))


@workflow.defn
class Awaiting:
    @workflow.run
    async def run(self) -> Any:
        return await workflow.execute_activity(
            finished_from_outside, start_to_close_timeout=SECONDS, activity_id="outside", retry_policy=ONCE
        )


@scenario(Awaiting, activities=ACTIVITIES, cases=["complete", "fail", "cancel", "heartbeat"], histories=False)
async def asynchronous_completion(stage: Stage, how: str) -> Any:
    handle = await stage.start(Awaiting.run)
    by_id = stage.client.get_async_activity_handle(
        workflow_id=handle.id, run_id=handle.result_run_id, activity_id="outside"
    )
    for _ in range(100):
        error = await attempt(by_id.heartbeat("beat"))
        if error is None:
            break
        await asyncio.sleep(0.05)
    if how == "fail":
        await by_id.fail(ApplicationError("from outside", 5, type="Outside"))
    elif how == "cancel":
        seen = await attempt(by_id.report_cancellation("detail"))
        await by_id.complete("after all")
        return [seen and seen["class"], await handle.result()]
    else:
        await by_id.complete("from outside")
    outcome = await attempt(handle.result())
    again = await attempt(by_id.complete("again"))
    return [outcome, again and [again["class"], again.get("status"), again["message"]]]


@workflow.defn
class AwaitingAndGoingOn:
    def __init__(self) -> None:
        self.over = False

    @workflow.run
    async def run(self) -> Any:
        activities = [
            workflow.start_activity(
                finished_from_outside, start_to_close_timeout=SECONDS, activity_id=f"outside {number}"
            )
            for number in range(2)
        ]
        await activities[0]
        await workflow.wait_condition(lambda: self.over)
        return await activities[1]

    @workflow.signal
    def finish(self) -> None:
        self.over = True


@scenario(AwaitingAndGoingOn, activities=ACTIVITIES, histories=False)
async def report_on_what_has_ended_in_an_open_run(stage: Stage) -> Any:
    handle = await stage.start(AwaitingAndGoingOn.run)
    first, second, none = (
        stage.client.get_async_activity_handle(workflow_id=handle.id, run_id=None, activity_id=name)
        for name in ("outside 0", "outside 1", "none")
    )
    for one in (first, second):
        for _ in range(100):
            if await attempt(one.heartbeat()) is None:
                break
            await asyncio.sleep(0.05)
    await first.complete("first")
    await second.complete("second")
    by_token = stage.client.get_async_activity_handle(task_token=TOKENS[handle.id, "outside 0"])
    calls = [first.complete("again"), first.heartbeat(), none.fail(ValueError("no"))]
    calls += [by_token.complete("again"), by_token.heartbeat(), by_token.fail(ValueError("no"))]
    seen = [await attempt(call) for call in calls]
    await handle.signal(AwaitingAndGoingOn.finish)
    seen.append(await handle.result())
    return [*seen, await attempt(by_token.complete("at the end"))]


@workflow.defn
class Raising:
    @workflow.run
    async def run(self, kind: str) -> Any:
        if kind == "cancelled error":
            raise CancelledError("nobody asked")
        if kind == "asyncio cancelled":
            raise asyncio.CancelledError("nobody asked")
        if kind == "details":
            raise ApplicationError(
                "m", 1, "two", type="T", non_retryable=True, category=ApplicationErrorCategory.BENIGN
            )
        if kind == "chain":
            try:
                await workflow.execute_activity(fail, "chain", start_to_close_timeout=SECONDS, retry_policy=ONCE)
            except Exception as error:
                raise ApplicationError("wrapped") from error
        if kind == "context":
            try:
                raise ApplicationError("first")
            except ApplicationError:
                raise ApplicationError("second")  # noqa: B904
        if kind == "group":
            raise ExceptionGroup("several", [ApplicationError("a"), ApplicationError("b")])
        if kind == "subclass":
            raise Special("special", "detail")
        raise AssertionError(kind)


class Special(ApplicationError):
    pass


@scenario(
    Raising,
    activities=ACTIVITIES,
    cases=["cancelled error", "asyncio cancelled", "details", "chain", "context", "subclass"],
)
async def workflow_raises(stage: Stage, kind: str) -> Any:
    return await attempt(stage.execute(Raising.run, kind))


@scenario(Raising, workflow_failure_exception_types=[Exception])
async def workflow_raises_a_group_that_counts_as_failure(stage: Stage) -> Any:
    return await attempt(stage.execute(Raising.run, "group"))
