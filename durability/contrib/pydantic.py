"""Payload conversion with Pydantic, version 2.

Give ``pydantic_data_converter`` to the application and to its clients. It converts Pydantic models and every other
type that Pydantic can, validates what it reads, and gives compact JSON without sorted keys, in which a datetime or a
set looks as Pydantic writes it. Importing this module imports Pydantic.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import SchemaSerializer, to_json
from pydantic_core.core_schema import any_schema

from durability._core.payload import Payload
from durability.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)

__all__ = [
    "PydanticJSONPlainPayloadConverter",
    "PydanticPayloadConverter",
    "ToJsonOptions",
    "pydantic_data_converter",
]


@dataclass
class ToJsonOptions:
    """How Pydantic writes JSON.

    Attributes:
        exclude_unset: Whether to leave out fields that were not set.
    """

    exclude_unset: bool = False


class PydanticJSONPlainPayloadConverter(EncodingPayloadConverter):
    """The encoding ``json/plain``, written and validated by Pydantic."""

    def __init__(
        self, to_json_options: ToJsonOptions | None = None, *, max_cached_type_adapters: int | None = 1024
    ) -> None:
        """Create the converter.

        Args:
            to_json_options: How to write JSON.
            max_cached_type_adapters: For how many types to keep what validates them, the least recently used
                going first; None for no limit, 0 to keep nothing.

        Raises:
            ValueError: ``max_cached_type_adapters`` is negative.
        """
        if max_cached_type_adapters is not None and max_cached_type_adapters < 0:
            raise ValueError("max_cached_type_adapters cannot be negative")
        self._to_json_options = to_json_options
        self._max_cached_type_adapters = max_cached_type_adapters
        self._serializer = SchemaSerializer(any_schema())
        self._cached_type_adapter: Callable[[Any], TypeAdapter[Any]] = functools.lru_cache(max_cached_type_adapters)(
            TypeAdapter
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the arguments; the cache stays behind."""
        make = functools.partial(type(self), max_cached_type_adapters=self._max_cached_type_adapters)
        return make, (self._to_json_options,)

    @property
    def encoding(self) -> str:
        """``json/plain``."""
        return "json/plain"

    def to_payload(self, value: Any) -> Payload | None:
        """Convert any value that Pydantic can write.

        Raises:
            pydantic_core.PydanticSerializationError: Pydantic cannot write it.
        """
        if self._to_json_options is None:
            data = to_json(value)
        else:
            data = self._serializer.to_json(value, exclude_unset=self._to_json_options.exclude_unset)
        return Payload({"encoding": b"json/plain"}, data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Read JSON and validate it against the type expected.

        Raises:
            pydantic.ValidationError: It does not fit the type.
        """
        return self._type_adapter(Any if type_hint is None else type_hint).validate_json(payload.data)

    def _type_adapter(self, type_hint: Any) -> TypeAdapter[Any]:
        try:
            hash(type_hint)
        except TypeError:  # such as Annotated with a list inside
            return TypeAdapter(type_hint)
        return self._cached_type_adapter(type_hint)


class PydanticPayloadConverter(CompositePayloadConverter):
    """The default payload converter, with JSON left to Pydantic."""

    def __init__(
        self, to_json_options: ToJsonOptions | None = None, *, max_cached_type_adapters: int | None = 1024
    ) -> None:
        """Create the converter; for the arguments see ``PydanticJSONPlainPayloadConverter``.

        A data converter creates its payload converter without arguments: to set them, give it a subclass.
        """
        json_plain = PydanticJSONPlainPayloadConverter(
            to_json_options, max_cached_type_adapters=max_cached_type_adapters
        )
        super().__init__(
            *(
                json_plain if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


pydantic_data_converter = DataConverter(payload_converter_class=PydanticPayloadConverter)
"""Data converter whose JSON is Pydantic's."""
