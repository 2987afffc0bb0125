"""Enumerations of ``temporal.api.enums.v1`` that histories and descriptions have, as protobuf gives them to Python.

Values are plain numbers: ``EventType.EVENT_TYPE_TIMER_FIRED``, and the same name in this module.
"""

from __future__ import annotations

from durability.api.enums.v1._values import (
    ApplicationErrorCategory,
    CancelExternalWorkflowExecutionFailedCause,
    ContinueAsNewInitiator,
    EventType,
    ParentClosePolicy,
    PendingActivityState,
    RetryState,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
    TaskQueueKind,
    TimeoutType,
    WorkflowExecutionStatus,
    WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
    WorkflowTaskFailedCause,
)
from durability.api.enums.v1._values import value_of as __getattr__  # noqa: F401 - the values are names of the module

__all__ = [
    "ApplicationErrorCategory",
    "CancelExternalWorkflowExecutionFailedCause",
    "ContinueAsNewInitiator",
    "EventType",
    "ParentClosePolicy",
    "PendingActivityState",
    "RetryState",
    "SignalExternalWorkflowExecutionFailedCause",
    "StartChildWorkflowExecutionFailedCause",
    "TaskQueueKind",
    "TimeoutType",
    "WorkflowExecutionStatus",
    "WorkflowIdConflictPolicy",
    "WorkflowIdReusePolicy",
    "WorkflowTaskFailedCause",
]
