"""A deployment in virtual time whose processes die, stall and are called twice at chosen instructions.

Every call of a port, and every step of an activity, is a numbered point. A fault names a point and what happens there.
Whatever took effect is written into one log, in the order in which it did; the invariants are checked on that log.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from durability import activity
from durability._memory.cloud import MemoryCloud
from durability._memory.store import MemoryStore
from durability._memory.time import VirtualTimeLoop
from durability._runtime import activity_task, workflow_task
from durability._runtime.frontend import Outcome, StartRequest, Status
from durability._runtime.gateway import Gateway
from durability._runtime.ports import (
    ActivityAttempt,
    Delivery,
    Head,
    HistoryStore,
    Settlement,
    WakeUp,
    WorkflowKey,
)
from durability._runtime.reconciler import reconcile
from durability._runtime.registry import WorkflowRegistry
from durability._runtime.settings import Settings
from durability._simulation.log import Begun, Ended, Sent
from durability.activity._runner import ActivityRunner
from durability.converter import DataConverter

T = TypeVar("T")

VISIBILITY = 360.0
"""Seconds until a message whose receiver died comes again, as in the template."""
RECONCILER_PERIOD = 60.0


class Action(Enum):
    """What happens at a point."""

    DIE_BEFORE = "before"
    DIE_AFTER = "after"
    STALL = "stall"


@dataclass(eq=False)
class Process:
    """One invocation of a function, or one call of a client: what dies as a whole."""

    number: int
    dead: bool = False
    task: asyncio.Task[Any] | None = None
    message: WakeUp | ActivityAttempt | None = None
    receipt: int = 0

    async def die(self) -> None:
        """End this process here and now: nothing of it runs on."""
        self.dead = True
        assert self.task is not None
        self.task.cancel()
        await asyncio.get_running_loop().create_future()


class ClientDied(Exception):
    """The client's process died during its call."""


# --- the log ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Appended:
    run_id: str
    sequence: int
    body: bytes
    process: int


@dataclass(frozen=True)
class Created:
    key: WorkflowKey
    run_id: str
    request_id: str


@dataclass(frozen=True)
class Closed:
    key: WorkflowKey
    run_id: str
    status: Status


@dataclass(frozen=True)
class Delivered:
    key: WorkflowKey
    run_id: str
    name: str
    accepted: bool


Entry = Appended | Created | Closed | Delivered | Sent | Begun | Ended

_simulation: ContextVar[Simulation] = ContextVar("_simulation")
_process: ContextVar[Process | None] = ContextVar("_process", default=None)


class RecordingStore(MemoryStore):
    """Writes what took effect into the log."""

    def __init__(self, log: list[Entry]) -> None:
        super().__init__()
        self.log = log

    async def append(self, key: WorkflowKey, run_id: str, sequence: int, body: bytes) -> None:
        await super().append(key, run_id, sequence, body)
        process = _process.get()
        self.log.append(Appended(run_id, sequence, body, process.number if process else 0))

    async def create(self, head: Head) -> Head | None:
        existing = await super().create(head)
        if existing is None:
            self.log.append(Created(head.key, head.run_id, head.request_id))
        return existing

    async def replace(self, head: Head, expected: Head, summary: Head) -> Head | None:
        existing = await super().replace(head, expected, summary)
        if existing is None:
            if expected.open:
                self.log.append(Closed(head.key, summary.run_id, summary.status))
            request_id = f"continued:{summary.run_id}" if expected.open else head.request_id
            self.log.append(Created(head.key, head.run_id, request_id))
        return existing

    async def settle(self, head: Head, settlement: Settlement, *, drop: list[str]) -> Head | None:
        conflict = await super().settle(head, settlement, drop=drop)
        if conflict is None and settlement.status != Status.RUNNING:
            self.log.append(Closed(head.key, head.run_id, settlement.status))
        return conflict

    async def deliver(
        self, key: WorkflowKey, run_id: str | None, message: str, body: bytes, now: int, *, apart: bool = False
    ) -> Delivery:
        delivery = await super().deliver(key, run_id, message, body, now, apart=apart)
        reached = delivery.before.run_id if delivery.before else ""
        self.log.append(Delivered(key, reached, message, delivery.accepted))
        return delivery


class FaultyPort:
    """A port, every call of which is a point."""

    def __init__(self, port: Any, point: Callable[[str], AsyncIterator[None]]) -> None:
        self._port = port
        self._point = point

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def call(*args: Any, **named: Any) -> Any:
            async with self._point(name):  # type: ignore[attr-defined]
                return await method(*args, **named)

        return call if asyncio.iscoroutinefunction(method) else method


class SimulatedCloud(MemoryCloud):
    """Runs every task in a process of its own, which may die."""

    def __init__(self, simulation: Simulation, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._simulation = simulation
        point = simulation.point
        faulty_store, faulty_cloud = FaultyPort(self.store, point), FaultyPort(self, point)
        for engine in self._engines:
            engine.store, engine.queue, engine.timers = faulty_store, faulty_cloud, faulty_cloud  # type: ignore[assignment]
            engine.__post_init__()
        self.gateway = self._engines[0].gateway

    async def send_wake_up(self, wake_up: WakeUp, *, delay: int = 0) -> None:
        for extra in self._simulation.copies():
            self._later(-(-delay // 1000) + extra, self._deliver(wake_up, 1))

    async def send_activities(self, attempts: list[ActivityAttempt], *, delay: int = 0) -> None:
        for attempt in attempts:
            self._simulation.log.append(Sent(attempt))
            for extra in self._simulation.copies():
                self._later(-(-delay // 1000) + extra, self._deliver(attempt, 1))

    async def _deliver(self, message: WakeUp | ActivityAttempt, receipt: int) -> None:
        self.invocations += 1
        engine = self.engine
        deadline = self._clock() + int(self._timeout * 1000)

        async def work() -> None:
            if isinstance(message, WakeUp):
                await workflow_task.execute(engine, message, deadline=deadline)
            else:
                await activity_task.execute_attempt(engine, message)

        process = self._simulation.process(message, receipt)
        try:
            await self._simulation.run_in(process, work)
        except ClientDied:
            engine.sessions.clear()
            self.redeliver(process)
        except Exception as error:
            self._simulation.errors.append(error)
            self.redeliver(process)

    def redeliver(self, process: Process) -> None:
        """What a queue does with a message that was not acknowledged."""
        assert process.message is not None
        if process.receipt < self._receives:
            self._later(VISIBILITY, self._deliver(process.message, process.receipt + 1))


@dataclass
class Simulation:
    """A deployment, its faults and its log.

    Attributes:
        faults: What happens at which point, counted from 1.
        latencies: Seconds that the calls of ports take, in turn.
        other_store: Used instead of the recording one in memory.
        extra_copies: How messages are delivered: for each in turn, the extra delays of its copies.
        give_up: Clients that died do not try again.
    """

    workflows: Iterable[type]
    activities: Iterable[Callable[..., Any]]
    faults: dict[int, Action] = field(default_factory=dict)
    latencies: tuple[float, ...] = (0.0,)
    extra_copies: tuple[tuple[float, ...], ...] = ((0.0,),)
    give_up: bool = False
    settings: Settings = field(default_factory=Settings)
    reconciling: bool = True
    timeout: float = 60.0
    counting: bool = True
    namespace: str = "default"
    other_store: HistoryStore | None = None

    def __post_init__(self) -> None:
        self.loop = VirtualTimeLoop()
        self.log: list[Entry] = []
        self.errors: list[Exception] = []
        self.notes: list[Any] = []
        self.points: list[str] = []
        self.happened: list[str] = []
        self.store = RecordingStore(self.log)
        self.converter = DataConverter.default
        self.registry = WorkflowRegistry(self.workflows, data_converter=self.converter)
        self._numbers = itertools.count(1)
        self._copies = itertools.cycle(self.extra_copies)
        self._latencies = itertools.cycle(self.latencies)

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self, scenario: Callable[[Simulation], Awaitable[T]]) -> T:
        """Run a scenario in a new cloud, in virtual time."""
        logger = logging.getLogger("durability")
        level = logger.level
        logger.setLevel(logging.CRITICAL)  # what fails is on purpose
        try:
            return self.loop.run_until_complete(self._run(scenario))
        finally:
            logger.setLevel(level)
            self.loop.close()

    async def _run(self, scenario: Callable[[Simulation], Awaitable[T]]) -> T:
        _simulation.set(self)
        self.cloud = SimulatedCloud(
            self,
            lambda details: self.registry.create(details),
            ActivityRunner(self.activities),
            clock=self.loop.milliseconds,
            to_failure=self.registry.to_failure,
            store=self.other_store or self.store,
            namespace=self.namespace,
            settings=self.settings,
            visibility=VISIBILITY,
            timeout=self.timeout,
        )
        store = self.other_store or self.store
        self.reader = Gateway(self.namespace, store, self.cloud, self.cloud, self.loop.milliseconds)
        reconciler = asyncio.create_task(self._reconcile()) if self.reconciling else None
        try:
            return await scenario(self)
        finally:
            if reconciler is not None:
                reconciler.cancel()
            await self.cloud.close()

    async def _reconcile(self) -> None:
        while True:
            await asyncio.sleep(RECONCILER_PERIOD)
            counting, self.counting = self.counting, False
            try:
                await reconcile(self.cloud.engine)
            finally:
                self.counting = counting

    def process(self, message: WakeUp | ActivityAttempt | None = None, receipt: int = 0) -> Process:
        """A new process."""
        return Process(next(self._numbers), message=message, receipt=receipt)

    async def run_in(self, process: Process, work: Callable[[], Awaitable[T]]) -> T:
        """Run something in a process. Raises ClientDied if the process died of a fault."""

        async def body() -> T:
            _process.set(process)
            return await work()

        process.task = asyncio.create_task(body())
        try:
            return await process.task
        except asyncio.CancelledError:
            if process.dead:
                raise ClientDied from None
            process.task.cancel()
            raise

    # --- faults -------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def point(self, name: str) -> AsyncIterator[None]:
        """Something that may go wrong."""
        process = _process.get()
        if process is not None and process.dead:
            await asyncio.get_running_loop().create_future()
        action = None
        if self.counting and process is not None:
            self.points.append(name)
            action = self.faults.get(len(self.points))
            if action is not None:
                self.happened.append(f"{action.value} {name} (point {len(self.points)}, process {process.number})")
        latency = next(self._latencies)
        if latency:
            await asyncio.sleep(latency)
        if action is Action.DIE_BEFORE:
            assert process is not None
            await process.die()
        if action is Action.STALL and process is not None and process.message is not None:
            self.cloud.redeliver(process)
            await asyncio.sleep(VISIBILITY + 20)
        yield
        if action is Action.DIE_AFTER:
            assert process is not None
            await process.die()

    def copies(self) -> tuple[float, ...]:
        """How often, and with which extra delays in seconds, the next message is delivered."""
        return next(self._copies)

    # --- clients ------------------------------------------------------------------------------------------------------

    async def client(self, call: Callable[[Gateway], Awaitable[T]]) -> T:
        """A client's call; if its process dies the client tries again, with the same request id."""
        while True:
            try:
                return await self.run_in(self.process(), lambda: call(self.cloud.gateway))
            except ClientDied:
                if self.give_up:
                    raise
                await asyncio.sleep(1)

    async def start(
        self, workflow: type, *arguments: Any, id: str = "w", request_id: str = "start", **named: Any
    ) -> str:
        """Start a workflow; its run id."""
        request = StartRequest(
            workflow_id=id,
            workflow_type=workflow.__name__,
            task_queue="queue",
            arguments=self.payloads(*arguments),
            request_id=request_id,
            **named,
        )
        return (await self.client(lambda gateway: gateway.start(request))).run_id

    async def signal(self, id: str, name: str, *arguments: Any, request_id: str, run_id: str | None = None) -> None:
        payloads = self.payloads(*arguments)
        await self.client(lambda gateway: gateway.signal(id, run_id, name, payloads, request_id=request_id))

    async def cancel(self, id: str, *, request_id: str = "cancel") -> None:
        await self.client(lambda gateway: gateway.cancel(id, None, request_id=request_id))

    async def query(self, id: str, name: str, *arguments: Any) -> Any:
        return self.value(await self.cloud.gateway.query(id, None, name, self.payloads(*arguments)))

    async def outcome(self, id: str = "w", *, within: float = 3600.0) -> Outcome:
        """How the workflow id's chain of runs ended."""
        run_id: str | None = None
        while True:
            outcome = await self.reader.outcome(id, run_id, wait=within)
            if outcome is None:
                description = await self.reader.describe(id, run_id)
                raise AssertionError(f"{id!r} is still open after {within} s: {description}; errors: {self.errors}")
            if outcome.status != Status.CONTINUED_AS_NEW:
                return outcome
            run_id = outcome.new_run_id

    async def result(self, id: str = "w", *, within: float = 3600.0) -> Any:
        """The result of a workflow that completes."""
        outcome = await self.outcome(id, within=within)
        assert outcome.status == Status.COMPLETED, outcome
        return self.value(outcome.result)

    async def until(self, condition: Callable[[], Any], every: float = 1.0) -> None:
        """Let virtual time pass until something is true."""
        while not condition():  # noqa: ASYNC110 - virtual time: nothing is waited for
            await asyncio.sleep(every)

    def payloads(self, *values: Any) -> list[Any]:
        return self.converter.payload_converter.to_payloads(list(values))

    def value(self, payload: Any) -> Any:
        return None if payload is None else self.converter.payload_converter.from_payloads([payload])[0]

    @property
    def requests(self) -> int:
        """Requests to the store so far."""
        return sum(self.store.requests.values())

    def begun(self, activity_id: str | None = None) -> list[Begun]:
        """Attempts of activities that reached user code."""
        return [
            entry
            for entry in self.log
            if isinstance(entry, Begun) and (activity_id is None or entry.activity_id == activity_id)
        ]


def note(value: Any) -> None:
    """What an activity leaves for the test to see."""
    _simulation.get().notes.append(value)


async def effect(seconds: float = 0.0) -> None:
    """What an activity does to the world: goes into the log when it begins and when it is done."""
    simulation, info = _simulation.get(), activity.info()
    assert info.workflow_run_id is not None
    time = simulation.loop.time()
    simulation.log.append(Begun(info.workflow_run_id, info.activity_id, info.attempt, time))
    async with simulation.point("activity"):
        if seconds:
            await asyncio.sleep(seconds)
        simulation.log.append(Ended(info.workflow_run_id, info.activity_id, info.attempt))
