"""The enumerations, made from the names and numbers that the core knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from durability._core.enums import ENUMS, enum_prefix
from durability._core.events_view import EVENT_TYPES


class Enum:
    """An enumeration: its values are attributes, and can be looked up by name and by number."""

    ValueType = int

    def __init__(self, name: str, values: Mapping[str, int]) -> None:
        """Not for users: the enumerations are in this module."""
        self._name = name
        self._values = dict(values)

    def __getattr__(self, name: str) -> int:
        """The value of a name."""
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the enumeration {self._name} has no value {name!r}") from None

    def Name(self, number: int) -> str:
        """Name of a value.

        Raises:
            ValueError: There is none with this number.
        """
        for name, value in self._values.items():
            if value == number:
                return name
        raise ValueError(f"the enumeration {self._name} has no value {number}")

    def Value(self, name: str) -> int:
        """Number of a value.

        Raises:
            ValueError: There is none of this name.
        """
        if name not in self._values:
            raise ValueError(f"the enumeration {self._name} has no value {name!r}")
        return self._values[name]

    def keys(self) -> list[str]:
        """All names."""
        return list(self._values)

    def values(self) -> list[int]:
        """All numbers."""
        return list(self._values.values())

    def items(self) -> list[tuple[str, int]]:
        """All names with their numbers."""
        return list(self._values.items())


def _enum(name: str) -> Enum:
    return Enum(name, {f"{enum_prefix(name)}_{value}": number for number, value in enumerate(ENUMS[name])})


ActivityTaskFailedCause: Final = _enum("ActivityTaskFailedCause")
ApplicationErrorCategory: Final = _enum("ApplicationErrorCategory")
ArchivalState: Final = _enum("ArchivalState")
CancelExternalWorkflowExecutionFailedCause: Final = _enum("CancelExternalWorkflowExecutionFailedCause")
ContinueAsNewInitiator: Final = _enum("ContinueAsNewInitiator")
EventType: Final = Enum(
    "EventType",
    {"EVENT_TYPE_UNSPECIFIED": 0, **{f"EVENT_TYPE_{enum_prefix(name)}": n for name, n in EVENT_TYPES.items()}},
)
HistoryEventFilterType: Final = _enum("HistoryEventFilterType")
IndexedValueType: Final = _enum("IndexedValueType")
NamespaceState: Final = _enum("NamespaceState")
ParentClosePolicy: Final = _enum("ParentClosePolicy")
PendingActivityState: Final = _enum("PendingActivityState")
PendingWorkflowTaskState: Final = _enum("PendingWorkflowTaskState")
QueryRejectCondition: Final = _enum("QueryRejectCondition")
RetryState: Final = _enum("RetryState")
SignalExternalWorkflowExecutionFailedCause: Final = _enum("SignalExternalWorkflowExecutionFailedCause")
StartChildWorkflowExecutionFailedCause: Final = _enum("StartChildWorkflowExecutionFailedCause")
TaskQueueKind: Final = _enum("TaskQueueKind")
TimeoutType: Final = _enum("TimeoutType")
UpdateWorkflowExecutionLifecycleStage: Final = _enum("UpdateWorkflowExecutionLifecycleStage")
VersioningBehavior: Final = _enum("VersioningBehavior")
WorkflowExecutionStatus: Final = _enum("WorkflowExecutionStatus")
WorkflowIdConflictPolicy: Final = _enum("WorkflowIdConflictPolicy")
WorkflowIdReusePolicy: Final = _enum("WorkflowIdReusePolicy")
WorkflowTaskFailedCause: Final = _enum("WorkflowTaskFailedCause")


def value_of(name: str) -> int:
    """The number of a value, whichever enumeration it is of. Raises AttributeError."""
    for enum in globals().values():
        if isinstance(enum, Enum) and name in enum.keys():  # noqa: SIM118 - an enumeration is no mapping
            return enum.Value(name)
    raise AttributeError(f"module 'durability.api.enums.v1' has no attribute {name!r}")
