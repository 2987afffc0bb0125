"""Workflow executions as clients see them: listed, described, counted."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self, cast, overload

from durability._core.payload import Payload
from durability._runtime.frontend import Description, Frontend
from durability.client._attribute_types import attribute_types
from durability.client._descriptions import raw_info
from durability.client._history import WorkflowHistory, WorkflowHistoryEventFilterType
from durability.common import SearchAttributes, SearchAttributeValue, TypedSearchAttributes
from durability.common._arguments import _arg_unset
from durability.converter import DataConverter, WorkflowSerializationContext
from durability.converter._search_attributes import (
    search_attributes_from_payloads,
    typed_search_attributes_from_payloads,
    with_types,
)
from durability.types import AnyType, ParamType

if TYPE_CHECKING:
    from durability.api.workflow.v1 import WorkflowExecutionInfo
    from durability.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
    from durability.client._client import Client
    from durability.client._interceptor import ListWorkflowsInput


class WorkflowExecutionStatus(IntEnum):
    """Status of a workflow execution."""

    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    CONTINUED_AS_NEW = 6
    TIMED_OUT = 7


@dataclass
class WorkflowExecution:
    """A workflow execution, as listings have it.

    Attributes:
        close_time: When it ended, if it has.
        execution_time: When it started or should start.
        history_length: Number of events in its history.
        id: Workflow id.
        namespace: Namespace.
        parent_id: Workflow id of the workflow that started it as a child, if one did.
        parent_run_id: Run id of that workflow.
        root_id: Workflow id at the root of its tree of children, if known.
        root_run_id: Run id at the root, if known.
        raw_info: What the engine answered, as Temporal's ``WorkflowExecutionInfo``.
        run_id: Run id.
        search_attributes: Untyped search attributes; prefer ``typed_search_attributes``.
        start_time: When it was created.
        status: Its status.
        task_queue: Task queue that it was started on.
        typed_search_attributes: Search attributes.
        workflow_type: Name of its type.
    """

    close_time: datetime | None
    execution_time: datetime | None
    history_length: int
    id: str
    namespace: str
    parent_id: str | None
    parent_run_id: str | None
    root_id: str | None
    root_run_id: str | None
    raw_info: WorkflowExecutionInfo
    run_id: str
    search_attributes: SearchAttributes
    start_time: datetime
    status: WorkflowExecutionStatus | None
    task_queue: str
    typed_search_attributes: TypedSearchAttributes
    workflow_type: str
    _context_free_data_converter: DataConverter

    @property
    def data_converter(self) -> DataConverter:
        """The data converter, in the context of this workflow."""
        context = WorkflowSerializationContext(namespace=self.namespace, workflow_id=self.id)
        return self._context_free_data_converter.with_context(context)

    @classmethod
    def _from_description(cls, info: Description, client: Client, **more: Any) -> Self:
        return cls(
            close_time=_time(info.close_time),
            execution_time=_time(info.execution_time),
            history_length=info.history_length,
            id=info.workflow_id,
            namespace=client.namespace,
            parent_id=info.parent_workflow_id or None,
            parent_run_id=info.parent_run_id or None,
            root_id=info.root_workflow_id or None,
            root_run_id=info.root_run_id or None,
            raw_info=raw_info(info),
            run_id=info.run_id,
            search_attributes=search_attributes_from_payloads(info.search_attributes),
            start_time=_EPOCH + timedelta(milliseconds=info.start_time),
            status=WorkflowExecutionStatus(info.status),
            task_queue=info.task_queue,
            typed_search_attributes=typed_search_attributes_from_payloads(
                with_types(info.search_attributes, attribute_types(client))
            ),
            workflow_type=info.workflow_type,
            _context_free_data_converter=client.data_converter,
            **more,
        )

    async def memo(self) -> Mapping[str, Any]:
        """The memo, converted without type hints."""
        return {key: await self._memo_value(payload, None) for key, payload in self.raw_info.memo.fields.items()}

    @overload
    async def memo_value(self, key: str, default: Any = ...) -> Any: ...

    @overload
    async def memo_value(self, key: str, *, type_hint: type[ParamType]) -> ParamType: ...

    @overload
    async def memo_value(self, key: str, default: AnyType, *, type_hint: type[ParamType]) -> AnyType | ParamType: ...

    async def memo_value(self, key: str, default: Any = _arg_unset, *, type_hint: type | None = None) -> Any:
        """One value of the memo.

        Args:
            key: Its key.
            default: What to return if the memo does not have the key.
            type_hint: The type expected.

        Raises:
            KeyError: The memo does not have the key, and there is no default.
        """
        payload = self.raw_info.memo.fields.get(key)
        if payload is not None:
            return await self._memo_value(payload, type_hint)
        if default is _arg_unset:
            raise KeyError(f"Memo does not have a value for key {key}")
        return default

    async def _memo_value(self, payload: Payload, type_hint: type | None) -> Any:
        return (await self.data_converter.decode([payload], [type_hint] if type_hint else None))[0]


@dataclass
class WorkflowExecutionDescription(WorkflowExecution):
    """A workflow execution with everything that is known of it.

    Attributes:
        raw_description: What the engine answered, as Temporal's ``DescribeWorkflowExecutionResponse``. In addition,
            its ``pending_workflow_task`` has a ``last_failure`` while the workflow task keeps failing.
    """

    raw_description: DescribeWorkflowExecutionResponse = dataclasses.field(kw_only=True)

    async def static_summary(self) -> str | None:
        """The summary that the workflow was started with."""
        return await self._metadata("summary")

    async def static_details(self) -> str | None:
        """The details that the workflow was started with."""
        return await self._metadata("details")

    async def _metadata(self, name: str) -> str | None:
        given = self.raw_description.execution_config.user_metadata
        if not given.HasField(name):
            return None
        [text] = await self.data_converter.decode([getattr(given, name)], [str])
        return cast(str, text)


@dataclass
class WorkflowExecutionCountAggregationGroup:
    """One group of a count.

    Attributes:
        count: Number of executions in the group.
        group_values: What they have in common.
    """

    count: int
    group_values: Sequence[SearchAttributeValue]


@dataclass
class WorkflowExecutionCount:
    """How many executions a query selects.

    Attributes:
        count: The number; eventually consistent.
        groups: How many of each status, if the query ends with ``GROUP BY ExecutionStatus``; empty otherwise.
    """

    count: int
    groups: Sequence[WorkflowExecutionCountAggregationGroup]

    @staticmethod
    def _from_statuses(statuses: Mapping[int, int], *, grouped: bool) -> WorkflowExecutionCount:
        groups = [
            WorkflowExecutionCountAggregationGroup(number, [_status_name(status)])
            for status, number in sorted(statuses.items())
            if grouped
        ]
        return WorkflowExecutionCount(sum(statuses.values()), groups)


async def count_by_status(frontend: Frontend, query: str | None) -> WorkflowExecutionCount:
    """Count executions by listing them. Raises RPCError(INVALID_ARGUMENT) for a query that cannot be read."""
    from durability._rest.list_filter import parse_count_query

    selected, by_status = parse_count_query(query)
    selected.page_size = 1000
    count: Counter[int] = Counter()
    while True:
        page = await frontend.list(selected)
        count.update(execution.status for execution in page.executions)
        selected.page_token = page.next_page_token
        if not page.next_page_token:
            return WorkflowExecutionCount._from_statuses(count, grouped=by_status)


class WorkflowExecutionAsyncIterator:
    """Iterates over executions, page by page. Made by ``Client.list_workflows``."""

    def __init__(self, client: Client, input: ListWorkflowsInput) -> None:
        """Not for users: see ``Client.list_workflows``."""
        from durability._rest.list_filter import parse_list_query

        self._client = client
        self._filter = parse_list_query(input.query)
        self._page_size = input.page_size
        self._next_page_token = input.next_page_token
        self._limit = input.limit
        self._current_page: Sequence[WorkflowExecution] | None = None
        self._current_page_index = 0
        self._yielded = 0

    @property
    def current_page_index(self) -> int:
        """Index in the current page of the execution that comes next."""
        return self._current_page_index

    @property
    def current_page(self) -> Sequence[WorkflowExecution] | None:
        """The page fetched last, or None before the first."""
        return self._current_page

    @property
    def next_page_token(self) -> bytes | None:
        """Where the next page begins, or None if there is none."""
        return self._next_page_token

    async def fetch_next_page(self, *, page_size: int | None = None) -> None:
        """Fetch the next page in place of the current one.

        Args:
            page_size: Most executions in the page; as given to ``list_workflows`` by default.
        """
        self._filter.page_size = page_size or self._page_size
        if self._limit is not None:
            self._filter.page_size = min(self._filter.page_size, self._limit - self._yielded)
        self._filter.page_token = (self._next_page_token or b"").decode()
        page = await self._client.frontend.list(self._filter)
        self._current_page = [WorkflowExecution._from_description(info, self._client) for info in page.executions]
        self._current_page_index = 0
        self._next_page_token = page.next_page_token.encode() or None

    def __aiter__(self) -> WorkflowExecutionAsyncIterator:
        """The iterator itself."""
        return self

    async def __anext__(self) -> WorkflowExecution:
        """The next execution."""
        if self._limit is not None and self._yielded >= self._limit:
            raise StopAsyncIteration
        while self._current_page is None or self._current_page_index >= len(self._current_page):
            if self._current_page is not None and self._next_page_token is None:
                raise StopAsyncIteration
            await self.fetch_next_page()
        execution = self._current_page[self._current_page_index]
        self._current_page_index += 1
        self._yielded += 1
        return execution

    async def map_histories(
        self,
        *,
        event_filter_type: WorkflowHistoryEventFilterType = WorkflowHistoryEventFilterType.ALL_EVENT,
        skip_archival: bool = False,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> AsyncIterator[WorkflowHistory]:
        """Iterate over the histories of the executions, as replayers take them.

        Args:
            event_filter_type: Which events to fetch.
            skip_archival: Accepted for compatibility; there is no archive.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of one history's fetching.
        """
        async for execution in self:
            handle = self._client.get_workflow_handle(execution.id, run_id=execution.run_id)
            yield await handle.fetch_history(
                event_filter_type=event_filter_type,
                skip_archival=skip_archival,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
            )


def _status_name(status: int) -> str:
    """A status as queries have it, such as ``TimedOut``."""
    return WorkflowExecutionStatus(status).name.title().replace("_", "")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _time(milliseconds: int) -> datetime | None:
    return _EPOCH + timedelta(milliseconds=milliseconds) if milliseconds else None
