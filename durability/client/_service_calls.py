"""What ``Client.workflow_service`` and ``Client.operator_service`` have in common: methods that take a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar

from durability._core.api_message import ApiMessage
from durability.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durability.client._client import Client

_Request = TypeVar("_Request", bound=ApiMessage)
_Response = TypeVar("_Response", bound=ApiMessage)
_RequestIn = TypeVar("_RequestIn", bound=ApiMessage, contravariant=True)
_ResponseOut = TypeVar("_ResponseOut", bound=ApiMessage, covariant=True)


class Service:
    """Takes requests for one namespace."""

    def __init__(self, client: Client) -> None:
        """Not for users: a client has its services."""
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Awaitable[NoReturn]]:
        """A method that is not served."""
        if name.startswith("_"):
            raise AttributeError(name)

        async def refuse(req: Any, **_: Any) -> NoReturn:
            raise RPCError(f"unknown method {name} of {type(self).__name__}: not served", RPCStatusCode.UNIMPLEMENTED)

        return refuse

    def _check_namespace(self, namespace: str) -> None:
        if not namespace:
            raise invalid("Namespace not set on request.")
        if namespace != self._client.namespace:
            raise RPCError(f"Namespace {namespace} is not found.", RPCStatusCode.NOT_FOUND)


class Call(Protocol[_RequestIn, _ResponseOut]):
    """A method of a service.

    ``retry`` and ``metadata`` are accepted for compatibility. ``timeout`` limits the call, which then raises
    RPCError(CANCELLED).
    """

    async def __call__(
        self,
        req: _RequestIn,
        *,
        retry: bool = False,
        metadata: Mapping[str, str | bytes] = {},
        timeout: timedelta | None = None,
    ) -> _ResponseOut: ...


class served(Generic[_Request, _Response]):
    """Makes a method that takes a request one that is called like those of Temporal's services."""

    def __init__(self, method: Callable[[Any, _Request], Awaitable[_Response]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, service: Service, owner: type[Service]) -> Call[_Request, _Response]:
        async def call(
            req: _Request,
            *,
            retry: bool = False,
            metadata: Mapping[str, str | bytes] = {},
            timeout: timedelta | None = None,
        ) -> _Response:
            limit = asyncio.timeout(timeout.total_seconds() if timeout is not None else None)
            try:
                async with limit:
                    return await self._method(service, req)
            except TimeoutError as error:
                if not limit.expired():
                    raise
                raise RPCError("Timeout expired", RPCStatusCode.CANCELLED) from error

        return call


def invalid(message: str) -> RPCError:
    """The request cannot be served as it is; the texts are those of Temporal's server."""
    return RPCError(message, RPCStatusCode.INVALID_ARGUMENT)
