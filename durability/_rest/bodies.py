"""Bodies of the HTTP API: what the server reads and writes, and the HTTP client the other way round.

Values come in two forms. As plain JSON they are readable for people and every HTTP client; as payloads (metadata and
data in base64) nothing is lost, whatever the data converter. Durations are seconds, times RFC 3339.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

from msgspec import UNSET, Meta, Struct, UnsetType

from durability._core.payload import ExternalPayloadDetails, Payload

LONGEST_WAIT: Final = 25
"""Seconds that a request may wait for a result; API Gateway ends requests after 30."""

Seconds = Annotated[float, Meta(ge=0)]
StatusName = Literal["running", "completed", "failed", "canceled", "terminated", "continued_as_new", "timed_out"]


class PayloadBody(Struct, forbid_unknown_fields=True):
    """A serialized value. Bytes are in base64; ``external_sizes`` are those of what an external storage keeps."""

    metadata: dict[str, bytes] = {}
    data: bytes = b""
    external_sizes: list[int] | UnsetType = UNSET


def to_payload(body: PayloadBody) -> Payload:
    """The payload of a body."""
    sizes = body.external_sizes or ()
    return Payload(body.metadata, body.data, tuple(map(ExternalPayloadDetails, sizes)))


def from_payload(payload: Payload) -> PayloadBody:
    """The body of a payload."""
    sizes = [details.size_bytes for details in payload.external_payloads]
    return PayloadBody(payload.metadata, payload.data, sizes or UNSET)


def to_payloads(bodies: list[PayloadBody]) -> list[Payload]:
    """The payloads of bodies."""
    return [to_payload(body) for body in bodies]


def from_payloads(payloads: list[Payload]) -> list[PayloadBody]:
    """The bodies of payloads."""
    return [from_payload(payload) for payload in payloads]


def to_payload_map(bodies: Mapping[str, PayloadBody]) -> dict[str, Payload]:
    """The payloads of bodies, by name."""
    return {name: to_payload(body) for name, body in bodies.items()}


def from_payload_map(payloads: Mapping[str, Payload]) -> dict[str, PayloadBody]:
    """The bodies of payloads, by name."""
    return {name: from_payload(payload) for name, payload in payloads.items()}


# --- requests -------------------------------------------------------------------------------------------------------


class RetryPolicyBody(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How often and how fast to try again. Intervals are seconds."""

    initial_interval: Seconds = 1.0
    backoff_coefficient: Annotated[float, Meta(ge=1)] = 2.0
    maximum_interval: Seconds | None = None
    maximum_attempts: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    non_retryable_error_types: list[str] = []


class StartSignalBody(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A signal to send together with the start."""

    name: str
    args: list[Any] = []
    payloads: list[PayloadBody] = []


class StartBody(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Start a workflow. Give ``args`` as JSON or ``payloads``, not both; the same for memo and search attributes."""

    workflow_type: str
    workflow_id: str | UnsetType = UNSET
    task_queue: str = ""
    args: list[Any] = []
    payloads: list[PayloadBody] = []
    request_id: str = ""
    wait: Annotated[float, Meta(ge=0, le=LONGEST_WAIT)] = 0
    execution_timeout: Seconds = 0
    run_timeout: Seconds = 0
    task_timeout: Seconds = 0
    start_delay: Seconds = 0
    id_reuse_policy: Literal[
        "allow_duplicate", "allow_duplicate_failed_only", "reject_duplicate", "terminate_if_running"
    ] = "allow_duplicate"
    id_conflict_policy: Literal["unspecified", "fail", "use_existing", "terminate_existing"] = "unspecified"
    retry_policy: RetryPolicyBody | None = None
    cron_schedule: str = ""
    memo: dict[str, Any] = {}
    memo_payloads: dict[str, PayloadBody] = {}
    search_attributes: dict[str, str | bool | int | float | list[str]] = {}
    search_attribute_payloads: dict[str, PayloadBody] = {}
    headers: dict[str, PayloadBody] = {}
    static_summary: str | None = None
    static_details: str | None = None
    static_summary_payload: PayloadBody | None = None
    static_details_payload: PayloadBody | None = None
    priority: list[PayloadBody] | None = None
    signal: StartSignalBody | None = None
    identity: str = ""


class SignalBody(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Send a signal. Give ``args`` as JSON or ``payloads``, not both."""

    args: list[Any] = []
    payloads: list[PayloadBody] = []
    request_id: str = ""
    headers: dict[str, PayloadBody] = {}
    identity: str = ""


class QueryBody(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Ask a query. Give ``args`` as JSON or ``payloads``, not both."""

    args: list[Any] = []
    payloads: list[PayloadBody] = []
    headers: dict[str, PayloadBody] = {}


class UpdateBody(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Send an update. Give ``args`` as JSON or ``payloads``, not both. ``start``: start the workflow if need be."""

    args: list[Any] = []
    payloads: list[PayloadBody] = []
    update_id: str = ""
    wait_for_stage: Literal["accepted", "completed"] = "completed"
    wait: Annotated[float, Meta(ge=0, le=LONGEST_WAIT)] = LONGEST_WAIT
    headers: dict[str, PayloadBody] = {}
    identity: str = ""
    start: StartBody | None = None


class ActivityReportBody(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Report on an activity that is completed from outside: named by ``task_token`` (base64), or by ids.

    Give ``result`` as JSON or as ``payload``; ``details`` as JSON or as ``payloads``. ``failure`` has the form of
    Temporal's JSON failures; a ``message`` is enough.
    """

    task_token: bytes = b""
    workflow_id: str = ""
    run_id: str = ""
    activity_id: str = ""
    result: Any | UnsetType = UNSET
    payload: PayloadBody | None = None
    failure: dict[str, Any] | None = None
    details: list[Any] = []
    payloads: list[PayloadBody] = []
    identity: str = ""


class CancelBody(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Ask a workflow to cancel itself."""

    reason: str = ""
    request_id: str = ""
    identity: str = ""


class TerminateBody(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """End a workflow without asking it. Give ``details`` as JSON or ``payloads``, not both."""

    reason: str = ""
    details: list[Any] = []
    payloads: list[PayloadBody] = []
    identity: str = ""


# --- responses ------------------------------------------------------------------------------------------------------


class OutcomeBody(Struct, omit_defaults=True):
    """How a run ended, or that it is still running.

    ``result`` is there if the run completed and its result is JSON; ``payload`` if it is not, or was asked for.
    ``failure`` has the form of Temporal's JSON failures; ``details`` are what a client gave that terminated the run.
    """

    workflow_id: str
    run_id: str
    status: StatusName
    result: Any | UnsetType = UNSET
    payload: PayloadBody | None = None
    failure: dict[str, Any] | None = None
    new_run_id: str = ""
    details: list[PayloadBody] = []
    existing: bool = False
    first_run_id: str = ""


class UpdateStateBody(Struct, omit_defaults=True):
    """What has become of an update.

    At the stage "completed", ``failure`` is there if it failed or was rejected, otherwise ``result`` or ``payload``.
    At the stage "admitted", nothing holds the update yet: send it again with the same id. ``existing`` tells whether
    the workflow was there before the start that the update came with.
    """

    workflow_id: str
    run_id: str
    update_id: str
    stage: Literal["admitted", "accepted", "completed"]
    result: Any | UnsetType = UNSET
    payload: PayloadBody | None = None
    failure: dict[str, Any] | None = None
    existing: bool = False
    first_run_id: str = ""


class PendingActivityBody(Struct, omit_defaults=True):
    """An activity that has not ended."""

    activity_id: str
    activity_type: str
    state: str
    attempt: int = 1
    scheduled_time: str | None = None
    next_attempt_time: str | None = None
    last_failure: dict[str, Any] | None = None
    last_heartbeat_details: list[PayloadBody] | None = None


class DescriptionBody(Struct, omit_defaults=True):
    """A workflow execution as it stands. Memo and search attributes are payloads when those were asked for."""

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: StatusName
    start_time: str
    close_time: str | None = None
    execution_time: str | None = None
    history_length: int = 0
    parent_workflow_id: str = ""
    parent_run_id: str = ""
    first_run_id: str = ""
    root_workflow_id: str = ""
    root_run_id: str = ""
    static_summary: str | None = None
    static_details: str | None = None
    static_summary_payload: PayloadBody | None = None
    static_details_payload: PayloadBody | None = None
    memo: dict[str, Any] = {}
    search_attributes: dict[str, Any] = {}
    memo_payloads: dict[str, PayloadBody] = {}
    search_attribute_payloads: dict[str, PayloadBody] = {}
    task_attempts: int = 0
    task_failure: str = ""
    next_wake_up: str | None = None
    pending_activities: list[PendingActivityBody] = []


class PageBody(Struct, omit_defaults=True):
    """A page of executions, newest first. Without ``next_page_token`` it is the last one."""

    executions: list[DescriptionBody]
    next_page_token: str = ""


class QueryAnswerBody(Struct, omit_defaults=True):
    """The answer to a query: ``result`` if it is JSON, ``payload`` if it is not or was asked for."""

    result: Any | UnsetType = UNSET
    payload: PayloadBody | None = None


class HistoryBody(Struct, omit_defaults=True):
    """A page of history: events in Temporal's JSON format, or the engine's own records when those were asked for."""

    events: list[dict[str, Any]] | UnsetType = UNSET
    deltas: list[Any] | UnsetType = UNSET
    next_page_token: str = ""


class AcceptedBody(Struct, omit_defaults=True):
    """A message was taken, or, with ``accepted`` false, deliberately ignored."""

    accepted: bool
    duplicate: bool = False


class ActivityReportedBody(Struct):
    """The report was taken. ``cancel_requested`` tells whether the workflow asked for the activity's cancellation."""

    cancel_requested: bool


class HealthBody(Struct):
    """The API answers."""

    status: Literal["ok"]
    version: str


class Error(Struct):
    """What went wrong. ``code`` is stable; programs decide by it."""

    code: str
    message: str
    details: dict[str, Any] = {}


class ErrorBody(Struct):
    """Body of every response that is not a success."""

    error: Error


# --- path segments --------------------------------------------------------------------------------------------------

_PLAIN: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.:@-]+")


def encode_segment(value: str) -> str:
    """An id or name as a segment of a path.

    API Gateway decodes paths before functions see them, slashes included. What percent-encoding would have to protect
    is therefore sent as ``~`` with the base64url form of its UTF-8 bytes.
    """
    if _PLAIN.fullmatch(value):
        return value
    return "~" + urlsafe_b64encode(value.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def decode_segment(segment: str) -> str:
    """The id or name in a path's segment. Raises ValueError if it is no valid encoding."""
    if not segment.startswith("~"):
        return unquote(segment, errors="strict")
    encoded = segment[1:].encode("ascii")
    return urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)).decode()
