"""One way to serve HTTP on the loopback interface, for every endpoint of the local cloud."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_KEEP_ALIVE = 3600.0
_MEGABYTE = 1024 * 1024


class HttpServer:
    """An HTTP/1.1 server on 127.0.0.1 that keeps connections alive.

    Args:
        handler: answers one request.
        maximum_body: bytes of a request's body that are read at most; more raises `HTTPRequestEntityTooLarge` on read.
        cancel_on_disconnect: whether the handler is cancelled where it waits when its client goes away.
    """

    def __init__(
        self, handler: Handler, *, maximum_body: int = 64 * _MEGABYTE, cancel_on_disconnect: bool = False
    ) -> None:
        self._handler = handler
        self._cancel_on_disconnect = cancel_on_disconnect
        self._maximum_body = maximum_body
        self._server: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self.port = 0

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listen.

        Args:
            port: port to listen on; 0 takes a free one.
        """
        loop = asyncio.get_running_loop()

        def make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
            return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._maximum_body)

        self._server = web.Server(
            self._handler,
            request_factory=make_request,
            access_log=None,
            keepalive_timeout=_KEEP_ALIVE,
            handler_cancellation=self._cancel_on_disconnect,
        )
        self._listener = await loop.create_server(self._server, "127.0.0.1", port, backlog=512)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop the connections."""
        if self._listener is not None:
            self._listener.close()
        if self._server is not None:
            # Not 0, which aiohttp takes for no limit.
            await self._server.shutdown(0.01)
