"""Limits on what comes from outside, checked before anything is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from durability._core.payload import Payload
from durability.service import RPCError, RPCStatusCode

IDENTIFIER_LIMIT: Final = 1000
"""Characters; Temporal's default ``limit.maxIDLength``."""

_UUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

PAYLOAD_LIMIT: Final = 350_000
"""Bytes of all payloads of one call together: what one DynamoDB item (409,600 bytes) holds beside its envelope."""


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


def check_payloads(what: str, payloads: Iterable[Payload]) -> None:
    """Refuse payloads that are too large together.

    Raises:
        RPCError: INVALID_ARGUMENT, with size and limit.
    """
    size = sum(payload_size(payload) for payload in payloads)
    if size > PAYLOAD_LIMIT:
        raise _invalid(f"{what} have {size:,} bytes, the limit is {PAYLOAD_LIMIT:,}: pass a reference instead")


def payload_size(payload: Payload | None) -> int:
    """Bytes that a payload takes, metadata included."""
    if payload is None:
        return 0
    return len(payload.data) + sum(len(key) + len(value) for key, value in payload.metadata.items())


def _invalid(message: str) -> RPCError:
    return RPCError(message, RPCStatusCode.INVALID_ARGUMENT, b"")
