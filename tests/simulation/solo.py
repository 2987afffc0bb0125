"""One process by itself: what it does next, given all that it has been told.

Between two requests a process depends on nothing but what it was called with, the answers that it had, and when. So
the code that ships need not run in every order of events: it runs once for everything that one process can be told,
in a world of its own, and what it asks for next is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar

from durability._aws.callers import AwsError
from durability._memory.time import VirtualTimeLoop
from durability._runtime.gateway import Gateway
from durability._runtime.settings import Settings
from durability._simulation.log import Entry
from durability._simulation.plan import Plan
from durability._simulation.processes import Alone, Process
from durability._simulation.world import TIMEOUT, InvocationContext, World
from tests.simulation.scenario import VERSIONS, Scenario, Told, act, start
from tests.simulation.steps import Footprint, footprint_of

T = TypeVar("T")

START: Final = "start"
_FAR: Final = 1e9
_CALL: Final = -1
_TIME: Final = 0
_MARK: Final = 16
"""Bytes of the mark by which an adapter knows its own writes."""


@dataclass(frozen=True)
class Failed:
    """A request that was answered with an error."""

    code: str
    message: str
    response: Any


@dataclass(frozen=True)
class Asked:
    """A request that waits for its answer."""

    number: int
    service: str
    operation: str
    parameters: dict[str, Any]

    @cached_property
    def footprint(self) -> Footprint:
        """What it reads and writes."""
        return footprint_of(self.service, self.operation, self.parameters)


_Heard = tuple[int, Any, float]
"""The number of a request, its answer, and when; or that the process was called, or that time has passed."""


@dataclass(frozen=True, eq=False)
class Local:
    """Where a process stands.

    Attributes:
        key: A digest of all that it was told, and of its random numbers.
        asked: Its requests that wait for an answer.
        wakes: When it goes on without being told anything.
        over: Whether it has answered.
        failed: Whether it answered that what it was given is to come again.
        emitted: What activities of it did when it was last told something.
    """

    kind: str
    salt: str
    key: bytes
    heard: tuple[_Heard, ...]
    asked: tuple[Asked, ...]
    wakes: float
    over: bool
    failed: bool
    emitted: tuple[Entry, ...]

    @cached_property
    def name(self) -> str:
        """Names the place in all orders of events."""
        return self.key.hex()


@dataclass
class Processes:
    """All places in which processes were found to stand."""

    scenario: Scenario
    settings: Settings
    _found: dict[tuple[bytes, str], Local] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._found)

    def called(self, kind: str, what: Any, time: float, *, salt: str, container: Local | None = None) -> Local:
        """A process that is called: a function with an event, or a client by its name.

        Args:
            kind: Of the process.
            what: It is called with.
            time: When.
            salt: What its random numbers depend on. Nobody else alive may have it; nor, if it is a client or an
                activity, anybody else ever.
            container: Where it was last called, if it is one that has been called before.
        """
        nowhere = Local(kind, salt, digest(kind), (), (), math.inf, True, False, ())
        return self._after(container or nowhere, (_CALL, what, time))

    def answered(self, local: Local, number: int, answer: Any, time: float) -> Local:
        """A process one of whose requests is answered."""
        return self._after(local, (number, answer, time))

    def awake(self, local: Local, time: float) -> Local:
        """A process that went on by itself."""
        return self._after(local, (_TIME, None, time))

    def _after(self, local: Local, heard: _Heard) -> Local:
        key = digest(local.key, heard)
        if (key, local.salt) not in self._found:
            solo = _Solo(self, local.kind, local.salt, (*local.heard, heard))
            solo.run(lambda _: solo.listen())
            self._found[key, local.salt] = solo.place(key)
        return self._found[key, local.salt]


class _Loop(Alone):
    """Asks before time passes."""

    idle: Callable[[], bool]

    def skip(self, seconds: float) -> None:
        if not self.idle():
            super().skip(seconds)


class _Marks(random.Random):
    """Random numbers that depend on the process, and on how many it has drawn.

    A workflow function draws them to know what it has appended itself. Whoever has its salt after it reads that before
    it appends anything, and so never takes it for its own.
    """

    def __init__(self, kind: str, salt: str) -> None:
        super().__init__(0)
        self._kind = kind
        self._salt = salt
        self.drawn = 0

    def randbytes(self, n: int) -> bytes:
        if self._kind == "workflow" and n != _MARK:
            raise NotImplementedError(f"a workflow function draws {n} bytes, which may not be drawn again")
        self.drawn += 1
        return hashlib.shake_128(f"{self._salt}/{self.drawn}".encode()).digest(n)


class _Solo(World):
    """A world with one process in it, which hears what it is to hear and goes no further."""

    def __init__(self, processes: Processes, kind: str, salt: str, heard: tuple[_Heard, ...]) -> None:
        loop = _Loop()
        super().__init__(VERSIONS, Plan(), processes.settings, loop)
        loop.idle = self._idle
        self.random = self._marks = _Marks(kind, salt)
        self.kind = kind
        self.salt = salt
        self.scenario = processes.scenario
        self.heard = heard
        self.asked: dict[int, tuple[Asked, asyncio.Future[Any]]] = {}
        self.over = True
        self.failed = False
        self._heard = 0
        self._asked = 0
        self._emitted = 0
        self._function: Callable[[Any, Any], Awaitable[Any]] | None = None

    async def listen(self) -> None:
        """Hear everything."""
        self._silence: asyncio.Future[None] = self.loop.create_future()
        self._context = copy_context()  # in which it is known which world this is
        self.loop.call_at(_FAR, lambda: None)  # so that the loop always has something to wait for
        await self._silence
        if self.errors:
            raise self.errors[0]

    def place(self, key: bytes) -> Local:
        """Where the process stands now."""
        return Local(
            self.kind,
            self.salt,
            digest(key, self.salt) if self._marks.drawn else key,
            self.heard,
            tuple(asked for asked, _ in self._left),
            self._wakes,
            self.over,
            self.failed,
            tuple(self.log.entries[self._emitted :]),
        )

    def _idle(self) -> bool:
        """Nothing can run: tell the process something. False when there is nothing more to tell."""
        if self._silence.done():
            return False
        if self._heard == len(self.heard):
            self._left = list(self.asked.values())
            self._wakes = min((timer.when() for timer in self._timers() if timer.when() < _FAR), default=math.inf)
            self._silence.set_result(None)
            return True
        number, what, time = self.heard[self._heard]
        self._heard += 1
        self._emitted = len(self.log.entries)
        if time > self.loop.time():
            VirtualTimeLoop.skip(self.loop, time - self.loop.time())
        if number == _CALL:
            self._context.run(self.spawn, self._serve(deepcopy(what), Process(self._heard, self.kind)))
        elif number != _TIME:
            self.asked.pop(number)[1].set_result(deepcopy(what))
        return True

    def _timers(self) -> list[asyncio.TimerHandle]:
        return [timer for timer in self.loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]

    async def _serve(self, what: Any, process: Process) -> None:
        self.over = False
        if self.kind == "client":
            await self.run_in(process, lambda: self._be_client(what))
        else:
            if self._function is None:
                self._function, _ = self._handler(self.kind)
            function, context = self._function, InvocationContext(self, self.loop.time() + TIMEOUT)
            answer = await self.run_in(process, lambda: function(what, context))
            self.failed = bool(answer.get("batchItemFailures"))
        self.over = True
        if running := [task for task in process.tasks if not task.done()]:
            raise AssertionError(f"{self.kind} answered while {running[0].get_coro()} was running")

    async def _be_client(self, name: str) -> None:
        scenario, told = self.scenario, Told()
        if name == START:
            await start(self.gateway(), "w", scenario.program, scenario.expected, told, "w")
        else:
            await act(self, scenario.actions[int(name)], told)

    # --- what a process does to the world -----------------------------------------------------------------------------

    async def client(self, call: Callable[[Gateway], Awaitable[T]], **_: Any) -> T:
        """A client's call: who dies is called again from outside."""
        return await call(self.gateway())

    async def request(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Ask, and wait to be told."""
        self._asked = number = self._asked + 1
        future: asyncio.Future[Any] = self.loop.create_future()
        self.asked[number] = Asked(number, service, operation, parameters), future
        try:
            answer = await future
        except asyncio.CancelledError:
            self.asked.pop(number, None)
            raise
        if isinstance(answer, Failed):
            raise AwsError(answer.code, answer.message, answer.response)
        return answer  # type: ignore[no-any-return]

    async def point(self, name: str, effect: Callable[[], T]) -> T:
        """Something that an activity does to the world."""
        await self.request("effect", name, {})
        return effect()

    async def _reconcile(self) -> None:
        """Nobody goes round here."""

    def _identity(self, function: str) -> str:
        """The same for all: it is recorded for those who read a history, and nothing depends on it."""
        return function


def digest(*parts: object) -> bytes:
    """Stands for something that has a representation."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).digest()
