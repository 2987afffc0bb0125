"""Messages of ``temporal.api.sdk.v1``: what the queries that every workflow has answer with.

They travel as ``json/protobuf``, in protobuf's JSON mapping, so that Temporal's tools and SDKs read them as their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec


class Message(msgspec.Struct, rename="camel", omit_defaults=True):
    """A message: unset fields have their defaults, and are left out of its JSON."""

    @classmethod
    def message_type(cls) -> str:
        """Protobuf's full name of the message."""
        return f"temporal.api.sdk.v1.{cls.__name__}"


class StackTraceSDKInfo(Message):
    """Who made a stack trace."""

    name: str = ""
    version: str = ""


class StackTraceFileSlice(Message):
    """Part of a source file, from a line on."""

    line_offset: int = 0
    content: str = ""


class StackTraceFileLocation(Message):
    """One frame of a stack."""

    file_path: str = ""
    line: int = 0
    column: int = 0
    function_name: str = ""
    internal_code: bool = False


class StackTrace(Message):
    """The stack of one task, outermost frame first."""

    locations: list[StackTraceFileLocation] = []


class EnhancedStackTrace(Message):
    """The stacks of all tasks of a workflow, with their sources by file name."""

    sdk: StackTraceSDKInfo = msgspec.field(default_factory=StackTraceSDKInfo)
    sources: dict[str, StackTraceFileSlice] = {}
    stacks: list[StackTrace] = []


class WorkflowInteractionDefinition(Message):
    """A signal, query or update that a workflow takes; the dynamic one has no name."""

    name: str = ""
    description: str = ""


class WorkflowDefinition(Message):
    """What a workflow can be told and asked."""

    type: str = ""
    query_definitions: list[WorkflowInteractionDefinition] = []
    signal_definitions: list[WorkflowInteractionDefinition] = []
    update_definitions: list[WorkflowInteractionDefinition] = []


class WorkflowMetadata(Message):
    """What a workflow tells of itself."""

    definition: WorkflowDefinition = msgspec.field(default_factory=WorkflowDefinition)
    current_details: str = ""


MESSAGES: Final[Mapping[str, type[Message]]] = {
    message.message_type(): message for message in (EnhancedStackTrace, WorkflowMetadata)
}
"""Those that travel on their own, by protobuf's name."""
