"""Payloads, failures, times and durations in the JSON form of Temporal's API (protobuf's JSON mapping).

Used where JSON leaves the engine: history in Temporal's format, and the bodies of the HTTP API.
Source: https://protobuf.dev/programming-guides/json/ and ``temporal/api/failure/v1/message.proto``.
"""

from __future__ import annotations

from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from durability._core import failure as failures
from durability._core.enums import ENUMS, enum_number
from durability._core.failure import Failure
from durability._core.payload import ExternalPayloadDetails, Payload

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

RETRY_STATES: Final = ENUMS["RetryState"]


def time_json(milliseconds: int) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    text = (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def time_from_json(text: str) -> int:
    """Milliseconds since the epoch. Raises ValueError if it is no time or has no timezone."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"the time {text!r} has no timezone")
    return (value - _EPOCH) // timedelta(milliseconds=1)


def duration_json(milliseconds: int) -> str:
    """Seconds with an ``s``, as protobuf writes durations."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds}.{rest:03}s" if rest else f"{seconds}s"


def duration_from_json(text: str) -> int:
    """Milliseconds of a duration as protobuf writes it."""
    return int(Decimal(text.removesuffix("s")) * 1000)


def enum_json(prefix: str, names: tuple[str, ...], number: int) -> str:
    """Name of an enum value; numbers beyond the known names give the first, "unspecified"."""
    return f"{prefix}_{names[number] if 0 <= number < len(names) else names[0]}"


def payload_json(payload: Payload) -> dict[str, Any]:
    """One payload, its bytes in base64."""
    metadata = {key: b64encode(value).decode() for key, value in payload.metadata.items()}
    body: dict[str, Any] = {"metadata": metadata, "data": b64encode(payload.data).decode()}
    if payload.external_payloads:
        body["externalPayloads"] = [{"sizeBytes": str(details.size_bytes)} for details in payload.external_payloads]
    return body


def payload_from_json(body: Mapping[str, Any]) -> Payload:
    """Read one payload. Raises ValueError if it is none."""
    metadata = body.get("metadata", {})
    data = body.get("data", "")
    if not isinstance(metadata, Mapping) or not isinstance(data, str):
        raise ValueError("a payload is an object with metadata (base64 by key) and data (base64)")
    external = tuple(ExternalPayloadDetails(int(one.get("sizeBytes", 0))) for one in body.get("externalPayloads", ()))
    decoded = {str(key): _metadata_from_json(value) for key, value in metadata.items()}
    return Payload(decoded, urlsafe_b64decode(data + "=="), external)


def _metadata_from_json(value: str) -> bytes:
    """One value's bytes. As protobuf does, both alphabets are read, with padding or without."""
    return b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)


def payloads_json(payloads: Iterable[Payload] | None) -> dict[str, Any]:
    """Several payloads."""
    return {"payloads": [payload_json(payload) for payload in payloads or ()]}


def payloads_from_json(body: Mapping[str, Any] | None) -> list[Payload] | None:
    """Read several payloads; None if there are none."""
    return [payload_from_json(item) for item in body["payloads"]] if body and body.get("payloads") else None


def payload_map_json(payloads: Mapping[str, Payload]) -> dict[str, Any]:
    """Payloads by name."""
    return {name: payload_json(payload) for name, payload in payloads.items()}


def failure_json(failure: Failure) -> dict[str, Any]:
    """A failure with its causes."""
    body: dict[str, Any] = {"message": failure.message}
    if failure.source:
        body["source"] = failure.source
    if failure.stack_trace:
        body["stackTrace"] = failure.stack_trace
    if failure.encoded_attributes is not None:
        body["encodedAttributes"] = payload_json(failure.encoded_attributes)
    if failure.cause is not None:
        body["cause"] = failure_json(failure.cause)
    if failure.info is not None:
        name, info = _info_json(failure.info)
        body[name] = info
    return body


def _info_json(info: failures.FailureInfo) -> tuple[str, dict[str, Any]]:
    match info:
        case failures.ApplicationFailureInfo():
            body: dict[str, Any] = {"type": info.type, "nonRetryable": info.non_retryable}
            if info.details:
                body["details"] = payloads_json(info.details)
            if info.next_retry_delay is not None:
                body["nextRetryDelay"] = duration_json(info.next_retry_delay)
            if info.category:
                body["category"] = enum_json(
                    "APPLICATION_ERROR_CATEGORY", ENUMS["ApplicationErrorCategory"], info.category
                )
            return "applicationFailureInfo", body
        case failures.TimeoutFailureInfo():
            body = {"timeoutType": enum_json("TIMEOUT_TYPE", ENUMS["TimeoutType"], info.timeout_type)}
            if info.last_heartbeat_details:
                body["lastHeartbeatDetails"] = payloads_json(info.last_heartbeat_details)
            return "timeoutFailureInfo", body
        case failures.CanceledFailureInfo():
            return "canceledFailureInfo", {"details": payloads_json(info.details)} if info.details else {}
        case failures.TerminatedFailureInfo():
            return "terminatedFailureInfo", {}
        case failures.ServerFailureInfo():
            return "serverFailureInfo", {"nonRetryable": info.non_retryable}
        case failures.ActivityFailureInfo():
            return "activityFailureInfo", {
                "scheduledEventId": str(info.scheduled_event_id),
                "startedEventId": str(info.started_event_id),
                "identity": info.identity,
                "activityType": {"name": info.activity_type},
                "activityId": info.activity_id,
                "retryState": enum_json("RETRY_STATE", RETRY_STATES, info.retry_state),
            }
        case failures.ChildWorkflowFailureInfo():
            return "childWorkflowExecutionFailureInfo", {
                "namespace": info.namespace,
                "workflowExecution": {"workflowId": info.workflow_id, "runId": info.run_id},
                "workflowType": {"name": info.workflow_type},
                "initiatedEventId": str(info.initiated_event_id),
                "startedEventId": str(info.started_event_id),
                "retryState": enum_json("RETRY_STATE", RETRY_STATES, info.retry_state),
            }
        case failures.NexusOperationFailureInfo():
            return "nexusOperationExecutionFailureInfo", {
                "scheduledEventId": str(info.scheduled_event_id),
                "endpoint": info.endpoint,
                "service": info.service,
                "operation": info.operation,
                "operationToken": info.operation_token,
            }


def failure_from_json(body: Mapping[str, Any]) -> Failure:
    """Read a failure with its causes."""
    encoded = body.get("encodedAttributes")
    cause = body.get("cause")
    return Failure(
        message=body.get("message", ""),
        source=body.get("source", ""),
        stack_trace=body.get("stackTrace", ""),
        cause=failure_from_json(cause) if cause is not None else None,
        info=_info_from_json(body),
        encoded_attributes=payload_from_json(encoded) if encoded is not None else None,
    )


def _info_from_json(body: Mapping[str, Any]) -> failures.FailureInfo | None:
    match body:
        case {"applicationFailureInfo": info}:
            delay = info.get("nextRetryDelay")
            return failures.ApplicationFailureInfo(
                type=info.get("type", ""),
                non_retryable=info.get("nonRetryable", False),
                details=payloads_from_json(info.get("details")),
                next_retry_delay=duration_from_json(delay) if delay is not None else None,
                category=enum_number("ApplicationErrorCategory", info.get("category", "")),
            )
        case {"timeoutFailureInfo": info}:
            return failures.TimeoutFailureInfo(
                timeout_type=enum_number("TimeoutType", info.get("timeoutType", "")),
                last_heartbeat_details=payloads_from_json(info.get("lastHeartbeatDetails")),
            )
        case {"canceledFailureInfo": info}:
            return failures.CanceledFailureInfo(details=payloads_from_json(info.get("details")))
        case {"terminatedFailureInfo": _}:
            return failures.TerminatedFailureInfo()
        case {"serverFailureInfo": info}:
            return failures.ServerFailureInfo(non_retryable=info.get("nonRetryable", False))
        case {"activityFailureInfo": info}:
            return failures.ActivityFailureInfo(
                scheduled_event_id=int(info.get("scheduledEventId", 0)),
                started_event_id=int(info.get("startedEventId", 0)),
                identity=info.get("identity", ""),
                activity_type=info.get("activityType", {}).get("name", ""),
                activity_id=info.get("activityId", ""),
                retry_state=enum_number("RetryState", info.get("retryState", "")),
            )
        case {"childWorkflowExecutionFailureInfo": info}:
            execution = info.get("workflowExecution", {})
            return failures.ChildWorkflowFailureInfo(
                namespace=info.get("namespace", ""),
                workflow_id=execution.get("workflowId", ""),
                run_id=execution.get("runId", ""),
                workflow_type=info.get("workflowType", {}).get("name", ""),
                initiated_event_id=int(info.get("initiatedEventId", 0)),
                started_event_id=int(info.get("startedEventId", 0)),
                retry_state=enum_number("RetryState", info.get("retryState", "")),
            )
        case {"nexusOperationExecutionFailureInfo": info}:
            return failures.NexusOperationFailureInfo(
                scheduled_event_id=int(info.get("scheduledEventId", 0)),
                endpoint=info.get("endpoint", ""),
                service=info.get("service", ""),
                operation=info.get("operation", ""),
                operation_token=info.get("operationToken", ""),
            )
        case _:
            return None
