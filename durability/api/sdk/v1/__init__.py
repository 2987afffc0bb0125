"""Messages of ``temporal.api.sdk.v1``: what workflows answer with to the queries that all of them have, and texts."""

from __future__ import annotations

from durability._core.api_message import UNSET, ApiMessage
from durability._core.messages import (
    EnhancedStackTrace,
    StackTrace,
    StackTraceFileLocation,
    StackTraceFileSlice,
    StackTraceSDKInfo,
    WorkflowDefinition,
    WorkflowInteractionDefinition,
    WorkflowMetadata,
)
from durability._core.payload import Payload

__all__ = [
    "EnhancedStackTrace",
    "EventGroupMarker",
    "StackTrace",
    "StackTraceFileLocation",
    "StackTraceFileSlice",
    "StackTraceSDKInfo",
    "UserMetadata",
    "WorkflowDefinition",
    "WorkflowInteractionDefinition",
    "WorkflowMetadata",
]


class UserMetadata(ApiMessage):
    summary: Payload = UNSET
    details: Payload = UNSET


class EventGroupMarker(ApiMessage, variant=("label", "inbound_event", "inbound_update")):
    class Label(ApiMessage):
        id: str = ""
        label: Payload = UNSET

    class InboundEvent(ApiMessage):
        inbound_event_id: int = 0

    class InboundUpdate(ApiMessage):
        inbound_update_id: str = ""

    label: Label = UNSET
    inbound_event: InboundEvent = UNSET
    inbound_update: InboundUpdate = UNSET
