"""The data converter: payload converter, codec, failure converter and external storage as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from durability._core.failure import Failure
from durability._core.payload import Payload, Payloads
from durability._core.payload_fields import transform_failure
from durability.converter._contexts import SerializationContext, WithSerializationContext
from durability.converter._default_payload_converter import DefaultPayloadConverter
from durability.converter._external_storage import (
    ExternalStorage,
    StorageDriverActivityInfo,
    StorageDriverWorkflowInfo,
    read_reference,
)
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
        external_storage: Where large payloads are kept, if the application keeps them in a storage of its own.
    """

    payload_converter_class: type[PayloadConverter] = DefaultPayloadConverter
    payload_codec: PayloadCodec | None = None
    failure_converter_class: type[FailureConverter] = DefaultFailureConverter
    payload_converter: PayloadConverter = dataclasses.field(init=False)
    failure_converter: FailureConverter = dataclasses.field(init=False)
    external_storage: ExternalStorage | None = None

    default: ClassVar[DataConverter]
    """What is used where nothing else is configured."""

    def __post_init__(self) -> None:
        """Create the converters from their classes."""
        payload_converter = TransferTypePayloadConverter(self.payload_converter_class())
        object.__setattr__(self, "payload_converter", payload_converter)
        object.__setattr__(self, "failure_converter", self.failure_converter_class())

    async def encode(self, values: Sequence[Any]) -> list[Payload]:
        """Convert values to payloads, encode them with the codec, and store large ones externally.

        Args:
            values: The values.

        Returns:
            At least one payload, and not more than there are values.
        """
        return await self._outbound(self.payload_converter.to_payloads(values))

    async def decode(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Retrieve payloads that are stored externally, decode them with the codec, and convert them to values.

        Args:
            payloads: The payloads.
            type_hints: The types expected, one for each payload; None if they are not known.

        Returns:
            The values.
        """
        return self.payload_converter.from_payloads(await self._inbound(payloads), type_hints)

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
        if self._changes_payloads:
            await transform_failure(failure, self._outbound)

    async def decode_failure(self, failure: Failure) -> BaseException:
        """Decode the payloads in a failure and convert it to an exception. The failure is left unchanged."""
        decoded = Failure()
        decoded.CopyFrom(failure)
        await transform_failure(decoded, self._inbound)
        return self.failure_converter.from_failure(decoded, self.payload_converter)

    @property
    def _changes_payloads(self) -> bool:
        """Whether anything happens to payloads between conversion and storage."""
        return self.payload_codec is not None or self.external_storage is not None

    async def _outbound(self, payloads: Sequence[Payload]) -> list[Payload]:
        """What is stored for payloads."""
        if self.payload_codec is not None:
            payloads = await self.payload_codec.encode(payloads)
        if self.external_storage is not None:
            payloads = await self.external_storage._store(payloads)
        return list(payloads)

    async def _inbound(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Payloads as they were before they were stored."""
        if self.external_storage is not None:
            payloads = await self.external_storage._retrieve(payloads)
        elif any(read_reference(payload) is not None for payload in payloads):
            raise RuntimeError(
                "[TMPRL1105] Detected externally stored payload(s) but external storage is not configured."
            )
        if self.payload_codec is not None:
            payloads = await self.payload_codec.decode(payloads)
        return list(payloads)

    def _for_target(self, target: StorageDriverWorkflowInfo | StorageDriverActivityInfo) -> Self:
        """The same converter, which stores payloads externally for ``target``."""
        if self.external_storage is None:
            return self
        return self._with_parts(external_storage=self.external_storage._for_target(target))

    def with_context(self, context: SerializationContext) -> Self:
        """Return a data converter whose parts work in the context; itself if none of them uses it."""
        changed: dict[str, Any] = {}
        for name in _PARTS:
            part = getattr(self, name)
            if isinstance(part, WithSerializationContext):
                part_in_context = part.with_context(context)
                if part_in_context is not part:
                    changed[name] = part_in_context
        return self._with_parts(**changed) if changed else self

    def _with_parts(self, **changed: Any) -> Self:
        instance = copy(self)
        for name, part in changed.items():
            object.__setattr__(instance, name, part)
        return instance


_PARTS: Final = ("payload_converter", "payload_codec", "failure_converter", "external_storage")

DataConverter.default = DataConverter()
PayloadConverter.default = DataConverter.default.payload_converter
FailureConverter.default = DataConverter.default.failure_converter


def default() -> DataConverter:
    """Return ``DataConverter.default``, which is preferred."""
    return DataConverter.default
