"""How a request reaches AWS: through boto3 in a function, through aioboto3 in a client with wide fan-out.

The adapters are written once, over this one method; which library carries their requests is decided where they are
made.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

from durability._runtime.lifetime import PerLoop

CONNECT_TIMEOUT: Final = 2
READ_TIMEOUT: Final = 10
ATTEMPTS: Final = 8
POOL: Final = 32
"""Seconds, seconds, tries of a request (standard mode: jittered exponential backoff), connections."""


class AwsError(Exception):
    """A request that AWS answered with an error. ``code`` is AWS's own; ``response`` the parsed answer."""

    def __init__(self, code: str, message: str, response: dict[str, Any]) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.response = response


class Caller(Protocol):
    """Carries requests."""

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Send a request; ``operation`` by its name in boto3. Raises AwsError."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def _translate(error: Any) -> AwsError:
    details = error.response.get("Error", {})
    return AwsError(details.get("Code", ""), details.get("Message", str(error)), error.response)


STREAMS: Final = frozenset({"Payload", "Body"})
"""Parts of an answer that are read as a whole: an invocation's answer, an object."""


def _read_streams(method: Callable[..., dict[str, Any]], parameters: dict[str, Any]) -> dict[str, Any]:
    answer = method(**parameters)
    for name in STREAMS & answer.keys():
        answer[name] = answer[name].read()
    return answer


def _credentials(environment: Mapping[str, str]) -> dict[str, str | None]:
    return {
        "aws_access_key_id": environment.get("AWS_ACCESS_KEY_ID"),
        "aws_secret_access_key": environment.get("AWS_SECRET_ACCESS_KEY"),
        "aws_session_token": environment.get("AWS_SESSION_TOKEN"),
        "region_name": environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"),
    }


class BotoCaller:
    """Requests through boto3, in threads, so that a function's event loop goes on meanwhile."""

    def __init__(self, *, threads: int = 8) -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import ClientError

        self._client_error = ClientError
        self._session = boto3.session.Session()
        self._config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=POOL,
        )
        self._clients: dict[str, Any] = {}
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="aws")

    def client(self, service: str) -> Any:
        """The boto3 client of a service."""
        client = self._clients.get(service)
        if client is None:
            client = self._clients[service] = self._session.client(service, config=self._config)  # type: ignore[call-overload]
        return client

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """See ``Caller.call``."""
        method = getattr(self.client(service), operation)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, _read_streams, method, parameters)
        except self._client_error as error:
            raise _translate(error) from error
        return answer

    async def close(self) -> None:
        """See ``Caller.close``."""
        self._threads.shutdown(wait=False)
        for client in self._clients.values():
            client.close()


def _leave_no_generators(client: Any) -> None:
    """Have a client make requests without aiobotocore's context, which is for statistics of features.

    It is an asynchronous generator around each request. A program that closes those of its loop while requests are
    under way, as one that was interrupted may do, would have an error logged for each.
    """
    inner = getattr(type(client)._make_api_call, "__wrapped__", None)
    if inner is not None:
        client._make_api_call = partial(inner, client)


@dataclass
class BeforeClosing:
    """What an event loop that ends waits for before it closes connections that nobody has closed."""

    call: Callable[[], Awaitable[None]] | None = None


@dataclass(slots=True)
class _Clients:
    """An event loop's clients of the services."""

    open: dict[str, Any] = field(default_factory=dict)
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)


async def _close(before: BeforeClosing, clients: _Clients) -> None:
    if before.call is not None:
        await before.call()
    clients.open.clear()
    await clients.stack.aclose()


class AioCaller:
    """Requests through aioboto3.

    Credentials, region and endpoints are found as boto3 finds them, or in the ``AWS_*`` variables of an environment
    that is not the process's own.

    Attributes:
        before_closing: See there.
    """

    def __init__(
        self, environment: Mapping[str, str] = os.environ, *, read_timeout: int = READ_TIMEOUT, connections: int = POOL
    ) -> None:
        import aioboto3
        from aiobotocore.config import AioConfig
        from botocore.exceptions import ClientError

        self._client_error = ClientError
        self._environment = None if environment is os.environ else environment
        self._session = aioboto3.Session(**_credentials(environment) if self._environment is not None else {})
        self._config = AioConfig(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=read_timeout,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=connections,
        )
        self.before_closing = BeforeClosing()
        self._clients = PerLoop(_Clients, partial(_close, self.before_closing))

    async def _client(self, service: str) -> Any:
        clients = await self._clients.get()
        client = clients.open.get(service)
        if client is None:
            async with clients.opening:
                client = clients.open.get(service)
                if client is None:
                    context = self._session.client(service, config=self._config, endpoint_url=self._endpoint(service))
                    client = await clients.stack.enter_async_context(context)
                    _leave_no_generators(client)
                    clients.open[service] = client
        return client

    def _endpoint(self, service: str) -> str | None:
        if self._environment is None:
            return None
        return self._environment.get(f"AWS_ENDPOINT_URL_{service.upper()}") or self._environment.get("AWS_ENDPOINT_URL")

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """See ``Caller.call``."""
        client = await self._client(service)
        try:
            answer: dict[str, Any] = await getattr(client, operation)(**parameters)
            for name in STREAMS & answer.keys():
                answer[name] = await answer[name].read()
        except self._client_error as error:
            raise _translate(error) from error
        return answer

    async def close(self) -> None:
        """See ``Caller.close``."""
        self.before_closing.call = None
        await self._clients.close()
