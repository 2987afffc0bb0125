"""A client that connects when it makes its first call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NoReturn

from durability._core.history import Delta
from durability._runtime.frontend import Frontend
from durability.service import ConnectConfig

_CALLS: Final = frozenset(name for name in vars(Frontend) if not name.startswith("_")) - {"history", "close"}


class LazyFrontend:
    """A frontend in whose place another one comes with the first call; if connecting fails, so does the call."""

    def __init__(self, config: ConnectConfig, connect: Callable[[], Awaitable[Frontend]]) -> None:
        """Create it; nothing is connected.

        Args:
            config: What it is to be connected to.
            connect: Connects.
        """
        self.config = config
        self._connect = connect
        self._connected: Frontend | None = None
        self._connecting = asyncio.Lock()

    async def _frontend(self) -> Frontend:
        async with self._connecting:
            if self._connected is None:
                self._connected = await self._connect()
        return self._connected

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """One of the calls of a frontend."""
        if name not in _CALLS:
            raise AttributeError(name)

        async def call(*arguments: Any, **options: Any) -> Any:
            return await getattr(await self._frontend(), name)(*arguments, **options)

        return call

    async def history(self, workflow_id: str, run_id: str | None) -> AsyncIterator[Delta]:
        """See ``Frontend.history``."""
        async for delta in (await self._frontend()).history(workflow_id, run_id):
            yield delta

    async def close(self) -> None:
        """See ``Frontend.close``."""
        if self._connected is not None:
            await self._connected.close()

    @property
    def starts_eagerly(self) -> bool:
        """Whether what it is connected to starts workflows without a queue in between."""
        return getattr(self._connected, "starts_eagerly", False)

    @property
    def worker_host(self) -> NoReturn:
        """There is none, as in Temporal: what a worker is attached to must be there when the worker is made.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("Lazy clients cannot be used for workers")
