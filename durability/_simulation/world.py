"""A deployment in virtual time whose processes die, freeze and are deployed anew, and whose services misbehave.

Everything above the requests is what ships: handlers, engine, adapters. Below are twins of the table, the queues, the
scheduler and Lambda. Every request is a point at which something may happen; what happens where is a plan, so that a
scenario can be repeated, and made smaller.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeVar

from durability._aws import items
from durability._aws.callers import AwsError
from durability._aws.connect import AwsPorts, Deployment, aws_ports
from durability._aws.handlers import activity_handler, reconciler_handler, workflow_handler
from durability._memory.time import VirtualTimeLoop
from durability._runtime.engine import Engine
from durability._runtime.gateway import Gateway
from durability._runtime.large_payloads import LargePayloads
from durability._runtime.registry import WorkflowRegistry
from durability._runtime.sessions import Sessions
from durability._runtime.settings import Settings
from durability._simulation.expressions import Item
from durability._simulation.log import Log
from durability._simulation.plan import Fault, Plan
from durability._simulation.processes import Alone, Died, NoProgressError, Process, process_of, task_factory
from durability._simulation.queues import LATENCIES, Queue
from durability._simulation.services import Services
from durability._simulation.table import Key, Table
from durability.activity._runner import ActivityRunner
from durability.service import RPCError, RPCStatusCode

T = TypeVar("T")

TIMEOUT: Final = 60.0
RECONCILER_PERIOD: Final = 60.0
"""Seconds: as in the template."""
INLINE: Final = 2_000
"""Bytes of payloads that an event keeps in the table: fewer than in a function, so that what is moved is not large."""
MOST_REQUESTS: Final = 5_000
"""More than the longest scenario makes by far."""
ATTEMPTS: Final = 8
"""Tries of one request, as in ``durability._aws.callers``."""
NAMESPACE: Final = "default"
DEPLOYMENT: Final = Deployment(
    namespace=NAMESPACE,
    table="table",
    workflow_queue_url="workflow",
    workflow_queue_arn="workflow",
    activity_queue_url="activity",
    schedule_group="group",
    schedule_role_arn="role",
    workflow_function="workflow",
    bucket="bucket",
    task_queue="queue",
    worker_queue_prefix="",
    other_task_queues="FUNCTIONS",
    kms_key="",
)
_BATCH: Final = 10
_GRACE: Final = 4
"""Requests that a process which was frozen beyond its deadline may still send before it is ended."""


_world: ContextVar[World] = ContextVar("_world")


@dataclass(eq=False)
class Container:
    """An execution environment of a function."""

    function: str
    version: int
    handler: Callable[[Any, Any], Awaitable[Any]]
    sessions: Sessions
    busy: bool = False


class _Requests:
    """A ``Caller`` whose requests go to the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self._world.request(service, operation, parameters)

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Code:
    """A version of the code that the functions run; each container has a runner of its own."""

    registry: WorkflowRegistry
    runner: Callable[[], ActivityRunner]


@dataclass(frozen=True)
class InvocationContext:
    world: World
    deadline: float

    def get_remaining_time_in_millis(self) -> int:
        return int((self.deadline - self.world.loop.time()) * 1000)


class World:
    """The deployment.

    Attributes:
        log: What took effect, in order.
        points: The points so far, by name, in order.
        happened: How often which fault happened.
        leftovers: Invocations that answered while something of theirs was still running.
    """

    def __init__(
        self,
        versions: Mapping[int, Code],
        plan: Plan,
        settings: Settings | None = None,
        loop: VirtualTimeLoop | None = None,
        most_requests: int = MOST_REQUESTS,
    ) -> None:
        self.plan = plan
        apart_from = 0 if plan.apart else Settings().apart_from
        self.settings = settings or Settings(inline_limit=INLINE, apart_from=apart_from)
        self.random = random.Random(plan.seed)
        self.loop = loop or Alone()
        self.log = Log()
        self.happened: Counter[str] = Counter()
        self.points: list[str] = []
        self.errors: list[BaseException] = []
        self.leftovers: list[str] = []
        self.messages = 0
        self.requests = 0
        self.calm = False
        self.version = 1
        self.versions = versions
        self.table = Table(self.loop.milliseconds, self._lag, plan.page_limit, [self.log.wrote, self._changed])
        self.queues = {
            "workflow": Queue(self, "workflow", _BATCH),
            "activity": Queue(self, "activity", 1),
        }
        self.services = Services(self)
        self._awaited: dict[Key, asyncio.Event] = {}
        self._most_requests = most_requests
        self._processes = 0
        self._containers: dict[str, list[Container]] = {"workflow": [], "activity": [], "reconciler": []}
        self._caller = _Requests(self)
        self._spawned: set[asyncio.Task[Any]] = set()
        self._scenario: asyncio.Task[Any] | None = None
        self._given_up = ""
        self.log.time = self.loop.time
        self.log.process = lambda: process.number if (process := process_of.get()) is not None else 0

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self, scenario: Callable[[World], Coroutine[Any, Any, T]]) -> T:
        """Run a scenario from beginning to end, in virtual time."""
        with _reproducible(self.random):
            try:
                return self.loop.run_until_complete(self._run(scenario))
            finally:
                self.loop.close()

    async def _run(self, scenario: Callable[[World], Coroutine[Any, Any, T]]) -> T:
        _world.set(self)
        self.loop.set_task_factory(task_factory)
        self.spawn(self._reconcile())
        if self.plan.deployed_at:
            self.loop.call_later(self.plan.deployed_at, self._deploy)
        task = self.spawn(scenario(self))
        self._scenario = task
        try:
            return await task
        except (Exception, asyncio.CancelledError):
            if self._given_up:  # what the scenario made of its cancellation tells nobody anything
                raise NoProgressError(self._given_up) from None
            raise
        finally:
            rest = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
            for each in rest:
                each.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            for container in chain.from_iterable(self._containers.values()):
                container.sessions.clear()

    def give_up(self, why: str) -> None:
        """End the scenario, which will not end by itself, with a NoProgressError."""
        self._given_up = self._given_up or why
        if self._scenario is not None:
            self._scenario.cancel()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Let something go on by itself, as a part of no process."""
        task = self.task_of(None, work)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        task.add_done_callback(self._note_error)
        return task

    def _note_error(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.errors.append(task.exception())  # type: ignore[arg-type]

    def task_of(self, process: Process | None, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Let something go on as a part of a process."""
        context = copy_context()
        context.run(process_of.set, process)
        return self.loop.create_task(work, context=context)

    async def _reconcile(self) -> None:
        while True:
            await asyncio.sleep(RECONCILER_PERIOD)
            if not self._anything_overdue():
                continue
            try:
                await self.invoke("reconciler", {})
            except Died:
                continue
            except Exception as error:  # it comes again in a minute, whatever it was
                self.happened[f"reconciler: {type(error).__name__}"] += 1

    def _anything_overdue(self) -> bool:
        """Whether the reconciler could find anything: its other rounds are left out."""
        latest = self.loop.milliseconds() + round(1000 * (1 + self.plan.skew)) - self.settings.overdue
        since = self.loop.milliseconds() - round(1000 * self.plan.lag)
        return self.table.shows(items.ATTENTION_INDEX, latest, since)

    def _deploy(self) -> None:
        self.version = 2
        for containers in self._containers.values():
            containers[:] = [container for container in containers if container.busy]

    def _changed(self, key: Key, before: Item | None, after: Item | None) -> None:
        if key in self._awaited:
            self._awaited.pop(key).set()

    async def change_of(self, key: Key, seconds: float) -> None:
        """Wait until an item is written. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            await self.next_change(key).wait()

    def next_change(self, key: Key) -> asyncio.Event:
        """Set when an item is written the next time."""
        return self._awaited.setdefault(key, asyncio.Event())

    def _lag(self) -> int:
        return int(self.random.random() * self.plan.lag * 1000)

    # --- processes ----------------------------------------------------------------------------------------------------

    def _new_process(self, kind: str) -> Process:
        self._processes += 1
        return Process(self._processes, kind)

    async def run_in(self, process: Process, work: Callable[[], Awaitable[T]]) -> T:
        """Run something in a process. Raises Died."""

        async def body() -> T:
            return await work()

        task = self.task_of(process, body())
        try:
            return await task
        except asyncio.CancelledError:
            if process.dead:
                raise Died from None
            task.cancel()
            raise

    async def invoke(self, function: str, event: Any) -> Any:
        """Invoke a function. Raises Died if the process did, or what the handler raised."""
        container = self._container(function)
        container.busy = True
        process = self._new_process(function)
        deadline = self.loop.time() + TIMEOUT
        watch = self.loop.call_at(deadline, self._end, process)
        try:
            answer = await self.run_in(process, lambda: container.handler(event, InvocationContext(self, deadline)))
            if process.thawed is not None:
                await process.thawed.wait()
        except Died:
            if container in self._containers[function]:
                self._containers[function].remove(container)
            container.sessions.clear()
            raise
        finally:
            container.busy = False
            watch.cancel()
        running = [task for task in process.tasks if not task.done()]
        if running and not process.was_frozen:
            self.leftovers.append(f"{function} answered while {running[0].get_coro()} was running")
        if container.version != self.version and container in self._containers[function]:
            self._containers[function].remove(container)
        return answer

    def _end(self, process: Process) -> None:
        """The deadline."""
        if process.thawed is not None:
            process.grace = self.random.randint(0, _GRACE)
            return
        self.happened["deadline"] += 1
        process.die()

    def _container(self, function: str) -> Container:
        idle = [c for c in self._containers[function] if not c.busy and c.version == self.version]
        if idle and self.random.random() > 0.2:
            return self.random.choice(idle)
        container = Container(function, self.version, *self._handler(function))
        self._containers[function].append(container)
        return container

    def _handler(self, function: str) -> tuple[Callable[[Any, Any], Awaitable[Any]], Sessions]:
        skew = round(self.random.uniform(-self.plan.skew, self.plan.skew) * 1000)
        code = self.versions[self.version]
        ports = self.ports()
        engine = Engine(
            namespace=NAMESPACE,
            store=ports.store,
            queue=ports.queue,
            timers=ports.timers,
            invoker=ports.invoker,
            payload_store=ports.payloads,
            payload_options=code.registry.payload_options,
            factory=code.registry.create,
            runner=code.runner(),
            clock=lambda: self.loop.milliseconds() + skew,
            to_failure=code.registry.to_failure,
            settings=self.settings,
            build=str(self.version),
            identity=self._identity(function),
        )
        make = {"workflow": workflow_handler, "activity": activity_handler, "reconciler": reconciler_handler}
        return make[function](engine, lambda coroutine: coroutine), engine.sessions

    def _identity(self, function: str) -> str:
        self._processes += 1
        return f"{function}/{self._processes}"

    def ports(self) -> AwsPorts:
        """New adapters."""
        return aws_ports(self._caller, DEPLOYMENT)

    def gateway(self) -> Gateway:
        """What a client calls."""
        ports = self.ports()
        large = LargePayloads(ports.payloads, self.settings.inline_limit, self.settings.storage_concurrency)
        return Gateway(NAMESPACE, ports.store, ports.queue, ports.invoker, self.loop.milliseconds, large=large)

    async def client(self, call: Callable[[Gateway], Awaitable[T]], *, persistent: bool = True) -> T:
        """A client's call, made again with the same request id when its process died or it was told nothing.

        Raises:
            Died: The process of a client that is not persistent died, or was told nothing.
        """
        gateway = self.gateway()
        while True:
            try:
                return await self.run_in(self._new_process("client"), lambda: call(gateway))
            except Died:
                self.happened["client died"] += 1
            except (OSError, AwsError):
                pass
            except RPCError as error:
                if error.status != RPCStatusCode.UNAVAILABLE:
                    raise
            if not persistent:
                raise Died
            await asyncio.sleep(1)

    # --- faults -------------------------------------------------------------------------------------------------------

    def _fault(self, name: str) -> Fault | None:
        if self.calm:
            return None
        self.points.append(name)
        return self.plan.faults.get(len(self.points))

    def _crash(self, process: Process) -> None:
        process.die()
        raise asyncio.CancelledError

    async def _freeze(self, process: Process) -> None:
        """Nothing of the process gets out for a while; other processes go on."""
        if process.thawed is None:
            process.thawed, process.was_frozen = asyncio.Event(), True
            self.loop.call_later(self.random.choice((5.0, 70.0, 400.0, 700.0)), self._thaw, process)
        await process.thawed.wait()
        process.check()

    def _thaw(self, process: Process) -> None:
        assert process.thawed is not None
        process.thawed.set()
        process.thawed = None

    async def _before(self, process: Process) -> None:
        if process.thawed is not None:
            await process.thawed.wait()
        process.check()
        if process.grace is not None:
            process.grace -= 1
            if process.grace < 0:
                self._crash(process)

    async def point(self, name: str, effect: Callable[[], T]) -> T:
        """Something that a process does to the world, at which it may die or freeze."""
        process = process_of.get()
        assert process is not None
        await self._before(process)
        fault = self._fault(name)
        if fault is not None:
            self.happened[fault.value] += 1
        if fault is Fault.CRASH_BEFORE:
            self._crash(process)
        if fault is Fault.FREEZE_BEFORE:
            await self._freeze(process)
        result = effect()
        if fault in (Fault.CRASH_AFTER, Fault.LOSE_ANSWER, Fault.UNAVAILABLE):
            self._crash(process)
        if fault is Fault.FREEZE_AFTER:
            await self._freeze(process)
        return result

    async def request(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One request with the tries of the client library."""
        self.requests += 1
        if self.requests > self._most_requests:
            self.give_up(f"not over after {self.requests:,} requests")
        process = process_of.get()
        assert process is not None
        unavailable = False
        for attempt in range(1, ATTEMPTS + 1):
            await self._before(process)
            fault = None if unavailable else self._fault(f"{service}.{operation}")
            if fault is not None:
                self.happened[fault.value] += 1
            await self._latency(process)
            if fault is Fault.CRASH_BEFORE:
                self._crash(process)
            if fault is Fault.FREEZE_BEFORE:
                await self._freeze(process)
            unavailable = unavailable or fault is Fault.UNAVAILABLE
            if fault is Fault.THROTTLE or unavailable:
                await asyncio.sleep(self.random.random() * 0.1 * attempt)
                continue
            answer: dict[str, Any] | AwsError
            try:
                answer = await self.services.carry_out(service, operation, parameters)
            except AwsError as error:
                answer = error
            if fault is Fault.CRASH_AFTER:
                self._crash(process)
            if fault is Fault.LOSE_ANSWER:
                await asyncio.sleep(self.random.random() * 0.1 * attempt)
                continue
            await self._latency(process)
            if fault is Fault.FREEZE_AFTER:
                await self._freeze(process)
            if isinstance(answer, AwsError):
                raise answer
            return answer
        raise OSError(f"{service}.{operation}: no answer")

    async def _latency(self, process: Process) -> None:
        at_once = self.plan.at_once
        latency = 0.0 if at_once and self.random.random() < at_once else self.random.choice(LATENCIES)
        if latency:
            await asyncio.sleep(latency)
        process.check()


def current_world() -> World:
    """The world that the caller is in."""
    return _world.get()


@contextmanager
def _reproducible(source: random.Random) -> Iterator[None]:
    """Run ids and the marks of writers come from the plan's seed; what fails on purpose is not logged."""
    original = os.urandom
    logger = logging.getLogger("durability")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    os.urandom = source.randbytes
    try:
        yield
    finally:
        os.urandom = original
        logger.setLevel(level)
