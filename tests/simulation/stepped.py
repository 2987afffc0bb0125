"""A deployment in which every request waits until it is told what becomes of it: nothing is left to latencies.

When nothing can run, whoever directs the world is shown all that may happen next: each request that waits can be
carried out, its process can die before or after that, its answer can be lost; a message that is sent can be delivered
twice; time can pass. Names of processes, messages and random numbers go back to what caused them and not to the order
in which they came about: equivalent orders lead to equal states.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeVar

from durability._aws import items
from durability._aws.callers import AwsError
from durability._memory.time import VirtualTimeLoop
from durability._runtime.gateway import Gateway
from durability._runtime.ports import WorkflowKey
from durability._runtime.registry import WorkflowRegistry
from durability._runtime.settings import Settings
from tests.simulation.log import Accepted, Appended, Begun
from tests.simulation.table import Item, Key
from tests.simulation.world import NAMESPACE, RECEIVES, Container, Died, Plan, Process, Queue, World, current_process

T = TypeVar("T")

SHORTLY: Final = 30.0
"""Seconds: what falls due within them may come before a request that waits; the deadline of an invocation may not."""
_HEADS: Final = (items.ATTENTION_INDEX, items.HEAD)


class Fate(Enum):
    """What becomes of a request."""

    DONE = "done"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    LOST = "answer lost"
    TWICE = "delivered twice"


@dataclass(frozen=True)
class Footprint:
    """Which items a request reads and writes; a sort key of ``*`` stands for a whole partition."""

    reads: frozenset[Key] = frozenset()
    writes: frozenset[Key] = frozenset()

    @property
    def nothing(self) -> bool:
        """Whether it touches nothing that another request could."""
        return not self.reads and not self.writes

    def meets(self, other: Footprint) -> bool:
        """Whether it matters which of two comes first."""
        pairs = [(self.writes, other.writes), (self.writes, other.reads), (self.reads, other.writes)]
        return any(_overlap(a, b) for ours, theirs in pairs for a in ours for b in theirs)


def _overlap(a: Key, b: Key) -> bool:
    return a[0] == b[0] and (a[1] == b[1] or "*" in (a[1], b[1]))


CONTAINERS: Final = Footprint(writes=frozenset({("containers", "*")}))


@dataclass(eq=False)
class Actor(Process):
    """A process with a name that says what caused it, and all that it has been told so far."""

    name: str = ""
    told: bytes = b""
    requests: int = 0
    sent: int = 0
    drawn: int = 0

    def hear(self, answer: object, time: float) -> None:
        """Take note of an answer: what a process does next depends on nothing else."""
        self.told = _digest(self.told, time, answer)


@dataclass(eq=False)
class Held:
    """A request that waits."""

    actor: Actor
    number: int
    operation: str
    footprint: Footprint
    fates: tuple[Fate, ...]
    future: asyncio.Future[Fate]

    @property
    def name(self) -> str:
        """Names the request in all orders of events."""
        return f"{self.actor.name}:{self.number} {self.operation}"


@dataclass(frozen=True)
class Step:
    """Something that may happen next; without a request, time passes."""

    name: str
    process: str = ""
    footprint: Footprint = field(default_factory=Footprint)
    fate: Fate = Fate.DONE

    def commutes(self, other: Step) -> bool:
        """Whether the two lead to the same state in either order."""
        if not self.process or not other.process or self.process == other.process:
            return False
        if self.fate is not Fate.DONE and other.fate is not Fate.DONE:
            return False
        return not self.footprint.meets(other.footprint)


TIME: Final = Step("time passes")


@dataclass(frozen=True)
class Bounds:
    """How much may go wrong.

    Attributes:
        faults: How many, of the kinds in ``kinds``.
        jumps: How often time may pass while requests wait.
        retry_after: Seconds after which a client that died tries again.
        warm: Whether a container serves one invocation after another.
    """

    faults: int = 0
    kinds: tuple[Fate, ...] = (Fate.CRASH_BEFORE, Fate.CRASH_AFTER)
    jumps: int = 0
    retry_after: float = 0.0
    warm: bool = False


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
        name = "world"
        if isinstance(actor, Actor):
            actor.drawn += 1
            name = f"{actor.name}/{actor.drawn}"
        return hashlib.shake_128(name.encode()).digest(n)


@dataclass(eq=False)
class _Parcel:
    """A message on a queue."""

    name: str
    body: str
    due: float
    copies: int = 1
    receives: int = 0


class _Queue(Queue):
    """Delivers each message by itself: at once, when it is due, and again at once when its process died."""

    world: SteppedWorld

    def send(self, body: str, delay: float) -> None:
        """Accept a message."""
        sender = current_process()
        name = f"schedule@{self.world.loop.time()}"
        if isinstance(sender, Actor):
            sender.sent += 1
            name = f"{sender.name}.{sender.sent}"
        self.deliver(name, body, delay)

    def deliver(self, name: str, body: str, delay: float) -> None:
        """Put a message where it will be received."""
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
        event = {"Records": [{"messageId": parcel.name, "body": parcel.body}]}
        while parcel.receives < RECEIVES:
            parcel.receives += 1
            name = f"{parcel.name}#{parcel.receives}"
            if world.bounds.warm:
                await world.turn(Actor(0, "delivery", name=name), "deliver", CONTAINERS)
            world.next_name = name
            try:
                answer = await world.invoke(self.function, event)
            except Died:
                continue
            if not answer["batchItemFailures"]:
                break
        else:
            world.dead_letters.append(parcel.name)
        del world.parcels[parcel.name]


class SteppedWorld(World):
    """The deployment, and what may happen in it next.

    Attributes:
        direct: Chooses one of the steps that it is shown; None to go no further.
        over: Says, when nothing waits, whether everything is over.
        reduced: Whether a request that nothing else meets is carried out before all others.
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
        self.queues = {name: _Queue(self, name, 1) for name in self.queues}
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
        self.held.sort(key=lambda held: held.name)
        jump = self.jumps_left > 0 and seconds <= SHORTLY
        held = self.held if jump or not self.reduced else self._first()
        found = [Step(one.name, one.actor.name, one.footprint) for one in held]
        if self.faults_left:
            found += [
                Step(f"{one.name}, {fate.value}", one.actor.name, one.footprint, fate)
                for one in held
                for fate in one.fates
                if fate in self.bounds.kinds
            ]
        return [*found, TIME] if jump else found

    def _first(self) -> list[Held]:
        """A request that nothing else meets, if its process waits for nothing else; or all requests."""
        waiting = Counter(held.actor.name for held in self.held)
        for held in self.held:
            if held.footprint.nothing and waiting[held.actor.name] == 1:
                return [held]
        return self.held

    def _take(self, step: Step) -> None:
        name = step.name.removesuffix(f", {step.fate.value}")
        held = next(held for held in self.held if held.name == name)
        if step.fate is not Fate.DONE:
            self.faults_left -= 1
            self.happened[step.fate.value] += 1
        if step.fate is Fate.CRASH_BEFORE:
            held.future.cancel()
            held.actor.die()
        else:
            held.future.set_result(step.fate)

    async def turn(self, actor: Actor, operation: str, footprint: Footprint, *fates: Fate) -> Fate:
        """Wait until it is this request's turn."""
        actor.requests += 1
        future: asyncio.Future[Fate] = self.loop.create_future()
        self.held.append(Held(actor, actor.requests, operation, footprint, fates, future))
        return await future

    # --- requests -----------------------------------------------------------------------------------------------------

    async def request(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One request, carried out when it is told to."""
        actor = current_process()
        assert isinstance(actor, Actor)
        if self.calm:
            return await self._carry_out(service, operation, parameters)
        fates = (Fate.CRASH_BEFORE, Fate.CRASH_AFTER, Fate.LOST)
        if service == "sqs":
            fates += (Fate.TWICE,)
        while True:
            fate = await self.turn(
                actor, f"{service}.{operation}", footprint_of(service, operation, parameters), *fates
            )
            answer: dict[str, Any] | AwsError
            try:
                answer = await self._carry_out(service, operation, parameters)
            except AwsError as error:
                answer = error
            if fate is Fate.TWICE:
                await self._carry_out(service, operation, parameters)
            if fate is Fate.CRASH_AFTER:
                self._crash(actor)
            if fate is Fate.LOST:
                actor.hear("nothing", self.loop.time())
                continue
            if isinstance(answer, AwsError):
                actor.hear((answer.code, answer.response), self.loop.time())
                raise answer
            actor.hear(answer, self.loop.time())
            return answer

    async def point(self, name: str, effect: Callable[[], T]) -> T:
        """Something that an activity does to the world."""
        actor = current_process()
        assert isinstance(actor, Actor)
        fate = await self.turn(actor, name, Footprint(), Fate.CRASH_BEFORE, Fate.CRASH_AFTER)
        result = effect()
        actor.hear(name, self.loop.time())
        if fate is Fate.CRASH_AFTER:
            self._crash(actor)
        return result

    # --- processes ----------------------------------------------------------------------------------------------------

    def _new_process(self, kind: str) -> Process:
        self._processes += 1
        name, self.next_name = self.next_name or f"{kind}@{self.loop.time()}", ""
        return Actor(self._processes, kind, name=name)

    async def run_in(self, process: Process, work: Callable[[], Awaitable[T]]) -> T:
        """Run something in a process. Raises Died."""
        assert isinstance(process, Actor)
        self.actors[process.name] = process
        try:
            return await super().run_in(process, work)
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
            try:
                return await self.run_in(self._new_process("client"), lambda: call(gateway))
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
            actor.told = _digest(actor.told, served)
            answer = await handler(event, context)
            if self.bounds.warm and not self.calm:
                await self.turn(actor, "end", CONTAINERS, Fate.CRASH_BEFORE)
            served = actor.told
            self._memories[next(c for c in self._containers[function] if c.handler is serve)] = served
            return answer

        return serve

    def _identity(self, function: str) -> str:
        return f"{function}/{hashlib.blake2b(self.next_name.encode(), digest_size=4).hexdigest()}"

    # --- states -------------------------------------------------------------------------------------------------------

    def _wrote(self, key: Key, before: Item | None, after: Item | None) -> None:
        if after is None:
            self._digests.pop(key, None)
        else:
            self._digests[key] = _digest(sorted(after.items()))

    def state(self) -> bytes:
        """A digest of everything on which it depends what can happen from here, and what the checks will say of it."""
        idle = [c for containers in self._containers.values() for c in containers if not c.busy]
        return _digest(
            self.loop.time(),
            self.faults_left,
            self.jumps_left,
            sorted(self._digests.items()),
            sorted((actor.name, actor.told) for actor in self.actors.values()),
            sorted(held.name for held in self.held),
            sorted((parcel.name, parcel.due, parcel.receives) for parcel in self.parcels.values()),
            sorted(self.resting.items()),
            sorted(self.dead_letters),
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


def footprint_of(service: str, operation: str, parameters: dict[str, Any]) -> Footprint:
    """What a request reads and writes. Messages go into a bag: nothing that others do changes with them."""
    if service == "scheduler":
        return Footprint(writes=frozenset({("schedule", parameters["Name"])}))
    if service != "dynamodb":
        return Footprint()
    if operation == "get_item":
        return Footprint(reads=frozenset({_key(parameters["Key"])}))
    if operation == "query":
        values = parameters["ExpressionAttributeValues"]
        if "IndexName" not in parameters:
            partition = next(value["S"] for value in values.values() if value.get("S", "").startswith(f"{NAMESPACE}#"))
            return Footprint(reads=frozenset({(partition, "*")}))
        mine = values.get(":shard") == {"S": items.attention_shard(WorkflowKey(NAMESPACE, "w"))}
        return Footprint(reads=frozenset({_HEADS}) if mine else frozenset())
    if operation == "transact_write_items":
        keys = {_key(entry["Put"]["Item"]) for entry in parameters["TransactItems"]}
    elif operation == "batch_write_item":
        [requests] = parameters["RequestItems"].values()
        keys = {_key(*(p.get("Key") or p["Item"] for p in request.values())) for request in requests}
    else:
        keys = {_key(parameters["Key"] if "Key" in parameters else parameters["Item"])}
    if any(sort == items.HEAD for _, sort in keys):
        keys |= {_HEADS}
    return Footprint(writes=frozenset(keys))


def _key(item: Item) -> Key:
    return item[items.PARTITION]["S"], item[items.SORT]["S"]
