"""Requests of ``Client.workflow_service`` and its answers.

Those of the methods that are not served can be made as well, with any fields, so that code which has them can be
imported: it is the call that is refused.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from durability._core.api_message import ApiMessage
from durability.api.workflowservice.v1._activities import (
    RecordActivityTaskHeartbeatByIdRequest,
    RecordActivityTaskHeartbeatByIdResponse,
    RecordActivityTaskHeartbeatRequest,
    RecordActivityTaskHeartbeatResponse,
    RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCanceledByIdResponse,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCanceledResponse,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedByIdResponse,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskCompletedResponse,
    RespondActivityTaskFailedByIdRequest,
    RespondActivityTaskFailedByIdResponse,
    RespondActivityTaskFailedRequest,
    RespondActivityTaskFailedResponse,
)
from durability.api.workflowservice.v1._workflows import (
    CountWorkflowExecutionsRequest,
    CountWorkflowExecutionsResponse,
    DeleteWorkflowExecutionRequest,
    DeleteWorkflowExecutionResponse,
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetSystemInfoRequest,
    GetSystemInfoResponse,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
    PollWorkflowExecutionUpdateRequest,
    PollWorkflowExecutionUpdateResponse,
    QueryWorkflowRequest,
    QueryWorkflowResponse,
    RequestCancelWorkflowExecutionRequest,
    RequestCancelWorkflowExecutionResponse,
    ResetStickyTaskQueueRequest,
    ResetStickyTaskQueueResponse,
    SignalWithStartWorkflowExecutionRequest,
    SignalWithStartWorkflowExecutionResponse,
    SignalWorkflowExecutionRequest,
    SignalWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
    TerminateWorkflowExecutionRequest,
    TerminateWorkflowExecutionResponse,
    UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)

__all__ = [
    "CountWorkflowExecutionsRequest",
    "CountWorkflowExecutionsResponse",
    "DeleteWorkflowExecutionRequest",
    "DeleteWorkflowExecutionResponse",
    "DescribeNamespaceRequest",
    "DescribeNamespaceResponse",
    "DescribeWorkflowExecutionRequest",
    "DescribeWorkflowExecutionResponse",
    "GetSystemInfoRequest",
    "GetSystemInfoResponse",
    "GetWorkflowExecutionHistoryRequest",
    "GetWorkflowExecutionHistoryResponse",
    "ListWorkflowExecutionsRequest",
    "ListWorkflowExecutionsResponse",
    "PollWorkflowExecutionUpdateRequest",
    "PollWorkflowExecutionUpdateResponse",
    "QueryWorkflowRequest",
    "QueryWorkflowResponse",
    "RecordActivityTaskHeartbeatByIdRequest",
    "RecordActivityTaskHeartbeatByIdResponse",
    "RecordActivityTaskHeartbeatRequest",
    "RecordActivityTaskHeartbeatResponse",
    "RequestCancelWorkflowExecutionRequest",
    "RequestCancelWorkflowExecutionResponse",
    "ResetStickyTaskQueueRequest",
    "ResetStickyTaskQueueResponse",
    "RespondActivityTaskCanceledByIdRequest",
    "RespondActivityTaskCanceledByIdResponse",
    "RespondActivityTaskCanceledRequest",
    "RespondActivityTaskCanceledResponse",
    "RespondActivityTaskCompletedByIdRequest",
    "RespondActivityTaskCompletedByIdResponse",
    "RespondActivityTaskCompletedRequest",
    "RespondActivityTaskCompletedResponse",
    "RespondActivityTaskFailedByIdRequest",
    "RespondActivityTaskFailedByIdResponse",
    "RespondActivityTaskFailedRequest",
    "RespondActivityTaskFailedResponse",
    "SignalWithStartWorkflowExecutionRequest",
    "SignalWithStartWorkflowExecutionResponse",
    "SignalWorkflowExecutionRequest",
    "SignalWorkflowExecutionResponse",
    "StartWorkflowExecutionRequest",
    "StartWorkflowExecutionResponse",
    "TerminateWorkflowExecutionRequest",
    "TerminateWorkflowExecutionResponse",
    "UpdateWorkflowExecutionRequest",
    "UpdateWorkflowExecutionResponse",
]


def __getattr__(name: str) -> Any:
    if re.fullmatch(r"[A-Z][A-Za-z]+(Request|Response)", name) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _unserved(name)


@cache
def _unserved(name: str) -> type[ApiMessage]:
    return type(name, (_OfAnyFields,), {"__module__": __name__})


class _OfAnyFields(ApiMessage):
    def __init__(self, **fields: Any) -> None:
        super().__init__()
        self.__dict__.update(fields)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value
