"""Connections of a client that nobody closes, as Temporal's clients need no closing."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable

_let_go: set[AsyncGenerator[None]] = set()
"""Those that are being closed: kept until they are, or until their event loop ends and closes them."""


async def close_with_loop(owner: object, close: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    """Have the running event loop close something when it ends, or when nobody refers to its owner any more.

    Event loops do that for asynchronous generators (``asyncio.run`` before it returns). This one is kept apart from its
    owner: what the garbage collector finds together it finalizes together, and connections complain if they are open.

    Args:
        owner: Whose connections they are.
        close: Closes the connections; does nothing when they are closed already. Must not refer to the owner.
    """
    lifetime = _lifetime(close)
    await anext(lifetime)
    weakref.finalize(owner, _let_go_of, asyncio.get_running_loop(), lifetime).atexit = False
    return lifetime


async def _lifetime(close: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await close()


def _let_go_of(loop: asyncio.AbstractEventLoop, lifetime: AsyncGenerator[None]) -> None:
    """Close it in its own loop: the garbage collector works in any thread."""
    _let_go.add(lifetime)
    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(lambda: loop.create_task(_close(lifetime)))


async def _close(lifetime: AsyncGenerator[None]) -> None:
    await lifetime.aclose()
    _let_go.discard(lifetime)
