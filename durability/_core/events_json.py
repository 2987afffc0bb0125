"""Reading history in Temporal's JSON format."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from durability._core.enums import enum_name
from durability._core.events_view import EVENT_TYPES, HistoryEvent
from durability._core.message_view import Message
from durability._core.temporal_json import time_from_json

UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a part of a document ends with when the part is not what it should be."""
_ENUM_FIELDS: Final[Mapping[str, str]] = {
    "initiator": "ContinueAsNewInitiator",
    "parentClosePolicy": "ParentClosePolicy",
    "retryState": "RetryState",
    "timeoutType": "TimeoutType",
    "workflowIdReusePolicy": "WorkflowIdReusePolicy",
}
_CAUSES: Final[Mapping[str, str]] = {
    "RequestCancelExternalWorkflowExecutionFailed": "CancelExternalWorkflowExecutionFailedCause",
    "SignalExternalWorkflowExecutionFailed": "SignalExternalWorkflowExecutionFailedCause",
    "StartChildWorkflowExecutionFailed": "StartChildWorkflowExecutionFailedCause",
    "WorkflowTaskFailed": "WorkflowTaskFailedCause",
}
_NAMES_BY_ENUM: Final = {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper(): name for name in EVENT_TYPES}


def events_from_json(document: str | Mapping[str, Any]) -> list[HistoryEvent]:
    """Read the events of a document.

    Raises:
        ValueError: The document is not a history, or has an event type that is not known.
    """
    try:
        parsed = json.loads(document) if isinstance(document, str) else document
    except RecursionError as error:
        raise ValueError("the history is nested too deeply") from error
    if not isinstance(parsed, Mapping) or not isinstance(parsed.get("events"), list):
        raise ValueError("a history in Temporal's JSON format is an object with a list of events")
    return [_event(position, event) for position, event in enumerate(parsed["events"], 1)]


def _event(position: int, event: Any) -> HistoryEvent:
    try:
        return _read_event(event)
    except UNREADABLE as error:
        raise ValueError(f"event {position} of the history cannot be read: {error}") from error


def _read_event(event: Mapping[str, Any]) -> HistoryEvent:
    given = str(event.get("eventType", ""))
    name = _NAMES_BY_ENUM.get(given.removeprefix("EVENT_TYPE_"), given)
    if name not in EVENT_TYPES:
        raise ValueError(f"the history has an event of unknown type {given!r}")
    key = f"{name[0].lower()}{name[1:]}EventAttributes"
    return HistoryEvent(
        event_id=int(event.get("eventId", 0)),
        time=time_from_json(_milliseconds(str(event.get("eventTime", "1970-01-01T00:00:00Z")))),
        name=name,
        attributes=Message(_with_enum_names(_message(event, key), {"cause": _CAUSES[name]} if name in _CAUSES else {})),
        user_metadata=_message(event, "userMetadata"),
        event_group_markers=_messages(event, "eventGroupMarkers"),
    )


def _with_enum_names(body: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, Any]:
    """Attributes with the values of enumerations as the API names them: Temporal's UI wrote them as ``InProgress``.

    ``own`` are fields that are an enumeration here and not further in.
    """
    named: dict[str, Any] = {}
    for key, value in body.items():
        enum = own.get(key) or _ENUM_FIELDS.get(key)
        if isinstance(value, str) and enum:
            named[key] = enum_name(enum, value)
        elif isinstance(value, Mapping) and key != "metadata":
            named[key] = _with_enum_names(value, {"kind": "TaskQueueKind"} if key == "taskQueue" else {})
        else:
            named[key] = value
    return named


def _message(event: Mapping[str, Any], key: str) -> Message:
    value = event.get(key) or {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{key} is no object")
    return Message(value)


def _messages(event: Mapping[str, Any], key: str) -> list[Message]:
    values = event.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
        raise ValueError(f"{key} is no list of objects")
    return list(map(Message, values))


def _milliseconds(time: str) -> str:
    """Cut a time to microseconds: Temporal writes nanoseconds, which ``datetime`` does not have."""
    return re.sub(r"(\.\d{6})\d+", r"\1", time)
