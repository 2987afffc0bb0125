"""Processes of a simulated world, which die as a whole, and the loop in which they run."""

from __future__ import annotations

import asyncio
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any

from durability._memory.time import VirtualTimeLoop


class Died(Exception):
    """The process died."""


class NoProgressError(AssertionError):
    """Things happen, and lead nowhere."""


@dataclass(eq=False)
class Process:
    """One invocation, or one call of a client: what dies as a whole."""

    number: int
    kind: str
    dead: bool = False
    thawed: asyncio.Event | None = None
    grace: int | None = None
    was_frozen: bool = False
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def die(self) -> None:
        """End: nothing of it runs on."""
        self.dead = True
        for task in list(self.tasks):
            task.cancel()

    def check(self) -> None:
        """Raise CancelledError in what runs on for a moment."""
        if self.dead:
            raise asyncio.CancelledError


class Alone(VirtualTimeLoop):
    """Nothing comes from outside, neither from threads nor from sockets: so the system is not asked."""

    def __init__(self) -> None:
        super().__init__()
        self._selector.select = self._select  # type: ignore[attr-defined]

    def _select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        if timeout > 0:
            self.skip(timeout)
        return []


process_of: ContextVar[Process | None] = ContextVar("process_of", default=None)


def current_process() -> Process | None:
    """The process that the caller is a part of."""
    return process_of.get()


def task_factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    """Make a task that belongs to the process in which it is made."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    context: Context | None = options.get("context")
    process = context.get(process_of) if context is not None else process_of.get()
    if process is not None:
        process.tasks.add(task)
        task.add_done_callback(process.tasks.discard)
        if process.dead:
            task.cancel()
    return task
