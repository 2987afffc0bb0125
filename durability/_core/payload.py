"""Payloads: the only form in which user data is stored or sent."""

from __future__ import annotations

import msgspec

from durability._core import wire


class Payload(msgspec.Struct, array_like=True, kw_only=False):
    """A serialized value with the metadata that tells how to read it.

    The same two fields as Temporal's ``temporal.api.common.v1.Payload``, and the same bytes when serialized; the
    sizes of external payloads, its third field, are not kept.

    Attributes:
        metadata: How to read ``data``; the key ``encoding`` is always there.
        data: The serialized value.
    """

    metadata: dict[str, bytes] = {}
    data: bytes = b""

    def SerializeToString(self) -> bytes:
        """Encode as a protobuf message."""
        message = b"".join(
            [wire.field(1, wire.field(1, key.encode()) + wire.field(2, value)) for key, value in self.metadata.items()]
        )
        return message + wire.field(2, self.data) if self.data else message

    def ParseFromString(self, serialized: bytes) -> int:
        """Replace the contents by those of a protobuf message.

        Returns:
            The number of bytes read.

        Raises:
            ValueError: The bytes are not a protobuf message.
        """
        metadata: dict[str, bytes] = {}
        data = b""
        for number, value in wire.length_delimited_fields(serialized):
            if number == 1:
                entry = dict(wire.length_delimited_fields(value))
                metadata[entry.get(1, b"").decode()] = entry.get(2, b"")
            elif number == 2:
                data = value
        self.metadata, self.data = metadata, data
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

    def ByteSize(self) -> int:
        """Length in bytes of the protobuf message."""
        return len(self.SerializeToString())

    def __deepcopy__(self, memo: object = None) -> Payload:
        """A copy that shares nothing that can change. As with protobuf's messages, called by people too."""
        return Payload(dict(self.metadata), self.data)


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
