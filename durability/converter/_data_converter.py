"""The data converter: payload converter, codec and failure converter as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from durability._core.failure import Failure
from durability._core.payload import Payload, Payloads
from durability.converter._contexts import SerializationContext, WithSerializationContext
from durability.converter._default_payload_converter import DefaultPayloadConverter
from durability.converter._failure_converter import DefaultFailureConverter, FailureConverter
from durability.converter._payload_codec import PayloadCodec
from durability.converter._payload_converter import PayloadConverter
from durability.converter._transfer_types import TransferTypePayloadConverter


@dataclass(frozen=True)
class DataConverter(WithSerializationContext):
    """Converts values and exceptions to what is stored, and back.

    Attributes:
        payload_converter_class: Converts values to payloads; created without arguments.
        payload_codec: Encodes payloads, for instance to encrypt them.
        failure_converter_class: Converts exceptions to failures; created without arguments.
        payload_converter: The instance of ``payload_converter_class``, with transfer types applied.
        failure_converter: The instance of ``failure_converter_class``.
    """

    payload_converter_class: type[PayloadConverter] = DefaultPayloadConverter
    payload_codec: PayloadCodec | None = None
    failure_converter_class: type[FailureConverter] = DefaultFailureConverter
    payload_converter: PayloadConverter = dataclasses.field(init=False)
    failure_converter: FailureConverter = dataclasses.field(init=False)

    default: ClassVar[DataConverter]
    """What is used where nothing else is configured."""

    def __post_init__(self) -> None:
        """Create the converters from their classes."""
        payload_converter = TransferTypePayloadConverter(self.payload_converter_class())
        object.__setattr__(self, "payload_converter", payload_converter)
        object.__setattr__(self, "failure_converter", self.failure_converter_class())

    async def encode(self, values: Sequence[Any]) -> list[Payload]:
        """Convert values to payloads and encode them with the codec.

        Args:
            values: The values.

        Returns:
            At least one payload, and not more than there are values.
        """
        payloads = self.payload_converter.to_payloads(values)
        return payloads if self.payload_codec is None else await self.payload_codec.encode(payloads)

    async def decode(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Decode payloads with the codec and convert them to values.

        Args:
            payloads: The payloads.
            type_hints: The types expected, one for each payload; None if they are not known.

        Returns:
            The values.
        """
        if self.payload_codec is not None:
            payloads = await self.payload_codec.decode(payloads)
        return self.payload_converter.from_payloads(payloads, type_hints)

    async def encode_wrapper(self, values: Sequence[Any]) -> Payloads:
        """Like ``encode``, as a ``Payloads`` message."""
        return Payloads(payloads=await self.encode(values))

    async def decode_wrapper(self, payloads: Payloads | None, type_hints: list[type] | None = None) -> list[Any]:
        """Like ``decode``, from a ``Payloads`` message; nothing gives an empty list."""
        return await self.decode(payloads.payloads, type_hints) if payloads and payloads.payloads else []

    async def encode_failure(self, exception: BaseException, failure: Failure) -> None:
        """Convert an exception and encode the payloads in it.

        Args:
            exception: The exception.
            failure: Where to put the result.
        """
        self.failure_converter.to_failure(exception, self.payload_converter, failure)
        if self.payload_codec is not None:
            await self.payload_codec.encode_failure(failure)

    async def decode_failure(self, failure: Failure) -> BaseException:
        """Decode the payloads in a failure and convert it to an exception. The failure is left unchanged."""
        if self.payload_codec is not None:
            decoded = Failure()
            decoded.CopyFrom(failure)
            await self.payload_codec.decode_failure(decoded)
            failure = decoded
        return self.failure_converter.from_failure(failure, self.payload_converter)

    def with_context(self, context: SerializationContext) -> Self:
        """Return a data converter whose parts work in the context; itself if none of them uses it."""
        changed: dict[str, Any] = {}
        for name in ("payload_converter", "payload_codec", "failure_converter"):
            part = getattr(self, name)
            if isinstance(part, WithSerializationContext):
                part_in_context = part.with_context(context)
                if part_in_context is not part:
                    changed[name] = part_in_context
        if not changed:
            return self
        instance = dataclasses.replace(self)
        for name, part in changed.items():
            object.__setattr__(instance, name, part)
        if "payload_converter" not in changed:
            object.__setattr__(instance, "payload_converter", self.payload_converter)
        if "failure_converter" not in changed:
            object.__setattr__(instance, "failure_converter", self.failure_converter)
        return instance


DataConverter.default = DataConverter()
PayloadConverter.default = DataConverter.default.payload_converter
FailureConverter.default = DataConverter.default.failure_converter


def default() -> DataConverter:
    """Return ``DataConverter.default``, which is preferred."""
    return DataConverter.default
