"""What runs do under virtual time, and what it costs, with real workflow code."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability._core import history
from durability._core.encoding import decode_delta, decode_deltas, encode_input
from durability._core.events_view import to_events
from durability._core.history import closes
from durability._runtime.frontend import StartRequest, Status
from durability._runtime.ports import Head, Settlement, WorkflowKey
from durability._runtime.registry import WorkflowRegistry
from durability._runtime.settings import Settings
from durability.common import RetryPolicy
from durability.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    TimeoutError,
    WorkflowAlreadyStartedError,
)
from durability.service import RPCError
from durability.workflow import ActivityCancellationType, ParentClosePolicy
from tests.protocol.invariants import check_all
from tests.protocol.programs import (
    ACTIVITIES,
    SHORT,
    WORKFLOWS,
    Farewell,
    Generations,
    Parallel,
    Patient,
    Race,
    Steps,
    slow,
)
from tests.protocol.simulation import Action, Delivered, Simulation, effect, note

DAY = 86_400


def simulation(*workflows: type, activities: Any = (), **named: Any) -> Simulation:
    return Simulation([*WORKFLOWS, *workflows], [*ACTIVITIES, *activities], **named)


def key(id: str = "w") -> WorkflowKey:
    return WorkflowKey("default", id)


def inputs(simulation: Simulation, kind: type) -> list[Any]:
    """All inputs of a kind, of all runs."""
    deltas = [decode_delta(body) for run in simulation.store._deltas.values() for body in run.values()]
    return [message for delta in deltas for message in delta.inputs if isinstance(message, kind)]


def cause(error: ActivityError | ChildWorkflowError, kind: type) -> Any:
    """The cause of a failed call, which must be of this kind."""
    assert isinstance(error.cause, kind)
    return error.cause


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_a_step_costs_one_request_and_a_run_one_invocation() -> None:
    world = simulation(reconciling=False)

    async def scenario(world: Simulation) -> None:
        await world.start(Steps, 50)
        await asyncio.sleep(60)
        reads = dict(world.store.requests)
        assert reads == {"create": 1, "load": 1, "append": 51, "settle": 1}
        assert world.cloud.invocations == 1
        assert await world.result() == 2**50

    world.run(scenario)


def test_parallel_steps_share_requests() -> None:
    world = simulation(reconciling=False)

    async def scenario(world: Simulation) -> None:
        await world.start(Parallel, 100)
        await asyncio.sleep(60)
        assert world.requests <= 100 / 10 + 5
        assert world.cloud.invocations == 1
        assert await world.result() == 2 * sum(range(100))

    world.run(scenario)
    check_all(world)


def test_ten_thousand_steps_cost_a_linear_amount() -> None:
    world = simulation(Counting, activities=[increment], reconciling=False, timeout=900.0)

    async def scenario(world: Simulation) -> None:
        await world.start(Counting, 10_000)
        await asyncio.sleep(60)
        assert world.store.requests == {"create": 1, "load": 1, "append": 10_001, "settle": 1}
        bodies = [body for run in world.store._deltas.values() for body in run.values()]
        assert sum(map(len, bodies)) < 10_001 * 400
        assert await world.result() == 10_000

    world.run(scenario)


@activity.defn
async def increment(value: int) -> int:
    return value + 1


@workflow.defn
class Counting:
    @workflow.run
    async def run(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = await workflow.execute_activity(increment, value, start_to_close_timeout=SHORT)
        return value


@activity.defn
async def short(value: int) -> int:
    await asyncio.sleep(1 + value % 7)
    return value


@workflow.defn
class FanOut:
    @workflow.run
    async def run(self) -> int:
        timeouts = {"start_to_close_timeout": timedelta(seconds=30), "heartbeat_timeout": timedelta(seconds=20)}
        return sum(await asyncio.gather(*(workflow.execute_activity(short, n, **timeouts) for n in range(1000))))


def test_a_thousand_dispatched_activities_coalesce() -> None:
    world = simulation(FanOut, activities=[short], reconciling=False)

    async def scenario(world: Simulation) -> None:
        await world.start(FanOut)
        assert await world.result(within=60) == sum(range(1000))
        assert world.store.requests["claim"] == 1000
        assert world.store.requests["deliver"] == 1000
        assert world.store.requests["append"] < 100
        assert world.cloud.invocations < 1000 + 100

    world.run(scenario)
    check_all(world)


# --- sleeping --------------------------------------------------------------------------------------------------------


@workflow.defn
class Sleeper:
    def __init__(self) -> None:
        self.poked = 0

    @workflow.run
    async def run(self, seconds: float) -> float:
        await workflow.sleep(seconds)
        return workflow.now().timestamp()

    @workflow.signal
    def poke(self) -> None:
        self.poked += 1


def test_a_long_sleep_costs_next_to_nothing() -> None:
    world = simulation(Sleeper, reconciling=False)

    async def scenario(world: Simulation) -> None:
        await world.start(Sleeper, 40 * DAY)
        begun = world.loop.milliseconds() / 1000
        await asyncio.sleep(10)
        asleep = (world.requests, world.cloud.invocations)
        await asyncio.sleep(39 * DAY)
        assert (world.requests, world.cloud.invocations) == asleep, "idle costs nothing"
        [at] = world.cloud.schedules.values()
        assert at / 1000 < begun + 40 * DAY
        await asyncio.sleep(DAY + 10)
        woken = world.requests - asleep[0]
        assert woken <= 4
        wake_ups = world.points.count("send_wake_up") - 1
        assert wake_ups <= 2
        assert 0 <= await world.result() - (begun + 40 * DAY) <= 1

    world.run(scenario)
    check_all(world)


@pytest.mark.parametrize("early", [-1.9, -1.0, 0.0, 30.0, 200.0])
def test_timers_fire_in_time_whenever_their_wake_up_comes(early: float) -> None:
    """Clocks differ: a wake-up may come early; and a message may come late, or another time."""
    world = simulation(Sleeper, extra_copies=((0.0,), (early,)))

    async def scenario(world: Simulation) -> None:
        await world.start(Sleeper, 100)
        begun = world.loop.milliseconds() / 1000
        ended = await world.result()
        assert 0 <= ended - (begun + 100) <= max(early, 0) + 1

    world.run(scenario)
    check_all(world)


def test_short_timers_are_waited_for_in_the_process() -> None:
    world = simulation(Sleeper, reconciling=False)

    async def scenario(world: Simulation) -> None:
        await world.start(Sleeper, 0.5)
        begun = world.loop.milliseconds() / 1000
        assert await world.result() == pytest.approx(begun + 0.5, abs=0.01)
        assert world.cloud.invocations == 1

    world.run(scenario)


def test_a_signal_that_wakes_a_sleeping_run_costs_four_requests() -> None:
    world = simulation(Sleeper, reconciling=False)

    async def scenario(world: Simulation) -> None:
        await world.start(Sleeper, 10 * DAY)
        await asyncio.sleep(60)
        before, invocations = world.requests, world.cloud.invocations
        await world.signal("w", "poke", request_id="1")
        await asyncio.sleep(60)
        assert world.requests - before <= 4
        assert world.cloud.invocations - invocations == 1
        assert len(world.cloud.schedules) == 1
        await asyncio.sleep(10 * DAY)
        await world.result()

    world.run(scenario)
    check_all(world)


def test_a_lost_wake_up_is_made_good_within_the_bound() -> None:
    world = simulation(extra_copies=((), (0.0,)))
    bound = Settings().overdue / 1000 + 60

    async def scenario(world: Simulation) -> None:
        await world.start(Steps, 2)
        assert await world.result(within=bound + 1) == 4

    world.run(scenario)
    check_all(world)


# --- signals and queries ---------------------------------------------------------------------------------------------


@workflow.defn
class Ordered:
    def __init__(self) -> None:
        self.got: list[int] = []

    @workflow.run
    async def run(self) -> list[int]:
        await workflow.wait_condition(lambda: len(self.got) >= 30)
        return self.got

    @workflow.signal
    def poke(self, number: int) -> None:
        self.got.append(number)


def test_signals_come_once_and_in_order() -> None:
    world = simulation(Ordered)

    async def scenario(world: Simulation) -> None:
        await world.start(Ordered)
        for number in range(30):
            for _ in range(2):
                await world.signal("w", "poke", number, request_id=str(number))
            if number % 7 == 0:
                await asyncio.sleep(5)
        assert await world.result() == list(range(30))

    world.run(scenario)
    check_all(world)


def test_a_signal_before_the_first_task_is_there_at_once() -> None:
    world = simulation(extra_copies=((5.0,),))

    async def scenario(world: Simulation) -> None:
        await world.start(Patient)
        await world.signal("w", "poke", "early", request_id="1")
        assert await world.result() == ["early"]
        assert len(world.store._deltas[key(), (await world.reader.describe("w", None)).run_id]) == 1

    world.run(scenario)


def test_a_signal_that_is_accepted_while_the_run_closes_is_not_lost() -> None:
    world = simulation(latencies=(0.1,))

    async def scenario(world: Simulation) -> Any:
        await world.start(Patient)
        await asyncio.sleep(5)
        await world.signal("w", "poke", "first", request_id="1")
        await world.until(lambda: world.store.requests["append"] == 2, every=0.001)  # the closing delta
        await world.reader.signal("w", None, "poke", world.payloads("second"), request_id="2")
        return await world.result()

    result = world.run(scenario)
    superseding = [
        delta for run in world.store._deltas.values() for delta in map(decode_delta, run.values()) if delta.supersedes
    ]
    assert len(superseding) == 1
    assert result == ["first", "second"]
    check_all(world)


def test_nothing_of_a_superseded_delta_gets_out_even_after_a_crash() -> None:
    world = simulation(latencies=(0.1,))

    async def scenario(world: Simulation) -> Any:
        await world.start(Patient, id="listener", request_id="listener")
        await world.start(Farewell)
        await asyncio.sleep(5)
        appended = world.store.requests["append"]
        await world.signal("w", "poke", "first", request_id="1")
        await world.until(lambda: world.store.requests["append"] == appended + 1, every=0.001)
        await world.reader.signal("w", None, "poke", world.payloads("second"), request_id="2")
        world.faults[len(world.points) + 2] = Action.DIE_AFTER
        await world.outcome()
        return await world.result("listener")

    result = world.run(scenario)
    assert len(world.happened) == 1
    assert world.happened[0].startswith("after append")
    assert result == ["seen 2"]
    check_all(world)


@workflow.defn
class FirstOfTwo:
    @workflow.run
    async def run(self) -> int:
        activities = [
            workflow.start_activity(slow, n, start_to_close_timeout=SHORT, heartbeat_timeout=SHORT) for n in (1, 2)
        ]
        done, _ = await workflow.wait(activities, return_when=asyncio.FIRST_COMPLETED)
        return len(done)


def test_an_end_is_not_superseded_for_a_message_that_nobody_has_counted() -> None:
    """It lies apart, its sender has not come to the head yet: who closes the run could not know of it."""
    world = simulation(FirstOfTwo, settings=Settings(apart_from=0), latencies=(0.1,))
    settle = world.store.settle
    appends: list[int] = []

    async def late(head: Head, settlement: Settlement, *, drop: list[str]) -> Head | None:
        """Whoever closes the run first comes late: another executor has superseded the end."""
        if settlement.close_time and not appends:
            appends.append(world.store.requests["append"])
            message = history.ActivityTaskCompleted(world.loop.milliseconds(), "activity:2:1", 2, 1, 1, "")
            world.store._apart[key(), head.run_id]["activity:2:1"] = (0, encode_input(message))
            await world.cloud.send_wake_up(head.wake_up_at(0))
            await world.until(lambda: world.store.requests["append"] > appends[0], every=0.001)
        return await settle(head, settlement, drop=drop)

    world.store.settle = late  # type: ignore[method-assign]

    async def scenario(world: Simulation) -> Any:
        await world.start(FirstOfTwo)
        return await world.result()

    assert world.run(scenario) == 2
    [run] = world.store._deltas.values()
    *_, closed, superseding = map(decode_delta, run.values())
    assert closes(closed)
    assert superseding.supersedes
    assert closes(superseding)
    check_all(world)


def test_a_signal_to_a_closed_run_is_refused_but_a_repeated_one_is_not() -> None:
    world = simulation()

    async def scenario(world: Simulation) -> None:
        await world.start(Patient)
        await world.signal("w", "poke", "first", request_id="1")
        assert await world.result() == ["first"]
        await world.signal("w", "poke", "first", request_id="1")
        with pytest.raises(RPCError, match="already completed"):
            await world.signal("w", "poke", "late", request_id="2")
        with pytest.raises(RPCError, match="not found"):
            await world.signal("nobody", "poke", "x", request_id="3")

    world.run(scenario)
    check_all(world)


def test_queries_see_what_was_accepted_and_change_nothing() -> None:
    world = simulation(reconciling=False, extra_copies=((0.0,), (30.0,)))

    async def scenario(world: Simulation) -> None:
        await world.start(Race, 9)
        await asyncio.sleep(1)
        await world.signal("w", "poke", "a", request_id="1")
        before = {name: n for name, n in world.store.requests.items() if name not in ("load", "head")}
        assert await world.query("w", "seen") == ["a"], "although the wake-up has not come yet"
        assert await world.query("w", "seen") == ["a"]
        after = {name: n for name, n in world.store.requests.items() if name not in ("load", "head")}
        assert before == after
        with pytest.raises(RPCError):
            await world.query("nobody", "seen")
        await asyncio.sleep(60)
        assert await world.query("w", "seen") == ["a"]

    world.run(scenario)


# --- activities ------------------------------------------------------------------------------------------------------


@activity.defn
async def failing() -> None:
    await effect()
    raise ApplicationError("always", type="Always")


@workflow.defn
class Failing:
    @workflow.run
    async def run(self, eager: bool) -> str:
        policy = RetryPolicy(
            initial_interval=timedelta(seconds=1), maximum_attempts=6, maximum_interval=timedelta(seconds=5)
        )
        try:
            await workflow.execute_activity(
                failing,
                start_to_close_timeout=SHORT,
                retry_policy=policy,
                heartbeat_timeout=None if eager else timedelta(seconds=20),
            )
        except ActivityError as error:
            return cause(error, ApplicationError).type or ""
        return ""


@pytest.mark.parametrize("eager", [True, False], ids=["eager", "dispatched"])
def test_retries_are_counted_and_spaced_as_the_policy_says(eager: bool) -> None:
    world = simulation(Failing, activities=[failing])

    async def scenario(world: Simulation) -> None:
        await world.start(Failing, eager)
        assert await world.result() == "Always"

    world.run(scenario)
    begun = [entry.time for entry in world.begun()]
    pauses = [later - earlier for earlier, later in itertools.pairwise(begun)]
    assert len(begun) == 6
    for pause, expected in zip(pauses, [1, 2, 4, 5, 5], strict=True):
        assert expected <= pause <= expected + 1.1, "a queue delays by whole seconds"
    check_all(world)


@workflow.defn
class Waiting:
    @workflow.run
    async def run(self, timeouts: dict[str, float]) -> tuple[str, float]:
        begun = workflow.time()
        limits: Any = {name: timedelta(seconds=value) for name, value in timeouts.items()}
        try:
            await workflow.execute_activity(slow, 10_000.0, retry_policy=RetryPolicy(maximum_attempts=1), **limits)
        except ActivityError as error:
            return cause(error, TimeoutError).type.name, workflow.time() - begun
        return "", 0.0


@pytest.mark.parametrize(
    ("timeouts", "kind", "after"),
    [
        ({"start_to_close_timeout": 5}, "START_TO_CLOSE", 5),
        ({"start_to_close_timeout": 100, "heartbeat_timeout": 5}, "HEARTBEAT", 5),
        ({"schedule_to_close_timeout": 7}, "SCHEDULE_TO_CLOSE", 7),
        ({"start_to_close_timeout": 100}, "START_TO_CLOSE", 100),
    ],
)
def test_an_attempt_that_takes_too_long_times_out(timeouts: dict[str, float], kind: str, after: float) -> None:
    world = simulation(Waiting)

    async def scenario(world: Simulation) -> None:
        await world.start(Waiting, timeouts)
        name, seconds = await world.result()
        assert name == kind
        assert after <= seconds <= after + 2.5

    world.run(scenario)
    check_all(world)


@workflow.defn
class Unserved:
    @workflow.run
    async def run(self) -> tuple[str, float]:
        begun = workflow.time()
        try:
            await workflow.execute_activity(
                slow,
                1.0,
                schedule_to_start_timeout=timedelta(seconds=20),
                start_to_close_timeout=timedelta(seconds=100),
            )
        except ActivityError as error:
            return cause(error, TimeoutError).type.name, workflow.time() - begun
        return "", 0.0


def test_an_attempt_that_nobody_begins_times_out() -> None:
    world = simulation(Unserved, settings=Settings())

    async def scenario(world: Simulation) -> None:
        async def nobody(*_: Any, **__: Any) -> None: ...

        world.cloud.send_activities = nobody  # type: ignore[method-assign]
        await world.start(Unserved)
        name, seconds = await world.result()
        assert name == "SCHEDULE_TO_START"
        assert 20 <= seconds <= 22

    world.run(scenario)


@workflow.defn
class Away:
    @workflow.run
    async def run(self) -> str:
        result: str = await workflow.execute_activity(
            slow, 1.0, start_to_close_timeout=SHORT, heartbeat_timeout=SHORT, task_queue="away"
        )
        return result


def test_an_attempt_whose_worker_is_away_is_sent_ever_more_rarely() -> None:
    world = simulation(Away, settings=Settings())

    async def scenario(world: Simulation) -> None:
        sent: list[float] = []

        async def nobody(*_: Any, **__: Any) -> None:
            sent.append(asyncio.get_running_loop().time())

        world.cloud.send_activities = nobody  # type: ignore[method-assign]
        await world.start(Away)
        await asyncio.sleep(4 * 86_400)
        pauses = [later - earlier for earlier, later in itertools.pairwise(sent)]
        assert 8 <= len(sent) <= 14
        assert max(pauses) <= 86_400 + 600

    world.run(scenario)


@workflow.defn
class Busy:
    @workflow.run
    async def run(self) -> str:
        dispatched = workflow.start_activity(
            slow, 2.0, start_to_close_timeout=timedelta(seconds=20), heartbeat_timeout=timedelta(seconds=5)
        )
        for _ in range(20):
            await workflow.execute_activity(slow, 0.9, start_to_close_timeout=SHORT)
        return await dispatched


def test_an_outcome_that_waits_in_the_inbox_is_not_taken_for_a_timeout() -> None:
    """The executor is busy with other steps, and has not looked into the inbox for longer than the timeout."""

    world = simulation(Busy)

    async def scenario(world: Simulation) -> None:
        await world.start(Busy)
        assert await world.result() == "done"
        assert len(world.begun("1")) == 1

    world.run(scenario)
    check_all(world)


@activity.defn
async def stubborn() -> str:
    try:
        await effect()
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.5)
    except asyncio.CancelledError:
        note("asked to stop")
        await asyncio.sleep(2)
        note("stopped")
        raise


@workflow.defn
class Impatient:
    @workflow.run
    async def run(self, kind: int, eager: bool) -> float:
        handle = workflow.start_activity(
            stubborn,
            start_to_close_timeout=timedelta(seconds=50),  # eager, it hears with the second heartbeat, after 30 s
            heartbeat_timeout=None if eager else timedelta(seconds=10),
            cancellation_type=ActivityCancellationType(kind),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
        await workflow.sleep(5)
        begun = workflow.time()
        handle.cancel()
        with pytest.raises((ActivityError, asyncio.CancelledError)):
            await handle
        return workflow.time() - begun


@pytest.mark.parametrize("kind", list(ActivityCancellationType), ids=lambda kind: kind.name)
@pytest.mark.parametrize("eager", [True, False], ids=["eager", "dispatched"])
def test_cancellation_of_activities(kind: ActivityCancellationType, eager: bool) -> None:
    world = simulation(Impatient, activities=[stubborn])

    async def scenario(world: Simulation) -> None:
        await world.start(Impatient, int(kind), eager)
        waited = await world.result()
        if kind is ActivityCancellationType.WAIT_CANCELLATION_COMPLETED:
            assert world.notes == ["asked to stop", "stopped"]
            assert waited >= 2
        else:
            assert waited == 0

    world.run(scenario)
    check_all(world)


@activity.defn
async def progressing() -> int:
    details = activity.info().heartbeat_details
    note(list(details))
    for position in range(details[0] if details else 0, 4):
        activity.heartbeat(position)
        await asyncio.sleep(3)
        if position == 2 and not details:
            await asyncio.sleep(1000)
    return 4


@workflow.defn
class Progress:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(
            progressing, start_to_close_timeout=timedelta(seconds=100), heartbeat_timeout=timedelta(seconds=6)
        )


def test_heartbeat_details_reach_the_next_attempt() -> None:
    world = simulation(Progress, activities=[progressing])

    async def scenario(world: Simulation) -> None:
        await world.start(Progress)
        assert await world.result() == 4
        assert world.notes == [[], [2]]

    world.run(scenario)
    check_all(world)


@workflow.defn
class TimerBesideActivity:
    @workflow.run
    async def run(self) -> float:
        begun = workflow.time()
        activity = workflow.start_activity(slow, 5.0, start_to_close_timeout=timedelta(seconds=40))
        await workflow.sleep(0.2)
        passed = workflow.time() - begun
        await activity
        return passed


def test_a_timer_fires_in_time_beside_an_eager_activity() -> None:
    """Also where nobody lingers for timers, as in the environments of this process."""
    world = simulation(TimerBesideActivity, settings=Settings(linger=0))

    async def scenario(world: Simulation) -> None:
        await world.start(TimerBesideActivity)
        assert await world.result() < 0.3

    world.run(scenario)
    check_all(world)


@workflow.defn
class Responsive:
    def __init__(self) -> None:
        self.poked_at = 0.0

    @workflow.run
    async def run(self) -> list[Any]:
        result = await workflow.execute_activity(slow, 30.0, start_to_close_timeout=timedelta(seconds=40))
        return [result, self.poked_at]

    @workflow.signal
    def poke(self) -> None:
        self.poked_at = workflow.time()


def test_a_long_eager_activity_leaves_the_run_responsive() -> None:
    world = simulation(Responsive, reconciling=False)

    async def scenario(world: Simulation) -> None:
        await world.start(Responsive)
        await asyncio.sleep(5)
        assert not (await world.store.head(key())).awake, "released"  # type: ignore[union-attr]
        sent = world.loop.milliseconds() / 1000
        await world.signal("w", "poke", request_id="1")
        result, poked_at = await world.result()
        assert result == "done"
        assert poked_at - sent < 1
        assert len(world.begun()) == 1

    world.run(scenario)
    check_all(world)


@workflow.defn
class Hurried:
    """Never silent for long enough to be released."""

    def __init__(self) -> None:
        self.poked_at = 0.0

    @workflow.run
    async def run(self) -> float:
        for _ in range(100):
            await workflow.execute_activity(slow, 0.3, start_to_close_timeout=SHORT)
        return self.poked_at

    @workflow.signal
    def poke(self) -> None:
        self.poked_at = workflow.time()


def test_a_run_that_is_worked_on_without_a_pause_hears_signals_and_cancellation() -> None:
    world = simulation(Hurried, reconciling=False)

    async def scenario(world: Simulation) -> None:
        await world.start(Hurried, id="signalled")
        await world.start(Hurried, id="cancelled")
        await asyncio.sleep(5)
        sent = world.loop.milliseconds() / 1000
        await world.signal("signalled", "poke", request_id="1")
        await world.cancel("cancelled")
        assert 0 < await world.result("signalled") - sent < 2
        [request] = inputs(world, history.WorkflowExecutionCancelRequested)
        assert request.time / 1000 - sent < 2
        assert world.store.requests["load"] < 50, "it looks once a second, and each run takes thirty at most"

    world.run(scenario)
    check_all(world)


@workflow.defn
class Long:
    @workflow.run
    async def run(self) -> int:
        for _ in range(40):
            await workflow.execute_activity(slow, 4.0, start_to_close_timeout=SHORT)
        return 40


def test_work_goes_on_in_another_invocation_when_time_runs_out() -> None:
    world = simulation(Long)

    async def scenario(world: Simulation) -> None:
        await world.start(Long)
        assert await world.result() == 40
        assert len(world.begun()) == 40
        assert not world.errors

    world.run(scenario)
    check_all(world)


@workflow.defn
class Two:
    @workflow.run
    async def run(self) -> int:
        async def chain(pause: float) -> None:
            for _ in range(80):
                await workflow.execute_activity(slow, pause, start_to_close_timeout=SHORT)

        await asyncio.gather(chain(0.9), chain(0.8))
        return 2


def test_an_executor_whose_time_runs_out_waits_for_what_it_runs_without_spinning() -> None:
    world = simulation(Two)

    async def scenario(world: Simulation) -> None:
        await world.start(Two)
        assert await world.result() == 2
        assert len(world.begun()) == 160

    world.run(scenario)
    check_all(world)


# --- other workflows -------------------------------------------------------------------------------------------------


@workflow.defn
class Leaving:
    @workflow.run
    async def run(self, generation: int) -> str:
        call = workflow.start_activity(slow, 5.0 + 15.0 * generation, start_to_close_timeout=timedelta(seconds=40))
        if generation == 0:
            await asyncio.sleep(0.1)
            workflow.continue_as_new(1)
        return f"{await call} {workflow.info().continued_run_id is not None}"


def test_a_run_that_continues_as_new_leaves_its_activities_behind() -> None:
    world = simulation(Leaving)

    async def scenario(world: Simulation) -> None:
        await world.start(Leaving, 0)
        begun = asyncio.get_running_loop().time()
        assert await world.result() == "done True"
        assert asyncio.get_running_loop().time() - begun >= 20
        assert len(world.begun()) == 2

    world.run(scenario)
    check_all(world)


def test_a_start_is_idempotent_even_when_the_run_has_continued_as_new() -> None:
    world = simulation()

    async def scenario(world: Simulation) -> None:
        await world.start(Race, 2, id="listener", request_id="listener")
        first = await world.start(Generations, 0, 0)
        assert await world.result() == 12
        assert await world.start(Generations, 0, 0) == first
        await world.result("listener")

    world.run(scenario)
    check_all(world)


def test_starting() -> None:
    world = simulation()

    async def scenario(world: Simulation) -> None:
        first = await world.start(Patient)
        assert await world.start(Patient) == first
        with pytest.raises(WorkflowAlreadyStartedError):
            await world.start(Patient, request_id="other")
        assert await world.start(Patient, request_id="other", id_conflict_policy=2) == first
        second = await world.start(Patient, request_id="third", id_conflict_policy=3)
        assert second != first
        assert (await world.reader.outcome("w", first, wait=0)).status == Status.TERMINATED  # type: ignore[union-attr]
        await world.signal("w", "poke", "x", request_id="1")
        await world.result()
        with pytest.raises(WorkflowAlreadyStartedError):
            await world.start(Patient, request_id="fourth", id_reuse_policy=3)
        with pytest.raises(WorkflowAlreadyStartedError):
            await world.start(Patient, request_id="fourth", id_reuse_policy=2)
        third = await world.start(
            Patient, request_id="fourth", signal_name="poke", signal_arguments=world.payloads("s")
        )
        assert third not in (first, second)
        assert await world.result() == ["s"]

    world.run(scenario)
    check_all(world)


@workflow.defn
class Leaver:
    @workflow.run
    async def run(self, policy: int) -> None:
        await workflow.start_child_workflow(Race.run, 1, id="child", parent_close_policy=ParentClosePolicy(policy))


@pytest.mark.parametrize(
    "policy", [ParentClosePolicy.TERMINATE, ParentClosePolicy.REQUEST_CANCEL, ParentClosePolicy.ABANDON]
)
def test_children_when_their_parent_closes(policy: ParentClosePolicy) -> None:
    world = simulation(Leaver)

    async def scenario(world: Simulation) -> None:
        await world.start(Leaver, int(policy))
        await world.result()
        await asyncio.sleep(5)
        if policy is ParentClosePolicy.ABANDON:
            await world.signal("child", "poke", "x", request_id="1")
            assert await world.result("child") == ["x"]
        else:
            expected = Status.TERMINATED if policy is ParentClosePolicy.TERMINATE else Status.CANCELED
            assert (await world.outcome("child")).status == expected

    world.run(scenario)
    check_all(world)


@workflow.defn
class Hasty:
    @workflow.run
    async def run(self) -> None:
        self.starting = asyncio.ensure_future(
            workflow.start_child_workflow(Patient.run, id="somebody", task_queue="queue")
        )
        await asyncio.sleep(0)


def test_a_workflow_that_only_has_the_name_of_a_child_is_left_alone() -> None:
    world = simulation(Hasty)

    async def scenario(world: Simulation) -> None:
        await world.start(Patient, id="somebody", request_id="somebody")
        await world.start(Hasty)
        await world.result()
        await world.signal("somebody", "poke", "still here", request_id="1")
        assert await world.result("somebody") == ["still here"]

    world.run(scenario)


@workflow.defn
class Renewing:
    @workflow.run
    async def run(self, generation: int) -> None:
        if generation < 2:
            workflow.continue_as_new(generation + 1)
        await workflow.sleep(1000)


@workflow.defn
class Canceller:
    @workflow.run
    async def run(self) -> str:
        child = await workflow.start_child_workflow(Renewing.run, 0, id="child")
        await workflow.sleep(10)
        child.cancel()
        try:
            await child
        except ChildWorkflowError as error:
            return type(error.cause).__name__
        return ""


def test_a_child_that_continued_as_new_is_still_the_parents() -> None:
    world = simulation(Renewing, Canceller)

    async def scenario(world: Simulation) -> None:
        await world.start(Canceller)
        assert await world.result() == "CancelledError"

    world.run(scenario)
    check_all(world)


@workflow.defn
class Bad:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("no", type="Bad")


@workflow.defn
class Caller:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.execute_child_workflow(Bad.run, id="child")
        except ChildWorkflowError as error:
            return cause(error, ApplicationError).type or ""
        return ""


def test_a_failed_child_fails_its_parents_call() -> None:
    world = simulation(Bad, Caller)

    async def scenario(world: Simulation) -> None:
        await world.start(Caller)
        assert await world.result() == "Bad"

    world.run(scenario)
    check_all(world)


# --- ends ------------------------------------------------------------------------------------------------------------


def test_a_run_times_out() -> None:
    world = simulation()

    async def scenario(world: Simulation) -> None:
        await world.start(Patient, run_timeout=30_000)
        begun = asyncio.get_running_loop().time()
        assert (await world.outcome()).status == Status.TIMED_OUT
        assert 30 <= asyncio.get_running_loop().time() - begun <= 32

    world.run(scenario)


def test_a_run_is_terminated_whatever_it_does() -> None:
    world = simulation()

    async def scenario(world: Simulation) -> None:
        await world.start(Patient)
        await asyncio.sleep(5)
        await world.client(lambda gateway: gateway.terminate("w", None, reason="enough"))
        outcome = await world.outcome()
        assert outcome.status == Status.TERMINATED
        assert outcome.failure is not None
        assert outcome.failure.message == "enough"
        with pytest.raises(RPCError, match="already completed"):
            await world.client(lambda gateway: gateway.terminate("w", None))

    world.run(scenario)


@workflow.defn(name="Fixable")
class Broken:
    @workflow.run
    async def run(self) -> int:
        raise KeyError("a bug")


@workflow.defn(name="Fixable")
class Fixed:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(increment, 1, start_to_close_timeout=SHORT)


def test_a_bug_fails_the_task_and_the_run_goes_on_when_it_is_fixed() -> None:
    world = simulation(Broken, activities=[increment])

    async def scenario(world: Simulation) -> None:
        await world.client(lambda gateway: gateway.start(request))
        attempts = []
        for _ in range(600):
            await asyncio.sleep(1)
            attempts.append((await world.reader.describe("w", None)).task_attempts)
        changes = [attempts.index(n) for n in sorted(set(attempts) - {1})]
        pauses = [later - earlier for earlier, later in itertools.pairwise(changes)]
        assert all(2 ** (n + 1) <= pause <= 2 ** (n + 1) + 2 for n, pause in enumerate(pauses)), pauses
        description = await world.reader.describe("w", None)
        assert "KeyError: 'a bug'" in description.task_failure
        assert description.status == Status.RUNNING
        world.registry = WorkflowRegistry([Fixed], data_converter=world.converter)
        assert await world.result(within=700) == 2
        assert (await world.reader.describe("w", None)).task_attempts == 0

    request = StartRequest(workflow_id="w", workflow_type="Fixable", task_queue="queue", arguments=[], request_id="r")
    world.run(scenario)
    check_all(world)


def test_a_stuck_run_can_be_terminated() -> None:
    world = simulation(Broken)

    async def scenario(world: Simulation) -> None:
        await world.client(lambda gateway: gateway.start(request))
        await asyncio.sleep(10)
        await world.client(lambda gateway: gateway.terminate("w", None, reason="stuck"))
        assert (await world.outcome(within=30)).status == Status.TERMINATED

    request = StartRequest(workflow_id="w", workflow_type="Fixable", task_queue="queue", arguments=[], request_id="r")
    world.run(scenario)


@pytest.mark.parametrize("limits", [{"run_timeout": 20_000}, {"execution_timeout": 20_000}])
def test_a_run_that_never_begins_times_out_all_the_same(limits: dict[str, int]) -> None:
    """In its time, and not with the next attempt at its first workflow task, which would come half a minute in."""
    world = simulation(Broken)

    async def scenario(world: Simulation) -> None:
        await world.client(lambda gateway: gateway.start(request))
        await asyncio.sleep(25)
        outcome = await world.outcome(within=1)
        assert outcome.status == Status.TIMED_OUT

    request = StartRequest(
        workflow_id="w", workflow_type="Fixable", task_queue="queue", arguments=[], request_id="r", **limits
    )
    world.run(scenario)
    check_all(world)


@workflow.defn(name="Changing")
class Old:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(100)
        return await workflow.execute_activity(slow, 0.1, start_to_close_timeout=SHORT)


@workflow.defn(name="Changing")
class New:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(slow, 0.1, start_to_close_timeout=SHORT)


def test_a_run_that_does_not_replay_times_out_all_the_same() -> None:
    world = simulation(Old)

    async def scenario(world: Simulation) -> None:
        await world.client(lambda gateway: gateway.start(request))
        await asyncio.sleep(10)
        for engine in world.cloud._engines:
            engine.sessions.clear()
        world.registry = WorkflowRegistry([New], data_converter=world.converter)
        await world.signal("w", "poke", "x", request_id="1")
        await asyncio.sleep(50)
        assert (await world.reader.describe("w", None)).task_attempts > 1
        await asyncio.sleep(90)
        outcome = await world.outcome(within=1)
        assert outcome.status == Status.TIMED_OUT
        deltas = await world.cloud.store.deltas(WorkflowKey("default", "w"), outcome.run_id)
        names = [event.name for event in to_events(delta for _, delta, _ in decode_deltas(deltas))]
        assert names[-1] == "WorkflowExecutionTimedOut"
        assert names.count("WorkflowTaskCompleted") == 1
        assert "WorkflowExecutionSignaled" in names

    request = StartRequest(
        workflow_id="w", workflow_type="Changing", task_queue="queue", arguments=[], request_id="r", run_timeout=140_000
    )
    world.run(scenario)


def test_other_code_fails_the_task_and_the_run_goes_on_with_the_old_code() -> None:
    world = simulation(Old)

    async def scenario(world: Simulation) -> None:
        request = StartRequest(
            workflow_id="w", workflow_type="Changing", task_queue="queue", arguments=[], request_id="r"
        )
        await world.client(lambda gateway: gateway.start(request))
        await asyncio.sleep(10)
        for engine in world.cloud._engines:
            engine.sessions.clear()
        old, world.registry = world.registry, WorkflowRegistry([New], data_converter=world.converter)
        await asyncio.sleep(100)
        description = await world.reader.describe("w", None)
        assert description.task_attempts > 1
        assert "NondeterminismError" in description.task_failure
        assert not world.begun()
        world.registry = old
        assert await world.result() == "done"

    world.run(scenario)
    check_all(world)


def test_what_was_delivered_is_seen_in_the_log() -> None:
    """The log is what the invariants stand on: it must see deliveries that were refused, too."""
    world = simulation()

    async def scenario(world: Simulation) -> None:
        await world.start(Steps, 1)
        await world.result()
        with pytest.raises(RPCError):
            await world.signal("w", "poke", request_id="1")

    world.run(scenario)
    assert [entry.accepted for entry in world.log if isinstance(entry, Delivered)] == [False]
    assert not inputs(world, history.WorkflowExecutionSignaled)
