"""The payload converter that is used where nothing else is configured."""

from __future__ import annotations

from typing import ClassVar

from durability.converter._encodings import (
    BinaryNullPayloadConverter,
    BinaryPlainPayloadConverter,
    JSONPlainPayloadConverter,
)
from durability.converter._payload_converter import CompositePayloadConverter, EncodingPayloadConverter
from durability.converter._protobuf import BinaryProtoPayloadConverter, JSONProtoPayloadConverter


class DefaultPayloadConverter(CompositePayloadConverter):
    """Converts None, bytes, protobuf messages, and everything that JSON takes; compatible with Temporal's SDKs."""

    default_encoding_payload_converters: ClassVar[tuple[EncodingPayloadConverter, ...]] = (
        BinaryNullPayloadConverter(),
        BinaryPlainPayloadConverter(),
        JSONProtoPayloadConverter(),
        BinaryProtoPayloadConverter(),
        JSONPlainPayloadConverter(),
    )
    """The encodings in the order in which they are tried: JSON comes last, as it refuses by raising."""

    def __init__(self) -> None:
        """Create the converter."""
        super().__init__(*DefaultPayloadConverter.default_encoding_payload_converters)
