"""Handles: one workflow execution, or one chain of runs, as a client talks to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Generic, TypedDict, Unpack, cast, overload

from durability._runtime.frontend import Status
from durability.client._exceptions import WorkflowContinuedAsNewError
from durability.client._executions import WorkflowExecutionDescription
from durability.client._history import (
    WorkflowHistory,
    WorkflowHistoryEventAsyncIterator,
    WorkflowHistoryEventFilterType,
)
from durability.client._interceptor import (
    CancelWorkflowInput,
    DescribeWorkflowInput,
    FetchWorkflowHistoryEventsInput,
    QueryWorkflowInput,
    SignalWorkflowInput,
    StartWorkflowUpdateInput,
    TerminateWorkflowInput,
)
from durability.client._updates import WorkflowUpdateHandle, WorkflowUpdateStage
from durability.common import QueryRejectCondition
from durability.common._arguments import _arg_or_args, _arg_unset
from durability.converter import WorkflowSerializationContext
from durability.types import (
    LocalReturnType,
    MethodSyncOrAsyncNoParam,
    MethodSyncOrAsyncSingleParam,
    MultiParamSpec,
    ParamType,
    ReturnType,
    SelfType,
)
from durability.workflow._handlers import (
    UpdateMethodMultiParam,
    _QueryDefinition,
    _SignalDefinition,
    _UpdateDefinition,
)

if TYPE_CHECKING:
    from durability.client._client import Client

_LONG_POLL = 20.0
_FOLLOWED = (Status.COMPLETED, Status.FAILED, Status.TIMED_OUT, Status.CONTINUED_AS_NEW)


class _UpdateOptions(TypedDict, total=False):
    id: str | None
    rpc_metadata: Mapping[str, str | bytes]
    rpc_timeout: timedelta | None


class WorkflowHandle(Generic[SelfType, ReturnType]):
    """A workflow execution to talk to. Made by a ``Client``; making one asks nothing of the engine."""

    def __init__(
        self,
        client: Client,
        id: str,
        *,
        run_id: str | None = None,
        result_run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type | None = None,
    ) -> None:
        """Not for users: see ``Client.get_workflow_handle``."""
        self._client = client
        self._id = id
        self._run_id = run_id
        self._result_run_id = result_run_id
        self._first_execution_run_id = first_execution_run_id
        self._result_type = result_type

    @property
    def id(self) -> str:
        """Workflow id."""
        return self._id

    @property
    def run_id(self) -> str | None:
        """The run that calls go to; None for the workflow id's current run, whichever it is."""
        return self._run_id

    @property
    def result_run_id(self) -> str | None:
        """The run that ``result`` begins with; None for the current run."""
        return self._result_run_id

    @property
    def first_execution_run_id(self) -> str | None:
        """First run of the chain that ``cancel`` and ``terminate`` are confined to, if it is known."""
        return self._first_execution_run_id

    async def result(
        self,
        *,
        follow_runs: bool = True,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> ReturnType:
        """Wait for the workflow to end.

        Args:
            follow_runs: Whether to go on with the run that continues the one awaited.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest time to wait.

        Returns:
            The workflow's result.

        Raises:
            WorkflowFailureError: The workflow failed, was cancelled or terminated, or timed out.
            WorkflowContinuedAsNewError: ``follow_runs`` is false and another run follows: because this one continued as
                new, by a retry policy or by a cron schedule. Temporal's server tells its clients the same of all three.
            RPCError: There is no such workflow (NOT_FOUND), or ``rpc_timeout`` is over (DEADLINE_EXCEEDED).
        """
        from durability.client._impl import deadline, failure_of

        run_id = self._result_run_id
        context = WorkflowSerializationContext(namespace=self._client.namespace, workflow_id=self._id)
        converter = self._client.data_converter.with_context(context)
        async with deadline(rpc_timeout):
            while True:
                outcome = await self._client.frontend.outcome(self._id, run_id, wait=_LONG_POLL)
                if outcome is None:
                    continue
                if outcome.new_run_id and outcome.status in _FOLLOWED:
                    if not follow_runs:
                        raise WorkflowContinuedAsNewError(outcome.new_run_id)
                    run_id = outcome.new_run_id
                elif outcome.status == Status.COMPLETED:
                    if outcome.result is None:
                        return cast(ReturnType, None)
                    hints = [self._result_type] if self._result_type else None
                    return cast(ReturnType, (await converter.decode([outcome.result], hints))[0])
                else:
                    raise await failure_of(outcome, converter)

    async def cancel(
        self,
        *,
        reason: str = "",
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Ask the workflow to cancel itself.

        Args:
            reason: Why; shown to the workflow.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of the call.

        Raises:
            RPCError: NOT_FOUND if the workflow is unknown or has ended.
        """
        await self._client._impl.cancel_workflow(
            CancelWorkflowInput(
                id=self._id,
                run_id=self._run_id,
                first_execution_run_id=self._first_execution_run_id,
                reason=reason,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
            )
        )

    async def describe(
        self, *, rpc_metadata: Mapping[str, str | bytes] = {}, rpc_timeout: timedelta | None = None
    ) -> WorkflowExecutionDescription:
        """Tell how the workflow stands.

        Args:
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of the call.

        Raises:
            RPCError: NOT_FOUND if the workflow is unknown.
        """
        return await self._client._impl.describe_workflow(
            DescribeWorkflowInput(id=self._id, run_id=self._run_id, rpc_metadata=rpc_metadata, rpc_timeout=rpc_timeout)
        )

    async def fetch_history(
        self,
        *,
        event_filter_type: WorkflowHistoryEventFilterType = WorkflowHistoryEventFilterType.ALL_EVENT,
        skip_archival: bool = False,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowHistory:
        """Fetch the history, as events of Temporal's kind.

        Args:
            event_filter_type: Which events.
            skip_archival: Accepted for compatibility; there is no archive.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of the call.

        Raises:
            RPCError: NOT_FOUND if the workflow is unknown.
        """
        from durability.client._impl import deadline

        async with deadline(rpc_timeout):
            events = [
                event
                async for event in self.fetch_history_events(
                    event_filter_type=event_filter_type, skip_archival=skip_archival, rpc_metadata=rpc_metadata
                )
            ]
        return WorkflowHistory(self._id, events)

    def fetch_history_events(
        self,
        *,
        page_size: int | None = None,
        next_page_token: bytes | None = None,
        wait_new_event: bool = False,
        event_filter_type: WorkflowHistoryEventFilterType = WorkflowHistoryEventFilterType.ALL_EVENT,
        skip_archival: bool = False,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowHistoryEventAsyncIterator:
        """Iterate over the history's events.

        Args:
            page_size: Most events a page.
            next_page_token: Where to begin: ``next_page_token`` of another iterator.
            wait_new_event: Whether to wait for further events until the run has ended.
            event_filter_type: Which events.
            skip_archival: Accepted for compatibility; there is no archive.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Accepted for compatibility; limit the iteration with ``asyncio.timeout``.
        """
        return self._client._impl.fetch_workflow_history_events(
            FetchWorkflowHistoryEventsInput(
                id=self._id,
                run_id=self._run_id,
                page_size=page_size,
                next_page_token=next_page_token,
                wait_new_event=wait_new_event,
                event_filter_type=event_filter_type,
                skip_archival=skip_archival,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
            )
        )

    @overload
    async def query(
        self,
        query: MethodSyncOrAsyncNoParam[SelfType, LocalReturnType],
        *,
        reject_condition: QueryRejectCondition | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> LocalReturnType: ...

    @overload
    async def query(
        self,
        query: MethodSyncOrAsyncSingleParam[SelfType, ParamType, LocalReturnType],
        arg: ParamType,
        *,
        reject_condition: QueryRejectCondition | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> LocalReturnType: ...

    @overload
    async def query(
        self,
        query: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[LocalReturnType] | LocalReturnType],
        *,
        args: Sequence[Any],
        reject_condition: QueryRejectCondition | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> LocalReturnType: ...

    @overload
    async def query(
        self,
        query: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = [],
        result_type: type | None = None,
        reject_condition: QueryRejectCondition | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> Any: ...

    async def query(
        self,
        query: str | Callable[..., Any],
        arg: Any = _arg_unset,
        *,
        args: Sequence[Any] = [],
        result_type: type | None = None,
        reject_condition: QueryRejectCondition | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Ask the workflow a question; open or closed, it answers from its history.

        Args:
            query: The query's method or name.
            arg: The argument, if there is one.
            args: The arguments, if there are several.
            result_type: The type expected, for queries given by name.
            reject_condition: In which states not to ask; the client's default if None.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of the call.

        Returns:
            The answer.

        Raises:
            WorkflowQueryFailedError: The handler raised, or there is no such query.
            WorkflowQueryRejectedError: The workflow is in a state of ``reject_condition``.
            RPCError: NOT_FOUND if the workflow is unknown.
        """
        name, result_type = _query_name(query, result_type)
        return await self._client._impl.query_workflow(
            QueryWorkflowInput(
                id=self._id,
                run_id=self._run_id,
                query=name,
                args=_arg_or_args(arg, args),
                reject_condition=reject_condition or self._client._config["default_workflow_query_reject_condition"],
                headers={},
                ret_type=result_type,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
            )
        )

    @overload
    async def signal(
        self,
        signal: MethodSyncOrAsyncNoParam[SelfType, None],
        *,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None: ...

    @overload
    async def signal(
        self,
        signal: MethodSyncOrAsyncSingleParam[SelfType, ParamType, None],
        arg: ParamType,
        *,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None: ...

    @overload
    async def signal(
        self,
        signal: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[None] | None],
        *,
        args: Sequence[Any],
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None: ...

    @overload
    async def signal(
        self,
        signal: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = [],
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None: ...

    async def signal(
        self,
        signal: str | Callable[..., Any],
        arg: Any = _arg_unset,
        *,
        args: Sequence[Any] = [],
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """Send the workflow a signal. It is durable when this returns.

        Args:
            signal: The signal's method or name.
            arg: The argument, if there is one.
            args: The arguments, if there are several.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of the call.

        Raises:
            RPCError: NOT_FOUND if the workflow is unknown or has ended.
        """
        await self._client._impl.signal_workflow(
            SignalWorkflowInput(
                id=self._id,
                run_id=self._run_id,
                signal=_SignalDefinition.must_name_from_fn_or_str(signal),
                args=_arg_or_args(arg, args),
                headers={},
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
            )
        )

    @overload
    async def execute_update(
        self, update: UpdateMethodMultiParam[[SelfType], LocalReturnType], **options: Unpack[_UpdateOptions]
    ) -> LocalReturnType: ...

    @overload
    async def execute_update(
        self,
        update: UpdateMethodMultiParam[[SelfType, ParamType], LocalReturnType],
        arg: ParamType,
        **options: Unpack[_UpdateOptions],
    ) -> LocalReturnType: ...

    @overload
    async def execute_update(
        self,
        update: UpdateMethodMultiParam[MultiParamSpec, LocalReturnType],
        *,
        args: Sequence[Any],
        **options: Unpack[_UpdateOptions],
    ) -> LocalReturnType: ...

    @overload
    async def execute_update(
        self,
        update: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = [],
        result_type: type | None = None,
        **options: Unpack[_UpdateOptions],
    ) -> Any: ...

    async def execute_update(
        self,
        update: str | Callable[..., Any],
        arg: Any = _arg_unset,
        *,
        args: Sequence[Any] = [],
        id: str | None = None,
        result_type: type | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Send the workflow an update and wait for its result.

        Args:
            update: The update's method or name.
            arg: The argument, if there is one.
            args: The arguments, if there are several.
            id: Update id: a run takes each once. A random one by default.
            result_type: The type expected, for updates given by name.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest time to wait.

        Returns:
            The update's result.

        Raises:
            WorkflowUpdateFailedError: The update was rejected, its handler failed, or the run ended before it.
            WorkflowUpdateRPCTimeoutOrCancelledError: ``rpc_timeout`` is over, or the call was cancelled.
            RPCError: NOT_FOUND if the workflow is unknown or has ended.
        """
        handle = await self._start_update(
            update, arg, args, WorkflowUpdateStage.COMPLETED, id, result_type, rpc_metadata, rpc_timeout
        )
        return await handle.result()

    @overload
    async def start_update(
        self,
        update: UpdateMethodMultiParam[[SelfType], LocalReturnType],
        *,
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[_UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update(
        self,
        update: UpdateMethodMultiParam[[SelfType, ParamType], LocalReturnType],
        arg: ParamType,
        *,
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[_UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update(
        self,
        update: UpdateMethodMultiParam[MultiParamSpec, LocalReturnType],
        *,
        args: Sequence[Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[_UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update(
        self,
        update: str,
        arg: Any = ...,
        *,
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = [],
        result_type: type | None = None,
        **options: Unpack[_UpdateOptions],
    ) -> WorkflowUpdateHandle[Any]: ...

    async def start_update(
        self,
        update: str | Callable[..., Any],
        arg: Any = _arg_unset,
        *,
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = [],
        id: str | None = None,
        result_type: type | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowUpdateHandle[Any]:
        """Send the workflow an update and wait until it has been accepted, or completed.

        Args:
            update: The update's method or name.
            arg: The argument, if there is one.
            wait_for_stage: ACCEPTED or COMPLETED.
            args: The arguments, if there are several.
            id: Update id: a run takes each once. A random one by default.
            result_type: The type expected, for updates given by name.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest time to wait.

        Returns:
            A handle on the update. If it was rejected, its ``result`` raises.

        Raises:
            ValueError: ``wait_for_stage`` is ADMITTED.
            WorkflowUpdateRPCTimeoutOrCancelledError: ``rpc_timeout`` is over, or the call was cancelled.
            RPCError: NOT_FOUND if the workflow is unknown or has ended.
        """
        return await self._start_update(update, arg, args, wait_for_stage, id, result_type, rpc_metadata, rpc_timeout)

    async def _start_update(
        self,
        update: str | Callable[..., Any],
        arg: Any,
        args: Sequence[Any],
        wait_for_stage: WorkflowUpdateStage,
        id: str | None,
        result_type: type | None,
        rpc_metadata: Mapping[str, str | bytes],
        rpc_timeout: timedelta | None,
    ) -> WorkflowUpdateHandle[Any]:
        if wait_for_stage == WorkflowUpdateStage.ADMITTED:
            raise ValueError("ADMITTED wait stage not supported")
        name, known_type = _UpdateDefinition.get_name_and_result_type(update)
        return await self._client._impl.start_workflow_update(
            StartWorkflowUpdateInput(
                id=self._id,
                run_id=self._run_id,
                first_execution_run_id=self._first_execution_run_id,
                update_id=id,
                update=name,
                args=_arg_or_args(arg, args),
                wait_for_stage=wait_for_stage,
                headers={},
                ret_type=result_type or known_type,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
            )
        )

    def get_update_handle(
        self, id: str, *, workflow_run_id: str | None = None, result_type: type | None = None
    ) -> WorkflowUpdateHandle[Any]:
        """Return a handle on an update, without asking whether it exists.

        Args:
            id: Update id.
            workflow_run_id: The run that the update went to; ``run_id`` by default.
            result_type: The type of the update's result.
        """
        return WorkflowUpdateHandle(
            self._client, id, self._id, workflow_run_id=workflow_run_id or self._run_id, result_type=result_type
        )

    def get_update_handle_for(
        self,
        update: UpdateMethodMultiParam[Any, LocalReturnType],
        id: str,
        *,
        workflow_run_id: str | None = None,
    ) -> WorkflowUpdateHandle[LocalReturnType]:
        """Return a handle with the type of an update, without asking whether it exists.

        Args:
            update: The update's method.
            id: Update id.
            workflow_run_id: See ``get_update_handle``.
        """
        return self.get_update_handle(id, workflow_run_id=workflow_run_id, result_type=update._defn.ret_type)

    async def terminate(
        self,
        *args: Any,
        reason: str | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> None:
        """End the workflow without asking its code.

        Args:
            args: Details to keep.
            reason: Why.
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest duration of the call.

        Raises:
            RPCError: NOT_FOUND if the workflow is unknown or has ended.
        """
        await self._client._impl.terminate_workflow(
            TerminateWorkflowInput(
                id=self._id,
                run_id=self._run_id,
                first_execution_run_id=self._first_execution_run_id,
                args=args,
                reason=reason,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
            )
        )


def _query_name(query: str | Callable[..., Any], result_type: type | None) -> tuple[str, type | None]:
    if not callable(query):
        return str(query), result_type
    definition = _QueryDefinition.from_fn(query)
    name = getattr(query, "__qualname__", repr(query))
    if definition is None:
        raise RuntimeError(f"{name} is not a query; decorate it with @workflow.query")
    if definition.name is None:
        raise RuntimeError(f"{name} is a dynamic query handler; give the query's name as a string")
    return definition.name, definition.ret_type
