"""The encodings of the default payload converter, protobuf left aside."""

from __future__ import annotations

import dataclasses
import json
import uuid
import warnings
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from durability._core.payload import Payload
from durability.converter._payload_converter import EncodingPayloadConverter
from durability.converter._value_to_type import JSONTypeConverter, value_to_type


class BinaryNullPayloadConverter(EncodingPayloadConverter):
    """The encoding ``binary/null``, for None."""

    @property
    def encoding(self) -> str:
        """``binary/null``."""
        return "binary/null"

    def to_payload(self, value: Any) -> Payload | None:
        """Convert None."""
        return Payload(metadata={"encoding": b"binary/null"}) if value is None else None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Return None.

        Raises:
            RuntimeError: The payload has data.
        """
        if payload.data:
            raise RuntimeError("Expected empty data set for binary/null")
        return None


class BinaryPlainPayloadConverter(EncodingPayloadConverter):
    """The encoding ``binary/plain``, for bytes."""

    @property
    def encoding(self) -> str:
        """``binary/plain``."""
        return "binary/plain"

    def to_payload(self, value: Any) -> Payload | None:
        """Convert bytes."""
        return Payload(metadata={"encoding": b"binary/plain"}, data=value) if isinstance(value, bytes) else None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Return the bytes."""
        return payload.data


class AdvancedJSONEncoder(json.JSONEncoder):
    """JSON encoder that also takes datetimes, dataclasses, objects with a ``dict()`` method, iterables and UUIDs."""

    def default(self, o: Any) -> Any:
        """Return what to encode in place of an object that JSON does not have."""
        if isinstance(o, datetime):
            return o.isoformat()
        if dataclasses.is_dataclass(o) and not isinstance(o, type):
            return dataclasses.asdict(o)
        to_dict = getattr(o, "dict", None)
        if callable(to_dict):
            return to_dict()
        if isinstance(o, Iterable) and not isinstance(o, list):
            return list(o)
        if isinstance(o, uuid.UUID):
            return str(o)
        return super().default(o)


class JSONPlainPayloadConverter(EncodingPayloadConverter):
    """The encoding ``json/plain``: compact JSON with sorted keys, rebuilt by type hints."""

    def __init__(
        self,
        *,
        encoder: type[json.JSONEncoder] | None = AdvancedJSONEncoder,
        decoder: type[json.JSONDecoder] | None = None,
        encoding: str = "json/plain",
        custom_type_converters: Sequence[JSONTypeConverter] = (),
    ) -> None:
        """Create the converter.

        Args:
            encoder: Class of the JSON encoder; the standard library's if None.
            decoder: Class of the JSON decoder; the standard library's if None.
            encoding: Name of the encoding.
            custom_type_converters: Asked in order, before the type hints are applied.
        """
        self._encoder = (encoder or json.JSONEncoder)(separators=(",", ":"), sort_keys=True)
        self._decoder = decoder
        self._encoding = encoding
        self._metadata_encoding = encoding.encode()
        self._custom_type_converters = custom_type_converters

    @property
    def encoding(self) -> str:
        """Name of the encoding."""
        return self._encoding

    def to_payload(self, value: Any) -> Payload | None:
        """Convert any value that the JSON encoder takes.

        Raises:
            TypeError: The encoder does not take it.
            ValueError: The value contains itself.
        """
        if hasattr(value, "parse_obj"):
            warnings.warn(
                "Pydantic models need durability.contrib.pydantic.pydantic_data_converter as the data converter",
                stacklevel=2,
            )
        return Payload(metadata={"encoding": self._metadata_encoding}, data=self._encoder.encode(value).encode())

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Decode JSON and convert it to the type expected.

        Raises:
            RuntimeError: The data is not JSON.
            TypeError: It does not fit the type.
        """
        try:
            value = json.loads(payload.data, cls=self._decoder)
        except json.JSONDecodeError as error:
            raise RuntimeError("Failed parsing") from error
        return value_to_type(type_hint, value, self._custom_type_converters) if type_hint else value
