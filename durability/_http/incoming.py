"""What comes from outside: callbacks of workflows and webhooks of other services."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl

from durability._core.history import WorkflowExecutionSignaled
from durability._http.errors import ApiError, invalid
from durability._http.requests import ApiRequest
from durability._http.responses import Response, respond
from durability._http.values import Values
from durability._rest.bodies import AcceptedBody
from durability._rest.chain import call_in_chain
from durability._runtime.frontend import Frontend
from durability.webhooks import Delivery, MalformedDeliveryError, Signal, VerificationError, Webhook

if TYPE_CHECKING:
    from durability.callbacks import CallbackAddress

_DELIVERY_ID_LIMIT: Final = 500
_NOTHING: Final = object()


class SecretVersions(Protocol):
    """The versions of a secret that are accepted, the current one first."""

    def versions(self, *, refresh: bool = False) -> list[bytes]:
        """Return them; ``refresh`` asks for newer ones."""
        ...


class Callbacks:
    """Handlers of ``/callbacks/{token}``."""

    def __init__(
        self,
        frontend: Callable[[], Awaitable[Frontend]],
        values: Values,
        namespace: str,
        secret: SecretVersions | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._frontend = frontend
        self._values = values
        self._namespace = namespace
        self._secret = secret
        self._clock = clock

    async def call(self, request: ApiRequest) -> Response:
        address = await self._verify(request.parameters["token"])
        value = await self._value(request)
        args = [] if value is _NOTHING else [value]
        payloads = await self._values.encode(address.workflow_id, "the body", args or [None], [])
        frontend = await self._frontend()
        request_id = f"callback:{address.id}"

        async def complete(run_id: str) -> bool:
            if await _has_signal(frontend, address.workflow_id, run_id, request_id):
                return True
            await frontend.signal(
                address.workflow_id,
                run_id,
                address.signal_name,
                payloads,
                request_id=request_id,
                identity=f"callback {address.name}",
            )
            return False

        duplicate = await call_in_chain(frontend, address.workflow_id, address.first_run_id, complete)
        return respond(AcceptedBody(True, duplicate))

    async def _verify(self, token: str) -> CallbackAddress:
        from durability.callbacks import CallbackAddress, CallbackTokenError, deployment_secret

        secret = self._secret or deployment_secret()
        try:
            versions = await asyncio.to_thread(secret.versions)
            try:
                address = CallbackAddress.verify(token, versions, self._clock())
            except CallbackTokenError as error:
                newer = versions if error.expired else await asyncio.to_thread(secret.versions, refresh=True)
                if newer == versions:
                    raise
                address = CallbackAddress.verify(token, newer, self._clock())
        except CallbackTokenError as error:
            raise ApiError("EXPIRED" if error.expired else "UNAUTHENTICATED", str(error)) from error
        if address.namespace != self._namespace:
            raise ApiError("UNAUTHENTICATED", "the callback token is not one of this deployment's")
        return address

    async def _value(self, request: ApiRequest) -> Any:
        if request.method != "POST":
            return request.query_values or _NOTHING
        content = await request.content()
        if not content:
            return _NOTHING
        media_type = request.media_type
        try:
            if media_type in ("", "application/json") or media_type.endswith("+json"):
                return json.loads(content)
            if media_type == "application/x-www-form-urlencoded":
                return dict(parse_qsl(content.decode(), keep_blank_values=True))
            if media_type.startswith("text/"):
                return content.decode()
        except (ValueError, RecursionError) as error:
            raise invalid(f"the body is not what its content type {media_type!r} says: {error}") from error
        raise ApiError("UNSUPPORTED_MEDIA_TYPE", f"the body is {media_type!r}: send JSON, a form or text")


async def _has_signal(frontend: Frontend, workflow_id: str, run_id: str, request_id: str) -> bool:
    """Whether a run has already consumed a signal. The engine drops a second one; this is for the answer alone."""
    async for delta in frontend.history(workflow_id, run_id):
        for message in delta.inputs:
            if isinstance(message, WorkflowExecutionSignaled) and message.key.endswith(request_id):
                return True
    return False


class Webhooks:
    """Handlers of ``/webhooks/{endpoint}``."""

    def __init__(
        self,
        frontend: Callable[[], Awaitable[Frontend]],
        values: Values,
        webhooks: Mapping[str, Webhook],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._frontend = frontend
        self._values = values
        self._webhooks = webhooks
        self._clock = clock

    async def deliver(self, request: ApiRequest) -> Response:
        name = request.parameters["endpoint"]
        webhook = self._webhooks.get(name)
        if webhook is None:
            raise ApiError("NOT_FOUND", f"there is no webhook endpoint {name!r}")
        unverified = Delivery(name, request.headers, await request.content())
        try:
            identifier = webhook.verifier.verify(unverified, self._clock())
        except VerificationError as error:
            raise ApiError("UNAUTHENTICATED", str(error)) from error
        if not 0 < len(identifier) <= _DELIVERY_ID_LIMIT:
            raise invalid(f"the delivery's id has {len(identifier)} characters, the limit is {_DELIVERY_ID_LIMIT}")
        delivery = Delivery(name, unverified.headers, unverified.body, identifier)
        answer = webhook.verifier.answer(delivery)
        if answer is not None:
            return Response(json.dumps(answer).encode())
        try:
            mapped = webhook.map(delivery)
            signal = await mapped if inspect.isawaitable(mapped) else mapped
        except MalformedDeliveryError as error:
            raise invalid(str(error)) from error
        if signal is None:
            return respond(AcceptedBody(False))
        await self._signal(name, identifier, signal)
        return respond(AcceptedBody(True))

    async def _signal(self, endpoint: str, identifier: str, signal: Signal) -> None:
        payloads = await self._values.encode(signal.workflow_id, "the signal's arguments", list(signal.args), [])
        await (await self._frontend()).signal(
            signal.workflow_id,
            signal.run_id,
            signal.name,
            payloads,
            request_id=f"webhook:{endpoint}:{identifier}",
            identity=f"webhook {endpoint}",
        )
