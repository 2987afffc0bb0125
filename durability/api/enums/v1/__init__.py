"""Enumerations of ``temporal.api.enums.v1`` that histories and requests have, as protobuf gives them to Python.

Values are plain numbers: ``EventType.EVENT_TYPE_TIMER_FIRED``, and the same name in this module. The modules
beside it, such as ``event_type_pb2``, are its parts in protobuf's Python code.
"""

from __future__ import annotations

from durability.api.enums.v1._values import (
    ActivityTaskFailedCause,
    ApplicationErrorCategory,
    ArchivalState,
    CancelExternalWorkflowExecutionFailedCause,
    ContinueAsNewInitiator,
    EventType,
    HistoryEventFilterType,
    IndexedValueType,
    NamespaceState,
    ParentClosePolicy,
    PendingActivityState,
    PendingWorkflowTaskState,
    QueryRejectCondition,
    RetryState,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
    TaskQueueKind,
    TimeoutType,
    UpdateWorkflowExecutionLifecycleStage,
    VersioningBehavior,
    WorkflowExecutionStatus,
    WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
    WorkflowTaskFailedCause,
)
from durability.api.enums.v1._values import value_of as __getattr__  # noqa: F401 - the values are names of the module

__all__ = [
    "ActivityTaskFailedCause",
    "ApplicationErrorCategory",
    "ArchivalState",
    "CancelExternalWorkflowExecutionFailedCause",
    "ContinueAsNewInitiator",
    "EventType",
    "HistoryEventFilterType",
    "IndexedValueType",
    "NamespaceState",
    "ParentClosePolicy",
    "PendingActivityState",
    "PendingWorkflowTaskState",
    "QueryRejectCondition",
    "RetryState",
    "SignalExternalWorkflowExecutionFailedCause",
    "StartChildWorkflowExecutionFailedCause",
    "TaskQueueKind",
    "TimeoutType",
    "UpdateWorkflowExecutionLifecycleStage",
    "VersioningBehavior",
    "WorkflowExecutionStatus",
    "WorkflowIdConflictPolicy",
    "WorkflowIdReusePolicy",
    "WorkflowTaskFailedCause",
]
