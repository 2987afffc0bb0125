"""What is checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from durability._core.payload import Payload
from durability._runtime.validation import payload_size
from durability.service import RPCError, RPCStatusCode

PAYLOADS_LIMIT: Final = 2 * 1024 * 1024
"""Bytes of the payloads of one field; Temporal's default ``limit.blobSize.error``. DynamoDB holds less."""


def check_size(what: str, payloads: Iterable[Payload | None]) -> None:
    """Refuse payloads that no engine would take.

    Raises:
        RPCError: INVALID_ARGUMENT, with size and limit.
    """
    size = sum(payload_size(payload) for payload in payloads)
    if size > PAYLOADS_LIMIT:
        raise RPCError(
            f"{what} have {size:,} bytes, the limit is {PAYLOADS_LIMIT:,}: pass a reference instead",
            RPCStatusCode.INVALID_ARGUMENT,
            b"",
        )
