"""Payloads: the only form in which user data is stored or sent."""

from __future__ import annotations

import msgspec

from durability._core import wire


class ExternalPayloadDetails(msgspec.Struct, array_like=True, frozen=True):
    """What is known of a payload that lies elsewhere: ``Payload.ExternalPayloadDetails`` of Temporal's API.

    Attributes:
        size_bytes: Its size when serialized.
    """

    size_bytes: int = 0


class Payload(msgspec.Struct, array_like=True, kw_only=False):
    """A serialized value with the metadata that tells how to read it.

    The same fields as Temporal's ``temporal.api.common.v1.Payload``, and the same bytes when serialized.

    Attributes:
        metadata: How to read ``data``; the key ``encoding`` is always there.
        data: The serialized value.
        external_payloads: What ``data`` refers to, if that is kept in an external storage.
    """

    metadata: dict[str, bytes] = {}
    data: bytes = b""
    external_payloads: tuple[ExternalPayloadDetails, ...] = ()

    def SerializeToString(self) -> bytes:
        """Encode as a protobuf message."""
        message = b"".join(
            [wire.field(1, wire.field(1, key.encode()) + wire.field(2, value)) for key, value in self.metadata.items()]
        )
        if self.data:
            message += wire.field(2, self.data)
        for details in self.external_payloads:
            message += wire.field(3, wire.number_field(1, details.size_bytes))
        return message

    def ParseFromString(self, serialized: bytes) -> int:
        """Replace the contents by those of a protobuf message.

        Returns:
            The number of bytes read.

        Raises:
            ValueError: The bytes are not a protobuf message.
        """
        metadata: dict[str, bytes] = {}
        data = b""
        external: list[ExternalPayloadDetails] = []
        for number, value in wire.length_delimited_fields(serialized):
            if number == 1:
                entry = dict(wire.length_delimited_fields(value))
                metadata[entry.get(1, b"").decode()] = entry.get(2, b"")
            elif number == 2:
                data = value
            elif number == 3:
                size = dict(wire.fields(value)).get(1, 0)
                external.append(ExternalPayloadDetails(wire.signed(size) if isinstance(size, int) else 0))
        self.metadata, self.data, self.external_payloads = metadata, data, tuple(external)
        return len(serialized)

    @classmethod
    def FromString(cls, serialized: bytes) -> Payload:
        """Decode a protobuf message; see ``ParseFromString``."""
        payload = cls()
        payload.ParseFromString(serialized)
        return payload

    def CopyFrom(self, other: Payload) -> None:
        """Replace the contents by a copy of another payload's."""
        self.metadata, self.data = dict(other.metadata), other.data
        self.external_payloads = other.external_payloads

    def ByteSize(self) -> int:
        """Length in bytes of the protobuf message."""
        return len(self.SerializeToString())

    def __deepcopy__(self, memo: object = None) -> Payload:
        """A copy that shares nothing that can change. As with protobuf's messages, called by people too."""
        return Payload(dict(self.metadata), self.data, self.external_payloads)


def payload_size(payload: Payload | None) -> int:
    """Bytes that a payload takes, metadata included."""
    if payload is None:
        return 0
    return len(payload.data) + sum([len(key) + len(value) for key, value in payload.metadata.items()])


class Payloads(msgspec.Struct):
    """Several payloads, such as the arguments of a call: ``temporal.api.common.v1.Payloads``."""

    payloads: list[Payload] = []

    def SerializeToString(self) -> bytes:
        """Encode as a protobuf message."""
        return b"".join([wire.field(1, payload.SerializeToString()) for payload in self.payloads])

    def ParseFromString(self, serialized: bytes) -> int:
        """Replace the contents by those of a protobuf message.

        Returns:
            The number of bytes read.

        Raises:
            ValueError: The bytes are not a protobuf message.
        """
        self.payloads = [
            Payload.FromString(value) for number, value in wire.length_delimited_fields(serialized) if number == 1
        ]
        return len(serialized)

    @classmethod
    def FromString(cls, serialized: bytes) -> Payloads:
        """Decode a protobuf message; see ``ParseFromString``."""
        payloads = cls()
        payloads.ParseFromString(serialized)
        return payloads

    def CopyFrom(self, other: Payloads) -> None:
        """Replace the contents by copies of another's payloads."""
        copies = []
        for payload in other.payloads:
            copy = Payload()
            copy.CopyFrom(payload)
            copies.append(copy)
        self.payloads = copies

    def ByteSize(self) -> int:
        """Length in bytes of the protobuf message."""
        return len(self.SerializeToString())
