"""Options of the public API in their recorded form."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from durability._core.payload import Payload
from durability.common import Priority

_MILLISECOND: Final = timedelta(milliseconds=1)
_JSON: Final = {"encoding": b"json/plain"}


def milliseconds(duration: timedelta | None) -> int:
    """Whole milliseconds, rounded up so that a short duration does not turn into "not set"; 0 for None."""
    return -(-duration // _MILLISECOND) if duration else 0


def duration(milliseconds: int) -> timedelta | None:
    """A recorded duration; None for 0."""
    return timedelta(milliseconds=milliseconds) if milliseconds else None


def priority_record(priority: Priority | None) -> list[Payload] | None:
    """The recorded form of a priority; None if nothing is set."""
    if priority is None or priority is Priority.default or priority == Priority.default:
        return None
    fields = (priority.priority_key, priority.fairness_key, priority.fairness_weight)
    return [Payload(dict(_JSON), msgspec.json.encode(fields))]


def priority_from(record: list[Payload] | None) -> Priority:
    """The priority of a record."""
    if not record:
        return Priority.default
    key, fairness_key, weight = msgspec.json.decode(record[0].data, type=tuple[int | None, str | None, float | None])
    return Priority(priority_key=key, fairness_key=fairness_key, fairness_weight=weight)
