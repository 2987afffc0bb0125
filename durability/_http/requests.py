"""A request as handlers see it, and reading its body and parameters with all the checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec

from durability._core.temporal_json import time_from_json
from durability._http.errors import ApiError, invalid, too_large
from durability._http.responses import Receive, Scope

_Body = TypeVar("_Body")

BODY_LIMIT: Final = 4_500_000
"""Bytes of a request's body: 2 MiB of payload fit in base64, and all of it into an invocation of Lambda (6 MB)."""


class ApiRequest:
    """One request: its path parameters, query parameters, headers and body."""

    def __init__(self, scope: Scope, receive: Receive, parameters: Mapping[str, str]) -> None:
        self.method: Final[str] = scope["method"]
        self.parameters = parameters
        self.headers: Final[dict[str, str]] = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.query_values: Final[dict[str, str]] = dict(
            parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        )
        self._receive = receive

    def header(self, name: str) -> str:
        """A header's value, or nothing."""
        return self.headers.get(name, "")

    @property
    def run_id(self) -> str | None:
        """The run asked for; None for the current one."""
        return self.query("run_id") or None

    @property
    def wants_payloads(self) -> bool:
        """Whether values are to be given as payloads."""
        return self.flag("payloads")

    def query(self, name: str) -> str:
        """A query parameter's value, or nothing."""
        return self.query_values.get(name, "")

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false."""
        value = self.query(name).lower()
        if value not in ("", "true", "false", "1", "0"):
            raise invalid(f"the query parameter {name!r} is {value!r}: give true or false", parameter=name)
        return value in ("true", "1")

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """A query parameter that is a number."""
        text = self.query(name)
        if not text:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise invalid(
                f"the query parameter {name!r} is {text!r}: give a number from {least:g} to {most:g}", parameter=name
            )
        return value

    def time(self, name: str) -> int:
        """A query parameter that is a time, in milliseconds since the epoch; 0 if it is not given."""
        text = self.query(name)
        try:
            return time_from_json(text) if text else 0
        except ValueError as error:
            raise invalid(f"the query parameter {name!r} is no RFC 3339 time: {error}", parameter=name) from error

    async def content(self, limit: int = BODY_LIMIT) -> bytes:
        """The body. Raises ApiError(PAYLOAD_TOO_LARGE) without reading more than the limit."""
        declared = self.header("content-length")
        if declared.isascii() and declared.isdigit() and len(declared) < 20 and int(declared) > limit:
            raise too_large("the body has", int(declared), limit)
        chunks = []
        size = 0
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ApiError("CANCELLED", "the connection was closed before the whole body had come")
            chunk = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(chunk)
            if size > limit:
                raise too_large("the body has more than", size - len(chunk), limit)
            chunks.append(chunk)
        return b"".join(chunks)

    @property
    def media_type(self) -> str:
        """Media type of the body, without parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    async def body(self, expected: type[_Body]) -> _Body:
        """The body as JSON of a certain type; an empty one counts as an empty object."""
        content = await self.content()
        if self.media_type not in ("", "application/json") and not self.media_type.endswith("+json"):
            raise ApiError("UNSUPPORTED_MEDIA_TYPE", f"the body is {self.media_type!r}: send it as application/json")
        try:
            return msgspec.json.decode(content or b"{}", type=expected)
        except msgspec.ValidationError as error:
            raise invalid(f"the body does not fit: {error}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise invalid(f"the body is no valid JSON: {error}") from error

    def json_query(self, name: str) -> Any:
        """A query parameter that is JSON; None if it is not given."""
        text = self.query(name)
        try:
            return json.loads(text) if text else None
        except (ValueError, RecursionError) as error:
            raise invalid(f"the query parameter {name!r} is no valid JSON: {error}", parameter=name) from error
