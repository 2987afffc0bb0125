"""Workflows to be crashed: each with what drives it and what must come of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.common import RetryPolicy
from durability.exceptions import ActivityError
from durability.service import RPCError
from tests.protocol.simulation import Simulation, effect

SECONDS = timedelta(seconds=1)
SHORT = timedelta(seconds=10)
RETRIES = RetryPolicy(initial_interval=timedelta(seconds=1))


@activity.defn
async def double(value: int) -> int:
    await effect()
    return 2 * value


@activity.defn
async def slow(seconds: float) -> str:
    await effect(seconds)
    return "done"


@activity.defn
async def third_time_lucky() -> int:
    await effect()
    if activity.info().attempt < 3:
        raise RuntimeError("not yet")
    return 3


@activity.defn
async def counting() -> int:
    """Counts to three; goes on where the attempt before it was heard of last."""
    details = activity.info().heartbeat_details
    for position in range(details[0] if details else 0, 3):
        activity.heartbeat(position)
        await asyncio.sleep(2)
    await effect()
    return 3


@activity.defn
async def until_cancelled() -> str:
    await effect()
    while True:
        activity.heartbeat()
        await asyncio.sleep(1)


ACTIVITIES = [double, slow, third_time_lucky, counting, until_cancelled]


@workflow.defn
class Steps:
    @workflow.run
    async def run(self, count: int) -> int:
        value = 1
        for _ in range(count):
            value = await workflow.execute_activity(double, value, start_to_close_timeout=SHORT)
        return value


@workflow.defn
class Parallel:
    @workflow.run
    async def run(self, count: int) -> int:
        calls = [workflow.execute_activity(double, n, start_to_close_timeout=SHORT) for n in range(count)]
        return sum(await asyncio.gather(*calls))


@workflow.defn
class Retrying:
    @workflow.run
    async def run(self) -> int:
        eager = workflow.execute_activity(third_time_lucky, start_to_close_timeout=SHORT, retry_policy=RETRIES)
        dispatched = workflow.execute_activity(
            third_time_lucky, start_to_close_timeout=SHORT, retry_policy=RETRIES, heartbeat_timeout=5 * SECONDS
        )
        return sum(await asyncio.gather(eager, dispatched))


@workflow.defn
class Race:
    """A timer against signals; what came is returned, so that nothing may get lost."""

    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self, expected: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.got) >= expected - 1)
        await workflow.sleep(30)
        await workflow.wait_condition(lambda: len(self.got) >= expected)
        return sorted(self.got)

    @workflow.signal
    async def poke(self, name: str) -> None:
        self.got.append(name)

    @workflow.query
    def seen(self) -> list[str]:
        return self.got


@workflow.defn
class Patient:
    """Completes at the first signal and returns all that it saw by then."""

    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: bool(self.got))
        return self.got

    @workflow.signal
    async def poke(self, name: str) -> None:
        self.got.append(name)


@workflow.defn
class Parent:
    @workflow.run
    async def run(self) -> list[int]:
        children = [
            workflow.execute_child_workflow(Steps.run, n, id=f"{workflow.info().workflow_id}-{n}") for n in (1, 2)
        ]
        return list(await asyncio.gather(*children))


@workflow.defn
class Generations:
    """Continues as new, sending a signal in the very task in which it does."""

    @workflow.run
    async def run(self, generation: int, total: int) -> int:
        total += await workflow.execute_activity(double, generation, start_to_close_timeout=SHORT)
        if generation < 3:
            if generation:
                listener = workflow.get_external_workflow_handle("listener")
                self.sending = asyncio.ensure_future(listener.signal("poke", f"generation {generation}"))
                await asyncio.sleep(0)
            workflow.continue_as_new(args=[generation + 1, total])
        return total


@workflow.defn
class Heartbeating:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(
            counting, start_to_close_timeout=60 * SECONDS, heartbeat_timeout=5 * SECONDS, retry_policy=RETRIES
        )


@workflow.defn
class Cancelled:
    """Cleans up when it is cancelled: waits for a dispatched activity's end, then takes another step."""

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.execute_activity(
                until_cancelled,
                start_to_close_timeout=3600 * SECONDS,
                heartbeat_timeout=5 * SECONDS,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                retry_policy=RETRIES,
            )
        except ActivityError:  # cancelled; or timed out, if its process died
            value = await workflow.execute_activity(double, 21, start_to_close_timeout=SHORT)
            return f"cleaned up {value}"
        return "not cancelled"


@workflow.defn
class Sender:
    @workflow.run
    async def run(self) -> int:
        listener = workflow.get_external_workflow_handle("listener")
        for number in range(2):
            await listener.signal("poke", str(number))
            await workflow.execute_activity(double, number, start_to_close_timeout=SHORT)
        return 2


@workflow.defn
class Summoner:
    """Signals a workflow that it starts if there is none: one that waits for both signals, and one for each."""

    @workflow.run
    async def run(self) -> list[str]:
        queue = workflow.info().task_queue
        runs = set()
        for number in range(2):
            text = str(number)
            both = await workflow.signal_with_start_workflow(
                Race.run, 2, id="both", task_queue=queue, signal=Race.poke, signal_args=text
            )
            runs.add(both.run_id)
            each = await workflow.signal_with_start_workflow(
                Patient.run, id="each", task_queue=queue, signal=Patient.poke, signal_args=text
            )
            runs.add(each.run_id)
            await workflow.execute_activity(double, number, start_to_close_timeout=SHORT)
        return sorted(run for run in runs if run)


@workflow.defn
class Farewell:
    """Ends at the first signal, and tells somebody in the very task in which it ends how many it has seen."""

    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: bool(self.got))
        listener = workflow.get_external_workflow_handle("listener")
        self.telling = asyncio.ensure_future(listener.signal("poke", f"seen {len(self.got)}"))
        await asyncio.sleep(0)

    @workflow.signal
    async def poke(self, name: str) -> None:
        self.got.append(name)


WORKFLOWS = [
    Summoner,
    Farewell,
    Steps,
    Parallel,
    Retrying,
    Race,
    Patient,
    Parent,
    Generations,
    Heartbeating,
    Cancelled,
    Sender,
]


@dataclass(frozen=True)
class Program:
    """A scenario, and the result that it must have whatever fails."""

    name: str
    drive: Callable[[Simulation], Awaitable[Any]]
    expected: Any

    def __str__(self) -> str:
        return self.name


async def _steps(simulation: Simulation) -> Any:
    await simulation.start(Steps, 3)
    return await simulation.result()


async def _parallel(simulation: Simulation) -> Any:
    await simulation.start(Parallel, 4)
    return await simulation.result()


async def _retries(simulation: Simulation) -> Any:
    await simulation.start(Retrying)
    return await simulation.result()


async def _race(simulation: Simulation) -> Any:
    await simulation.start(Race, 3)
    await simulation.signal("w", "poke", "a", request_id="1")
    await asyncio.sleep(5)
    await simulation.signal("w", "poke", "b", request_id="2")
    await asyncio.sleep(29.5)
    await simulation.signal("w", "poke", "c", request_id="3")
    return await simulation.result()


async def _child(simulation: Simulation) -> Any:
    await simulation.start(Parent)
    result = await simulation.result()
    for number in (1, 2):
        await simulation.result(f"w-{number}")
    return result


async def _continue_as_new(simulation: Simulation) -> Any:
    await simulation.start(Race, 2, id="listener", request_id="listener")
    await simulation.start(Generations, 0, 0)
    return await simulation.result(), await simulation.result("listener")


async def _heartbeats(simulation: Simulation) -> Any:
    await simulation.start(Heartbeating)
    return await simulation.result()


async def _cancel(simulation: Simulation) -> Any:
    await simulation.start(Cancelled)
    await simulation.until(simulation.begun)
    await asyncio.sleep(3)
    await simulation.cancel("w")
    return await simulation.result()


async def _external(simulation: Simulation) -> Any:
    await simulation.start(Race, 2, id="listener", request_id="listener")
    await simulation.start(Sender)
    return await simulation.result(), await simulation.result("listener")


async def _summons(simulation: Simulation) -> Any:
    await simulation.start(Summoner)
    runs = await simulation.result()
    both, each = await simulation.result("both"), await simulation.result("each")
    return both, each in (["1"], ["0", "1"]), len(runs) in (2, 3)


async def _farewell(simulation: Simulation) -> Any:
    """What the run said that it had seen is what its senders were told that it takes."""
    await simulation.start(Patient, id="listener", request_id="listener")
    await simulation.start(Farewell)
    await asyncio.sleep(3)

    async def send(number: int) -> bool:
        try:
            await simulation.signal("w", "poke", str(number), request_id=str(number))
        except RPCError:
            return False
        return True

    taken = sum(await asyncio.gather(send(1), send(2)))
    await simulation.outcome()
    return await simulation.result("listener") == [f"seen {taken}"]


PROGRAMS = [
    Program("sequential steps", _steps, 8),
    Program("parallel steps", _parallel, 12),
    Program("retries", _retries, 6),
    Program("timer and signals", _race, ["a", "b", "c"]),
    Program("children", _child, [2, 4]),
    Program("continue as new", _continue_as_new, (12, ["generation 1", "generation 2"])),
    Program("heartbeats", _heartbeats, 3),
    Program("cancellation", _cancel, "cleaned up 42"),
    Program("signals at the end", _farewell, True),
    Program("signals with start", _summons, (["0", "1"], True, True)),
    Program("external signals", _external, (2, ["0", "1"])),
]
