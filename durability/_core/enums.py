"""Enumerations of Temporal's API, as far as histories and requests have them.

Each has its names without their prefix, in order of number.

Source: ``temporal/api/enums/v1/*.proto``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

_EXTERNAL_FAILED: Final = ("UNSPECIFIED", "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND", "NAMESPACE_NOT_FOUND")

ENUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "ActivityTaskFailedCause": (
        "UNSPECIFIED",
        "PAYLOADS_TOO_LARGE",
        "EXTERNAL_STORAGE_FAILURE",
        "ACTIVITY_WORKER_UNHANDLED_FAILURE",
    ),
    "ApplicationErrorCategory": ("UNSPECIFIED", "BENIGN"),
    "ArchivalState": ("UNSPECIFIED", "DISABLED", "ENABLED"),
    "CancelExternalWorkflowExecutionFailedCause": _EXTERNAL_FAILED,
    "ContinueAsNewInitiator": ("UNSPECIFIED", "WORKFLOW", "RETRY", "CRON_SCHEDULE"),
    "HistoryEventFilterType": ("UNSPECIFIED", "ALL_EVENT", "CLOSE_EVENT"),
    "IndexedValueType": ("UNSPECIFIED", "TEXT", "KEYWORD", "INT", "DOUBLE", "BOOL", "DATETIME", "KEYWORD_LIST"),
    "NamespaceState": ("UNSPECIFIED", "REGISTERED", "DEPRECATED", "DELETED"),
    "ParentClosePolicy": ("UNSPECIFIED", "TERMINATE", "ABANDON", "REQUEST_CANCEL"),
    "PendingActivityState": (
        "UNSPECIFIED",
        "SCHEDULED",
        "STARTED",
        "CANCEL_REQUESTED",
        "PAUSED",
        "PAUSE_REQUESTED",
    ),
    "PendingWorkflowTaskState": ("UNSPECIFIED", "SCHEDULED", "STARTED"),
    "QueryRejectCondition": ("UNSPECIFIED", "NONE", "NOT_OPEN", "NOT_COMPLETED_CLEANLY"),
    "RetryState": (
        "UNSPECIFIED",
        "IN_PROGRESS",
        "NON_RETRYABLE_FAILURE",
        "TIMEOUT",
        "MAXIMUM_ATTEMPTS_REACHED",
        "RETRY_POLICY_NOT_SET",
        "INTERNAL_SERVER_ERROR",
        "CANCEL_REQUESTED",
    ),
    "SignalExternalWorkflowExecutionFailedCause": (*_EXTERNAL_FAILED, "SIGNAL_COUNT_LIMIT_EXCEEDED"),
    "StartChildWorkflowExecutionFailedCause": (
        "UNSPECIFIED",
        "WORKFLOW_ALREADY_EXISTS",
        "NAMESPACE_NOT_FOUND",
        "INVALID_VERSIONING_OVERRIDE",
    ),
    "TaskQueueKind": ("UNSPECIFIED", "NORMAL", "STICKY", "WORKER_COMMANDS"),
    "TimeoutType": ("UNSPECIFIED", "START_TO_CLOSE", "SCHEDULE_TO_START", "SCHEDULE_TO_CLOSE", "HEARTBEAT"),
    "UpdateWorkflowExecutionLifecycleStage": ("UNSPECIFIED", "ADMITTED", "ACCEPTED", "COMPLETED"),
    "VersioningBehavior": ("UNSPECIFIED", "PINNED", "AUTO_UPGRADE"),
    "WorkflowExecutionStatus": (
        "UNSPECIFIED",
        "RUNNING",
        "COMPLETED",
        "FAILED",
        "CANCELED",
        "TERMINATED",
        "CONTINUED_AS_NEW",
        "TIMED_OUT",
        "PAUSED",
    ),
    "WorkflowIdConflictPolicy": ("UNSPECIFIED", "FAIL", "USE_EXISTING", "TERMINATE_EXISTING"),
    "WorkflowIdReusePolicy": (
        "UNSPECIFIED",
        "ALLOW_DUPLICATE",
        "ALLOW_DUPLICATE_FAILED_ONLY",
        "REJECT_DUPLICATE",
        "TERMINATE_IF_RUNNING",
    ),
    "WorkflowTaskFailedCause": (
        "UNSPECIFIED",
        "UNHANDLED_COMMAND",
        "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES",
        "BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES",
        "BAD_START_TIMER_ATTRIBUTES",
        "BAD_CANCEL_TIMER_ATTRIBUTES",
        "BAD_RECORD_MARKER_ATTRIBUTES",
        "BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES",
        "BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES",
        "BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES",
        "BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES",
        "BAD_CONTINUE_AS_NEW_ATTRIBUTES",
        "START_TIMER_DUPLICATE_ID",
        "RESET_STICKY_TASK_QUEUE",
        "WORKFLOW_WORKER_UNHANDLED_FAILURE",
        "BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES",
        "BAD_START_CHILD_EXECUTION_ATTRIBUTES",
        "FORCE_CLOSE_COMMAND",
        "FAILOVER_CLOSE_COMMAND",
        "BAD_SIGNAL_INPUT_SIZE",
        "RESET_WORKFLOW",
        "BAD_BINARY",
        "SCHEDULE_ACTIVITY_DUPLICATE_ID",
        "BAD_SEARCH_ATTRIBUTES",
        "NON_DETERMINISTIC_ERROR",
        "BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES",
        "PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED",
        "PENDING_ACTIVITIES_LIMIT_EXCEEDED",
        "PENDING_SIGNALS_LIMIT_EXCEEDED",
        "PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED",
        "BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE",
        "UNHANDLED_UPDATE",
        "BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES",
        "PENDING_NEXUS_OPERATIONS_LIMIT_EXCEEDED",
        "BAD_REQUEST_CANCEL_NEXUS_OPERATION_ATTRIBUTES",
        "FEATURE_DISABLED",
        "GRPC_MESSAGE_TOO_LARGE",
        "PAYLOADS_TOO_LARGE",
        "EXTERNAL_STORAGE_FAILURE",
        "WORKFLOW_PAUSE_REQUESTED_BEFORE_TASK_STARTED",
        "REQUEST_TOO_LARGE",
    ),
}

_CAPITALS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def enum_prefix(enum: str) -> str:
    """What the names of an enumeration's values begin with: ``RETRY_STATE`` for ``RetryState``."""
    return _snake_capitals(enum)


def enum_number(enum: str, name: str) -> int:
    """Number of a value by its name, with or without the prefix, or as older documents have it: ``InProgress``.

    Unknown names are "unspecified".
    """
    short = name if name.isupper() else _snake_capitals(name)
    short = short.removeprefix(enum_prefix(enum) + "_")
    names = ENUMS[enum]
    return names.index(short) if short in names else 0


def enum_name(enum: str, name: str) -> str:
    """Name of a value with the prefix, from that name or from what older documents have: ``InProgress``."""
    return name if name.isupper() else f"{enum_prefix(enum)}_{_snake_capitals(name)}"


def _snake_capitals(name: str) -> str:
    return _CAPITALS.sub("_", name).upper()


@cache
def enum_numbers() -> Mapping[str, int]:
    """Numbers of all values by their names with prefixes, which are unique."""
    return {f"{enum_prefix(enum)}_{name}": n for enum, names in ENUMS.items() for n, name in enumerate(names)}
