"""Conversion between values and payloads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any, ClassVar, Self, TypeVar, overload

from durability._core.payload import Payload, Payloads
from durability.common import RawValue
from durability.converter._contexts import SerializationContext, WithSerializationContext

_Value = TypeVar("_Value")


class PayloadConverter(ABC):
    """Converts values to payloads and back."""

    default: ClassVar[PayloadConverter]
    """The converter of ``DataConverter.default``."""

    @abstractmethod
    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """Convert values to payloads. The payload of a ``RawValue`` is passed through.

        Args:
            values: The values.

        Returns:
            At least one payload, and not more than there are values.

        Raises:
            Exception: A value cannot be converted.
        """

    @abstractmethod
    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Convert payloads to values. With ``RawValue`` as its type hint, a payload is only wrapped.

        Args:
            payloads: The payloads.
            type_hints: The types expected, one for each payload; None if they are not known.

        Returns:
            The values, at least one.

        Raises:
            Exception: A payload cannot be converted.
        """

    def to_payloads_wrapper(self, values: Sequence[Any]) -> Payloads:
        """Like ``to_payloads``, as a ``Payloads`` message."""
        return Payloads(payloads=self.to_payloads(values))

    def from_payloads_wrapper(self, payloads: Payloads | None) -> list[Any]:
        """Like ``from_payloads``, from a ``Payloads`` message; nothing gives an empty list."""
        return self.from_payloads(payloads.payloads) if payloads and payloads.payloads else []

    def to_payload(self, value: Any) -> Payload:
        """Convert one value to one payload."""
        return self.to_payloads([value])[0]

    @overload
    def from_payload(self, payload: Payload) -> Any: ...

    @overload
    def from_payload(self, payload: Payload, type_hint: type[_Value]) -> _Value: ...

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Convert one payload to one value.

        Args:
            payload: The payload.
            type_hint: The type expected, if known.
        """
        return self.from_payloads([payload], [type_hint] if type_hint else None)[0]


class EncodingPayloadConverter(ABC):
    """Converts single values to payloads of one encoding and back; a part of a ``CompositePayloadConverter``."""

    @property
    @abstractmethod
    def encoding(self) -> str:
        """Name of the encoding, as in the payload's metadata."""

    @abstractmethod
    def to_payload(self, value: Any) -> Payload | None:
        """Convert a value.

        Returns:
            The payload, or None if this encoding is not for values of that kind.

        Raises:
            TypeError: The value is of this encoding's kind but has a wrong type inside.
            ValueError: The value is of this encoding's kind but not valid.
            RuntimeError: The conversion failed otherwise.
        """

    @abstractmethod
    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Convert a payload, which has this encoding.

        Args:
            payload: The payload.
            type_hint: The type expected, if known.

        Raises:
            RuntimeError: The payload cannot be converted.
        """


class CompositePayloadConverter(PayloadConverter, WithSerializationContext):
    """Converts values with the first encoding that takes them, and payloads with the encoding that they name.

    Attributes:
        converters: The encodings' converters by encoding, in the order in which they are tried.
    """

    converters: Mapping[bytes, EncodingPayloadConverter]

    def __init__(self, *converters: EncodingPayloadConverter) -> None:
        """Create the converter.

        Args:
            converters: One converter for each encoding, in the order in which they are tried.
        """
        self.converters = {converter.encoding.encode(): converter for converter in converters}

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """Convert values, giving one payload for each.

        Raises:
            RuntimeError: No encoding takes a value.
        """
        return [self._to_payload(index, value) for index, value in enumerate(values)]

    def _to_payload(self, index: int, value: Any) -> Payload:
        if isinstance(value, RawValue):
            return value.payload
        for converter in self.converters.values():
            payload = converter.to_payload(value)
            if payload is not None:
                return payload
        raise RuntimeError(f"Value at index {index} of type {type(value)} has no known converter")

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Convert payloads, giving one value for each.

        Raises:
            KeyError: A payload names an encoding that is not known.
            RuntimeError: A payload cannot be converted.
        """
        hints: list[Any] = [*(type_hints or ()), *[None] * (len(payloads) - len(type_hints or ()))]
        return [
            self._from_payload(index, payload, hint)
            for index, (payload, hint) in enumerate(zip(payloads, hints, strict=True))
        ]

    def _from_payload(self, index: int, payload: Payload, type_hint: type | None) -> Any:
        if type_hint is RawValue:
            return RawValue(payload)
        encoding = payload.metadata.get("encoding", b"<unknown>")
        converter = self.converters.get(encoding)
        if converter is None:
            raise KeyError(f"Unknown payload encoding {encoding.decode()}")
        try:
            return converter.from_payload(payload, type_hint)
        except RuntimeError as error:
            raise RuntimeError(
                f"Payload at index {index} with encoding {encoding.decode()} could not be converted"
            ) from error

    def with_context(self, context: SerializationContext) -> Self:
        """Return a converter whose parts work in the context; itself if none of them uses it."""
        converters = self.get_converters_with_context(context)
        if converters is None:
            return self
        instance = copy(self)
        instance.converters = {converter.encoding.encode(): converter for converter in converters}
        return instance

    def get_converters_with_context(self, context: SerializationContext) -> list[EncodingPayloadConverter] | None:
        """Return the parts, working in the context; None if none of them uses it."""
        if not self._any_takes_context:
            return None
        own = list(self.converters.values())
        converters = [
            converter.with_context(context) if isinstance(converter, WithSerializationContext) else converter
            for converter in own
        ]
        if all(new is old for new, old in zip(converters, own, strict=True)):
            return None
        return converters

    @cached_property
    def _any_takes_context(self) -> bool:
        return any(isinstance(converter, WithSerializationContext) for converter in self.converters.values())
