"""Reports about activities from outside, and their answers."""

from __future__ import annotations

from typing import Annotated, Any

from durability._core.api_message import UNSET, ApiMessage
from durability._core.failure import Failure
from durability._core.payload import Payloads

_ActivityTaskFailedCause = Annotated[int, "ActivityTaskFailedCause"]


class RespondActivityTaskCompletedRequest(ApiMessage):
    task_token: bytes = b""
    result: Payloads = UNSET
    identity: str = ""
    namespace: str = ""
    resource_id: str = ""
    deployment_options: Any = UNSET


class RespondActivityTaskCompletedResponse(ApiMessage): ...


class RespondActivityTaskCompletedByIdRequest(ApiMessage):
    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""
    activity_id: str = ""
    result: Payloads = UNSET
    identity: str = ""
    resource_id: str = ""


class RespondActivityTaskCompletedByIdResponse(ApiMessage): ...


class RespondActivityTaskFailedRequest(ApiMessage):
    task_token: bytes = b""
    failure: Failure = UNSET
    identity: str = ""
    namespace: str = ""
    resource_id: str = ""
    last_heartbeat_details: Payloads = UNSET
    deployment_options: Any = UNSET
    cause: _ActivityTaskFailedCause = 0


class RespondActivityTaskFailedResponse(ApiMessage):
    failures: list[Failure] = UNSET


class RespondActivityTaskFailedByIdRequest(ApiMessage):
    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""
    activity_id: str = ""
    failure: Failure = UNSET
    identity: str = ""
    last_heartbeat_details: Payloads = UNSET
    resource_id: str = ""
    cause: _ActivityTaskFailedCause = 0


class RespondActivityTaskFailedByIdResponse(ApiMessage):
    failures: list[Failure] = UNSET


class RespondActivityTaskCanceledRequest(ApiMessage):
    task_token: bytes = b""
    details: Payloads = UNSET
    identity: str = ""
    namespace: str = ""
    resource_id: str = ""
    deployment_options: Any = UNSET


class RespondActivityTaskCanceledResponse(ApiMessage): ...


class RespondActivityTaskCanceledByIdRequest(ApiMessage):
    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""
    activity_id: str = ""
    details: Payloads = UNSET
    identity: str = ""
    deployment_options: Any = UNSET
    resource_id: str = ""


class RespondActivityTaskCanceledByIdResponse(ApiMessage): ...


class RecordActivityTaskHeartbeatRequest(ApiMessage):
    task_token: bytes = b""
    details: Payloads = UNSET
    identity: str = ""
    namespace: str = ""
    resource_id: str = ""


class RecordActivityTaskHeartbeatResponse(ApiMessage):
    cancel_requested: bool = False
    activity_paused: bool = False
    activity_reset: bool = False


class RecordActivityTaskHeartbeatByIdRequest(ApiMessage):
    namespace: str = ""
    workflow_id: str = ""
    run_id: str = ""
    activity_id: str = ""
    details: Payloads = UNSET
    identity: str = ""
    resource_id: str = ""


class RecordActivityTaskHeartbeatByIdResponse(ApiMessage):
    cancel_requested: bool = False
    activity_paused: bool = False
    activity_reset: bool = False
