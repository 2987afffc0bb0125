"""Messages of ``temporal.api.sdk.v1``: what the queries that every workflow has answer with.

They travel as ``json/protobuf``, in protobuf's JSON mapping, so that Temporal's tools and SDKs read them as their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from durability._core.api_message import UNSET, ApiMessage


class StackTraceSDKInfo(ApiMessage):
    """Who made a stack trace."""

    name: str = ""
    version: str = ""


class StackTraceFileSlice(ApiMessage):
    """Part of a source file, from a line on."""

    line_offset: int = 0
    content: str = ""


class StackTraceFileLocation(ApiMessage):
    """One frame of a stack."""

    file_path: str = ""
    line: int = 0
    column: int = 0
    function_name: str = ""
    internal_code: bool = False


class StackTrace(ApiMessage):
    """The stack of one task, outermost frame first."""

    locations: list[StackTraceFileLocation] = UNSET


class EnhancedStackTrace(ApiMessage):
    """The stacks of all tasks of a workflow, with their sources by file name."""

    sdk: StackTraceSDKInfo = UNSET
    sources: dict[str, StackTraceFileSlice] = UNSET
    stacks: list[StackTrace] = UNSET


class WorkflowInteractionDefinition(ApiMessage):
    """A signal, query or update that a workflow takes; the dynamic one has no name."""

    name: str = ""
    description: str = ""


class WorkflowDefinition(ApiMessage):
    """What a workflow can be told and asked."""

    type: str = ""
    query_definitions: list[WorkflowInteractionDefinition] = UNSET
    signal_definitions: list[WorkflowInteractionDefinition] = UNSET
    update_definitions: list[WorkflowInteractionDefinition] = UNSET


class WorkflowMetadata(ApiMessage):
    """What a workflow tells of itself."""

    definition: WorkflowDefinition = UNSET
    current_details: str = ""


MESSAGES: Final[Mapping[str, type[ApiMessage]]] = {
    message.message_type(): message for message in (EnhancedStackTrace, WorkflowMetadata)
}
"""Those that travel on their own, by protobuf's name."""
