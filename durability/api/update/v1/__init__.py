"""Messages of ``temporal.api.update.v1``."""

from __future__ import annotations

from typing import Annotated, Any

from durability._core.api_message import UNSET, ApiMessage
from durability._core.failure import Failure
from durability._core.payload import Payloads
from durability.api.common.v1 import Header, WorkflowExecution

__all__ = [
    "Input",
    "Meta",
    "Outcome",
    "Request",
    "UpdateRef",
    "WaitPolicy",
]

_UpdateWorkflowExecutionLifecycleStage = Annotated[int, "UpdateWorkflowExecutionLifecycleStage"]


class WaitPolicy(ApiMessage):
    lifecycle_stage: _UpdateWorkflowExecutionLifecycleStage = 0


class UpdateRef(ApiMessage):
    workflow_execution: WorkflowExecution = UNSET
    update_id: str = ""


class Outcome(ApiMessage, value=("success", "failure")):
    success: Payloads = UNSET
    failure: Failure = UNSET


class Meta(ApiMessage):
    update_id: str = ""
    identity: str = ""


class Input(ApiMessage):
    header: Header = UNSET
    name: str = ""
    args: Payloads = UNSET


class Request(ApiMessage):
    meta: Meta = UNSET
    input: Input = UNSET
    request_id: str = ""
    completion_callbacks: list[Any] = UNSET
