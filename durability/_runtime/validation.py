"""Limits on what comes from outside, checked before anything is written."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from durability._core import history
from durability._core.encoding import encode_command
from durability._core.history import Delta
from durability._core.payload import Payload, payload_size
from durability._core.payload_fields import PAYLOAD_LIMIT, sizes
from durability._runtime.ports import HeadRecord
from durability.exceptions import PayloadTooLargeError
from durability.service import RPCError, RPCStatusCode

IDENTIFIER_LIMIT: Final = 1000
"""Bytes in UTF-8; Temporal's default ``limit.maxIDLength``. The keys of the table depend on it."""

PAYLOAD_WARNING: Final = 512 * 1024
"""Bytes from which on a worker's payloads are warned of; Temporal's default ``limit.blobSize.warn``."""

MESSAGE_LIMIT: Final = 300_000
"""Bytes of what one run gives another that must fit into one item, its large payloads being elsewhere."""

API_MESSAGE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of one message to Temporal's API; gRPC's default."""

RECORD_LIMIT: Final = 100_000
"""Bytes of memo and search attributes, large values being elsewhere: they share the head's item with the inbox."""

_NAMES: Final = (
    "workflow_id",
    "workflow_type",
    "task_queue",
    "activity_id",
    "activity_type",
    "name",
    "signal_name",
    "run_id",
)
_FOR_OTHER_RUNS: Final = (
    history.StartChildWorkflowExecutionInitiated,
    history.SignalWithStartScheduled,
    history.SignalExternalWorkflowExecutionInitiated,
    history.WorkflowExecutionContinuedAsNew,
)

logger = logging.getLogger("durability.runtime")

_UUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def check_identifier(what: str, value: str) -> None:
    """Refuse ids and names that are empty, too long, or hold control characters.

    Raises:
        RPCError: INVALID_ARGUMENT, naming what is wrong.
    """
    if not value:
        raise _invalid(f"the {what} is empty: give it a value")
    _check_length(what, value)
    if not value.isprintable():
        for character in value:
            if unicodedata.category(character) in {"Cc", "Cs"}:
                raise _invalid(f"the {what} holds the character {character!r}: control characters are not allowed")


def _check_length(what: str, value: str) -> None:
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > IDENTIFIER_LIMIT:
        raise _invalid(f"the {what} has {size} bytes, the limit is {IDENTIFIER_LIMIT}")


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


def check_message(what: str, payloads: Iterable[Payload | None]) -> None:
    """Refuse what Temporal's server does not even receive: more than a message of its API may have.

    Raises:
        RPCError: RESOURCE_EXHAUSTED, with size and limit.
    """
    size = sum(map(payload_size, payloads))
    if size > API_MESSAGE_LIMIT:
        raise RPCError(
            f"{what} have {size} bytes, the limit is {API_MESSAGE_LIMIT}", RPCStatusCode.RESOURCE_EXHAUSTED, b""
        )


def check_memo(memo: Mapping[str, Payload]) -> None:
    """The same for a memo."""
    _refuse("Memo size exceeds limit.", "the values of the memo", memo.values())


def check_metadata(search_attributes: Mapping[str, Payload], priority: list[Payload] | None) -> None:
    """Refuse what the engine itself reads when a workflow begins, if it cannot be read: the workflow would never begin.

    Raises:
        RPCError: INVALID_ARGUMENT, naming what is wrong.
    """
    if search_attributes:
        from durability.converter._search_attributes import (
            search_attributes_from_payloads,
            typed_search_attributes_from_payloads,
        )

        for name, payload in search_attributes.items():
            try:
                search_attributes_from_payloads({name: payload})
                typed_search_attributes_from_payloads({name: payload})
            except Exception as error:  # whatever a converter raises
                raise _invalid(f"the search attribute {name!r} cannot be read: {error}") from error
    if priority:
        from durability._core.options import priority_from

        try:
            priority_from(priority)
        except Exception as error:  # as above
            raise _invalid(f"the priority cannot be read: {error}") from error


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


def check_decisions(delta: Delta, record: HeadRecord | None) -> None:
    """Refuse decisions that could be recorded but not carried out, before they are: the run would never get past them.

    Args:
        delta: What a workflow task has decided.
        record: Memo and search attributes as the head will have them, if they have changed.

    Raises:
        RPCError: INVALID_ARGUMENT, naming the id or name that is too long.
        PayloadTooLargeError: The memo, or what another run is to be told, fits into no item.
    """
    for command in delta.commands:
        for field in _NAMES:
            value = getattr(command, field, "")
            if len(value) > IDENTIFIER_LIMIT // 4:  # UTF-8 takes up to four bytes for a character
                _check_length(f"{field.replace('_', ' ')} of {type(command).__name__}", value)
        if isinstance(command, _FOR_OTHER_RUNS):
            _check_size(type(command).__name__, len(encode_command(command)), MESSAGE_LIMIT)
    if record is not None:
        _check_size("The memo with the search attributes", len(msgspec.msgpack.encode(record)), RECORD_LIMIT)


def _check_size(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLargeError(what, size=size, limit=limit)


def _refuse(message: str, what: str, payloads: Iterable[Payload | None]) -> None:
    size = sum(map(payload_size, payloads))
    if size > PAYLOAD_LIMIT:
        raise _invalid(
            f"{message} {what} have {size:,} bytes, the limit is {PAYLOAD_LIMIT:,}: pass a reference instead"
        )


def _invalid(message: str) -> RPCError:
    return RPCError(message, RPCStatusCode.INVALID_ARGUMENT, b"")
