"""The HTTP API as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from durability import __version__
from durability._http.errors import ApiError, to_api_error
from durability._http.incoming import Callbacks, SecretVersions, Webhooks
from durability._http.requests import ApiRequest
from durability._http.responses import Receive, Response, Scope, Send, respond
from durability._http.routes import RouteTable
from durability._http.table import route_table
from durability._http.values import Values
from durability._http.workflows import Workflows
from durability._rest.bodies import HealthBody
from durability._runtime.frontend import Frontend
from durability.converter import DataConverter
from durability.webhooks import Webhook

FrontendFactory = Callable[[], Awaitable[Frontend]]


class HttpApplication:
    """The API. An ASGI application, to be served by mangum on Lambda or by any ASGI server."""

    def __init__(
        self,
        frontend_factory: FrontendFactory,
        *,
        namespace: str = "default",
        task_queue: str = "",
        workflow_types: Iterable[type] | None = None,
        data_converter: DataConverter = DataConverter.default,
        webhooks: Iterable[Webhook] = (),
        callback_secret: SecretVersions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._factory = frontend_factory
        self._frontend: Frontend | None = None
        self._connecting = asyncio.Lock()
        values = Values(data_converter, namespace, workflow_types)
        endpoints: dict[str, Webhook] = {}
        for webhook in webhooks:
            if webhook.name in endpoints:
                raise ValueError(f"there are two webhooks named {webhook.name!r}")
            endpoints[webhook.name] = webhook
        self.workflows = Workflows(self.frontend, values, namespace, task_queue)
        self.callbacks = Callbacks(self.frontend, values, namespace, callback_secret, clock)
        self.webhooks = Webhooks(self.frontend, values, endpoints, clock)
        self.table: RouteTable = route_table(self)

    async def frontend(self) -> Frontend:
        """What requests are made through; connected at the first one."""
        if self._frontend is None:
            async with self._connecting:
                if self._frontend is None:
                    self._frontend = await self._factory()
        return self._frontend

    async def close(self) -> None:
        """Close connections."""
        frontend, self._frontend = self._frontend, None
        if frontend is not None:
            await frontend.close()

    async def health(self, request: ApiRequest) -> Response:
        """Answer that the API answers."""
        return respond(HealthBody("ok", __version__))

    async def openapi(self, request: ApiRequest) -> Response:
        """Answer with the OpenAPI document."""
        from durability._http.openapi import openapi_document

        return Response(json.dumps(openapi_document(self.table)).encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of an ASGI server."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError(f"the API does not serve {scope['type']} connections")
        response = await self._respond(scope, receive)
        await response.send(scope, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        operation = "unknown"
        try:
            # The encoded path: an id may have slashes. API Gateway gives it decoded, and then there is no raw one.
            raw = scope.get("raw_path")
            route, parameters = self.table.find(scope["method"], raw.decode("ascii") if raw else scope["path"])
            operation = route.name
            return await route.handler(ApiRequest(scope, receive, parameters))
        except Exception as error:
            api_error = to_api_error(error)
            if api_error is None:
                _log_failure(operation, error)
                api_error = ApiError("INTERNAL", "the request failed inside the API; its log says why")
            headers = {}
            if api_error.code == "METHOD_NOT_ALLOWED":
                headers["allow"] = ", ".join(api_error.details["allowed"])
            return respond(api_error.body(), api_error.status, **headers)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def create_app(frontend_factory: FrontendFactory, **options: Any) -> HttpApplication:
    """Make the HTTP API.

    Args:
        frontend_factory: Connects to the engine; called at the first request.
        options: ``namespace``; ``task_queue`` for starts that name none; ``workflow_types``: the workflow classes, with
            which unknown types and wrong arguments are refused at start; ``data_converter``; ``webhooks``;
            ``callback_secret`` in place of the one that ``DURABILITY_WEBHOOK_SECRET`` names; ``clock``.
    """
    return HttpApplication(frontend_factory, **options)


def _log_failure(operation: str, error: Exception) -> None:
    """Log what should not have happened, without anything of the request but its operation."""
    from aws_lambda_powertools import Logger

    Logger(service="durability").error("request failed", operation=operation, exc_info=error)
