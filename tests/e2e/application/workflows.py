"""Workflows that together use everything that the runtime does."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durability import workflow
from durability.common import RetryPolicy

from .activities import blocking_effect, echo, effect, fail_at_first, gate, hang_at_first, progress

SOON = RetryPolicy(initial_interval=timedelta(milliseconds=50), backoff_coefficient=1)
EAGER: workflow.ActivityConfig = {"start_to_close_timeout": timedelta(seconds=1), "retry_policy": SOON}
LONG_EAGER: workflow.ActivityConfig = {"start_to_close_timeout": timedelta(seconds=3), "retry_policy": SOON}
# A heartbeat timeout is what makes an activity go by way of the queue.
DISPATCHED: workflow.ActivityConfig = {
    "start_to_close_timeout": timedelta(seconds=30),
    "heartbeat_timeout": timedelta(seconds=2),
    "retry_policy": SOON,
}


@workflow.defn
class Sequence:
    """Eager activities one after the other."""

    @workflow.run
    async def run(self, steps: int) -> int:
        done = 0
        for step in range(steps):
            await workflow.execute_activity(effect, f"step {step}", **EAGER)
            done += 1
        return done


@workflow.defn
class Parallel:
    """Eager activities all at once."""

    @workflow.run
    async def run(self, width: int) -> list[str]:
        works = [workflow.execute_activity(effect, f"part {part}", **LONG_EAGER) for part in range(width)]
        return list(await asyncio.gather(*works))


@workflow.defn
class Child:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(effect, name, **EAGER)


@workflow.defn
class Order:
    """A step, then everything that can be decided at once, then a timer and a last step."""

    @workflow.run
    async def run(self) -> list[Any]:
        first = await workflow.execute_activity(effect, "first", **EAGER)
        child = workflow.execute_child_workflow(Child.run, "child", id=f"{workflow.info().workflow_id}-child")
        rest = await asyncio.gather(
            workflow.execute_activity(effect, "dispatched", **DISPATCHED),
            workflow.execute_activity(effect, "eager", **EAGER),
            child,
        )
        await asyncio.sleep(0.1)
        last = await workflow.execute_activity(effect, "last", **EAGER)
        return [first, *rest, last]


@workflow.defn
class Dispatched:
    """Activities by way of the queue: one that is a coroutine, one in a thread, one that fails twice."""

    @workflow.run
    async def run(self) -> list[Any]:
        return list(
            await asyncio.gather(
                workflow.execute_activity(effect, "coroutine", **DISPATCHED),
                workflow.execute_activity(blocking_effect, "thread", **DISPATCHED),
                workflow.execute_activity(fail_at_first, "third time", **DISPATCHED),
            )
        )


@workflow.defn
class Progress:
    @workflow.run
    async def run(self, steps: int) -> list[int]:
        return await workflow.execute_activity(progress, steps, **DISPATCHED)


@workflow.defn
class Gated:
    """Waits for an activity that ends when it is told to; eager if that fits."""

    def __init__(self) -> None:
        self._notes: list[str] = []

    @workflow.run
    async def run(self, seconds: float) -> list[str]:
        limit = timedelta(seconds=seconds)
        await workflow.execute_activity(gate, "gate", start_to_close_timeout=limit, retry_policy=SOON)
        return self._notes

    @workflow.signal
    def note(self, text: str) -> None:
        self._notes.append(text)

    @workflow.query
    def notes(self) -> list[str]:
        return self._notes


@workflow.defn
class Parent:
    """Waits for a child that waits at a gate, and for nothing else."""

    @workflow.run
    async def run(self) -> list[str]:
        return await workflow.execute_child_workflow(Gated.run, 3, id=f"{workflow.info().workflow_id}-child")


@workflow.defn
class Waiting:
    """A timer, then signals until one says "end"."""

    def __init__(self) -> None:
        self._signals: list[str] = []

    @workflow.run
    async def run(self, milliseconds: int) -> list[str]:
        await asyncio.sleep(milliseconds / 1000)
        await workflow.wait_condition(lambda: "end" in self._signals)
        return self._signals

    @workflow.signal
    def tell(self, text: str) -> None:
        self._signals.append(text)


@workflow.defn
class Sleeper:
    @workflow.run
    async def run(self, seconds: int) -> str:
        await asyncio.sleep(seconds)
        return "awake"


@workflow.defn
class Countdown:
    """Continues as new until nothing is left."""

    @workflow.run
    async def run(self, left: int) -> str:
        await workflow.execute_activity(effect, f"{left} left", **EAGER)
        if left:
            workflow.continue_as_new(left - 1)
        return "zero"


@workflow.defn
class Hanging:
    """Activities that block their process, eager and dispatched."""

    @workflow.run
    async def run(self, eager: bool) -> int:
        options = EAGER if eager else DISPATCHED
        return await workflow.execute_activity(hang_at_first, "hang", **options)


@workflow.defn
class Teller:
    """Tells another workflow something."""

    @workflow.run
    async def run(self, workflow_id: str) -> str:
        await workflow.get_external_workflow_handle(workflow_id).signal(Waiting.tell, "end")
        return "told"


@workflow.defn
class Bulky:
    """Passes large values everywhere that a value can go, and through another run."""

    def __init__(self) -> None:
        self._told = ""

    @workflow.run
    async def run(self, text: str, runs: int, told: str = "") -> str:
        self._told = self._told or told
        text = await workflow.execute_activity(echo, text, **EAGER)
        text = await workflow.execute_activity(echo, text, **DISPATCHED)
        if runs:
            workflow.continue_as_new(args=[text, runs - 1, self._told])
        await workflow.wait_condition(lambda: bool(self._told))
        child = f"{workflow.info().workflow_id}-child"
        return await workflow.execute_child_workflow(Echoing.run, text + self._told, id=child)

    @workflow.signal
    def tell(self, text: str) -> None:
        self._told = text

    @workflow.update
    async def told(self, text: str) -> str:
        self._told = text
        return text

    @workflow.query
    def what(self) -> str:
        return self._told


@workflow.defn
class Echoing:
    @workflow.run
    async def run(self, text: str) -> str:
        return text


WORKFLOWS = [
    Bulky,
    Echoing,
    Sequence,
    Parallel,
    Child,
    Order,
    Dispatched,
    Progress,
    Gated,
    Parent,
    Waiting,
    Sleeper,
    Countdown,
    Hanging,
    Teller,
]
