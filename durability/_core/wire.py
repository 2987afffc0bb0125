"""The little of protobuf's wire format that is needed: varints and length-delimited fields.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_ALL_BITS = 2**64 - 1
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


def number_field(number: int, value: int) -> bytes:
    """Encode an integer, boolean or enum; nothing for 0, which is what a missing one is read as.

    A negative one is its two's complement of 64 bits, as protobuf's ``int64`` has it; see ``signed``.
    """
    return varint(number << 3 | _VARINT) + varint(value & _ALL_BITS) if value else b""


def signed(value: int) -> int:
    """The ``int64`` that a varint stands for."""
    value &= _ALL_BITS
    return value - _ALL_BITS - 1 if value >> 63 else value


def fixed_field(number: int, value: float, *, double: bool) -> bytes:
    """Encode a floating point number of 8 bytes, or of 4."""
    kind, layout = (_FIXED64, "<d") if double else (_FIXED32, "<f")
    return varint(number << 3 | kind) + struct.pack(layout, value)


def length_delimited_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and value of each length-delimited field, skipping fields of any other kind.

    Raises:
        ValueError: The bytes are not a protobuf message.
    """
    for number, value in fields(data):
        if isinstance(value, bytes):
            yield number, value


def fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield number and value of each length-delimited field and each varint, skipping fixed-width fields.

    Raises:
        ValueError: The bytes are not a protobuf message.
    """
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _read_varint(data, position)
            yield tag >> 3, value
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
