"""Golden orders in 50 random splits of the same history into workflow tasks, at first, on replay and half-way.

What happens to a run is a list in the order of its history. A split cuts it into workflow tasks anywhere, as a busy or
an idle engine would, except that an outcome cannot come before what it is the outcome of.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from durability import workflow
from durability._core import history as h
from durability._core.activation import Activation
from tests.core.driving import Driver, cancel, canceled, completed, failed, fired, result, signal, update
from tests.core.test_golden_orders import Channels, Gathered, Group, Shielded, Traced, Updated, act

SPLITS = 50

Split = list[list[h.Input]]


@dataclass(frozen=True)
class Golden:
    """A program, what happens to it, and the order that comes of it: always the same, or a rule."""

    workflow: type
    arguments: tuple[Any, ...]
    inputs: list[h.Input]
    order: list[Any] | str | Callable[[Split], list[Any]]


# --- programs that write down what they get -------------------------------------------------------------------------


@workflow.defn
class Recorder(Traced):
    """Waits for everything at once, so that nothing but the order of the inputs decides the order of the trace."""

    @workflow.run
    async def run(self, expected: int) -> list[str]:
        local = workflow.start_local_activity("local", start_to_close_timeout=timedelta(seconds=5))
        waits = {
            "activity 2": act(),
            "local 1": local,
            "activity 3": act(),
            "timer 1": workflow.sleep(5),
            "timer 2": workflow.sleep(6),
        }
        self.tasks = [asyncio.create_task(self.note(wait, name)) for name, wait in waits.items()]
        await workflow.wait_condition(lambda: len(self.trace) == expected)
        return self.trace

    async def note(self, wait: Any, name: str) -> None:
        await wait
        self.trace.append(name)

    @workflow.signal
    async def told(self, name: str) -> None:
        self.trace.append(f"signal {name}")

    @workflow.update
    async def change(self, name: str) -> None:
        self.trace.append(f"update {name}")


def _name(message: h.Input) -> str:
    match message:
        case h.WorkflowExecutionSignaled() | h.WorkflowExecutionUpdateAdmitted():
            kind = "signal" if isinstance(message, h.WorkflowExecutionSignaled) else "update"
            return f"{kind} {message.arguments[0].data.decode().strip(chr(34))}"
        case h.TimerFired(sequence=sequence):
            return f"timer {sequence}"
        case h.ActivityTaskCompleted(sequence=sequence):
            return f"local {sequence}" if sequence == 1 else f"activity {sequence}"
    raise AssertionError(message)


def messages_first_and_local_activities_last(split: Split) -> list[str]:
    """In every workflow task: signals and updates, then the rest, then local activities; each as in the history.

    A timer wakes who waits for it in fewer steps of the loop than an activity, which has a task of its own.
    """
    ranks = {"signal": 0, "update": 0, "timer": 1, "activity": 2, "local": 3}
    order = []
    for task in split:
        order += sorted((_name(message) for message in task), key=lambda name: ranks[name.split()[0]])
    return order


@workflow.defn
class Conditions(Traced):
    @workflow.run
    async def run(self) -> list[str]:
        tasks = [asyncio.create_task(self.wait(name)) for name in ("first", "second", "third")]
        await asyncio.gather(*reversed(tasks))
        return self.trace

    async def wait(self, name: str) -> None:
        # One signal makes the conditions of all true in the same pass; who finds nothing left waits again.
        while self.seen == 0:
            await workflow.wait_condition(lambda: self.seen > 0)
        self.seen -= 1
        self.trace.append(name)

    @workflow.signal
    def go(self) -> None:
        self.seen += 1


@workflow.defn
class Cancelled(Traced):
    @workflow.run
    async def run(self) -> list[str]:
        handle = act(cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
        try:
            await handle
        except BaseException as error:
            self.trace.append(f"{type(error).__name__} by {type(error.__cause__).__name__}")
        await asyncio.sleep(1)
        self.trace.append("cleaned up")
        return self.trace


def the_cancellation_itself_if_the_end_came_with_it(split: Split) -> list[str]:
    together = any(
        {type(message) for message in task} >= {h.WorkflowExecutionCancelRequested, h.ActivityTaskCanceled}
        for task in split
    )
    return ["CancelledError by NoneType" if together else "ActivityError by CancelledError", "cleaned up"]


@workflow.defn
class Patched(Traced):
    @workflow.run
    async def run(self) -> list[str]:
        for number in range(3):
            self.trace.append(f"{number} {workflow.patched(f'patch {number}')} {workflow.random().randint(0, 0)}")
            await workflow.wait_condition(lambda: self.seen > 0)
            self.seen -= 1
            if workflow.patched("every time"):
                await act()
        return self.trace

    @workflow.signal
    def go(self) -> None:
        self.seen += 1


RECORDED: list[h.Input] = [
    signal("told", "a"),
    update("change", "b", id="1"),
    completed(1),
    fired(1),
    signal("told", "c"),
    completed(3),
    signal("told", "d"),
    update("change", "e", id="2"),
    completed(2),
    fired(2),
    update("change", "f", id="3"),
]

GOLDEN = {
    "signals and updates first, local activities last": Golden(
        Recorder, (11,), RECORDED, messages_first_and_local_activities_last
    ),
    "updates side by side": Golden(
        Updated,
        (),
        [update("work", "a", id="1"), update("work", "b", id="2"), completed(2), completed(1)],
        ["a begins", "b begins", "b ends", "a ends"],
    ),
    "conditions in the order of their registration": Golden(
        Conditions, (), [signal("go"), signal("go"), signal("go")], ["first", "second", "third"]
    ),
    "lock": Golden(
        Channels,
        ("with_lock",),
        [completed(1), completed(2), completed(3)],
        ["a in", "a out", "b in", "b out", "c in", "c out"],
    ),
    "semaphore": Golden(
        Channels,
        ("with_semaphore",),
        [completed(2), completed(3), completed(1)],
        ["a in", "b in", "b out", "c in", "c out", "a out"],
    ),
    "gather": Golden(Gathered, (), [completed(2, "third"), fired(1), failed(1)], ["ActivityError", "slept", "third"]),
    "task group": Golden(
        Group, (), [completed(3), failed(2)], ["c done", "b ApplicationError", "a CancelledError", "2 of the group"]
    ),
    "shield": Golden(Shielded, (), [cancel(), completed(1, "kept")], "kept"),
    "cancellation that waits": Golden(
        Cancelled, (), [cancel(), canceled(1), fired(1)], the_cancellation_itself_if_the_end_came_with_it
    ),
    "patches": Golden(
        Patched,
        (),
        [signal("go"), completed(1), signal("go"), completed(2), signal("go"), completed(3)],
        ["0 True 0", "1 True 0", "2 True 0"],
    ),
}


def _possible(message: h.Input, open: set[tuple[str, int]]) -> bool:
    match message:
        case h.TimerFired(sequence=sequence):
            return ("timer", sequence) in open
        case h.ActivityOutcome(sequence=sequence):
            return ("activity", sequence) in open
    return True


def _opened(commands: list[h.Command]) -> set[tuple[str, int]]:
    kinds = {
        h.TimerStarted: "timer",
        h.ActivityTaskScheduled: "activity",
    }
    return {(kinds[type(c)], c.sequence) for c in commands if type(c) in kinds}  # type: ignore[union-attr, index]


def _first_run(golden: Golden, random: random.Random) -> tuple[Driver, Split]:
    driver = Driver(golden.workflow, *golden.arguments)
    left = list(golden.inputs)
    open: set[tuple[str, int]] = set()
    split: Split = []
    while not split or left:
        # With its start comes what needs nothing of the workflow; later there is always at least one input.
        wanted = random.randint(0 if not split else 1, max(1, len(left)))
        task: list[h.Input] = []
        while left and len(task) < wanted and _possible(left[0], open):
            if isinstance(left[0], h.WorkflowExecutionCancelRequested) and not split:
                break  # what is cancelled before it began is another program
            task.append(left.pop(0))
        assert task or not split, f"{left[0]} can never happen"
        open |= _opened(driver.begin(*task) if not split else driver.do(*task))
        split.append(task)
    return driver, split


def _half_way(driver: Driver, replayed: int) -> list[list[h.Command]]:
    """What another instance decides that replays some tasks and goes on with the rest."""
    instance = driver._create()
    try:
        return [
            instance.activate(
                Activation(
                    time=activation.time,
                    inputs=activation.inputs,
                    is_replaying=number < replayed,
                    patches=tuple(
                        c.patch_id for c in commands if number < replayed and isinstance(c, h.PatchMarkerRecorded)
                    ),
                )
            )
            for number, (activation, commands) in enumerate(driver.tasks)
        ]
    finally:
        instance.close()


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_order_in_any_split(name: str) -> None:
    golden = GOLDEN[name]
    shapes = set()
    for seed in range(SPLITS):
        driver, split = _first_run(golden, random.Random(seed))
        shapes.add(tuple(len(task) for task in split))
        recorded = [commands for _, commands in driver.tasks]
        expected = golden.order(split) if callable(golden.order) else golden.order
        assert result(recorded[-1]) == expected, split
        assert driver.replay() == recorded, split
        assert _half_way(driver, random.Random(seed).randint(0, len(recorded))) == recorded, split
        driver.close()
    assert len(shapes) > 1 or name == "lock"  # there, each input needs the task before
