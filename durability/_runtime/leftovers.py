"""What an attempt of an activity leaves behind for the next one, in the form in which its item keeps it."""

from __future__ import annotations

import msgspec

from durability._core.encoding import FAILURE_TEXT_LIMIT
from durability._core.failure import Failure, shortened
from durability._core.payload import Payload
from durability._runtime.large_payloads import PayloadList

_encoder = msgspec.msgpack.Encoder()
_failure_decoder = msgspec.msgpack.Decoder(Failure)
_details_decoder = msgspec.msgpack.Decoder(list[Payload])


def encode_failure(failure: Failure) -> bytes:
    """The stored form of how an attempt failed; with no more text than an item has room for."""
    return _encoder.encode(shortened(failure, FAILURE_TEXT_LIMIT))


def decode_failure(stored: bytes) -> Failure | None:
    """How the attempt before failed; None if none did."""
    return _failure_decoder.decode(stored) if stored else None


def encode_details(details: PayloadList) -> bytes:
    """The stored form of heartbeat details."""
    return _encoder.encode(details.payloads)


def decode_details(stored: bytes) -> PayloadList:
    """The last heartbeat's details; none if there was none."""
    return PayloadList(_details_decoder.decode(stored) if stored else [])
