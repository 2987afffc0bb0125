"""History as Temporal shows it: events with ids, derived from the deltas of a run.

What Temporal records and this engine does not store (workflow task events, activity started events, event ids)
follows from the deltas. A delta is one workflow task: its inputs come first, then the task's three events,
then the events of its commands. Attributes have the names of Temporal's JSON history format, so ``to_json`` is a
document that Temporal's tools and SDKs read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from durability._core.events_attributes import EventsBuilder
from durability._core.history import Delta, standing
from durability._core.message_view import Message
from durability._core.protobuf_times import Timestamp
from durability._core.temporal_json import time_json
from durability.exceptions import HistoryFormatError

EVENT_TYPES: Final[Mapping[str, int]] = {
    "WorkflowExecutionStarted": 1,
    "WorkflowExecutionCompleted": 2,
    "WorkflowExecutionFailed": 3,
    "WorkflowExecutionTimedOut": 4,
    "WorkflowTaskScheduled": 5,
    "WorkflowTaskStarted": 6,
    "WorkflowTaskCompleted": 7,
    "WorkflowTaskTimedOut": 8,
    "WorkflowTaskFailed": 9,
    "ActivityTaskScheduled": 10,
    "ActivityTaskStarted": 11,
    "ActivityTaskCompleted": 12,
    "ActivityTaskFailed": 13,
    "ActivityTaskTimedOut": 14,
    "ActivityTaskCancelRequested": 15,
    "ActivityTaskCanceled": 16,
    "TimerStarted": 17,
    "TimerFired": 18,
    "TimerCanceled": 19,
    "WorkflowExecutionCancelRequested": 20,
    "WorkflowExecutionCanceled": 21,
    "RequestCancelExternalWorkflowExecutionInitiated": 22,
    "RequestCancelExternalWorkflowExecutionFailed": 23,
    "ExternalWorkflowExecutionCancelRequested": 24,
    "MarkerRecorded": 25,
    "WorkflowExecutionSignaled": 26,
    "WorkflowExecutionTerminated": 27,
    "WorkflowExecutionContinuedAsNew": 28,
    "StartChildWorkflowExecutionInitiated": 29,
    "StartChildWorkflowExecutionFailed": 30,
    "ChildWorkflowExecutionStarted": 31,
    "ChildWorkflowExecutionCompleted": 32,
    "ChildWorkflowExecutionFailed": 33,
    "ChildWorkflowExecutionCanceled": 34,
    "ChildWorkflowExecutionTimedOut": 35,
    "ChildWorkflowExecutionTerminated": 36,
    "SignalExternalWorkflowExecutionInitiated": 37,
    "SignalExternalWorkflowExecutionFailed": 38,
    "ExternalWorkflowExecutionSignaled": 39,
    "UpsertWorkflowSearchAttributes": 40,
    "WorkflowExecutionUpdateAccepted": 41,
    "WorkflowExecutionUpdateRejected": 42,
    "WorkflowExecutionUpdateCompleted": 43,
    "WorkflowPropertiesModified": 46,
    "NexusOperationScheduled": 48,
    "NexusOperationCompleted": 50,
    "NexusOperationFailed": 51,
}
"""Numbers of ``temporal/api/enums/v1/event_type.proto`` by name."""

_CAPITALS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _snake(name: str) -> str:
    return _CAPITALS.sub("_", name).lower()


def _attributes_name(name: str) -> str:
    return f"{_snake(name)}_event_attributes"


_ATTRIBUTES_NAMES: Final = frozenset(map(_attributes_name, EVENT_TYPES))


@dataclass(frozen=True)
class HistoryEvent:
    """One event of a run's history.

    Attributes:
        event_id: Position in the history, from 1.
        time: Milliseconds since the epoch.
        name: Name of the event's type, such as ``ActivityTaskScheduled``.
        attributes: Its attributes, in Temporal's JSON naming.
        user_metadata: Summary and details given by the workflow's author, as JSON payloads.
        event_group_markers: The event groups that the command belongs to of which the event tells.
    """

    event_id: int
    time: int
    name: str
    attributes: Message
    user_metadata: Message = field(default_factory=lambda: Message({}))
    event_group_markers: list[Message] = field(default_factory=list)

    @property
    def event_type(self) -> int:
        """Number of the event's type."""
        return EVENT_TYPES[self.name]

    @property
    def event_time(self) -> Timestamp:
        """When it happened, in UTC."""
        return Timestamp.from_milliseconds(self.time)

    @property
    def attributes_name(self) -> str:
        """Name under which the event's attributes are found."""
        return _attributes_name(self.name)

    def HasField(self, name: str) -> bool:
        """Whether the event has the attributes of a certain type, or its metadata, as in protobuf."""
        return name == self.attributes_name or (name == "user_metadata" and bool(self.user_metadata))

    def WhichOneof(self, group: str) -> str:
        """Name of the event's attributes, as in protobuf; ``group`` is ``"attributes"``."""
        if group != "attributes":
            raise ValueError(f"a history event has no field group {group!r}")
        return self.attributes_name

    def __getattr__(self, name: str) -> Any:
        if name == self.attributes_name:
            return self.attributes
        if name in _ATTRIBUTES_NAMES:
            return Message({})
        raise AttributeError(f"a {self.name} event has no {name!r}; its attributes are {self.attributes_name!r}")

    def to_json(self) -> dict[str, Any]:
        """The event in Temporal's JSON history format."""
        camel = self.name[0].lower() + self.name[1:]
        body: dict[str, Any] = {
            "eventId": str(self.event_id),
            "eventTime": time_json(self.time),
            "eventType": f"EVENT_TYPE_{_snake(self.name).upper()}",
            "taskId": str(self.event_id),
            f"{camel}EventAttributes": dict(self.attributes),
        }
        if self.user_metadata:
            body["userMetadata"] = dict(self.user_metadata)
        if self.event_group_markers:
            body["eventGroupMarkers"] = [dict(marker) for marker in self.event_group_markers]
        return body


def to_events(
    deltas: Iterable[Delta],
    *,
    workflow_id: str = "",
    run_id: str = "",
    namespace: str = "default",
    task_queue: str = "",
    new_run_id: str = "",
) -> list[HistoryEvent]:
    """Derive the events of a run.

    Args:
        deltas: The run's deltas from the first on. A delta that the next one supersedes is left out.
        workflow_id: Id of the workflow, for events that name it.
        run_id: Id of the run; the first run's id from the history if empty.
        namespace: Namespace of the run.
        task_queue: Task queue of workflow tasks; the one that the run was started with if empty.
        new_run_id: Run that goes on after this one, for the closing event.

    Returns:
        The events, numbered from 1.

    Raises:
        HistoryFormatError: The deltas refer to something that they do not tell of, or hold what cannot be read.
    """
    builder = EventsBuilder(workflow_id, run_id, namespace, task_queue, new_run_id)
    for delta in standing(deltas):
        try:
            builder.add(delta)
        except (KeyError, OverflowError) as error:
            raise HistoryFormatError(f"the history is not whole: nothing has been told of {error}") from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise HistoryFormatError(f"a record of the history is corrupt: {error}") from error
    return [
        HistoryEvent(
            number,
            event.time,
            event.name,
            Message(event.attributes),
            Message(event.user_metadata),
            list(map(Message, event.event_group_markers)),
        )
        for number, event in enumerate(builder.events, 1)
    ]


def to_json(events: Iterable[HistoryEvent]) -> str:
    """A history as a document in Temporal's JSON format."""
    return json.dumps({"events": [event.to_json() for event in events]})
