"""Signal-with-start as Temporal's history has it: an operation of the server's own Nexus endpoint.

Its input and its result are messages of Temporal's service, as payloads whose data is protobuf: see
``temporal/api/workflowservice/v1/request_response.proto``, whose field numbers are below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from durability._core import history, wire
from durability._core.failure import Failure, NexusOperationFailureInfo, ServerFailureInfo
from durability._core.options import priority_from
from durability._core.payload import Payload, Payloads
from durability._core.temporal_json import failure_json, payload_from_json, payload_json

ENDPOINT: Final = "__temporal_system"
SERVICE: Final = "temporal.api.workflowservice.v1.WorkflowService"
OPERATION: Final = "SignalWithStartWorkflowExecution"
FAILED: Final = "nexus operation completed unsuccessfully"
"""The message of Temporal's server."""
_MESSAGE: Final = f"temporal.api.workflowservice.v1.{OPERATION}"


def request_id(run_id: str, sequence: int) -> str:
    """Request id of a run's signal-with-start: the same however often it is carried out."""
    return f"{run_id}:signal-with-start:{sequence}"


def scheduled(command: history.SignalWithStartScheduled, namespace: str, request_id: str) -> dict[str, Any]:
    """Attributes of the event of a command."""
    request = Payload(
        {
            "messageType": f"{_MESSAGE}Request".encode(),
            "encoding": b"binary/protobuf",
            "__temporal_system_payload": b"true",
        },
        _request(command, namespace),
    )
    return {
        "endpoint": ENDPOINT,
        "service": SERVICE,
        "operation": OPERATION,
        "input": payload_json(request),
        "requestId": request_id,
    }


def ended(
    message: history.SignalWithStartCompleted | history.SignalWithStartFailed, scheduled_event: int, request_id: str
) -> dict[str, Any]:
    """Attributes of the event of an outcome."""
    body: dict[str, Any] = {"scheduledEventId": str(scheduled_event), "requestId": request_id}
    if isinstance(message, history.SignalWithStartFailed):
        return body | {"failure": failure_json(failure(message.message, scheduled_event))}
    response = Payload(
        {"messageType": f"{_MESSAGE}Response".encode(), "encoding": b"binary/protobuf"},
        _text(1, message.run_id) + wire.number_field(2, message.started),
    )
    return body | {"result": payload_json(response)}


def command_from(attributes: Mapping[str, Any], sequence: int) -> history.SignalWithStartScheduled:
    """The command of an event, as far as replay compares it.

    Raises:
        ValueError: It is another operation.
    """
    if attributes.get("operation") != OPERATION:
        raise ValueError(
            f"the history has a Nexus operation {attributes.get('operation')!r} of endpoint "
            f"{attributes.get('endpoint')!r}, and Nexus is not part of this engine"
        )
    fields = dict(wire.length_delimited_fields(payload_from_json(attributes["input"]).data))
    kind, queue = (dict(wire.length_delimited_fields(fields.get(number, b""))) for number in (3, 4))
    return history.SignalWithStartScheduled(
        sequence=sequence,
        workflow_id=fields.get(2, b"").decode(),
        workflow_type=kind.get(1, b"").decode(),
        task_queue=queue.get(1, b"").decode(),
        arguments=Payloads.FromString(fields.get(5, b"")).payloads,
        signal_name=fields.get(12, b"").decode(),
        signal_arguments=Payloads.FromString(fields.get(13, b"")).payloads,
    )


def result_from(attributes: Mapping[str, Any]) -> tuple[str, bool]:
    """Run id of the event of a completion, and whether the run was started for it."""
    fields = dict(wire.fields(payload_from_json(attributes["result"]).data))
    run_id = fields.get(1, b"")
    return run_id.decode() if isinstance(run_id, bytes) else "", bool(fields.get(2, 0))


def failure(message: str, scheduled_event: int) -> Failure:
    """What a refused operation raises."""
    refused = Failure(message=message, info=ServerFailureInfo(non_retryable=True))
    return operation_failure(FAILED, refused, scheduled_event)


def operation_failure(message: str, cause: Failure, scheduled_event: int) -> Failure:
    """Failure of the operation for a cause."""
    return Failure(
        message=message,
        cause=cause,
        info=NexusOperationFailureInfo(
            scheduled_event_id=scheduled_event, endpoint=ENDPOINT, service=SERVICE, operation=OPERATION
        ),
    )


def _request(command: history.SignalWithStartScheduled, namespace: str) -> bytes:
    about = _payload(1, command.static_summary) + _payload(2, command.static_details)
    fields = [
        _text(1, namespace),
        _text(2, command.workflow_id),
        wire.field(3, _text(1, command.workflow_type)),
        wire.field(4, _text(1, command.task_queue)),
        _payloads(5, command.arguments),
        _duration(6, command.execution_timeout),
        _duration(7, command.run_timeout),
        _duration(8, command.task_timeout),
        wire.number_field(11, command.id_reuse_policy),
        _text(12, command.signal_name),
        _payloads(13, command.signal_arguments),
        _retry_policy(command.retry_policy),
        _text(16, command.cron_schedule),
        _by_name(17, command.memo),
        _by_name(18, command.search_attributes),
        _by_name(19, command.headers),
        _duration(20, command.start_delay),
        wire.number_field(22, command.id_conflict_policy),
        wire.field(23, about) if about else b"",
        _priority(command.priority),
    ]
    return b"".join(fields)


def _text(number: int, text: str) -> bytes:
    return wire.field(number, text.encode()) if text else b""


def _payload(number: int, payload: Payload | None) -> bytes:
    return b"" if payload is None else wire.field(number, payload.SerializeToString())


def _payloads(number: int, payloads: list[Payload]) -> bytes:
    return wire.field(number, Payloads(payloads).SerializeToString()) if payloads else b""


def _by_name(number: int, payloads: Mapping[str, Payload]) -> bytes:
    entries = [wire.field(1, _text(1, name) + _payload(2, payload)) for name, payload in payloads.items()]
    return wire.field(number, b"".join(entries)) if entries else b""


def _duration(number: int, milliseconds: int) -> bytes:
    if not milliseconds:
        return b""
    seconds, rest = divmod(milliseconds, 1000)
    return wire.field(number, wire.number_field(1, seconds) + wire.number_field(2, rest * 1_000_000))


def _retry_policy(policy: history.RetryPolicyRecord | None) -> bytes:
    if policy is None:
        return b""
    fields = [
        _duration(1, policy.initial_interval),
        wire.fixed_field(2, policy.backoff_coefficient, double=True),
        _duration(3, policy.maximum_interval),
        wire.number_field(4, policy.maximum_attempts),
        *(_text(5, kind) for kind in policy.non_retryable_error_types),
    ]
    return wire.field(15, b"".join(fields))


def _priority(record: list[Payload] | None) -> bytes:
    if not record:
        return b""
    priority = priority_from(record)
    weight = priority.fairness_weight
    fields = [
        wire.number_field(1, priority.priority_key or 0),
        _text(2, priority.fairness_key or ""),
        b"" if weight is None else wire.fixed_field(3, weight, double=False),
    ]
    return wire.field(26, b"".join(fields))
