"""A type of one's own and how it travels: as text in an encoding of its own, readable in the history."""

from __future__ import annotations

import dataclasses
from typing import Any

from durability.api.common.v1 import Payload
from durability.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
)


class CallNumber:
    """Where a book stands, such as ``QA 76.9 D3``: a subject and what follows, which is what it is sorted by."""

    def __init__(self, subject: str, *rest: str) -> None:
        self.subject = subject
        self.rest = rest

    @classmethod
    def parse(cls, text: str) -> CallNumber:
        return cls(*text.split())

    def __str__(self) -> str:
        return " ".join((self.subject, *self.rest))


class CallNumberConverter(EncodingPayloadConverter):
    """Converts call numbers, and leaves everything else to the next converter."""

    @property
    def encoding(self) -> str:
        return "text/call-number"

    def to_payload(self, value: Any) -> Payload | None:
        if not isinstance(value, CallNumber):
            return None
        return Payload(metadata={"encoding": self.encoding.encode()}, data=str(value).encode())

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> CallNumber:
        if type_hint is not None and type_hint is not CallNumber:
            raise TypeError(f"a call number was sent where {type_hint} is expected")
        return CallNumber.parse(payload.data.decode())


class LibraryPayloadConverter(CompositePayloadConverter):
    """The usual converters, after ours."""

    def __init__(self) -> None:
        super().__init__(CallNumberConverter(), *DefaultPayloadConverter.default_encoding_payload_converters)


library_data_converter = dataclasses.replace(DataConverter.default, payload_converter_class=LibraryPayloadConverter)
