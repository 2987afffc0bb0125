"""Connections of a client: of each event loop that uses it, and closed with it if nobody closes them."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_let_go: set[AsyncGenerator[None]] = set()
"""Those that are being closed: kept until they are, or until their event loop ends and closes them."""


class PerLoop(Generic[T]):
    """Something that each event loop has of its own, made when it is first asked for.

    Temporal's clients may be used in any event loop, and by threads with loops of their own at a time; they need no
    closing. A connection works in the loop only in which it was opened.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        """Nothing is made yet.

        Args:
            make: Makes one.
            close: Closes it, in its loop. Must not refer to who has this.
        """
        self._make = make
        self._close = close
        self._made: dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[None]]] = {}

    async def get(self) -> T:
        """What the running loop has.

        The loop closes it when it ends (``asyncio.run`` before it returns), or when nobody refers to this any more:
        event loops do that for asynchronous generators. The generator is kept apart from this: what the garbage
        collector finds together it finalizes together, and connections complain if they are open.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._made:
            self._forget_closed_loops()
            made = self._make()
            lifetime = _lifetime(weakref.ref(self), loop, made, self._close)
            self._made[loop] = made, lifetime
            await anext(lifetime)
            weakref.finalize(self, _let_go_of, loop, lifetime).atexit = False
        return self._made[loop][0]

    async def close(self) -> None:
        """Close what the running loop has, if it has anything."""
        made = self._made.get(asyncio.get_running_loop())
        if made is not None:
            await made[1].aclose()

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave what a loop has to itself: the next time it asks it gets another."""
        self._made.pop(loop, None)

    def _forget_closed_loops(self) -> None:
        for loop in list(self._made):
            if loop.is_closed():
                self.forget(loop)


async def _lifetime(
    owner: weakref.ref[PerLoop[T]], loop: asyncio.AbstractEventLoop, made: T, close: Callable[[T], Awaitable[None]]
) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await close(made)
        left = owner()
        if left is not None:
            left.forget(loop)


def _let_go_of(loop: asyncio.AbstractEventLoop, lifetime: AsyncGenerator[None]) -> None:
    """Close it in its own loop: the garbage collector works in any thread."""
    _let_go.add(lifetime)
    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(lambda: loop.create_task(_close(lifetime)))


async def _close(lifetime: AsyncGenerator[None]) -> None:
    await lifetime.aclose()
    _let_go.discard(lifetime)
