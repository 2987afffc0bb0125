"""Messages of ``temporal.api.history.v1``. Events are those that a client fetches."""

from __future__ import annotations

from durability._core.api_message import UNSET, ApiMessage
from durability._core.events_view import HistoryEvent

__all__ = [
    "History",
    "HistoryEvent",
]


class History(ApiMessage):
    events: list[HistoryEvent] = UNSET
