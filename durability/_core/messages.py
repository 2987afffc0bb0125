"""Messages of ``temporal.api.sdk.v1``: what the queries that every workflow has answer with.

They travel as ``json/protobuf``, in protobuf's JSON mapping, so that Temporal's tools and SDKs read them as their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from durability._core.api_message import UNSET, ApiMessage


class _SdkMessage(ApiMessage):
    """A message of ``temporal.api.sdk.v1``, whatever module it is in."""

    @classmethod
    def message_type(cls) -> str:
        """See ``ApiMessage.message_type``."""
        return f"temporal.api.sdk.v1.{cls.__qualname__}"


class StackTraceSDKInfo(_SdkMessage):
    """Who made a stack trace."""

    name: str = ""
    version: str = ""


class StackTraceFileSlice(_SdkMessage):
    """Part of a source file, from a line on."""

    line_offset: int = 0
    content: str = ""


class StackTraceFileLocation(_SdkMessage):
    """One frame of a stack."""

    file_path: str = ""
    line: int = 0
    column: int = 0
    function_name: str = ""
    internal_code: bool = False


class StackTrace(_SdkMessage):
    """The stack of one task, outermost frame first."""

    locations: list[StackTraceFileLocation] = UNSET


class EnhancedStackTrace(_SdkMessage):
    """The stacks of all tasks of a workflow, with their sources by file name."""

    sdk: StackTraceSDKInfo = UNSET
    sources: dict[str, StackTraceFileSlice] = UNSET
    stacks: list[StackTrace] = UNSET


class WorkflowInteractionDefinition(_SdkMessage):
    """A signal, query or update that a workflow takes; the dynamic one has no name."""

    name: str = ""
    description: str = ""


class WorkflowDefinition(_SdkMessage):
    """What a workflow can be told and asked."""

    type: str = ""
    query_definitions: list[WorkflowInteractionDefinition] = UNSET
    signal_definitions: list[WorkflowInteractionDefinition] = UNSET
    update_definitions: list[WorkflowInteractionDefinition] = UNSET


class WorkflowMetadata(_SdkMessage):
    """What a workflow tells of itself."""

    definition: WorkflowDefinition = UNSET
    current_details: str = ""


MESSAGES: Final[Mapping[str, type[ApiMessage]]] = {
    message.message_type(): message for message in (EnhancedStackTrace, WorkflowMetadata)
}
"""Those that travel on their own, by protobuf's name."""
