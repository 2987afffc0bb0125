"""Where the payloads of a record are, found from its type's annotations.

Every record that is stored or sent can be gone through with the two functions below; nothing else needs to know which
of its fields hold payloads.
"""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar, cast

import msgspec

from durability._core.failure import ApplicationFailureInfo, CanceledFailureInfo, Failure, TimeoutFailureInfo
from durability._core.payload import Payload, payload_size

Transform = Callable[[Sequence[Payload]], Awaitable[Sequence[Payload]]]
"""Takes the payloads of one field, and returns what is to be in their place."""

_R = TypeVar("_R", bound=msgspec.Struct)

PAYLOAD_LIMIT: Final = 2 * 1024 * 1024
"""Bytes of the payloads of one field; Temporal's default ``limit.blobSize.error``."""

HEADERS: Final = "headers"
ABOUT: Final = frozenset({"summary", "static_summary", "static_details"})
"""Fields that say something to people about a record; the workflow is not shown them."""
_NOT_VISITED: Final = frozenset({"search_attributes", "priority"})
"""The engine reads these itself: they are no user's payloads (in Temporal, codecs leave them alone as well)."""


def _every_field(name: str) -> bool:
    return True


class _Shape(Enum):
    ONE = "a payload, or none"
    SEVERAL = "a list of payloads, or none"
    NAMED = "payloads by name; a name may have none"
    FAILURE = "a failure, or none"
    RECORDS = "a list of records"


def payloads_in(record: msgspec.Struct) -> Iterator[Payload]:
    """All payloads of a record, those of its headers, failures and parts among them."""
    if isinstance(record, Failure):
        yield from payloads_of_failure(record)
        return
    for name, shape in _fields(type(record)):
        value = getattr(record, name)
        if not value:
            continue
        if shape is _Shape.ONE:
            yield value
        elif shape is _Shape.SEVERAL:
            yield from value
        elif shape is _Shape.NAMED:
            yield from (payload for payload in value.values() if payload is not None)
        elif shape is _Shape.FAILURE:
            yield from payloads_of_failure(value)
        else:
            for part in value:
                yield from payloads_in(part)


def sizes(record: msgspec.Struct) -> Iterator[tuple[str, int]]:
    """The bytes of each field of a record that has payloads; those of a failure with its texts."""
    for name, shape in _fields(type(record)):
        value = getattr(record, name)
        if not value:
            continue
        if shape is _Shape.ONE:
            yield name, payload_size(value)
        elif shape is _Shape.SEVERAL:
            yield name, sum(map(payload_size, value))
        elif shape is _Shape.NAMED:
            yield name, sum(map(payload_size, value.values()))
        elif shape is _Shape.FAILURE:
            yield name, failure_size(value)


def failure_size(failure: Failure) -> int:
    """Bytes of a failure and of its causes."""
    texts = sum(len(part.message) + len(part.stack_trace) for part in _chain(failure))
    return texts + sum(map(payload_size, payloads_of_failure(failure)))


async def transformed(record: _R, transform: Transform, chosen: Callable[[str], bool] = _every_field) -> _R:
    """A copy of a record with its payloads transformed; the record itself if it has none.

    Args:
        record: The record; it is left as it is.
        transform: Called once for each field, and once for each name where a field has payloads by name.
        chosen: Which fields are transformed, by name; all by default.
    """
    if isinstance(record, Failure):
        return cast(_R, await _transformed_failure(record, transform))
    changes: dict[str, Any] = {}
    for name, shape in _fields(type(record)):
        value = getattr(record, name)
        if not value or not chosen(name):
            continue
        if shape is _Shape.ONE:
            changes[name] = await _one(transform, value)
        elif shape is _Shape.SEVERAL:
            changes[name] = list(await transform(value))
        elif shape is _Shape.NAMED:
            changes[name] = {
                key: None if payload is None else await _one(transform, payload) for key, payload in value.items()
            }
        elif shape is _Shape.FAILURE:
            changes[name] = await _transformed_failure(value, transform)
        else:
            changes[name] = [await transformed(part, transform, chosen) for part in value]
    return msgspec.structs.replace(record, **changes) if changes else record


async def _transformed_failure(failure: Failure, transform: Transform) -> Failure:
    copy = Failure()
    copy.CopyFrom(failure)
    await transform_failure(copy, transform)
    return copy


async def transform_failure(failure: Failure, transform: Transform) -> None:
    """Transform the payloads of a failure and of its causes in place."""
    for part in _chain(failure):
        if part.encoded_attributes is not None:
            part.encoded_attributes = await _one(transform, part.encoded_attributes)
        match part.info:
            case ApplicationFailureInfo() | CanceledFailureInfo() as info if info.details:
                info.details = list(await transform(info.details))
            case TimeoutFailureInfo() as info if info.last_heartbeat_details:
                info.last_heartbeat_details = list(await transform(info.last_heartbeat_details))
            case _:
                pass


def payloads_of_failure(failure: Failure) -> Iterator[Payload]:
    """The payloads of a failure and of its causes."""
    for part in _chain(failure):
        if part.encoded_attributes is not None:
            yield part.encoded_attributes
        match part.info:
            case ApplicationFailureInfo(details=details) | CanceledFailureInfo(details=details):
                yield from details or ()
            case TimeoutFailureInfo(last_heartbeat_details=details):
                yield from details or ()
            case _:
                pass


def _chain(failure: Failure) -> Iterable[Failure]:
    current: Failure | None = failure
    while current is not None:
        yield current
        current = current.cause


async def _one(transform: Transform, payload: Payload) -> Payload:
    given = await transform([payload])
    if len(given) != 1:
        raise ValueError(f"one payload was given to be transformed, and {len(given)} came back")
    return given[0]


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, _Shape], ...]:
    hints = typing.get_type_hints(kind)
    shapes = ((name, _shape(hints[name])) for name in kind.__struct_fields__ if name not in _NOT_VISITED)
    return tuple((name, shape) for name, shape in shapes if shape is not None)


def _shape(hint: Any) -> _Shape | None:
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if hint is Payload:
        return _Shape.ONE
    if hint is Failure:
        return _Shape.FAILURE
    if origin is list:
        if arguments[0] is Payload:
            return _Shape.SEVERAL
        return _Shape.RECORDS if all(map(_is_record, typing.get_args(arguments[0]) or arguments)) else None
    if origin is dict:
        return _Shape.NAMED if _shape(arguments[1]) is _Shape.ONE else None
    chosen = [argument for argument in arguments if argument is not type(None)]
    return _shape(chosen[0]) if len(chosen) == 1 and len(arguments) == 2 else None


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)
