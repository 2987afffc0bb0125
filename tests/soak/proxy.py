"""A proxy between the functions and AWS that disturbs what passes."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import yarl
from aiohttp import web

from durability._local.http_server import HttpServer

from .faults import LOSSES, REFUSALS, REPETITIONS, FaultPlan, Kind, error, repeated

T = TypeVar("T")
_CREDENTIAL = re.compile(r"Credential=[^/,\s]+/\d+/[^/]+/([^/]+)/aws4_request")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect", "te", "upgrade"})
_LATEST_REDELIVERY = 20
_CALLERS = 256


class Proxy:
    """Serves in a thread of its own; one address for each that it stands in front of.

    Args:
        plan: what to do to which request.
        observe: told of each request that was disturbed so that it did not have its answer: its body, and when, by
            ``time.monotonic``.
    """

    def __init__(self, plan: FaultPlan, observe: Callable[[bytes, float], None] = lambda body, at: None) -> None:
        self.requests = 0
        self._latest: OrderedDict[int, tuple[float, bytes]] = OrderedDict()
        self._plan = plan
        self._observe = observe
        self._servers: list[HttpServer] = []
        self._session: aiohttp.ClientSession | None = None
        self._later: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def before(self, url: str, host: str = "") -> str:
        """Stand in front of a service; gives the URL to use in its place.

        Args:
            url: base URL of the service.
            host: the name that it is to be called by, for one that goes by names; then nothing is disturbed.
        """
        return self._run(self._front(url.rstrip("/"), host))

    def callers(self, seconds: float) -> dict[int, bytes]:
        """Who has asked for something within so many seconds: the last request's body by the caller's port."""
        since = time.monotonic() - seconds
        return {port: body for port, (at, body) in list(self._latest.items()) if at >= since}

    async def _front(self, url: str, host: str) -> str:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=3600), auto_decompress=False
            )

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            if host:
                return await self._forward(request, url, await request.read(), host)
            return await self._answer(request, url)

        server = HttpServer(answer)
        await server.start()
        self._servers.append(server)
        return f"http://{server.address}"

    async def _answer(self, request: web.BaseRequest, url: str) -> web.StreamResponse:
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # clients of S3 wait for it
        body = await request.read()
        self._note(request, body)
        credential = _CREDENTIAL.search(request.headers.get("Authorization", ""))
        service = credential[1] if credential else "unsigned"
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2] or request.method
        kind = self._plan.decide(service, operation, time.monotonic())
        if kind in REFUSALS or kind in LOSSES:
            self._observe(body, time.monotonic())
        if kind is not None and kind in REFUSALS:
            return _break(request) if kind is Kind.CONNECTION_LOST else _error(service, kind)
        try:
            response = await self._forward(request, url, body)
        except aiohttp.ClientError:
            return _break(request)
        if kind is Kind.SLOW:
            await asyncio.sleep(self._plan.uniform(0.1, self._plan.rates.slowest))
            self._observe(body, time.monotonic())
        elif kind is Kind.ANSWER_LOST:
            return _break(request)
        elif kind is Kind.ANSWER_500:
            return _error(service, kind)
        elif kind in REPETITIONS and response.status == 200:
            delay = 0 if kind is Kind.SENT_TWICE else int(self._plan.uniform(1, _LATEST_REDELIVERY))
            self._spawn(self._forward(request, url, repeated(operation, body, delay)))
        return response

    def _note(self, request: web.BaseRequest, body: bytes) -> None:
        self.requests += 1
        if request.transport is None:
            return
        port = request.transport.get_extra_info("peername")[1]
        self._latest[port] = time.monotonic(), body
        self._latest.move_to_end(port)
        if len(self._latest) > _CALLERS:
            self._latest.popitem(last=False)

    async def _forward(self, request: web.BaseRequest, url: str, body: bytes, host: str = "") -> web.Response:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        if host:
            headers["Host"] = host
        target = yarl.URL(url + request.raw_path, encoded=True)
        async with self._session.request(request.method, target, headers=headers, data=body) as answer:
            content = await answer.read()
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        return web.Response(status=answer.status, body=content, headers=kept)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _stop(self) -> None:
        for server in self._servers:
            await server.stop()
        await asyncio.gather(*self._later, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _error(service: str, kind: Kind) -> web.Response:
    status, headers, body = error(service, kind)
    return web.Response(status=status, headers=headers, body=body)


def _break(request: web.BaseRequest) -> web.Response:
    """Close the connection; what is returned then has nowhere to go."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
