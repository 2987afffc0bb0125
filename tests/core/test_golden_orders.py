"""Golden event orders: exactly what runs when, as the reference does it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from durability import workflow
from durability._core import history as h
from durability.exceptions import ActivityError
from tests.core.driving import START, Driver, cancel, canceled, completed, failed, fired, names, result, signal, update

TEN = timedelta(seconds=10)


def act(name: str = "act", **options: Any) -> workflow.ActivityHandle[Any]:
    return workflow.start_activity(name, start_to_close_timeout=TEN, **options)


class Traced:
    def __init__(self) -> None:
        self.trace: list[str] = []
        self.seen = 0


@workflow.defn
class SignalWithStart(Traced):
    @workflow.run
    async def run(self) -> list[str]:
        self.trace.append("run")
        await workflow.wait_condition(lambda: self.seen == 2)
        self.trace.append("end")
        return self.trace

    @workflow.signal
    async def hello(self, name: str) -> None:
        self.trace.append(f"{name} begins")
        await asyncio.sleep(0)
        self.trace.append(f"{name} goes on")
        self.seen += 1


def test_signals_that_came_with_the_start_run_before_run() -> None:
    driver = Driver(SignalWithStart)
    commands = driver.begin(signal("hello", "a"), signal("hello", "b"))
    assert result(commands) == ["a begins", "b begins", "a goes on", "b goes on", "run", "end"]
    assert driver.replay() == [commands]


@workflow.defn
class SignalAndTimer(Traced):
    @workflow.run
    async def run(self) -> list[str]:
        await asyncio.sleep(1)
        self.trace.append("timer")
        await workflow.wait_condition(lambda: self.seen == 1)
        return self.trace

    @workflow.signal
    async def hello(self) -> None:
        self.trace.append("signal")
        self.seen += 1


def test_a_signal_goes_before_a_timer_of_the_same_task() -> None:
    driver = Driver(SignalAndTimer)
    assert driver.begin() == [h.TimerStarted(1, 1000)]
    assert result(driver.do(fired(1), signal("hello"))) == ["signal", "timer"]


@workflow.defn
class SignalAndChild(Traced):
    @workflow.run
    async def run(self) -> list[str]:
        await workflow.start_child_workflow("Child", id="child")
        self.trace.append("started")
        await workflow.wait_condition(lambda: self.seen == 1)
        return self.trace

    @workflow.signal
    async def hello(self) -> None:
        self.trace.append("signal")
        self.seen += 1


def test_a_signal_goes_before_the_start_of_the_child_that_sent_it() -> None:
    """So a workflow that notes a child only once it has started misses what a quick one tells it; in Temporal, too."""
    driver = Driver(SignalAndChild)
    driver.begin()
    started = h.ChildWorkflowExecutionStarted(time=START, key="", sequence=1, run_id="run")
    assert result(driver.do(started, signal("hello"))) == ["signal", "started"]


@workflow.defn
class SignalCancelsTimer(Traced):
    @workflow.run
    async def run(self) -> str:
        self.timer = asyncio.create_task(asyncio.sleep(1))
        try:
            await self.timer
        except asyncio.CancelledError:
            return "cancelled"
        return "fired"

    @workflow.signal
    async def stop(self) -> None:
        self.timer.cancel()


def test_a_timer_that_fired_together_with_what_cancels_it_is_not_cancelled_again() -> None:
    driver = Driver(SignalCancelsTimer)
    driver.begin()
    commands = driver.do(fired(1), signal("stop"))
    assert result(commands) == "cancelled"
    assert names(commands) == ["WorkflowExecutionCompleted"]


@workflow.defn
class TwoConditions(Traced):
    @workflow.run
    async def run(self) -> list[str]:
        first = asyncio.create_task(self.wait("first"))
        second = asyncio.create_task(self.wait("second"))
        await asyncio.gather(second, first)
        return self.trace

    async def wait(self, name: str) -> None:
        await workflow.wait_condition(lambda: self.seen > 0)
        # Both were found true in the same pass, before either task ran.
        self.seen -= 1
        self.trace.append(f"{name} {self.seen}")

    @workflow.signal
    def go(self) -> None:
        self.seen += 1


def test_conditions_are_checked_in_one_pass_in_the_order_of_registration() -> None:
    driver = Driver(TwoConditions)
    driver.begin()
    assert result(driver.do(signal("go"))) == ["first 0", "second -1"]


@workflow.defn
class Updated(Traced):
    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.seen == 2 and workflow.all_handlers_finished())
        return self.trace

    @workflow.update
    async def work(self, name: str) -> str:
        self.trace.append(f"{name} begins")
        await act(name)
        self.trace.append(f"{name} ends")
        self.seen += 1
        return name


def test_updates_are_handled_concurrently() -> None:
    driver = Driver(Updated)
    driver.begin()
    commands = driver.do(update("work", "a", id="1"), update("work", "b", id="2"))
    assert names(commands) == [
        "WorkflowExecutionUpdateAccepted",
        "ActivityTaskScheduled",
        "WorkflowExecutionUpdateAccepted",
        "ActivityTaskScheduled",
    ]
    commands = driver.do(completed(2), completed(1))
    assert [c.key for c in commands if isinstance(c, h.WorkflowExecutionUpdateCompleted)] == ["2", "1"]
    assert result(commands) == ["a begins", "b begins", "b ends", "a ends"]
    assert driver.replay() == [commands for _, commands in driver.tasks]


@workflow.defn
class OneActivity(Traced):
    @workflow.run
    async def run(self, cancellation_type: int) -> str:
        try:
            return str(await act(cancellation_type=workflow.ActivityCancellationType(cancellation_type)))
        except asyncio.CancelledError:
            return "task cancelled"
        except ActivityError as error:
            return f"activity cancelled: {error.message}, {error.cause!r}"


TRY, WAIT, ABANDON = (int(kind) for kind in workflow.ActivityCancellationType)


@pytest.mark.parametrize("order", ["result first", "cancel first"])
def test_a_cancellation_that_comes_with_the_result_is_not_lost(order: str) -> None:
    driver = Driver(OneActivity, TRY)
    driver.begin()
    inputs: list[h.Input] = [completed(1, "value"), cancel()]
    commands = driver.do(*(inputs if order == "result first" else reversed(inputs)))
    assert result(commands) == "task cancelled"
    assert names(commands) == ["WorkflowExecutionCompleted"]


def test_try_cancel_asks_and_raises_at_once() -> None:
    driver = Driver(OneActivity, TRY)
    driver.begin()
    commands = driver.do(cancel())
    assert names(commands) == ["ActivityTaskCancelRequested", "WorkflowExecutionCompleted"]
    assert result(commands) == "activity cancelled: Activity cancelled, CancelledError('Cancelled')"


def test_abandon_raises_without_asking() -> None:
    driver = Driver(OneActivity, ABANDON)
    driver.begin()
    assert names(driver.do(cancel())) == ["WorkflowExecutionCompleted"]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (completed(1, "anyway"), "anyway"),
        (canceled(1), "activity cancelled: Activity cancelled, CancelledError('Cancelled')"),
    ],
)
def test_wait_cancellation_completed_waits_for_what_the_activity_makes_of_it(outcome: h.Input, expected: str) -> None:
    driver = Driver(OneActivity, WAIT)
    driver.begin()
    assert names(driver.do(cancel())) == ["ActivityTaskCancelRequested"]
    assert result(driver.do(outcome)) == expected


def test_what_an_abandoned_activity_brings_later_is_dropped() -> None:
    driver = Driver(LateOutcome)
    driver.begin()
    assert names(driver.do(signal("drop"))) == ["ActivityTaskCancelRequested"]
    assert driver.do(completed(1)) == []


@workflow.defn
class LateOutcome:
    @workflow.run
    async def run(self) -> None:
        self.handle = act()
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    async def drop(self) -> None:
        self.handle.cancel()


@workflow.defn
class TimeoutAroundActivity(Traced):
    @workflow.run
    async def run(self) -> str:
        try:
            async with asyncio.timeout(5):
                await act()
        except ActivityError as error:
            return f"activity: {type(error.cause).__name__}"
        except TimeoutError:
            return "timeout"
        return "done"


def test_a_timeout_around_an_activity_cancels_it() -> None:
    # As in the reference: the activity's error, not the cancellation, leaves the block, so it is no TimeoutError.
    driver = Driver(TimeoutAroundActivity)
    assert names(driver.begin()) == ["TimerStarted", "ActivityTaskScheduled"]
    commands = driver.do(fired(1), after=5000)
    assert names(commands) == ["ActivityTaskCancelRequested", "WorkflowExecutionCompleted"]
    assert result(commands) == "activity: CancelledError"


def test_an_activity_inside_its_timeout_cancels_the_timer() -> None:
    driver = Driver(TimeoutAroundActivity)
    driver.begin()
    commands = driver.do(completed(1))
    assert names(commands) == ["TimerCanceled", "WorkflowExecutionCompleted"]
    assert result(commands) == "done"


@workflow.defn
class Group(Traced):
    @workflow.run
    async def run(self) -> list[str]:
        try:
            async with asyncio.TaskGroup() as group:
                for name in ("a", "b", "c"):
                    group.create_task(self.work(name))
        except* ActivityError as errors:
            self.trace.append(f"{len(errors.exceptions)} of the group")
        return self.trace

    async def work(self, name: str) -> None:
        try:
            await act(name)
            self.trace.append(f"{name} done")
        except BaseException as error:
            self.trace.append(f"{name} {type(error.__cause__).__name__}")
            raise


def test_a_failure_in_a_task_group_cancels_the_others() -> None:
    driver = Driver(Group)
    driver.begin()
    assert driver.do(completed(3)) == []
    commands = driver.do(failed(2))
    assert names(commands) == ["ActivityTaskCancelRequested", "WorkflowExecutionCompleted"]
    assert result(commands) == ["c done", "b ApplicationError", "a CancelledError", "2 of the group"]


@workflow.defn
class Channels(Traced):
    def __init__(self) -> None:
        super().__init__()
        self.queue: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        self.lock = asyncio.Lock()
        self.semaphore = asyncio.Semaphore(2)

    @workflow.run
    async def run(self, kind: str) -> list[str]:
        await asyncio.gather(*(getattr(self, kind)(name) for name in "abc"))
        return self.trace

    async def with_queue(self, name: str) -> None:
        if name == "c":
            for _ in range(2):
                self.trace.append(f"got {await self.queue.get()}")
        else:
            await self.queue.put(name)
            self.trace.append(f"put {name}")

    async def with_lock(self, name: str) -> None:
        async with self.lock:
            self.trace.append(f"{name} in")
            await act(name)
            self.trace.append(f"{name} out")

    async def with_semaphore(self, name: str) -> None:
        async with self.semaphore:
            self.trace.append(f"{name} in")
            await act(name)
            self.trace.append(f"{name} out")


def test_queue() -> None:
    assert result(Driver(Channels, "with_queue").begin()) == ["put a", "got a", "put b", "got b"]


def test_lock() -> None:
    driver = Driver(Channels, "with_lock")
    started = [c.activity_type for c in driver.begin() if isinstance(c, h.ActivityTaskScheduled)]
    for sequence in (1, 2):
        commands = driver.do(completed(sequence))
        started += [c.activity_type for c in commands if isinstance(c, h.ActivityTaskScheduled)]
    assert started == ["a", "b", "c"]
    assert result(driver.do(completed(3))) == ["a in", "a out", "b in", "b out", "c in", "c out"]


def test_semaphore() -> None:
    driver = Driver(Channels, "with_semaphore")
    assert names(driver.begin()) == ["ActivityTaskScheduled"] * 2
    assert names(driver.do(completed(2))) == ["ActivityTaskScheduled"]
    assert result(driver.do(completed(3), completed(1))) == ["a in", "b in", "b out", "c in", "c out", "a out"]


@workflow.defn
class Gathered(Traced):
    @workflow.run
    async def run(self) -> list[Any]:
        results = await asyncio.gather(act("a"), self.slow(), act("c"), return_exceptions=True)
        return [type(r).__name__ if isinstance(r, Exception) else r for r in results]

    async def slow(self) -> str:
        await workflow.sleep(1)
        return "slept"


def test_gather() -> None:
    driver = Driver(Gathered)
    # The handles exist, and so their commands, before the coroutine's task runs.
    assert names(driver.begin()) == ["ActivityTaskScheduled", "ActivityTaskScheduled", "TimerStarted"]
    assert driver.do(completed(2, "third")) == []
    assert driver.do(fired(1)) == []
    assert result(driver.do(failed(1))) == ["ActivityError", "slept", "third"]


@workflow.defn
class Shielded(Traced):
    @workflow.run
    async def run(self) -> str:
        handle = act()
        try:
            await asyncio.shield(handle)
        except asyncio.CancelledError:
            return str(await handle)
        return "not cancelled"


def test_a_shield_keeps_the_activity_from_cancellation() -> None:
    driver = Driver(Shielded)
    driver.begin()
    assert driver.do(cancel()) == []
    assert result(driver.do(completed(1, "kept"))) == "kept"


@workflow.defn
class WaitFor(Traced):
    @workflow.run
    async def run(self) -> str:
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 3)
        except TimeoutError:
            self.trace.append("timeout")
        try:
            await workflow.wait_condition(lambda: False, timeout=timedelta(seconds=2), timeout_summary="late")
        except TimeoutError:
            self.trace.append("condition timeout")
        return " ".join(self.trace)


def test_wait_for_and_wait_condition_time_out_by_durable_timers() -> None:
    driver = Driver(WaitFor)
    assert driver.begin() == [h.TimerStarted(1, 3000)]
    [timer] = driver.do(fired(1))
    assert isinstance(timer, h.TimerStarted)
    assert timer.duration == 2000
    assert timer.summary is not None
    assert timer.summary.data == b'"late"'
    assert result(driver.do(fired(2))) == "timeout condition timeout"


@workflow.defn
class NeverSeen(Traced):
    @workflow.run
    async def run(self) -> str:
        timer = asyncio.create_task(workflow.sleep(10))
        handle = act(cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
        await asyncio.sleep(0)
        timer.cancel()
        handle.cancel()
        try:
            await handle
        except ActivityError as error:
            self.trace.append(str(error))
        handle = act()
        handle.cancel()
        try:
            await handle
        except asyncio.CancelledError:
            self.trace.append("before it began")
        return ", ".join(self.trace)


def test_what_is_cancelled_before_anybody_saw_it_leaves_no_command() -> None:
    commands = Driver(NeverSeen).begin()
    assert names(commands) == ["WorkflowExecutionCompleted"]
    assert result(commands) == "Activity cancelled, before it began"


@workflow.defn
class ManyInSets(Traced):
    @workflow.run
    async def run(self) -> list[str]:
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(50):
                    group.create_task(self.work(str(number)))
        except* ActivityError:
            pass
        return self.trace

    async def work(self, name: str) -> None:
        try:
            await act(name)
        finally:
            self.trace.append(name)


def test_the_order_in_which_a_task_group_cancels_does_not_depend_on_memory() -> None:
    driver = Driver(ManyInSets)
    driver.begin()
    driver.do(failed(20))
    recorded = [commands for _, commands in driver.tasks]
    # Holes in the heap, so that the tasks of the replay lie elsewhere.
    ballast = [bytearray(size) for size in range(1, 4000)]
    del ballast[::2]
    assert driver.replay() == recorded
    assert result(recorded[-1])[:3] == ["19", "0", "1"]
