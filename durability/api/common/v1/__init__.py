"""Messages of ``temporal.api.common.v1``: of payloads, and what names and describes executions."""

from __future__ import annotations

from durability._core.api_message import UNSET, ApiMessage
from durability._core.payload import Payload, Payloads
from durability._core.protobuf_times import Duration

__all__ = [
    "ActivityType",
    "Header",
    "Memo",
    "Payload",
    "Payloads",
    "Priority",
    "RetryPolicy",
    "SearchAttributes",
    "WorkerVersionStamp",
    "WorkflowExecution",
    "WorkflowType",
]


class Header(ApiMessage):
    fields: dict[str, Payload] = UNSET


class Memo(ApiMessage):
    fields: dict[str, Payload] = UNSET


class SearchAttributes(ApiMessage):
    indexed_fields: dict[str, Payload] = UNSET


class WorkflowExecution(ApiMessage):
    workflow_id: str = ""
    run_id: str = ""


class WorkflowType(ApiMessage):
    name: str = ""


class ActivityType(ApiMessage):
    name: str = ""


class RetryPolicy(ApiMessage):
    initial_interval: Duration = UNSET
    backoff_coefficient: float = 0.0
    maximum_interval: Duration = UNSET
    maximum_attempts: int = 0
    non_retryable_error_types: list[str] = UNSET


class Priority(ApiMessage):
    priority_key: int = 0
    fairness_key: str = ""
    fairness_weight: float = 0.0


class WorkerVersionStamp(ApiMessage):
    build_id: str = ""
    use_versioning: bool = False
