"""The encodings for protobuf messages. Protobuf itself is only imported once a message is at hand."""

from __future__ import annotations

import json
import sys
from typing import Any, TypeGuard

from durability._core.api_message import ApiMessage
from durability._core.messages import MESSAGES
from durability._core.payload import Payload
from durability.converter._payload_converter import EncodingPayloadConverter


class JSONProtoPayloadConverter(EncodingPayloadConverter):
    """The encoding ``json/protobuf``, for protobuf messages, and for those of ``durability.api``."""

    def __init__(self, ignore_unknown_fields: bool = False) -> None:
        """Create the converter.

        Args:
            ignore_unknown_fields: Whether to pass over fields that the message does not have.
        """
        self._ignore_unknown_fields = ignore_unknown_fields

    @property
    def encoding(self) -> str:
        """``json/protobuf``."""
        return "json/protobuf"

    def to_payload(self, value: Any) -> Payload | None:
        """Convert a protobuf message."""
        if isinstance(value, ApiMessage):
            metadata = {"encoding": self.encoding.encode(), "messageType": value.message_type().encode()}
            text = json.dumps(value.to_json(), separators=(",", ":"), sort_keys=True)
            return Payload(metadata=metadata, data=text.encode())
        if not _is_message(value):
            return None
        from google.protobuf import json_format

        text = json.dumps(json_format.MessageToDict(value), separators=(",", ":"), sort_keys=True)
        return _payload(self.encoding, value, text.encode())

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Return the message.

        Raises:
            RuntimeError: The type of message is not known to this process, or the data does not fit it.
        """
        own = type_hint if _is_own(type_hint) else MESSAGES.get(payload.metadata.get("messageType", b"").decode())
        if own is not None and not _is_protobuf(type_hint):
            return own.from_json(json.loads(payload.data))
        message = _new_message(payload)
        from google.protobuf import json_format

        try:
            return json_format.Parse(payload.data, message, ignore_unknown_fields=self._ignore_unknown_fields)
        except json_format.ParseError as error:
            raise RuntimeError("Failed parsing") from error


class BinaryProtoPayloadConverter(EncodingPayloadConverter):
    """The encoding ``binary/protobuf``, for protobuf messages."""

    @property
    def encoding(self) -> str:
        """``binary/protobuf``."""
        return "binary/protobuf"

    def to_payload(self, value: Any) -> Payload | None:
        """Convert a protobuf message."""
        return _payload(self.encoding, value, value.SerializeToString()) if _is_message(value) else None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Return the message.

        Raises:
            RuntimeError: The type of message is not known to this process, or the data does not fit it.
        """
        message = _new_message(payload)
        from google.protobuf.message import DecodeError

        try:
            message.ParseFromString(payload.data)
        except DecodeError as error:
            raise RuntimeError("Failed parsing") from error
        return message


def _is_message(value: Any) -> bool:
    """A process that has not imported protobuf has no messages."""
    module = sys.modules.get("google.protobuf.message")
    return module is not None and isinstance(value, module.Message) and value.DESCRIPTOR is not None


def _is_own(type_hint: Any) -> TypeGuard[type[ApiMessage]]:
    return isinstance(type_hint, type) and issubclass(type_hint, ApiMessage)


def _is_protobuf(type_hint: type | None) -> bool:
    return hasattr(type_hint, "DESCRIPTOR")


def _payload(encoding: str, message: Any, data: bytes) -> Payload:
    message_type = message.DESCRIPTOR.full_name.encode()
    return Payload(metadata={"encoding": encoding.encode(), "messageType": message_type}, data=data)


def _new_message(payload: Payload) -> Any:
    message_type = payload.metadata.get("messageType", b"<unknown>").decode()
    try:
        from google.protobuf import descriptor_pool, message_factory

        descriptor = descriptor_pool.Default().FindMessageTypeByName(message_type)
    except ImportError as error:
        raise RuntimeError(f"Reading Protobuf type {message_type} needs the package protobuf") from error
    except KeyError as error:
        raise RuntimeError(f"Unknown Protobuf type {message_type}") from error
    return message_factory.GetMessageClass(descriptor)()
