"""Messages of ``temporal.api.query.v1``."""

from __future__ import annotations

from typing import Annotated

from durability._core.api_message import UNSET, ApiMessage
from durability._core.payload import Payloads
from durability.api.common.v1 import Header

__all__ = [
    "QueryRejected",
    "WorkflowQuery",
]

_WorkflowExecutionStatus = Annotated[int, "WorkflowExecutionStatus"]


class WorkflowQuery(ApiMessage):
    query_type: str = ""
    query_args: Payloads = UNSET
    header: Header = UNSET


class QueryRejected(ApiMessage):
    status: _WorkflowExecutionStatus = 0
