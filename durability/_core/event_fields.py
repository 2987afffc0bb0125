"""Reading the fields of events in Temporal's JSON format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from durability._core.enums import enum_number
from durability._core.failure import CanceledFailureInfo, Failure
from durability._core.history import ExecutionReference, RetryPolicyRecord
from durability._core.options import priority_record
from durability._core.payload import Payload
from durability._core.temporal_json import duration_from_json, payload_from_json, payloads_from_json
from durability.common import Priority


def is_number(text: str) -> bool:
    """Whether an id is the number that an SDK gave, and not of a user's choice."""
    return text.isascii() and text.isdigit()


def duration(attributes: Mapping[str, Any], name: str) -> int:
    return duration_from_json(attributes.get(name) or "0s")


def payload_map(body: Mapping[str, Any] | None, name: str = "fields") -> dict[str, Payload]:
    return {key: payload_from_json(value) for key, value in ((body or {}).get(name) or {}).items()}


def single(body: Mapping[str, Any] | None) -> Payload | None:
    payloads = payloads_from_json(body)
    return payloads[0] if payloads else None


def json_value(body: Mapping[str, Any]) -> Any:
    payload = single(body)
    return json.loads(payload.data) if payload is not None else {}


def reference(namespace: str, execution: Mapping[str, Any] | None) -> ExecutionReference | None:
    if not execution or not execution.get("workflowId"):
        return None
    return ExecutionReference(namespace, execution["workflowId"], execution.get("runId", ""))


def retry_policy(attributes: Mapping[str, Any]) -> RetryPolicyRecord | None:
    policy = attributes.get("retryPolicy")
    if not policy:
        return None
    return RetryPolicyRecord(
        duration(policy, "initialInterval"),
        float(policy.get("backoffCoefficient", 2.0)),
        duration(policy, "maximumInterval"),
        int(policy.get("maximumAttempts", 0)),
        tuple(policy.get("nonRetryableErrorTypes", ())),
    )


def priority(attributes: Mapping[str, Any]) -> list[Payload] | None:
    body = attributes.get("priority") or {}
    return priority_record(
        Priority(
            priority_key=body.get("priorityKey"),
            fairness_key=body.get("fairnessKey"),
            fairness_weight=body.get("fairnessWeight"),
        )
    )


def retry_state(attributes: Mapping[str, Any]) -> int:
    return enum_number("RetryState", attributes.get("retryState", ""))


def cancelled(attributes: Mapping[str, Any]) -> Failure:
    return Failure(message="Cancelled", info=CanceledFailureInfo(details=payloads_from_json(attributes.get("details"))))
