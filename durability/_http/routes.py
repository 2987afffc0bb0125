"""The route table's parts. One table drives both the dispatch of requests and the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from durability._http.errors import ApiError, invalid
from durability._http.requests import ApiRequest
from durability._http.responses import Response
from durability._rest.bodies import decode_segment


@dataclass(frozen=True)
class Query:
    """A query parameter."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True)
class Answer:
    """A successful response."""

    description: str
    body: type[msgspec.Struct] | None = None


Handler = Callable[[ApiRequest], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """One operation of the API.

    Attributes:
        public: Whether the operation authenticates the request by itself, with a token or a signature in it.
        media_types: What a body that is not ``body`` may be.
    """

    method: str
    path: str
    name: str
    summary: str
    handler: Handler
    answers: Mapping[int, Answer]
    errors: Sequence[int] = ()
    body: type[msgspec.Struct] | None = None
    body_required: bool = False
    queries: Sequence[Query] = ()
    media_types: Sequence[str] = ()
    headers: Sequence[Query] = ()
    public: bool = False

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path's segments; parameters in braces."""
        return tuple(self.path.strip("/").split("/"))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the path's parameters."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """The parameters of a path given in encoded segments; None if it is not this route's."""
        if len(segments) != len(self.segments):
            return None
        found = {}
        for pattern, segment in zip(self.segments, segments, strict=True):
            if pattern.startswith("{"):
                found[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return found


class RouteTable:
    """All operations."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = routes

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a request and its decoded path parameters.

        Raises:
            ApiError: NOT_FOUND, METHOD_NOT_ALLOWED, or INVALID_ARGUMENT for a segment that cannot be decoded.
        """
        segments = path.strip("/").split("/")
        allowed = []
        for route in self.routes:
            parameters = route.match(segments)
            if parameters is None:
                continue
            # A HEAD asks about a resource; it must not complete a callback as its GET does.
            if route.method == method or (method == "HEAD" and route.method == "GET" and not route.public):
                return route, {name: _decode(name, segment) for name, segment in parameters.items()}
            allowed.append(route.method)
        if allowed:
            raise ApiError(
                "METHOD_NOT_ALLOWED", f"{method} is not possible here, but {' and '.join(allowed)}", allowed=allowed
            )
        raise ApiError("NOT_FOUND", "there is nothing at this path: see /openapi.json for what there is")


def _decode(name: str, segment: str) -> str:
    try:
        return decode_segment(segment)
    except ValueError as error:
        raise invalid(f"the path's {name} is not encoded correctly: {error}", parameter=name) from error
