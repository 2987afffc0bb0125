"""A deployment in which every request waits until it is told what becomes of it: nothing is left to latencies.

When nothing can run, whoever directs the world is shown all that may happen next: each request that waits can be
carried out, its process can die before that or before it ends, its answer can be lost; a message that is sent can be
delivered twice; time can pass. A process is known by what it was called with and told since, a message by what it says:
orders that differ in names alone lead to equal states.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from durability._aws.callers import AwsError
from durability._memory.time import VirtualTimeLoop
from durability._runtime.gateway import Gateway
from durability._runtime.registry import WorkflowRegistry
from durability._runtime.settings import Settings
from tests.simulation.log import Accepted, Appended, Begun
from tests.simulation.plan import Plan
from tests.simulation.processes import Died, Process, current_process
from tests.simulation.queues import RECEIVES, Queue
from tests.simulation.steps import CONTAINERS, NOTHING, TIME, Bounds, Fate, Footprint, Step, footprint_of
from tests.simulation.table import Item, Key
from tests.simulation.world import Container, World

T = TypeVar("T")

SHORTLY: Final = 30.0
"""Seconds: what falls due within them may come before a request that waits; the deadline of an invocation may not."""


@dataclass(eq=False)
class Actor(Process):
    """A process, and all that it has been told so far: what it does next depends on nothing else.

    Attributes:
        name: Its own, which says what caused it.
        told: A digest of what it was called with, and of every answer and random number that it had since, and when.
    """

    name: str = ""
    told: bytes = b""
    requests: int = 0
    sent: int = 0
    drawn: int = 0

    def hear(self, *what: object) -> None:
        """Take note of something."""
        self.told = _digest(self.told, *what)


@dataclass(eq=False)
class Held:
    """A request that waits."""

    actor: Actor
    number: int
    operation: str
    footprint: Footprint
    fates: tuple[Fate, ...]
    future: asyncio.Future[Fate]
    told_apart: bool

    @property
    def name(self) -> str:
        """Names the request to a reader."""
        return f"{self.actor.name}:{self.number} {self.operation}"

    @property
    def key(self) -> str:
        """Names the request in all orders of events."""
        key = f"{self.actor.told.hex()}:{self.number}"
        return f"{key} {self.name}" if self.told_apart else key

    def step(self, fate: Fate = Fate.DONE) -> Step:
        """What may become of it."""
        name = self.name if fate is Fate.DONE else f"{self.name}, {fate.value}"
        # Who dies instead touches nothing.
        footprint = NOTHING if fate is Fate.CRASH else self.footprint
        return Step(name, self.key, self.actor.told.hex(), footprint, fate)


class _Loop(VirtualTimeLoop):
    """Asks before time passes."""

    idle: Callable[[float], bool]

    def skip(self, seconds: float) -> None:
        if not self.idle(seconds):
            super().skip(seconds)


class _Marks(random.Random):
    """Random numbers that depend on the process and on how many it has drawn."""

    def randbytes(self, n: int) -> bytes:
        actor = current_process()
        if not isinstance(actor, Actor):
            return hashlib.shake_128(b"world").digest(n)
        actor.drawn += 1
        drawn = hashlib.shake_128(f"{actor.name}/{actor.drawn}".encode()).digest(n)
        actor.hear(drawn)
        return drawn


@dataclass(eq=False)
class _Parcel:
    """A message on a queue."""

    name: str
    body: str
    due: float
    receives: int = 0
    failures: int = 0

    def state(self, now: float) -> tuple[str, float, int]:
        """What matters of it from now on: not how often it was received, unless that is about to be too often."""
        return self.body, max(0.0, self.due - now), self.failures


class _Queue(Queue):
    """Delivers each message by itself: at once, when it is due, and again at once when its process died."""

    world: SteppedWorld

    def __init__(self, world: SteppedWorld, function: str) -> None:
        super().__init__(world, function, 1)
        self._room = asyncio.Semaphore(world.bounds.executors) if world.bounds.executors else nullcontext()
        self._body = ""

    def send(self, body: str, delay: float) -> None:
        """Accept a message."""
        sender = current_process()
        name = f"schedule@{self.world.loop.time()}"
        if isinstance(sender, Actor):
            sender.sent += 1
            name = f"{sender.name}.{sender.sent}"
        parcel = _Parcel(name, body, self.world.loop.time() + delay)
        self.world.parcels[name] = parcel
        if delay:
            self.world.loop.call_later(delay, self._arrive, parcel)
        else:
            self._arrive(parcel)

    def _arrive(self, parcel: _Parcel) -> None:
        self.world.spawn(self._serve(parcel))

    async def _serve(self, parcel: _Parcel) -> None:
        world = self.world
        while parcel.receives < RECEIVES:
            parcel.receives += 1
            async with self._room:
                self._check_order(parcel)
                if await self._delivered(parcel, f"{parcel.name}#{parcel.receives}"):
                    break
        else:
            world.dead_letters.append(parcel.name)
        del world.parcels[parcel.name]

    def _check_order(self, parcel: _Parcel) -> None:
        """Where some wait until others have been served, it must not matter which."""
        self._body = self._body or parcel.body
        if self.world.bounds.executors and parcel.body != self._body:
            raise RuntimeError(f"no configuration for a bound on executors: {parcel.body} is not {self._body}")

    async def _delivered(self, parcel: _Parcel, name: str) -> bool:
        world = self.world
        if world.bounds.warm:
            await world.turn(Actor(0, "delivery", name=name, told=_digest(parcel.body)), "deliver", CONTAINERS)
        world.next_name = name
        try:
            answer = await world.invoke(self.function, {"Records": [{"messageId": parcel.name, "body": parcel.body}]})
        except Died:
            return False
        failed = bool(answer["batchItemFailures"])
        parcel.failures += failed
        return not failed


class SteppedWorld(World):
    """The deployment, and what may happen in it next.

    Attributes:
        direct: Chooses one of the steps that it is shown; None to go no further.
        over: Says, when nothing waits, whether everything is over.
        reduced: Whether a request that nothing else meets is carried out before all others, and only one of equal
            processes goes on.
        ended: Set when everything is over; False if it went no further.
    """

    def __init__(
        self,
        versions: Mapping[int, WorkflowRegistry],
        activities: list[Callable[..., Any]],
        bounds: Bounds,
        direct: Callable[[SteppedWorld, list[Step]], Step | None],
        over: Callable[[SteppedWorld], bool],
        *,
        reduced: bool = True,
    ) -> None:
        loop = _Loop()
        # A run is overdue as soon as it is awake: the reconciler may find it at any moment.
        super().__init__(versions, activities, Plan(), Settings(overdue=-1), loop)
        loop.idle = self._idle
        loop.set_exception_handler(_ignore_the_dead)
        self.random = _Marks()
        self.bounds = bounds
        self.direct = direct
        self.over = over
        self.reduced = reduced
        self.ended: asyncio.Future[bool] = loop.create_future()
        self.faults_left = bounds.faults
        self.jumps_left = bounds.jumps
        self.held: list[Held] = []
        self.actors: dict[str, Actor] = {}
        self.resting: dict[str, float] = {}
        self.parcels: dict[str, _Parcel] = {}
        self.dead_letters: list[str] = []
        self.next_name = ""
        self.queues = {name: _Queue(self, name) for name in self.queues}
        self._digests: dict[Key, bytes] = {}
        self._memories: dict[Container, bytes] = {}
        self.table.observers.append(self._wrote)

    # --- what may happen ----------------------------------------------------------------------------------------------

    def _idle(self, seconds: float) -> bool:
        """Nothing can run: let something happen. False if time is to pass."""
        if self.calm or self.ended.done():
            return False
        self.held = [held for held in self.held if not held.future.done()]
        if not self.held:
            if not self.over(self):
                return False
            self.ended.set_result(True)
            return True
        try:
            step = self.direct(self, self.steps(seconds))
        except Exception as error:  # comes out where there is somebody to end all that runs
            self.ended.set_exception(error)
            return True
        if step is None:
            self.ended.set_result(False)
        elif step is TIME:
            self.jumps_left -= 1
            self.happened[step.name] += 1
            return False
        else:
            self._take(step)
        return True

    def steps(self, seconds: float) -> list[Step]:
        """Everything that may happen now, up to the order of what commutes with all else."""
        self.held.sort(key=lambda held: (held.key, held.name))
        jump = self.jumps_left > 0 and seconds <= SHORTLY
        held = self._different() if jump or not self.reduced else self._first()
        faults = self.bounds.kinds if self.faults_left else ()
        # What goes wrong comes first: a crash commutes with all that others do, and need not be tried after it again.
        found = [one.step(fate) for one in held for fate in one.fates if fate in faults]
        found += [one.step() for one in held]
        return [*found, TIME] if jump else found

    def _first(self) -> list[Held]:
        """A request that nothing else meets, if its process waits for nothing else; or all requests."""
        waiting = Counter(held.actor.name for held in self.held)
        for held in self.held:
            if held.footprint.nothing and waiting[held.actor.name] == 1:
                return [held]
        return self._different()

    def _different(self) -> list[Held]:
        """The requests that wait, one of those that are equal in all but the name."""
        return list({held.key: held for held in reversed(self.held)}.values())[::-1]

    def _take(self, step: Step) -> None:
        held = next(held for held in self.held if held.key == step.request)
        if step.fate is not Fate.DONE:
            self.faults_left -= 1
            self.happened[step.fate.value] += 1
        if step.fate is Fate.CRASH:
            held.future.cancel()
            held.actor.die()
        else:
            held.future.set_result(step.fate)

    async def turn(self, actor: Actor, operation: str, footprint: Footprint, *fates: Fate) -> Fate:
        """Wait until it is this request's turn."""
        actor.requests += 1
        future: asyncio.Future[Fate] = self.loop.create_future()
        self.held.append(Held(actor, actor.requests, operation, footprint, fates, future, not self.reduced))
        return await future

    # --- requests -----------------------------------------------------------------------------------------------------

    async def request(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One request, carried out when it is told to."""
        actor = current_process()
        assert isinstance(actor, Actor)
        if self.calm:
            return await self.services.carry_out(service, operation, parameters)
        fates = (Fate.CRASH, Fate.LOST, Fate.TWICE) if service == "sqs" else (Fate.CRASH, Fate.LOST)
        while True:
            fate = await self.turn(
                actor, f"{service}.{operation}", footprint_of(service, operation, parameters), *fates
            )
            answer: dict[str, Any] | AwsError
            try:
                answer = await self.services.carry_out(service, operation, parameters)
            except AwsError as error:
                answer = error
            if fate is Fate.TWICE:
                await self.services.carry_out(service, operation, parameters)
            if fate is Fate.LOST:
                actor.hear(self.loop.time(), "nothing")
                continue
            if isinstance(answer, AwsError):
                actor.hear(self.loop.time(), answer.code, answer.response)
                raise answer
            actor.hear(self.loop.time(), answer)
            return answer

    async def point(self, name: str, effect: Callable[[], T]) -> T:
        """Something that an activity does to the world."""
        actor = current_process()
        assert isinstance(actor, Actor)
        await self.turn(actor, name, NOTHING, Fate.CRASH)
        result = effect()
        actor.hear(self.loop.time(), name)
        return result

    # --- processes ----------------------------------------------------------------------------------------------------

    def _new_process(self, kind: str) -> Process:
        self._processes += 1
        name, self.next_name = self.next_name or f"{kind}@{self.loop.time()}", ""
        return Actor(self._processes, kind, name=name)

    async def run_in(self, process: Process, work: Callable[[], Awaitable[T]]) -> T:
        """Run something in a process. Raises Died."""
        assert isinstance(process, Actor)

        async def to_the_end() -> T:
            result = await work()
            warm = self.bounds.warm and process.kind != "client"
            if not self.calm and (self.faults_left or warm):
                await self.turn(process, "end", CONTAINERS if warm else NOTHING, Fate.CRASH)
            return result

        self.actors[process.name] = process
        try:
            return await super().run_in(process, to_the_end)
        finally:
            del self.actors[process.name]

    async def client(self, call: Callable[[Gateway], Awaitable[T]], **_: Any) -> T:
        """A client's call, made again with the same request id when its process died."""
        task = asyncio.current_task()
        assert task is not None
        gateway, attempt = self.gateway(), 0
        while True:
            attempt += 1
            self.next_name = f"{task.get_name()}#{attempt}"
            process = self._new_process("client")
            assert isinstance(process, Actor)
            process.hear(task.get_name(), self.loop.time())
            try:
                return await self.run_in(process, lambda: call(gateway))
            except Died:
                if self.bounds.retry_after:
                    self.resting[task.get_name()] = self.loop.time() + self.bounds.retry_after
                    await asyncio.sleep(self.bounds.retry_after)
                    del self.resting[task.get_name()]

    def _container(self, function: str) -> Container:
        idle = [container for container in self._containers[function] if not container.busy]
        if idle and self.bounds.warm:
            return max(idle, key=lambda container: self._memories.get(container, b""))
        container = Container(function, self.version, self._handler(function))
        self._containers[function].append(container)
        return container

    def _handler(self, function: str) -> Callable[[Any, Any], Awaitable[Any]]:
        handler = super()._handler(function)
        served = b""

        async def serve(event: Any, context: Any) -> Any:
            nonlocal served
            actor = current_process()
            assert isinstance(actor, Actor)
            bodies = [record["body"] for record in event.get("Records", ())] or event
            actor.hear(function, served, bodies, self.loop.time())
            answer = await handler(event, context)
            served = actor.told
            self._memories[next(c for c in self._containers[function] if c.handler is serve)] = served
            return answer

        return serve

    def _identity(self, function: str) -> str:
        """The same for all: it is recorded for those who read a history, and nothing depends on it."""
        return function

    # --- states -------------------------------------------------------------------------------------------------------

    def _wrote(self, key: Key, before: Item | None, after: Item | None) -> None:
        if after is None:
            self._digests.pop(key, None)
        else:
            self._digests[key] = _digest(sorted(after.items()))

    def state(self) -> bytes:
        """A digest of everything on which it depends what can happen from here, and what the checks will say of it.

        All but how much may still go wrong.
        """
        idle = [c for containers in self._containers.values() for c in containers if not c.busy]
        now = self.loop.time()
        return _digest(
            now,
            self.jumps_left,
            sorted(self._digests.items()),
            sorted(actor.told for actor in self.actors.values()),
            sorted(held.key for held in self.held),
            sorted(parcel.state(now) for parcel in self.parcels.values()),
            sorted(self.resting.items()),
            len(self.dead_letters),
            sorted(self._memories.get(container, b"") for container in idle) if self.bounds.warm else (),
            sorted(map(_summary, self.log.entries)),
        )


def _ignore_the_dead(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Nobody hears how what a process was waiting for ended when the process died."""
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


def _summary(entry: object) -> str:
    match entry:
        case Appended(partition, run_id, sequence, _, time):
            return f"{partition} {run_id} {sequence} {time}"
        case Accepted() | Begun():
            return f"{entry} {entry.time}"
    return repr(entry)


def _digest(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()
