"""Connections of a client: of each event loop that uses it, and closed with it if nobody closes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Something that each event loop has of its own, made when it is first asked for.

    Temporal's clients may be used in any event loop, and by threads with loops of their own at a time; they need no
    closing. A connection works in the loop only in which it was opened.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._made: dict[asyncio.AbstractEventLoop, T] = {}
        self._lifetimes: dict[asyncio.AbstractEventLoop, AsyncGenerator[None]] = {}

    async def get(self) -> T:
        """What the running loop has.

        The loop closes it when it ends (``asyncio.run`` before it returns), or when nobody refers to it any more: event
        loops do that for asynchronous generators. The two refer to each other, so that what a client has which is a
        local variable of the program's last coroutine lives until the loop closes it in good order.
        """
        loop = asyncio.get_running_loop()
        if loop not in self._made:
            self._forget_closed_loops()
            self._made[loop] = self._make()
            lifetime = self._lifetimes[loop] = self._lifetime(loop)
            await anext(lifetime)
        return self._made[loop]

    async def close(self) -> None:
        """Close what the running loop has, if it has anything."""
        lifetime = self._lifetimes.get(asyncio.get_running_loop())
        if lifetime is not None:
            await lifetime.aclose()

    async def _lifetime(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self._close(self._made[loop])
            self._forget(loop)

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        self._made.pop(loop, None)
        self._lifetimes.pop(loop, None)

    def _forget_closed_loops(self) -> None:
        for loop in list(self._made):
            if loop.is_closed():
                self._forget(loop)
