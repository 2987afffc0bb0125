"""The activity runner: from payloads to payloads, whatever happens in between."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durability import activity
from durability._core.failure import (
    ApplicationFailureInfo,
    CanceledFailureInfo,
    Failure,
    TimeoutFailureInfo,
)
from durability._core.history import RetryPolicyRecord
from durability._core.payload import Payload
from durability.activity._cancellation import ActivityCancellationDetails
from durability.activity._definition import _Definition
from durability.activity._interceptors import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
)
from durability.activity._runner import (
    ActivityCancelled,
    ActivityCompleted,
    ActivityCompletesLater,
    ActivityFailed,
    ActivityResult,
    ActivityRunner,
    ActivityTask,
    Cancellation,
)
from durability.common import Priority, RawValue, RetryPolicy
from durability.converter import DataConverter, PayloadCodec, PayloadConverter
from durability.exceptions import ApplicationError, ApplicationErrorCategory, CancelledError, TimeoutType


@dataclasses.dataclass
class Order:
    id: int


def payloads(*values: Any) -> list[Payload]:
    return PayloadConverter.default.to_payloads(values)


def task(fn: Callable[..., Any] | str, *arguments: Any, **fields: Any) -> ActivityTask:
    name = fn if isinstance(fn, str) else _Definition.get_name_and_result_type(fn)[0]
    defaults: dict[str, Any] = {
        "namespace": "namespace",
        "workflow_id": "workflow",
        "run_id": "run",
        "workflow_type": "Workflow",
        "activity_id": "1",
        "activity_type": name,
        "task_queue": "queue",
        "arguments": payloads(*arguments) if arguments else [],
    }
    return ActivityTask(**{**defaults, **fields})


async def run(fn: Callable[..., Any], *arguments: Any, **fields: Any) -> ActivityResult:
    return await ActivityRunner([fn]).run(task(fn, *arguments, **fields))


def value(result: ActivityResult) -> Any:
    assert isinstance(result, ActivityCompleted), result
    assert result.result is not None
    return PayloadConverter.default.from_payload(result.result)


def failure(result: ActivityResult) -> Failure:
    assert isinstance(result, ActivityFailed), result
    return result.failure


def application_failure(result: ActivityResult) -> tuple[str, str]:
    info = failure(result).info
    assert isinstance(info, ApplicationFailureInfo)
    return info.type, failure(result).message


# --- results and errors ----------------------------------------------------------------------------------------------


@activity.defn
async def increase(order: Order, by: int = 1) -> Order:
    return Order(order.id + by)


@activity.defn
def increase_in_thread(order: Order) -> dict[str, Any]:
    return {"id": order.id + 1, "thread": threading.current_thread().name}


async def test_arguments_are_decoded_by_their_types() -> None:
    assert value(await run(increase, {"id": 1}, 5)) == {"id": 6}


async def test_threads() -> None:
    result = value(await run(increase_in_thread, {"id": 1}))
    assert result["id"] == 2
    assert result["thread"].startswith("durability-activity")


async def test_a_given_executor_is_used() -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:
        runner = ActivityRunner([increase_in_thread], executor=executor)
        assert value(await runner.run(task(increase_in_thread, {"id": 1})))["thread"].startswith("mine")


async def test_with_another_number_of_arguments_there_are_no_types() -> None:
    result = await run(increase, {"id": 1})
    assert application_failure(result) == ("AttributeError", "'dict' object has no attribute 'id'")


async def test_no_result_is_a_payload_too() -> None:
    @activity.defn
    async def nothing() -> None: ...

    assert await run(nothing) == ActivityCompleted(Payload({"encoding": b"binary/null"}))


async def test_unknown_activity_type() -> None:
    result = await ActivityRunner([increase, increase_in_thread]).run(task("unknown"))
    assert application_failure(result) == (
        "NotFoundError",
        "Activity function unknown for workflow workflow is not registered on this worker, "
        "available activities: increase, increase_in_thread",
    )


async def test_dynamic_activity() -> None:
    @activity.defn(dynamic=True)
    async def dynamic(arguments: Sequence[RawValue]) -> list[Any]:
        converter = activity.payload_converter()
        return [activity.info().activity_type, *(converter.from_payload(raw.payload) for raw in arguments)]

    runner = ActivityRunner([increase, dynamic])
    assert value(await runner.run(task("anything", 1, "a"))) == ["anything", 1, "a"]
    assert value(await runner.run(task(increase, {"id": 1}, 1))) == {"id": 2}


async def test_methods_and_callable_objects() -> None:
    class Service:
        factor = 3

        @activity.defn
        async def multiply(self, a: int) -> int:
            return a * self.factor

        async def __call__(self, a: int) -> int:
            return a + self.factor

    service = Service()
    add = activity.defn(name="add")(service)
    runner = ActivityRunner([service.multiply, add])
    assert value(await runner.run(task(service.multiply, 2))) == 6
    assert value(await runner.run(task("add", 2))) == 5


def test_what_cannot_be_registered() -> None:
    class Callee:
        def __call__(self) -> None: ...

    class Service:
        @activity.defn
        async def method(self) -> None: ...

    with pytest.raises(ValueError, match="More than one activity named increase"):
        ActivityRunner([increase, increase])
    with pytest.raises(TypeError, match="was it decorated"):
        ActivityRunner([test_what_cannot_be_registered])
    with pytest.raises(TypeError, match="is a class instead of an instance"):
        ActivityRunner([activity.defn(Callee)])
    with pytest.warns(UserWarning, match="not bound to an instance"):
        ActivityRunner([Service.method])


async def test_arguments_that_do_not_decode_fail_the_attempt() -> None:
    result = await run(increase, {"id": "one"}, 1)
    assert application_failure(result) == ("", "Failed decoding arguments")
    cause = failure(result).cause
    assert cause is not None
    assert "Order" in cause.message
    assert isinstance(result, ActivityFailed)
    assert not result.non_retryable


async def test_errors_keep_their_type_cause_and_trace(caplog: pytest.LogCaptureFixture) -> None:
    @activity.defn
    async def fail() -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ApplicationError(
                "outer", 1, type="Kind", non_retryable=True, next_retry_delay=timedelta(seconds=2)
            ) from error

    result = await run(fail)
    assert application_failure(result) == ("Kind", "outer")
    assert isinstance(result, ActivityFailed)
    assert (result.non_retryable, result.next_retry_delay) == (True, 2000)
    assert "in fail" in result.failure.stack_trace
    assert result.failure.cause is not None
    assert result.failure.cause.message == "'inner'"
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message.startswith("Completing activity as failed ({'activity_id': '1'")


async def test_benign_errors_are_not_worth_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    @activity.defn
    async def fail() -> None:
        raise ApplicationError("expected", category=ApplicationErrorCategory.BENIGN)

    with caplog.at_level(logging.DEBUG, "durability.activity"):
        assert application_failure(await run(fail)) == ("", "expected")
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]


async def test_a_result_that_cannot_be_converted_fails_the_attempt() -> None:
    @activity.defn
    async def unconvertible() -> object:
        return object()

    assert application_failure(await run(unconvertible)) == (
        "TypeError",
        "Object of type object is not JSON serializable",
    )


async def test_an_error_that_cannot_be_converted_fails_the_attempt() -> None:
    @activity.defn
    async def fail() -> None:
        raise ApplicationError("message", object())

    message = failure(await run(fail)).message
    assert message == "Failed building exception result: Object of type object is not JSON serializable"


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
async def test_errors_that_would_end_the_process_fail_the_attempt(error: BaseException) -> None:
    @activity.defn
    async def fail() -> None:
        raise error

    assert application_failure(await run(fail))[0] == type(error).__name__


async def test_completion_from_outside() -> None:
    @activity.defn
    async def later() -> None:
        activity.raise_complete_async()

    @activity.defn
    def later_in_thread() -> None:
        activity.raise_complete_async()

    assert await run(later) == ActivityCompletesLater()
    assert await run(later_in_thread) == ActivityCompletesLater()


# --- the context -----------------------------------------------------------------------------------------------------


async def test_info_has_everything() -> None:
    infos: list[activity.Info] = []

    @activity.defn
    async def collect() -> None:
        infos.append(activity.info())

    policy = RetryPolicyRecord(maximum_attempts=3)
    await run(
        collect,
        attempt=2,
        scheduled_time=1000,
        started_time=3000,
        current_attempt_scheduled_time=2000,
        schedule_to_close_timeout=60_000,
        start_to_close_timeout=10_000,
        heartbeat_timeout=5_000,
        heartbeat_details=payloads("so far"),
        task_token=b"token",
        retry_policy=policy,
    )
    assert infos == [
        activity.Info(
            activity_id="1",
            activity_type="collect",
            attempt=2,
            current_attempt_scheduled_time=datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC),
            heartbeat_details=["so far"],
            heartbeat_timeout=timedelta(seconds=5),
            is_local=False,
            namespace="namespace",
            schedule_to_close_timeout=timedelta(minutes=1),
            scheduled_time=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
            start_to_close_timeout=timedelta(seconds=10),
            started_time=datetime(1970, 1, 1, 0, 0, 3, tzinfo=UTC),
            task_queue="queue",
            task_token=b"token",
            workflow_id="workflow",
            workflow_namespace="namespace",
            workflow_run_id="run",
            workflow_type="Workflow",
            priority=Priority.default,
            retry_policy=RetryPolicy(maximum_attempts=3, maximum_interval=timedelta(seconds=100)),
            activity_run_id=None,
        )
    ]
    assert infos[0].in_workflow


async def test_standalone_activities_have_no_workflow() -> None:
    @activity.defn
    async def standalone() -> list[Any]:
        info = activity.info()
        return [info.workflow_id, info.workflow_run_id, info.workflow_namespace, info.in_workflow, info.activity_run_id]

    result = await run(standalone, workflow_id="", run_id="", workflow_type="", activity_run_id="own")
    assert value(result) == [None, None, None, False, "own"]


async def test_the_context_is_there_in_threads_too(caplog: pytest.LogCaptureFixture) -> None:
    @activity.defn
    def inside() -> list[Any]:
        activity.logger.info("hello", extra={"mine": 1})
        activity.metric_meter().create_counter("c").add(1)
        return [activity.in_activity(), activity.info().activity_id, activity.is_worker_shutdown()]

    with caplog.at_level(logging.INFO, "durability.activity"):
        assert value(await run(inside)) == [True, "1", False]
    [record] = caplog.records
    assert "'workflow_id': 'workflow'" in record.message
    assert record.__dict__["temporal_activity"]["activity_type"] == "inside"
    assert record.__dict__["mine"] == 1
    assert not activity.in_activity()


async def test_variables_of_the_caller_are_seen_in_threads() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("value")

    @activity.defn
    def read() -> str:
        return variable.get()

    assert value(await run(read)) == "value"


async def test_the_client_is_for_async_activities() -> None:
    @activity.defn
    async def with_client() -> str:
        return str(activity.client())

    @activity.defn
    def without_client() -> str:
        return str(activity.client())

    runner = ActivityRunner([with_client, without_client], client=lambda: "the client")
    assert value(await runner.run(task(with_client))) == "the client"
    assert "only available in `async def` activities" in failure(await runner.run(task(without_client))).message
    assert "No client available" in failure(await run(with_client)).message


async def test_shutdown_is_seen() -> None:
    started = asyncio.Event()

    @activity.defn
    async def wait() -> bool:
        started.set()
        await activity.wait_for_worker_shutdown()
        return activity.is_worker_shutdown()

    runner = ActivityRunner([wait])
    running = asyncio.create_task(runner.run(task(wait)))
    await started.wait()
    runner.shutdown()
    assert value(await running) is True


# --- heartbeats ------------------------------------------------------------------------------------------------------


async def test_heartbeats_of_coroutines_and_threads() -> None:
    sent: list[list[Payload]] = []

    @activity.defn
    async def in_loop() -> None:
        activity.heartbeat("a", 1)

    @activity.defn
    def in_thread() -> None:
        activity.heartbeat("b")

    runner = ActivityRunner([in_loop, in_thread])
    for fn in (in_loop, in_thread):
        value(await runner.run(task(fn), heartbeat=sent.append))
    assert sent == [payloads("a", 1), payloads("b")]


async def test_only_the_newest_heartbeat_is_sent() -> None:
    sent: list[list[Payload]] = []
    first_sent, release = asyncio.Event(), asyncio.Event()

    async def sink(details: list[Payload]) -> None:
        sent.append(details)
        first_sent.set()
        await release.wait()

    @activity.defn
    async def beat() -> None:
        activity.heartbeat(1)
        await first_sent.wait()
        activity.heartbeat(2)
        activity.heartbeat(3)
        release.set()

    value(await ActivityRunner([beat]).run(task(beat), heartbeat=sink))
    assert sent == [payloads(1), payloads(3)]


async def test_a_thread_that_a_coroutine_waits_for_may_send_heartbeats() -> None:
    """The event loop is blocked until the thread has ended, and the activity ends right after that."""
    sent: list[Any] = []

    @activity.defn
    async def beat() -> None:
        thread = threading.Thread(target=contextvars.copy_context().run, args=(activity.heartbeat, "from a thread"))
        thread.start()
        thread.join()
        raise ValueError("ends here")

    result = await ActivityRunner([beat]).run(task(beat), heartbeat=sent.append)
    assert application_failure(result) == ("ValueError", "ends here")
    assert sent == [payloads("from a thread")]


async def test_a_heartbeat_that_cannot_be_recorded_fails_the_attempt() -> None:
    async def sink(details: list[Payload]) -> None:
        raise OSError("no table")

    @activity.defn
    async def beat() -> None:
        activity.heartbeat()
        await asyncio.Event().wait()

    result = await ActivityRunner([beat]).run(task(beat), heartbeat=sink)
    assert application_failure(result) == ("OSError", "no table")


async def test_heartbeat_details_that_do_not_decode_are_fatal() -> None:
    result = await run(increase, {"id": 1}, 1, heartbeat_details=[Payload({"encoding": b"unknown"})])
    assert application_failure(result) == ("", "Failed decoding heartbeat details")
    assert isinstance(result, ActivityFailed)
    assert result.non_retryable


# --- cancellation ----------------------------------------------------------------------------------------------------


async def cancel_when_started(
    fn: Callable[..., Any], started: threading.Event, details: ActivityCancellationDetails | None = None
) -> ActivityResult:
    cancellation = Cancellation()
    running = asyncio.create_task(ActivityRunner([fn]).run(task(fn), cancellation=cancellation))
    await asyncio.to_thread(started.wait)
    cancellation.request(details)
    return await running


async def test_cancelling_a_coroutine() -> None:
    started = threading.Event()
    seen: list[Any] = []

    @activity.defn
    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.extend([activity.is_cancelled(), activity.cancellation_details()])

    result = await cancel_when_started(wait, started)
    assert result == ActivityCancelled(Failure(message="Cancelled", info=CanceledFailureInfo()))
    assert seen == [True, ActivityCancellationDetails(cancel_requested=True)]


async def test_a_cancelled_coroutine_may_return_anyway() -> None:
    started = threading.Event()

    @activity.defn
    async def wait() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done anyway"
        return "not reached"

    assert value(await cancel_when_started(wait, started)) == "done anyway"


async def test_cancelled_before_it_begins() -> None:
    called = False

    @activity.defn
    async def never() -> None:
        nonlocal called
        called = True

    @activity.defn
    def never_in_thread() -> None:
        nonlocal called
        called = True

    for fn in (never, never_in_thread):
        cancellation = Cancellation()
        cancellation.request()
        result = await ActivityRunner([fn]).run(task(fn), cancellation=cancellation)
        assert isinstance(result, ActivityCancelled)
    assert not called


async def test_waiting_for_cancellation() -> None:
    started = threading.Event()

    @activity.defn
    async def shielded() -> str:
        started.set()
        waiting = asyncio.ensure_future(activity.wait_for_cancelled())
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            await waiting
        return "seen"

    assert value(await cancel_when_started(shielded, started)) == "seen"


async def test_cancelling_a_thread_raises_in_it() -> None:
    started = threading.Event()
    seen: list[str] = []

    @activity.defn
    def spin() -> None:
        started.set()
        try:
            while True:
                activity.wait_for_cancelled_sync(0.01)
        except CancelledError:
            seen.append("raised")
            raise

    assert isinstance(await cancel_when_started(spin, started), ActivityCancelled)
    assert seen == ["raised"]


async def test_a_thread_can_be_left_to_notice_by_itself() -> None:
    started = threading.Event()

    @activity.defn(no_thread_cancel_exception=True)
    def wait() -> bool:
        started.set()
        activity.wait_for_cancelled_sync(timedelta(seconds=30))
        return activity.is_cancelled()

    assert value(await cancel_when_started(wait, started)) is True


async def test_a_shield_puts_the_exception_off() -> None:
    started = threading.Event()
    seen: list[str] = []

    @activity.defn
    def shielded() -> None:
        with activity.shield_thread_cancel_exception():
            with activity.shield_thread_cancel_exception():
                started.set()
                activity.wait_for_cancelled_sync(30)
            seen.append("inner block ended")
        seen.append("not reached")

    assert isinstance(await cancel_when_started(shielded, started), ActivityCancelled)
    assert seen == ["inner block ended"]


async def test_a_shield_does_nothing_in_coroutines() -> None:
    @activity.defn
    async def shielded() -> int:
        with activity.shield_thread_cancel_exception():
            return 5

    assert value(await run(shielded)) == 5


@pytest.mark.parametrize(
    ("details", "type_name"),
    [
        (ActivityCancellationDetails(paused=True), "ActivityPause"),
        (ActivityCancellationDetails(reset=True), "ActivityReset"),
        (ActivityCancellationDetails(not_found=True), "CancelledError"),
    ],
)
async def test_cancellations_that_nobody_requested_are_failures(
    details: ActivityCancellationDetails, type_name: str
) -> None:
    started = threading.Event()

    @activity.defn
    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    assert application_failure(await cancel_when_started(wait, started, details))[0] == type_name


async def test_cancelled_errors_without_a_cancellation_are_failures() -> None:
    @activity.defn
    async def own() -> None:
        raise CancelledError("mine")

    assert failure(await run(own)).info == CanceledFailureInfo()


async def test_cancelling_the_caller_cancels_the_attempt() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    @activity.defn
    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    running = asyncio.create_task(run(wait))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await ended.wait()


async def test_the_first_cancellation_counts() -> None:
    cancellation = Cancellation()
    cancellation.request()
    cancellation.request(ActivityCancellationDetails(paused=True))
    assert cancellation.details == ActivityCancellationDetails(cancel_requested=True)


# --- timeouts --------------------------------------------------------------------------------------------------------


def timeout_type(result: ActivityResult) -> int:
    info = failure(result).info
    assert isinstance(info, TimeoutFailureInfo)
    return info.timeout_type


async def test_start_to_close_cancels() -> None:
    seen: list[Any] = []

    @activity.defn
    async def wait() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(activity.cancellation_details())
        return "too late"

    result = await run(wait, start_to_close_timeout=1)
    assert timeout_type(result) == TimeoutType.START_TO_CLOSE
    assert failure(result).message == "activity StartToClose timeout"
    assert seen == [ActivityCancellationDetails(timed_out=True)]


async def test_an_attempt_that_does_not_end_is_abandoned(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()

    @activity.defn(no_thread_cancel_exception=True)
    def stubborn() -> None:
        release.wait()

    runner = ActivityRunner([stubborn], abandon_after=0)
    result = await runner.run(task(stubborn, start_to_close_timeout=1))
    release.set()
    assert timeout_type(result) == TimeoutType.START_TO_CLOSE
    assert "does not end after exceeding its START_TO_CLOSE timeout" in caplog.text


async def test_a_missing_heartbeat_ends_the_attempt_with_the_last_details() -> None:
    @activity.defn
    async def beat_once() -> None:
        activity.heartbeat("once")
        await asyncio.Event().wait()

    result = await run(beat_once, heartbeat_timeout=20)
    assert timeout_type(result) == TimeoutType.HEARTBEAT
    assert failure(result).info == TimeoutFailureInfo(TimeoutType.HEARTBEAT, payloads("once"))


# --- interceptors and converters -------------------------------------------------------------------------------------


class Tracing:
    """Appends to its log on both ways, and changes what passes."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        tracing = self

        class Inbound(ActivityInboundInterceptor):
            def init(self, outbound: ActivityOutboundInterceptor) -> None:
                tracing.log.append(f"{tracing.name} init {activity.info().activity_type}")
                with pytest.raises(RuntimeError, match="after interceptor init"):
                    activity.heartbeat()
                super().init(Outbound(outbound))

            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                tracing.log.append(f"{tracing.name} execute {input.args} {sorted(input.headers)}")
                return [tracing.name, await super().execute_activity(input)]

        class Outbound(ActivityOutboundInterceptor):
            def info(self) -> activity.Info:
                return dataclasses.replace(super().info(), activity_id=f"{tracing.name}/{super().info().activity_id}")

            def heartbeat(self, *details: Any) -> None:
                super().heartbeat(tracing.name, *details)

        return Inbound(next)


@pytest.mark.parametrize("in_thread", [False, True])
async def test_interceptors_are_a_chain(in_thread: bool) -> None:
    @activity.defn(name="intercepted")
    async def coroutine(a: int) -> str:
        activity.heartbeat("beat")
        return activity.info().activity_id

    @activity.defn(name="intercepted")
    def function(a: int) -> str:
        activity.heartbeat("beat")
        return activity.info().activity_id

    log: list[str] = []
    sent: list[list[Payload]] = []
    runner = ActivityRunner([function if in_thread else coroutine], interceptors=[Tracing("A", log), Tracing("B", log)])
    result = await runner.run(task("intercepted", 1, headers={"h": Payload()}), heartbeat=sent.append)
    assert value(result) == ["A", ["B", "B/A/1"]]
    assert log == ["A init intercepted", "B init intercepted", "A execute [1] ['h']", "B execute [1] ['h']"]
    assert sent == [payloads("A", "B", "beat")]


class Reverse(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload({"encoding": b"reverse"}, payload.SerializeToString()[::-1]) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        assert all(payload.metadata["encoding"] == b"reverse" for payload in payloads)
        return [Payload.FromString(payload.data[::-1]) for payload in payloads]


@pytest.fixture
def encrypted() -> DataConverter:
    return DataConverter(payload_codec=Reverse())


async def test_codecs_see_arguments_results_heartbeats_and_errors(encrypted: DataConverter) -> None:
    @activity.defn
    async def work(a: int) -> int:
        [before] = activity.info().heartbeat_details
        activity.heartbeat(before + 1)
        if a:
            raise ApplicationError("failed", a)
        return a

    sent: list[list[Payload]] = []
    runner = ActivityRunner([work], data_converter=encrypted)
    details = await encrypted.encode([1])
    for argument in (0, 5):
        attempt = task(work, arguments=await encrypted.encode([argument]), heartbeat_details=details)
        result = await runner.run(attempt, heartbeat=sent.append)
        if isinstance(result, ActivityCompleted):
            assert result.result is not None
            assert await encrypted.decode([result.result]) == [0]
        else:
            error = await encrypted.decode_failure(failure(result))
            assert isinstance(error, ApplicationError)
            assert error.details == (5,)
    assert [await encrypted.decode(each) for each in sent] == [[2], [2]]
