"""Random workflow programs, the workflow that interprets them, and what may come of one.

A program is a list of steps, each a list that begins with its kind. It is a workflow's argument, so that one workflow
can be any program. ``expectation`` says what its result may be, whatever dies on the way.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from durability import activity, workflow
from durability._runtime.frontend import ActivityReport
from durability._simulation.log import Begun, Ended
from durability._simulation.world import INLINE, current_world
from durability.common import RetryPolicy
from durability.converter import DataConverter
from durability.exceptions import ActivityError, ApplicationError, CancelledError

Step = list[Any]
Program = list[Step]

SHORT: Final = timedelta(seconds=10)
HEARTBEAT: Final = timedelta(seconds=5)
RETRIES: Final = RetryPolicy(initial_interval=timedelta(seconds=1))


# --- activities -------------------------------------------------------------------------------------------------------


async def effect(seconds: float = 0.0) -> None:
    """What an activity does to the world: begun in user code, done at a point where its process may die or freeze."""
    world, info = current_world(), activity.info()
    assert info.workflow_run_id is not None
    name = (info.workflow_run_id, info.activity_id, info.attempt)
    world.log.add(Begun(*name, world.loop.time()))
    if seconds:
        await asyncio.sleep(seconds)
    await world.point("effect", lambda: world.log.add(Ended(*name)))


@activity.defn
async def double(value: int) -> int:
    await effect()
    return 2 * value


@activity.defn
async def slow(value: int) -> int:
    """Longer than an executor holds on to a run."""
    await effect(3.0)
    return 2 * value


@activity.defn
async def inflate(text: str) -> str:
    """As large as what it is given."""
    await effect()
    return text.swapcase()


@activity.defn
async def flaky(value: int, failures: int) -> int:
    await effect()
    if activity.info().attempt <= failures:
        raise RuntimeError("not yet")
    return 2 * value


@activity.defn
async def hopeless() -> None:
    await effect()
    raise ApplicationError("never", type="Hopeless", non_retryable=True)


@activity.defn
async def counting(limit: int) -> int:
    """Heartbeats; goes on where the attempt before it was heard of last."""
    details = activity.info().heartbeat_details
    for position in range(details[0] if details else 0, limit):
        activity.heartbeat(position)
        await asyncio.sleep(2)
    await effect()
    return limit


@activity.defn
async def until_cancelled() -> None:
    await effect()
    while True:
        activity.heartbeat()
        await asyncio.sleep(1)


@activity.defn
async def outside(value: int) -> int:
    """Completed by a client."""
    world, info = current_world(), activity.info()
    await effect()
    token = info.task_token
    world.spawn(_complete(token, 2 * value))
    activity.raise_complete_async()


async def _complete(token: bytes, value: int) -> None:
    world = current_world()
    await asyncio.sleep(1)
    [result] = DataConverter.default.payload_converter.to_payloads([value])
    await world.client(
        lambda gateway: gateway.report_activity(ActivityReport(kind="completed", task_token=token, result=result))
    )


ACTIVITIES: Final[list[Callable[..., Any]]] = [
    double,
    slow,
    inflate,
    flaky,
    hopeless,
    counting,
    until_cancelled,
    outside,
]


def large_text(value: int) -> str:
    """Larger than what an event keeps in the table."""
    return f"a{value:03d}" * (INLINE // 2)


# --- the interpreter --------------------------------------------------------------------------------------------------


@dataclass
class State:
    """What a run hands to the one that continues it."""

    done: list[Any]
    got: list[str]
    sums: list[int]


class Interpreter:
    """Runs a program; signals and updates come in meanwhile."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.sums: list[int] = []

    async def interpret(self, program: Program, expected: list[str], state: State | None) -> dict[str, Any]:
        done: list[Any] = []
        if state is not None:
            done, self.got, self.sums = state.done, [*state.got, *self.got], [*state.sums, *self.sums]
        for position, step in enumerate(program):
            if step[0] == "new":
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(args=[program[position + 1 :], expected, State(done, self.got, self.sums)])
            done.append(await self.step(step))
        await workflow.wait_condition(lambda: set(expected) <= set(self.got) and workflow.all_handlers_finished())
        return {"done": done, "got": sorted(self.got), "sums": sorted(self.sums)}

    async def step(self, step: Step) -> Any:
        kind, *rest = step
        return await getattr(self, f"step_{kind}")(*rest)

    async def step_eager(self, value: int) -> int:
        return await workflow.execute_activity(double, value, start_to_close_timeout=SHORT, retry_policy=RETRIES)

    async def step_slow(self, value: int) -> int:
        return await workflow.execute_activity(slow, value, start_to_close_timeout=SHORT, retry_policy=RETRIES)

    async def step_local(self, value: int) -> int:
        return await workflow.execute_local_activity(double, value, start_to_close_timeout=SHORT, retry_policy=RETRIES)

    async def step_dispatched(self, value: int) -> int:
        return await workflow.execute_activity(
            double, value, start_to_close_timeout=SHORT, retry_policy=RETRIES, heartbeat_timeout=HEARTBEAT
        )

    async def step_large(self, value: int, dispatched: bool) -> str:
        """Arguments and a result that are kept outside of the table; in the end also the run's."""
        return await workflow.execute_activity(
            inflate,
            large_text(value),
            start_to_close_timeout=SHORT,
            retry_policy=RETRIES,
            heartbeat_timeout=HEARTBEAT if dispatched else None,
        )

    async def step_ballast(self, text: str) -> int:
        """Makes the program large, which is an argument."""
        return len(text)

    async def step_flaky(self, value: int, failures: int, dispatched: bool) -> int:
        return await workflow.execute_activity(
            flaky,
            args=[value, failures],
            start_to_close_timeout=SHORT,
            retry_policy=RETRIES,
            heartbeat_timeout=HEARTBEAT if dispatched else None,
        )

    async def step_hopeless(self) -> str:
        try:
            await workflow.execute_activity(hopeless, start_to_close_timeout=SHORT)
        except ActivityError as error:
            if not isinstance(error.cause, ApplicationError):
                raise  # the workflow was cancelled
            return str(error.cause.type)
        return "no error"

    async def step_counting(self, limit: int) -> int:
        return await workflow.execute_activity(
            counting, limit, start_to_close_timeout=6 * SHORT, heartbeat_timeout=HEARTBEAT, retry_policy=RETRIES
        )

    async def step_outside(self, value: int) -> int:
        return await workflow.execute_activity(outside, value, start_to_close_timeout=6 * SHORT, retry_policy=RETRIES)

    async def step_cancelled(self, seconds: int) -> str:
        running = workflow.start_activity(
            until_cancelled,
            start_to_close_timeout=60 * SHORT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRIES,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.sleep(seconds)
        running.cancel()
        try:
            await running
        except (ActivityError, CancelledError, asyncio.CancelledError):
            return "cancelled"
        return "not cancelled"

    async def step_sleep(self, seconds: float) -> str:
        await workflow.sleep(seconds)
        return "slept"

    async def step_all(self, steps: Program) -> list[Any]:
        return list(await asyncio.gather(*(self.step(step) for step in steps)))

    async def step_race(self, seconds: float) -> str:
        before = len(self.got)
        try:
            await workflow.wait_condition(lambda: len(self.got) > before, timeout=seconds)
        except TimeoutError:
            return "timer"
        return "signal"

    async def step_child(self, program: Program) -> Any:
        name = f"{workflow.info().workflow_id}/{workflow.uuid4().hex[:6]}"
        result = await workflow.execute_child_workflow("Interpreter", args=[program, [], None], id=name)
        return result["done"]

    async def step_tell(self, target: str, value: str) -> str:
        try:
            await workflow.get_external_workflow_handle(target).signal("poke", value)
        except ApplicationError:
            return "nobody"
        return "told"

    async def step_summon(self, name: str, value: str) -> str:
        """Signal a workflow that waits for just that signal, if it has to be started for it."""
        await workflow.signal_with_start_workflow(
            "Interpreter",
            args=[[], [value], None],
            id=name,
            task_queue=workflow.info().task_queue,
            signal="poke",
            signal_args=value,
        )
        return "summoned"

    async def step_patched(self, value: int) -> int:
        return await self.step_eager(value)


class _Messages(Interpreter):
    @workflow.signal
    async def poke(self, value: str, ballast: str = "") -> None:
        self.got.append(value)

    @workflow.update
    async def add(self, value: int) -> int:
        result = await workflow.execute_activity(double, value, start_to_close_timeout=SHORT, retry_policy=RETRIES)
        self.sums.append(value)
        return result

    @workflow.update
    def note(self, value: int) -> int:
        self.sums.append(value)
        return value

    @note.validator
    def not_negative(self, value: int) -> None:
        if value < 0:
            raise ValueError("negative")

    @workflow.query
    def seen(self) -> list[str]:
        return self.got


@workflow.defn(name="Interpreter")
class Version1(_Messages):
    @workflow.run
    async def run(self, program: Program, expected: list[str], state: State | None) -> dict[str, Any]:
        return await self.interpret(program, expected, state)


@workflow.defn(name="Interpreter")
class Version2(_Messages):
    """A later deployment: a patched step takes two steps."""

    @workflow.run
    async def run(self, program: Program, expected: list[str], state: State | None) -> dict[str, Any]:
        return await self.interpret(program, expected, state)

    async def step_patched(self, value: int) -> int:
        if workflow.patched("two steps"):
            await self.step_eager(value)
        return await self.step_eager(value)


# --- what may come of it ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OneOf:
    """Any of several results."""

    choices: tuple[Any, ...]

    def __eq__(self, other: object) -> bool:
        return other in self.choices

    __hash__ = None  # type: ignore[assignment]


def expectation(program: Program) -> list[Any]:
    """What the steps of a program, all of its runs together, may give."""
    return [_expected(step) for step in program if step[0] != "new"]


def _expected(step: Step) -> Any:
    match step:
        case ["eager" | "slow" | "local" | "dispatched" | "flaky" | "outside" | "patched", value, *_]:
            return 2 * value
        case ["large", value, _]:
            return large_text(value).swapcase()
        case ["ballast", text]:
            return len(text)
        case ["hopeless"]:
            return "Hopeless"
        case ["counting", limit]:
            return limit
        case ["cancelled", _]:
            return "cancelled"
        case ["sleep", _]:
            return "slept"
        case ["all", steps]:
            return [_expected(inner) for inner in steps]
        case ["race", _]:
            return OneOf(("timer", "signal"))
        case ["child", program]:
            return expectation(program)
        case ["summon", *_]:
            return "summoned"
        case ["tell", *_]:
            return OneOf(("told", "nobody"))
    raise AssertionError(step)


# --- generation -------------------------------------------------------------------------------------------------------


def random_program(source: random.Random, *, depth: int = 0, target: str = "") -> Program:
    """A program of a few steps."""
    return [random_step(source, depth, target) for _ in range(source.randint(1, 4 if depth == 0 else 2))]


def random_step(source: random.Random, depth: int, target: str) -> Step:
    """A step; those that hold others only near the top."""
    value = source.randint(1, 50)
    kinds = ["eager"] * 3 + ["slow", "local", "dispatched", "flaky", "sleep", "race", "hopeless", "counting"]
    kinds += ["outside", "cancelled", "patched"]
    if depth == 0:
        kinds += ["all", "all", "child", "new", "new"]
    if target:
        kinds += ["tell", "tell", "tell", "summon"]
    kind = source.choice(kinds)
    match kind:
        case "flaky":
            return [kind, value, source.randint(1, 2), source.random() < 0.5]
        case "sleep":
            return [kind, source.choice((0.5, 2, 20, 100, 1000, 5000))]
        case "race":
            return [kind, source.choice((1, 5, 30))]
        case "hopeless" | "new":
            return [kind]
        case "counting":
            return [kind, source.randint(1, 4)]
        case "cancelled":
            return [kind, source.randint(0, 4)]
        case "all":
            return [kind, [random_step(source, depth + 1, target) for _ in range(source.randint(2, 4))]]
        case "child":
            return [kind, random_program(source, depth=depth + 1, target=target)]
        case "tell":
            return [kind, target, f"t{value}-{source.randrange(10**6)}"]
        case "summon":
            return [kind, f"summoned-{value % 2}", f"s{value}-{source.randrange(10**6)}"]
    return [kind, value]


def with_large_payloads(program: Program, source: random.Random) -> Program:
    """A program with steps that have large arguments and results, and that may be large itself."""
    steps = list(program)
    for _ in range(source.randint(1, 2)):
        large: Step = ["large", source.randint(1, 50), source.random() < 0.3]
        shapes: list[Step] = [large, large, ["child", [large]], ["all", [large, ["large", 0, False]]]]
        steps.insert(source.randint(0, len(steps)), source.choice(shapes))
    if source.random() < 0.3:
        steps.insert(source.randint(0, len(steps)), ["ballast", large_text(0)])
    return steps
