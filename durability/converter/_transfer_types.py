"""Classes that travel as another type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, Self, TypeVar, cast

from durability._core.payload import Payload
from durability.converter._contexts import SerializationContext, WithSerializationContext
from durability.converter._payload_converter import PayloadConverter

ValueT = TypeVar("ValueT")
TransferTypeT = TypeVar("TransferTypeT")
_CONVERTER_ATTRIBUTE = "__durability_transfer_type_converter"


class TransferTypeConverter(ABC, Generic[ValueT, TransferTypeT]):
    """Converts a class's instances to a type that the payload converter takes, and back.

    Attributes:
        transfer_type: Type hint for reading the payload, if one is needed.
    """

    transfer_type: type[TransferTypeT] | None = None

    @abstractmethod
    def to_transfer_type(self, value: ValueT) -> TransferTypeT:
        """Convert an instance to what is sent."""

    @abstractmethod
    def from_transfer_type(self, value: TransferTypeT, type_hint: type[ValueT]) -> ValueT:
        """Convert what was sent to an instance.

        Args:
            value: What was sent.
            type_hint: The type expected, with its type arguments.
        """


def transfer_type_convertible(
    converter_type: type[TransferTypeConverter[ValueT, TransferTypeT]],
) -> Callable[[type[ValueT]], type[ValueT]]:
    """Decorate a class whose instances travel as another type.

    Args:
        converter_type: Class of the converter; created without arguments.

    Raises:
        TypeError: The class has a converter already.
    """

    def decorate(cls: type[ValueT]) -> type[ValueT]:
        if hasattr(cls, _CONVERTER_ATTRIBUTE):
            raise TypeError("class already has a transfer type converter")
        setattr(cls, _CONVERTER_ATTRIBUTE, converter_type())
        return cls

    return decorate


def _converter_of(value_type: object) -> TransferTypeConverter[Any, Any] | None:
    converter = getattr(value_type, _CONVERTER_ATTRIBUTE, None)
    return converter if isinstance(converter, TransferTypeConverter) else None


class TransferTypePayloadConverter(PayloadConverter, WithSerializationContext):
    """Applies transfer types around another payload converter."""

    def __init__(self, inner: PayloadConverter) -> None:
        self._inner = inner

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        sent = []
        for value in values:
            converter = _converter_of(type(value))
            sent.append(value if converter is None else converter.to_transfer_type(value))
        return self._inner.to_payloads(sent)

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        if type_hints is None:
            return self._inner.from_payloads(payloads)
        converters = [_converter_of(hint) for hint in type_hints]
        if not any(converters):
            return self._inner.from_payloads(payloads, type_hints)
        inner_hints = [
            hint if converter is None else converter.transfer_type
            for hint, converter in zip(type_hints, converters, strict=True)
        ]
        values = self._inner.from_payloads(payloads, cast("list[type]", inner_hints))
        return [
            value if converter is None else converter.from_transfer_type(value, hint)
            for value, hint, converter in zip(values, type_hints, converters, strict=False)
        ]

    def with_context(self, context: SerializationContext) -> Self:
        if not isinstance(self._inner, WithSerializationContext):
            return self
        inner = self._inner.with_context(context)
        return self if inner is self._inner else type(self)(inner)
