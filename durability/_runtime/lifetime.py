"""Connections of a client that nobody closes, as Temporal's clients need no closing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable


async def close_with_loop(close: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    """Have the running event loop close something when it ends, or when nobody refers to it any more.

    Event loops do that for asynchronous generators (``asyncio.run`` before it returns). The owner of the connections
    must keep what this returns. The two then refer to each other, so that a client which is a local variable of the
    program's last coroutine lives until the loop closes it in good order.

    Args:
        close: Closes the connections; does nothing when they are closed already.
    """
    lifetime = _lifetime(close)
    await anext(lifetime)
    return lifetime


async def _lifetime(close: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        await close()
