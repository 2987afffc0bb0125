"""The little of protobuf's wire format that payloads need: varints and length-delimited fields.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5


def varint(value: int) -> bytes:
    """Encode a number that is not negative, seven bits a byte, least significant first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def field(number: int, value: bytes) -> bytes:
    """Encode a length-delimited field: bytes, a string or a message."""
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(len(value)) + value


def length_delimited_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and value of each length-delimited field, skipping fields of any other kind.

    Raises:
        ValueError: The bytes are not a protobuf message.
    """
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        kind = tag & 7
        if kind == _VARINT:
            _, position = _read_varint(data, position)
            continue
        if kind == _LENGTH_DELIMITED:
            length, position = _read_varint(data, position)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"Not a protobuf message: wire type {kind} at byte {position}")
        end = position + length
        if end > len(data):
            raise ValueError(f"Not a protobuf message: a field ends {end - len(data)} bytes after the message")
        if kind == _LENGTH_DELIMITED:
            yield tag >> 3, data[position:end]
        position = end


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("Not a protobuf message: a varint does not end")
