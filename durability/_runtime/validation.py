"""Limits on what comes from outside, checked before anything is written."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from durability._core.payload import Payload, payload_size
from durability._core.payload_fields import PAYLOAD_LIMIT, sizes
from durability.exceptions import PayloadTooLargeError
from durability.service import RPCError, RPCStatusCode

IDENTIFIER_LIMIT: Final = 1000
"""Characters; Temporal's default ``limit.maxIDLength``."""

PAYLOAD_WARNING: Final = 512 * 1024
"""Bytes from which on a worker's payloads are warned of; Temporal's default ``limit.blobSize.warn``."""

logger = logging.getLogger("durability.runtime")

_UUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def check_identifier(what: str, value: str) -> None:
    """Refuse ids and names that are empty, too long, or hold control characters.

    Raises:
        RPCError: INVALID_ARGUMENT, naming what is wrong.
    """
    if not value:
        raise _invalid(f"the {what} is empty: give it a value")
    if len(value) > IDENTIFIER_LIMIT:
        raise _invalid(f"the {what} has {len(value)} characters, the limit is {IDENTIFIER_LIMIT}")
    if not value.isprintable():
        for character in value:
            if unicodedata.category(character) in {"Cc", "Cs"}:
                raise _invalid(f"the {what} holds the character {character!r}: control characters are not allowed")


def check_run_id(run_id: str | None) -> None:
    """Refuse a run id that cannot be one; none at all is fine. Raises RPCError(INVALID_ARGUMENT)."""
    if run_id and not _UUID.fullmatch(run_id):
        raise _invalid("Invalid RunId.")


def workflow_not_found(workflow_id: str, run_id: str | None = None) -> RPCError:
    """There is no such execution; the text is that of Temporal's server."""
    text = f"workflow not found for ID: {workflow_id}"
    if run_id:
        text = f'workflow execution not found for workflow ID "{workflow_id}" and run ID "{run_id}"'
    return RPCError(text, RPCStatusCode.NOT_FOUND, b"")


def workflow_closed() -> RPCError:
    """The execution has ended and takes no messages; the text is that of Temporal's server."""
    return RPCError("workflow execution already completed", RPCStatusCode.NOT_FOUND, b"")


def check_payloads(what: str, payloads: Iterable[Payload | None]) -> None:
    """Refuse payloads that are too large together, with the message of Temporal's server.

    Raises:
        RPCError: INVALID_ARGUMENT, with size and limit.
    """
    _refuse("Blob data size exceeds limit.", what, payloads)


def check_memo(memo: Mapping[str, Payload]) -> None:
    """The same for a memo."""
    _refuse("Memo size exceeds limit.", "the values of the memo", memo.values())


def check_record(record: msgspec.Struct) -> None:
    """Refuse payloads that code of the application gave, if one field of the record has too many bytes; warn of many.

    Raises:
        PayloadTooLargeError: Names the field.
    """
    for name, size in sizes(record):
        if size > PAYLOAD_LIMIT:
            raise PayloadTooLargeError(f"{name} of {type(record).__name__}", size=size, limit=PAYLOAD_LIMIT)
        if size > PAYLOAD_WARNING:
            logger.warning(
                "[TMPRL1103] Attempted to upload payloads with size that exceeded the warning limit. %s of %s has %d "
                "bytes, the limit is %d",
                name,
                type(record).__name__,
                size,
                PAYLOAD_WARNING,
            )


def _refuse(message: str, what: str, payloads: Iterable[Payload | None]) -> None:
    size = sum(map(payload_size, payloads))
    if size > PAYLOAD_LIMIT:
        raise _invalid(
            f"{message} {what} have {size:,} bytes, the limit is {PAYLOAD_LIMIT:,}: pass a reference instead"
        )


def _invalid(message: str) -> RPCError:
    return RPCError(message, RPCStatusCode.INVALID_ARGUMENT, b"")
