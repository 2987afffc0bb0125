"""Temporal's messages out of their JSON form, with the fields and the values that code written for protobuf expects.

There is no schema here: in the messages that a history consists of, a field's name tells what it holds. A field that is
not set has its type's default, as in protobuf.
Sources: https://protobuf.dev/programming-guides/json/, ``temporal/api/history/v1/message.proto`` and
``temporal/api/enums/v1/*.proto``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from durability._core.enums import enum_numbers
from durability._core.payload import Payload
from durability._core.protobuf_times import Duration, Timestamp
from durability._core.temporal_json import duration_from_json, payload_from_json, time_from_json

_PAYLOAD_FIELDS: Final = {"metadata", "data", "externalPayloads"}


class Message(Mapping[str, Any]):
    """A message: a mapping with the names of the JSON form, readable as ``snake_case`` attributes too.

    Attributes have protobuf's types: enums are numbers, times and durations are ``Timestamp`` and ``Duration``,
    payloads are payloads. The mapping has the JSON as it is.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        kind = _kind(name)
        value = self._values.get(_camel(name))
        if value is not None:
            return (kind or _by_value)(value)
        if kind is None:
            raise AttributeError(f"the message has no field {name!r}; it has {', '.join(self._values) or 'none'}")
        return _DEFAULTS[kind]()

    def HasField(self, name: str) -> bool:
        """Whether a field is set, as in protobuf."""
        return self._values.get(_camel(name)) is not None

    def __repr__(self) -> str:
        return f"Message({dict(self._values)!r})"


def _time(value: str) -> Timestamp:
    return Timestamp.from_milliseconds(time_from_json(value))


def _duration(value: str) -> Duration:
    return Duration(milliseconds=duration_from_json(value))


def _enum(value: str) -> int:
    return enum_numbers().get(value, 0)


def _cause(value: Any) -> Any:
    """A failure's cause, or a number, or the text that somebody gave who cancelled."""
    return enum_numbers().get(value, value) if isinstance(value, str) else _by_value(value)


def _details(value: Mapping[str, Any]) -> Any:
    """Payloads, or a marker's payloads by name."""
    return (
        _by_value(value)
        if not value or "payloads" in value or ("data" in value and "metadata" in value)
        else _map(value)
    )


def _map(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _by_value(item) for key, item in value.items()}


def _list(value: list[Any]) -> list[Any]:
    return [_by_value(item) for item in value]


def _text(value: Any) -> Any:
    """A string; in descriptions, ``type`` is a message."""
    return value if isinstance(value, str) else _by_value(value)


def _by_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return payload_from_json(value) if value and value.keys() <= _PAYLOAD_FIELDS else Message(value)
    return _list(value) if isinstance(value, list) else value


_Kind = Callable[[Any], Any]
_DEFAULTS: Final[Mapping[_Kind, Callable[[], Any]]] = {
    _by_value: lambda: Message({}),
    _cause: lambda: Message({}),
    _details: lambda: Message({}),
    _duration: Duration,
    _enum: int,
    _list: list,
    _map: dict,
    _time: lambda: Timestamp.from_milliseconds(0),
    bool: bool,
    float: float,
    int: int,
    payload_from_json: Payload,
    _text: str,
}
_KINDS_BY_SUFFIX: Final[tuple[tuple[re.Pattern[str], _Kind], ...]] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"^retry_policy$", _by_value),
        (r"^(use_workflow|inherit)_build_id$|^non_retryable$|_only$|^suggest_continue_as_new$|^paused$", bool),
        (r"^cause$", _cause),
        (r"^details$", _details),
        (r"_timeout$|_interval$|_backoff$|_delay$", _duration),
        (r"_time$", _time),
        (r"_event_id$|_event_version$|^attempt$|_attempts$|_bytes$|_length$|^event_id$|^task_id$|^priority_key$", int),
        (r"_policy$|^initiator$|^kind$|_state$|^timeout_type$|^category$|^status$|^state$", _enum),
        (r"_types$|^payloads$|^pending_(activities|children)$", _list),
        (r"^fields$|^indexed_fields$", _map),
        (r"(^|_)id$|^(.*_)?name$|^identity$|^reason$|^message$|^source$|^stack_trace$|^type$|_schedule$", _text),
        (r"^(.*_)?namespace$|^control$", _text),
        (r"^binary_checksum$|_key$|^worker_deployment_version$|^sdk_version$", _text),
        (r"_coefficient$|_weight$", float),
        (r"^summary$", payload_from_json),
        (r"_attributes$|_info$|_execution$|_type$|_queue$|_failure$|_result$|_details$|_metadata$", _by_value),
        (r"^(input|args|result|success|header|priority|request|memo|failure|outcome|meta|upserted_memo)$", _by_value),
        (r"^label$|^inbound_(event|update)$", _by_value),
        (r"^search_attributes$|_request$|_config$|_override$|_task$|^execution$|^worker_version$", _by_value),
    )
)


@cache
def _kind(name: str) -> _Kind | None:
    """What a field of this name holds; None if that cannot be told."""
    return next((kind for pattern, kind in _KINDS_BY_SUFFIX if pattern.search(name)), None)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)
