"""A response, in ASGI's terms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Response:
    """A JSON response."""

    content: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, scope: Scope, send: Send) -> None:
        """Send it to the ASGI server."""
        headers = {
            "content-type": "application/json",
            "content-length": str(len(self.content)),
            "cache-control": "no-store",
            **self.headers,
        }
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": encoded})
        body = b"" if scope["method"] == "HEAD" else self.content
        await send({"type": "http.response.body", "body": body})


def respond(body: msgspec.Struct, status: int = 200, **headers: str) -> Response:
    """A body as a response."""
    return Response(msgspec.json.encode(body), status, headers)
