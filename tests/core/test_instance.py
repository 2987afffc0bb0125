"""What an instance does with signals, updates, queries, children, patches and the end of a workflow."""

from __future__ import annotations

import asyncio
import builtins
import logging
import subprocess
import sys
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durability import workflow
from durability._core import history as h
from durability._core.activation import QueryRequest
from durability._core.deadlock import DeadlockDetector, DeadlockError
from durability._core.failure import ApplicationFailureInfo, CanceledFailureInfo, Failure
from durability._core.interceptors import (
    ExecuteWorkflowInput,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowOutboundInterceptor,
)
from durability._core.queries import QueryNotFoundError
from durability.api.sdk.v1 import EnhancedStackTrace, WorkflowInteractionDefinition, WorkflowMetadata
from durability.common import RawValue, SearchAttributeKey
from durability.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    TimeoutError,
    WorkflowAlreadyStartedError,
)
from tests.core.driving import START, Driver, cancel, completed, failed, fired, names, payload, result, signal, update

TEN = timedelta(seconds=10)
COLOR = SearchAttributeKey.for_keyword("Color")


@workflow.defn
class Flexible:
    """Does what its argument says."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    @workflow.run
    async def run(self, what: str) -> Any:
        return await getattr(self, what)()

    async def forever(self) -> None:
        await workflow.wait_condition(lambda: False)

    async def bug(self) -> None:
        raise KeyError("bug")

    async def failure(self) -> None:
        raise ApplicationError("no", "detail", type="Refused")

    async def time_out(self) -> None:
        raise builtins.TimeoutError

    async def information(self) -> list[Any]:
        info = workflow.info()
        return [info.workflow_id, info.task_queue, workflow.now().isoformat(), workflow.time(), workflow.in_workflow()]

    async def randomness(self) -> list[Any]:
        return [
            workflow.random().random(),
            str(workflow.uuid4()),
            str(workflow.uuid7()),
            workflow.new_random().random(),
        ]

    async def attributes(self) -> list[Any]:
        workflow.upsert_memo({"a": 1, "b": None})
        workflow.upsert_search_attributes([COLOR.value_set("red")])
        return [dict(workflow.memo()), workflow.info().typed_search_attributes[COLOR]]

    async def next_run(self) -> None:
        workflow.continue_as_new("information", memo={"k": 1}, run_timeout=timedelta(minutes=1))

    async def executor(self) -> None:
        await asyncio.to_thread(print)

    async def patches(self) -> list[bool]:
        first = workflow.patched("p")
        await workflow.sleep(1)
        return [first, workflow.patched("p"), workflow.patched("q")]

    async def buffered(self) -> list[Any]:
        await workflow.sleep(1)
        workflow.set_signal_handler("late", self.log.append)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return self.log

    async def loops(self) -> None:
        while True:
            pass

    async def blocked(self) -> None:
        self.log.append("before")
        await workflow.wait_condition(lambda: len(self.log) > 1)

    @workflow.signal
    async def slow(self, seconds: float) -> None:
        await workflow.sleep(seconds)

    @workflow.signal
    async def explode(self) -> None:
        raise ApplicationError("from the signal")

    @workflow.query
    def read(self) -> list[Any]:
        return self.log

    @workflow.query
    def write(self) -> None:
        workflow.set_current_details("no")

    @workflow.query
    def refuse(self) -> None:
        raise ApplicationError("no answer")

    @workflow.update
    async def change(self, value: int) -> int:
        self.log.append(value)
        info = workflow.current_update_info()
        assert info is not None
        self.log.append(info.id)
        return value * 2

    @change.validator
    def check(self, value: int) -> None:
        if value < 0:
            raise ValueError("negative")

    @workflow.update
    async def breaks(self, kind: str) -> None:
        raise ApplicationError("failed") if kind == "failure" else KeyError("bug")


def test_a_result_ends_the_workflow() -> None:
    driver = Driver(Flexible, "information")
    now = datetime.fromtimestamp((START + 1000) / 1000, UTC)
    assert result(driver.begin()) == ["wf", "queue", now.isoformat(), now.timestamp(), True]
    assert not workflow.in_workflow()


def test_a_bug_fails_the_task_and_a_failure_the_workflow() -> None:
    with pytest.raises(KeyError, match="bug"):
        Driver(Flexible, "bug").begin()
    [command] = Driver(Flexible, "failure").begin()
    assert isinstance(command, h.WorkflowExecutionFailed)
    assert command.failure.message == "no"
    assert isinstance(command.failure.info, ApplicationFailureInfo)
    assert command.failure.info.type == "Refused"
    assert names(Driver(Flexible, "time_out").begin()) == ["WorkflowExecutionFailed"]
    assert names(Driver(Flexible, "bug", failure_exception_types=[KeyError]).begin()) == ["WorkflowExecutionFailed"]


def test_randomness_follows_from_the_run_id() -> None:
    driver = Driver(Flexible, "randomness")
    first = result(driver.begin())
    assert [result(commands) for commands in driver.replay()] == [first]
    assert first[1][14] == "4"
    assert first[2][14] == "7"


def test_memo_and_search_attributes_are_upserted() -> None:
    driver = Driver(Flexible, "attributes", start={"memo": {"b": payload(2)}})
    commands = driver.begin()
    assert result(commands) == [{"a": 1}, "red"]
    assert names(commands)[:2] == ["WorkflowPropertiesModified", "SearchAttributesUpserted"]
    assert isinstance(commands[0], h.WorkflowPropertiesModified)
    assert commands[0].memo == {"a": payload(1), "b": None}


def test_continue_as_new() -> None:
    [command] = Driver(Flexible, "next_run").begin()
    assert isinstance(command, h.WorkflowExecutionContinuedAsNew)
    assert command.workflow_type == "Workflow"
    assert command.arguments == [payload("information")]
    assert command.run_timeout == 60_000
    assert command.memo == {"k": payload(1)}
    assert command.search_attributes is None


def test_cancellation_ends_the_workflow_as_cancelled() -> None:
    driver = Driver(Flexible, "forever")
    driver.begin()
    assert driver.do(cancel("why")) == [h.WorkflowExecutionCanceled()]
    assert driver.instance.cancel_reason == "why"


def test_threads_are_refused_with_a_remedy() -> None:
    with pytest.raises(NotImplementedError, match=r"run_in_executor.*in an activity"):
        Driver(Flexible, "executor").begin()


def test_patches_are_decided_once_and_taken_from_the_history_on_replay() -> None:
    driver = Driver(Flexible, "patches")
    driver.begin()
    commands = driver.do(fired(1))
    assert result(commands) == [True, True, True]
    assert driver.replay() == [commands for _, commands in driver.tasks]
    # A history without any marker: the old code wrote it.
    driver.tasks = [
        (a, [c for c in commands if not isinstance(c, h.PatchMarkerRecorded)]) for a, commands in driver.tasks
    ]
    assert result(driver.replay()[-1]) == [False, False, False]


def test_signals_wait_for_a_handler_in_order() -> None:
    driver = Driver(Flexible, "buffered")
    driver.begin(signal("late", 1))
    assert driver.do(signal("late", 2)) == []
    assert result(driver.do(fired(1))) == [1, 2]


def test_a_signal_that_does_not_decode_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(Flexible, "forever")
    driver.begin()
    broken = h.WorkflowExecutionSignaled(START, "", "slow", [h.Payload({"encoding": b"json/plain"}, b"{")])
    assert driver.do(broken) == []
    assert "dropped signal 'slow'" in caplog.text


def test_a_failure_in_a_signal_handler_fails_the_workflow() -> None:
    driver = Driver(Flexible, "forever")
    driver.begin()
    assert names(driver.do(signal("explode"))) == ["WorkflowExecutionFailed"]


def test_updates_are_accepted_completed_and_rejected() -> None:
    driver = Driver(Flexible, "forever")
    driver.begin()
    accepted, done = driver.do(update("change", 4))
    assert accepted == h.WorkflowExecutionUpdateAccepted("u1")
    assert done == h.WorkflowExecutionUpdateCompleted("u1", payload(8))
    [rejected] = driver.do(update("change", -1, id="u2"))
    assert isinstance(rejected, h.WorkflowExecutionUpdateRejected)
    assert rejected.failure.message == "negative"
    [unknown] = driver.do(update("nothing", id="u3"))
    assert isinstance(unknown, h.WorkflowExecutionUpdateRejected)
    assert "known updates: [breaks change]" in unknown.failure.message
    assert driver.query("read") == [4, "u1"]


def test_an_accepted_update_fails_alone_or_with_the_task() -> None:
    driver = Driver(Flexible, "forever")
    driver.begin()
    _, done = driver.do(update("breaks", "failure"))
    assert isinstance(done, h.WorkflowExecutionUpdateCompleted)
    assert done.failure is not None
    assert done.failure.message == "failed"
    with pytest.raises(KeyError):
        driver.do(update("breaks", "bug", id="u2"))


def test_a_rejected_update_lets_no_condition_through() -> None:
    driver = Driver(Flexible, "blocked")
    driver.begin()
    # Not by a handler: behind the engine's back, as a condition on the time would be.
    driver.instance.object.log.append("outside")
    assert names(driver.do(update("change", -1))) == ["WorkflowExecutionUpdateRejected"]
    assert "WorkflowExecutionCompleted" in names(driver.do(update("change", 1, id="u2")))


def test_queries_only_read() -> None:
    driver = Driver(Flexible, "blocked")
    driver.begin()
    assert driver.query("read") == ["before"]
    with pytest.raises(workflow.ReadOnlyContextError):
        driver.query("write")
    with pytest.raises(ApplicationError, match="no answer"):
        driver.query("refuse")
    with pytest.raises(QueryNotFoundError, match=r"'nope' expected but not found, known queries: \[__"):
        driver.query("nope")
    assert "in blocked" in driver.query("__stack_trace")
    assert driver.instance.stack_trace() == driver.query("__stack_trace")
    trace = driver.query("__enhanced_stack_trace")
    assert isinstance(trace, EnhancedStackTrace)
    frames = [location for stack in trace.stacks for location in stack.locations]
    assert any(frame.function_name == "blocked" and frame.file_path == __file__ for frame in frames)
    assert "class Flexible" in trace.sources[__file__].content
    metadata = driver.query("__temporal_workflow_metadata")
    assert isinstance(metadata, WorkflowMetadata)
    assert WorkflowInteractionDefinition(name="slow") in metadata.definition.signal_definitions
    assert driver.instance.query(QueryRequest("read", [])) == payload(["before"])


def test_unfinished_handlers_are_warned_of() -> None:
    driver = Driver(Flexible, "buffered")
    driver.begin(signal("slow", 100))
    with pytest.warns(workflow.UnfinishedSignalHandlersWarning, match='"name": "slow", "count": 1'):
        driver.do(fired(2))


def test_logging_is_silent_on_replay(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    driver = Driver(Logging)
    driver.begin()
    assert [record.getMessage() for record in caplog.records] == [
        "hello ({'attempt': 1, 'namespace': 'default', 'run_id': 'run-1', 'task_queue': 'queue', "
        "'workflow_id': 'wf', 'workflow_type': 'Workflow'})"
    ]
    driver.replay()
    assert len(caplog.records) == 1


@workflow.defn
class Logging:
    @workflow.run
    async def run(self) -> None:
        workflow.logger.info("hello")


def test_a_loop_that_does_not_yield_is_interrupted_at_its_line() -> None:
    with pytest.raises(DeadlockError, match=r"didn't yield within 0.05 second") as raised:
        Driver(Flexible, "loops", deadlock_detector=DeadlockDetector(0.05)).begin()
    assert str(raised.value).endswith("second(s)."), "the reference's own text"
    assert "in loops" in raised.value.__notes__[0]


def test_closing_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(Flexible, "forever")
    driver.begin(signal("slow", 5), update("change", 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        driver.close()
    assert not driver.instance.loop.tasks
    assert driver.instance.commands.take() == []
    assert not caplog.records


@workflow.defn(dynamic=True)
class Anything:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> list[Any]:
        await workflow.wait_condition(workflow.all_handlers_finished)
        converter = workflow.payload_converter()
        return [workflow.info().workflow_type, *(converter.from_payload(arg.payload) for arg in args), self.signals]

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        self.signals: list[str] = []

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        self.signals.append(f"{name}/{len(args)}")

    @workflow.query(dynamic=True)
    def any_query(self, name: str, args: Sequence[RawValue]) -> str:
        return name


def test_dynamic_workflows_and_handlers_take_what_has_no_other() -> None:
    driver = Driver(Anything, 1, "two", start={"workflow_type": "Unheard"})
    assert result(driver.begin(signal("s", 1, 2))) == ["Unheard", 1, "two", ["s/2"]]
    assert driver.query("whatever", 1) == "whatever"


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, cancellation_type: int) -> Any:
        try:
            self.handle = await workflow.start_child_workflow(
                "Child",
                "argument",
                id="child",
                cancellation_type=workflow.ChildWorkflowCancellationType(cancellation_type),
            )
            return [self.handle.first_execution_run_id, await self.handle]
        except WorkflowAlreadyStartedError as error:
            return f"{error.workflow_id} exists"
        except ChildWorkflowError as error:
            return f"{error.message}: {error.cause!r}"

    @workflow.signal
    async def tell(self) -> None:
        try:
            await self.handle.signal("hello", 1)
        except ApplicationError as error:
            self.failure = error.message

    @workflow.query
    def what(self) -> str:
        return self.failure


WAIT = int(workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED)
TRY = int(workflow.ChildWorkflowCancellationType.TRY_CANCEL)
CHILD_STARTED = h.ChildWorkflowExecutionStarted(START, "", 1, "child-run")


def test_a_child_starts_and_completes() -> None:
    driver = Driver(Parent, WAIT)
    [initiated] = driver.begin()
    assert isinstance(initiated, h.StartChildWorkflowExecutionInitiated)
    assert (initiated.workflow_id, initiated.arguments) == ("child", [payload("argument")])
    assert driver.do(CHILD_STARTED) == []
    assert result(driver.do(h.ChildWorkflowExecutionCompleted(START, "", 1, payload("r")))) == ["child-run", "r"]
    assert driver.replay() == [commands for _, commands in driver.tasks]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (h.StartChildWorkflowExecutionFailed(START, "", 1), "child exists"),
        (
            h.ChildWorkflowExecutionFailed(START, "", 1, Failure("x", info=ApplicationFailureInfo(type="T"))),
            f"Child Workflow execution failed: {ApplicationError('x', type='T')!r}",
        ),
        (
            h.ChildWorkflowExecutionCanceled(START, "", 1, Failure(info=CanceledFailureInfo())),
            f"Child Workflow execution cancelled: {CancelledError()!r}",
        ),
        (
            h.ChildWorkflowExecutionTimedOut(START, "", 1),
            f"Child Workflow execution timed out: {TimeoutError('Timed out', type=None, last_heartbeat_details=[])!r}",
        ),
        (
            h.ChildWorkflowExecutionTerminated(START, "", 1),
            f"Child Workflow execution terminated: {TerminatedError('Terminated')!r}",
        ),
    ],
)
def test_how_a_child_can_end(outcome: h.Input, expected: str) -> None:
    driver = Driver(Parent, WAIT)
    driver.begin()
    if not isinstance(outcome, h.StartChildWorkflowExecutionFailed):
        driver.do(CHILD_STARTED)
    assert result(driver.do(outcome)) == expected


def test_cancelling_a_parent_asks_the_child_and_waits_or_not() -> None:
    waiting = Driver(Parent, WAIT)
    waiting.begin()
    waiting.do(CHILD_STARTED)
    assert waiting.do(cancel()) == [h.CancelChildWorkflowExecutionRequested(1)]
    assert result(waiting.do(h.ChildWorkflowExecutionCompleted(START, "", 1, payload(3)))) == ["child-run", 3]
    trying = Driver(Parent, TRY)
    trying.begin()
    trying.do(CHILD_STARTED)
    commands = trying.do(cancel())
    assert names(commands) == ["CancelChildWorkflowExecutionRequested", "WorkflowExecutionCompleted"]
    assert result(commands) == f"Child Workflow execution cancelled: {CancelledError()!r}"


def test_a_child_is_signalled() -> None:
    driver = Driver(Parent, WAIT)
    driver.begin()
    driver.do(CHILD_STARTED)
    _, sent = driver.do(signal("tell"))
    assert isinstance(sent, h.SignalExternalWorkflowExecutionInitiated)
    assert (sent.name, sent.child_sequence, sent.arguments) == ("hello", 1, [payload(1)])
    driver.do(h.SignalExternalWorkflowExecutionFailed(START, "", 1))
    assert driver.query("what") == "Unable to signal external workflow because it was not found"


@workflow.defn
class Outward:
    @workflow.run
    async def run(self) -> list[str]:
        log = []
        other = workflow.get_external_workflow_handle("other", run_id="r")
        await other.signal("hello", args=[1, 2])
        log.append("signalled")
        try:
            await other.cancel(reason="enough")
        except ApplicationError as error:
            log.append(error.message)
        return log


def test_other_workflows_are_signalled_and_cancelled() -> None:
    driver = Driver(Outward)
    [sent] = driver.begin()
    assert isinstance(sent, h.SignalExternalWorkflowExecutionInitiated)
    assert (sent.workflow_id, sent.run_id, sent.child_sequence) == ("other", "r", 0)
    [asked] = driver.do(h.ExternalWorkflowExecutionSignaled(START, "", 1))
    assert asked == h.RequestCancelExternalWorkflowExecutionInitiated(1, "default", "other", "r", "enough")
    commands = driver.do(h.RequestCancelExternalWorkflowExecutionFailed(START, "", 1))
    assert result(commands) == ["signalled", "Unable to cancel external workflow because not found"]


@workflow.defn
class Locally:
    @workflow.run
    async def run(self) -> list[Any]:
        first = workflow.start_local_activity("a", start_to_close_timeout=TEN)
        second = workflow.start_activity("b", start_to_close_timeout=TEN)
        log: list[Any] = []
        first.add_done_callback(lambda _: log.append("local"))
        second.add_done_callback(lambda _: log.append("remote"))
        await asyncio.gather(first, second)
        return log


def test_outcomes_of_local_activities_come_last() -> None:
    driver = Driver(Locally)
    commands = driver.begin()
    assert [c.local for c in commands if isinstance(c, h.ActivityTaskScheduled)] == [True, False]
    assert result(driver.do(completed(1), completed(2))) == ["remote", "local"]


def test_an_outcome_of_something_never_asked_for_is_nondeterminism() -> None:
    driver = Driver(Locally)
    driver.begin()
    with pytest.raises(workflow.NondeterminismError, match="activity 3"):
        driver.do(failed(3))


class Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(Outbound(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        return ["intercepted", await super().execute_workflow(input)]


class Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        input.headers = {"trace": payload("id")}
        return super().start_activity(input)


def test_interceptors_wrap_both_directions() -> None:
    driver = Driver(Locally, interceptors=[Inbound])
    commands = driver.begin()
    assert [c.headers for c in commands if isinstance(c, h.ActivityTaskScheduled)] == [{}, {"trace": payload("id")}]
    assert result(driver.do(completed(2), completed(1))) == ["intercepted", ["remote", "local"]]


def test_the_core_imports_no_cloud() -> None:
    heavy = ("boto3", "botocore", "aiobotocore", "pynamodb", "moto", "starlette", "pydantic")
    code = (
        "import sys, pkgutil, importlib, durability.workflow, durability._core as core\n"
        "for m in pkgutil.iter_modules(core.__path__): importlib.import_module(f'durability._core.{m.name}')\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_exported_names_are_those_that_exist() -> None:
    assert [name for name in workflow.__all__ if not hasattr(workflow, name)] == []
    assert len(set(workflow.__all__)) == len(workflow.__all__)
