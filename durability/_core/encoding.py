"""The bytes in which history is kept.

A stored record is one byte that names the encoding, then the body: MessagePack of the record's array form
(``durability._core.history``), deflated when that pays. The first element of every delta is its format number.
There is no pickle and nothing that needs user code to be read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

import msgspec

from durability._core.failure import shortened
from durability._core.history import FORMAT, Command, Delta, Input
from durability.exceptions import HistoryFormatError

PLAIN: Final = b"\x01"
DEFLATED: Final = b"\x02"
COMPRESS_FROM: Final = 900
"""Bodies up to this many bytes are left alone: with keys and names they fit into one write unit of 1 KB as they are."""

FAILURE_TEXT_LIMIT: Final = 200_000
"""Bytes of the texts of a failure that waits in an item; histories themselves take longer ones."""

_FAILURES: Final = ("failure", "last_failure")
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_encoder = msgspec.msgpack.Encoder()
_delta_decoder = msgspec.msgpack.Decoder(Delta)
_input_decoder = msgspec.msgpack.Decoder(Input)
_command_decoder = msgspec.msgpack.Decoder(Command)


def _pack(body: bytes) -> bytes:
    if len(body) > COMPRESS_FROM:
        deflated = zlib.compress(body, 1)
        if len(deflated) < len(body):
            return DEFLATED + deflated
    return PLAIN + body


def _unpack(stored: bytes) -> bytes:
    kind = stored[:1]
    if kind == PLAIN:
        return stored[1:]
    if kind == DEFLATED:
        try:
            return zlib.decompress(stored[1:])
        except zlib.error as error:
            raise HistoryFormatError(f"a history record does not inflate: {error}") from error
    raise HistoryFormatError(
        f"unknown encoding {kind!r} of a history record: written by a newer version, or corrupt; upgrade this code"
    )


def encode_delta(delta: Delta) -> bytes:
    """Return the stored form of a delta."""
    return _pack(_encoder.encode(delta))


def decode_delta(stored: bytes) -> Delta:
    """Read a stored delta.

    Raises:
        HistoryFormatError: The bytes are corrupt, or of a format that this version does not know.
    """
    body = _unpack(stored)
    try:
        delta = _delta_decoder.decode(body)
    except _UNREADABLE as error:
        raise HistoryFormatError(_explain(body, error)) from error
    if delta.format != FORMAT:
        raise HistoryFormatError(_explain(body, ValueError("wrong format number")))
    return delta


def decode_deltas(stored: Iterable[tuple[int, bytes]]) -> list[tuple[int, Delta, int]]:
    """Read stored deltas with their numbers: triples of number, delta and stored bytes, as ``Run.replay`` takes them.

    Raises:
        HistoryFormatError: See ``decode_delta``.
    """
    return [(sequence, decode_delta(body), len(body)) for sequence, body in stored]


def _explain(body: bytes, error: Exception) -> str:
    try:
        number = msgspec.msgpack.decode(body)[0]
    except (*_UNREADABLE, TypeError, IndexError, KeyError):
        return f"a delta is corrupt: {error}"
    if number != FORMAT:
        return f"a delta has format number {number}, this version reads {FORMAT}: upgrade this code"
    return f"a delta is corrupt: {error}"


def encode_input(message: Input) -> bytes:
    """Return the stored form of an inbox message; a failure in it with no more text than an item has room for."""
    for name in _FAILURES:
        failure = getattr(message, name, None)
        if failure is not None and (short := shortened(failure, FAILURE_TEXT_LIMIT)) is not failure:
            message = msgspec.structs.replace(message, **{name: short})
    return _pack(_encoder.encode(message))


def decode_input(stored: bytes) -> Input:
    """Read a stored inbox message.

    Raises:
        HistoryFormatError: The bytes are corrupt or unknown.
    """
    body = _unpack(stored)
    try:
        message: Input = _input_decoder.decode(body)
    except _UNREADABLE as error:
        raise HistoryFormatError(f"an inbox message is corrupt: {error}") from error
    return message


def encode_command(command: Command) -> bytes:
    """Return the stored form of a single command."""
    return _pack(_encoder.encode(command))


def decode_command(stored: bytes) -> Command:
    """Read a single stored command.

    Raises:
        HistoryFormatError: The bytes are corrupt or unknown.
    """
    body = _unpack(stored)
    try:
        command: Command = _command_decoder.decode(body)
    except _UNREADABLE as error:
        raise HistoryFormatError(f"a command is corrupt: {error}") from error
    return command
