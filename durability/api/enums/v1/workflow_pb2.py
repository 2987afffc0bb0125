"""Enumerations of ``temporal/api/enums/v1/workflow.proto``."""

from __future__ import annotations

from durability.api.enums.v1._values import (
    ContinueAsNewInitiator,
    HistoryEventFilterType,
    ParentClosePolicy,
    PendingActivityState,
    PendingWorkflowTaskState,
    RetryState,
    TimeoutType,
    VersioningBehavior,
    WorkflowExecutionStatus,
    WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
)
from durability.api.enums.v1._values import value_of as __getattr__  # noqa: F401 - the values are names of the module

__all__ = [
    "ContinueAsNewInitiator",
    "HistoryEventFilterType",
    "ParentClosePolicy",
    "PendingActivityState",
    "PendingWorkflowTaskState",
    "RetryState",
    "TimeoutType",
    "VersioningBehavior",
    "WorkflowExecutionStatus",
    "WorkflowIdConflictPolicy",
    "WorkflowIdReusePolicy",
]
