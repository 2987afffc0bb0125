"""History of a run, as events."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from durability._core.events_json import events_from_json
from durability._core.events_view import HistoryEvent, to_events, to_json

if TYPE_CHECKING:
    from durability.client._client import Client
    from durability.client._interceptor import FetchWorkflowHistoryEventsInput

_LONG_POLL = 20.0
_NEW_EVENT_POLL = 1.0


class WorkflowHistoryEventFilterType(IntEnum):
    """Which events to fetch."""

    ALL_EVENT = 1
    CLOSE_EVENT = 2
    """Only the one that ended the run."""


@dataclass(frozen=True)
class WorkflowHistory:
    """The events of one run.

    Attributes:
        workflow_id: Id of the workflow.
        events: The events, oldest first.
    """

    workflow_id: str
    events: Sequence[HistoryEvent]

    @property
    def run_id(self) -> str:
        """Id of the run.

        Raises:
            RuntimeError: The history does not begin with the start of a workflow.
        """
        if not self.events:
            raise RuntimeError("No events")
        if not self.events[0].HasField("workflow_execution_started_event_attributes"):
            raise RuntimeError("First event is not workflow start")
        return str(self.events[0].attributes["originalExecutionRunId"])

    @staticmethod
    def from_json(workflow_id: str, history: str | dict[str, Any]) -> WorkflowHistory:
        """Read a history in Temporal's JSON format, as ``to_json``, Temporal's CLI and its UI write it.

        Args:
            workflow_id: Id of the workflow; the document does not have it.
            history: The document, or its text.

        Raises:
            ValueError: It is not such a document.
        """
        return WorkflowHistory(workflow_id, events_from_json(history))

    def to_json(self) -> str:
        """The history as a document in Temporal's JSON format."""
        return to_json(self.events)

    def to_json_dict(self) -> dict[str, Any]:
        """Like ``to_json``, as a dictionary."""
        return dict(json.loads(self.to_json()))


class WorkflowHistoryEventAsyncIterator:
    """Iterates over the events of a run. Made by ``WorkflowHandle.fetch_history_events``."""

    def __init__(self, client: Client, input: FetchWorkflowHistoryEventsInput) -> None:
        """Not for users: see ``WorkflowHandle.fetch_history_events``."""
        self._client = client
        self._input = copy.copy(input)
        self._seen = int(input.next_page_token or 0)
        self._more = True
        self._current_page: Sequence[HistoryEvent] | None = None
        self._current_page_index = 0
        self._fetched: Sequence[HistoryEvent] = ()

    @property
    def current_page_index(self) -> int:
        """Index in the current page of the event that comes next."""
        return self._current_page_index

    @property
    def current_page(self) -> Sequence[HistoryEvent] | None:
        """The page fetched last, or None before the first."""
        return self._current_page

    @property
    def next_page_token(self) -> bytes | None:
        """Where the next page begins, or None if there is none."""
        return str(self._seen).encode() if self._more else None

    async def fetch_next_page(self, *, page_size: int | None = None) -> None:
        """Fetch the next page in place of the current one.

        Args:
            page_size: Most events in the page; all by default.
        """
        if len(self._fetched) <= self._seen:
            self._fetched = await self._fetch()
        size = page_size or self._input.page_size or len(self._fetched)
        page = self._fetched[self._seen : self._seen + size]
        self._seen += len(page)
        closed = bool(self._fetched) and _closes(self._fetched[-1])
        self._more = self._seen < len(self._fetched) or (self._input.wait_new_event and not closed)
        if self._input.event_filter_type == WorkflowHistoryEventFilterType.CLOSE_EVENT:
            page = [event for event in page if _closes(event)]
        self._current_page = page
        self._current_page_index = 0

    async def _fetch(self) -> Sequence[HistoryEvent]:
        frontend = self._client.frontend
        closing_only = self._input.event_filter_type == WorkflowHistoryEventFilterType.CLOSE_EVENT
        while True:
            outcome = None
            if self._input.wait_new_event and closing_only:
                while outcome is None:
                    outcome = await frontend.outcome(self._input.id, self._input.run_id, wait=_LONG_POLL)
            else:
                outcome = await frontend.outcome(self._input.id, self._input.run_id, wait=0)
            if outcome is not None:
                self._input.run_id = outcome.run_id
            deltas = [delta async for delta in frontend.history(self._input.id, self._input.run_id)]
            events = to_events(
                deltas,
                workflow_id=self._input.id,
                run_id=self._input.run_id or "",
                namespace=self._client.namespace,
                new_run_id=outcome.new_run_id if outcome else "",
            )
            if len(events) > self._seen or not self._input.wait_new_event or outcome is not None:
                return events
            await frontend.outcome(self._input.id, self._input.run_id, wait=_NEW_EVENT_POLL)

    def __aiter__(self) -> WorkflowHistoryEventAsyncIterator:
        """The iterator itself."""
        return self

    async def __anext__(self) -> HistoryEvent:
        """The next event."""
        while True:
            if self._current_page is not None and self._current_page_index < len(self._current_page):
                event = self._current_page[self._current_page_index]
                self._current_page_index += 1
                return event
            if not self._more:
                raise StopAsyncIteration
            await self.fetch_next_page()


def _closes(event: HistoryEvent) -> bool:
    return event.event_type in (2, 3, 4, 21, 27, 28)
