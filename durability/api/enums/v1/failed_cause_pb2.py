"""Enumerations of ``temporal/api/enums/v1/failed_cause.proto``."""

from __future__ import annotations

from durability.api.enums.v1._values import (
    ActivityTaskFailedCause,
    CancelExternalWorkflowExecutionFailedCause,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
    WorkflowTaskFailedCause,
)
from durability.api.enums.v1._values import value_of as __getattr__  # noqa: F401 - the values are names of the module

__all__ = [
    "ActivityTaskFailedCause",
    "CancelExternalWorkflowExecutionFailedCause",
    "SignalExternalWorkflowExecutionFailedCause",
    "StartChildWorkflowExecutionFailedCause",
    "WorkflowTaskFailedCause",
]
