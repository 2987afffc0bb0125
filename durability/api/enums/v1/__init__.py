"""Enumerations of ``temporal.api.enums.v1`` that histories and descriptions have, as protobuf gives them to Python.

Values are plain numbers: ``EventType.EVENT_TYPE_TIMER_FIRED``, and the same name in this module.
"""

from __future__ import annotations

from durability.api.enums.v1._enumeration import made as _made

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

ApplicationErrorCategory = _made("ApplicationErrorCategory")
CancelExternalWorkflowExecutionFailedCause = _made("CancelExternalWorkflowExecutionFailedCause")
ContinueAsNewInitiator = _made("ContinueAsNewInitiator")
EventType = _made("EventType")
ParentClosePolicy = _made("ParentClosePolicy")
PendingActivityState = _made("PendingActivityState")
RetryState = _made("RetryState")
SignalExternalWorkflowExecutionFailedCause = _made("SignalExternalWorkflowExecutionFailedCause")
StartChildWorkflowExecutionFailedCause = _made("StartChildWorkflowExecutionFailedCause")
TaskQueueKind = _made("TaskQueueKind")
TimeoutType = _made("TimeoutType")
WorkflowExecutionStatus = _made("WorkflowExecutionStatus")
WorkflowIdConflictPolicy = _made("WorkflowIdConflictPolicy")
WorkflowIdReusePolicy = _made("WorkflowIdReusePolicy")
WorkflowTaskFailedCause = _made("WorkflowTaskFailedCause")


def __getattr__(name: str) -> int:
    for enumeration in __all__:
        values: dict[str, int] = dict(globals()[enumeration].items())
        if name in values:
            return values[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
