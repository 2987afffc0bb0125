"""Updates as a client sees them: their stages, handles on them, and the start that an update may come with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Required, TypedDict, Unpack, cast, overload

from durability._runtime.frontend import UpdateState
from durability.client._exceptions import WorkflowUpdateFailedError, update_call_errors
from durability.client._interceptor import UpdateWithStartStartWorkflowInput
from durability.common import (
    Priority,
    RetryPolicy,
    SearchAttributes,
    TypedSearchAttributes,
    VersioningOverride,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from durability.common._arguments import _arg_or_args, _arg_unset
from durability.converter import WorkflowSerializationContext
from durability.types import (
    LocalReturnType,
    MethodAsyncNoParam,
    MethodAsyncSingleParam,
    MultiParamSpec,
    ParamType,
    ReturnType,
    SelfType,
)
from durability.workflow._definition import _Definition
from durability.workflow._deprecations import warn_untyped

if TYPE_CHECKING:
    from durability.client._client import Client
    from durability.client._workflow_handle import WorkflowHandle


class WorkflowUpdateStage(IntEnum):
    """How far an update is to have come when ``start_update`` returns."""

    ADMITTED = 1
    ACCEPTED = 2
    COMPLETED = 3


class WorkflowUpdateHandle(Generic[LocalReturnType]):
    """An update to wait for. Made by a ``WorkflowHandle``; making one asks nothing of the engine."""

    def __init__(
        self,
        client: Client,
        id: str,
        workflow_id: str,
        *,
        workflow_run_id: str | None = None,
        result_type: type | None = None,
        known_outcome: UpdateState | None = None,
    ) -> None:
        """Not for users: see ``WorkflowHandle.start_update`` and ``WorkflowHandle.get_update_handle``."""
        self._client = client
        self._id = id
        self._workflow_id = workflow_id
        self._workflow_run_id = workflow_run_id
        self._result_type = result_type
        self._known_outcome = known_outcome

    @property
    def id(self) -> str:
        """Update id."""
        return self._id

    @property
    def workflow_id(self) -> str:
        """Id of the workflow that the update went to."""
        return self._workflow_id

    @property
    def workflow_run_id(self) -> str | None:
        """The run that the update went to; None for the workflow id's current run."""
        return self._workflow_run_id

    async def result(
        self, *, rpc_metadata: Mapping[str, str | bytes] = {}, rpc_timeout: timedelta | None = None
    ) -> LocalReturnType:
        """Wait for the update to complete.

        Args:
            rpc_metadata: See ``Client.start_workflow``.
            rpc_timeout: Longest time to wait.

        Returns:
            The update's result.

        Raises:
            WorkflowUpdateFailedError: The update was rejected, its handler failed, or its run ended before it.
            WorkflowUpdateRPCTimeoutOrCancelledError: ``rpc_timeout`` is over, or the wait was cancelled. The update
                goes on.
            RPCError: NOT_FOUND if there is no such update.
        """
        await self._wait_for_outcome(rpc_timeout)
        outcome = self._known_outcome
        assert outcome is not None
        context = WorkflowSerializationContext(namespace=self._client.namespace, workflow_id=self._workflow_id)
        converter = self._client.data_converter.with_context(context)
        if outcome.failure is not None:
            raise WorkflowUpdateFailedError(await converter.decode_failure(outcome.failure))
        if outcome.result is None:
            return cast(LocalReturnType, None)
        hints = [self._result_type] if self._result_type else None
        return cast(LocalReturnType, (await converter.decode([outcome.result], hints))[0])

    async def _wait_for_outcome(self, rpc_timeout: timedelta | None = None) -> None:
        from durability.client._service_requests import completed_state, poll_request

        # By the client's service, as in Temporal's: code that stands in for its method sees each poll.
        async with update_call_errors(rpc_timeout):
            while self._known_outcome is None:
                request = poll_request(self._client, self._workflow_id, self._workflow_run_id, self._id)
                response = await self._client.workflow_service.poll_workflow_execution_update(request)
                self._known_outcome = completed_state(response)


class _StartOptions(TypedDict, total=False):
    id: Required[str]
    task_queue: Required[str]
    id_conflict_policy: Required[WorkflowIDConflictPolicy]
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: TypedSearchAttributes | SearchAttributes | None
    static_summary: str | None
    static_details: str | None
    start_delay: timedelta | None
    priority: Priority
    versioning_override: VersioningOverride | None


class WithStartWorkflowOperation(Generic[SelfType, ReturnType]):
    """How to start the workflow that an update is sent to, if it is not running. Good for one call."""

    @overload
    def __init__(
        self, workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[_StartOptions]
    ) -> None: ...

    @overload
    def __init__(
        self,
        workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
        arg: ParamType,
        **options: Unpack[_StartOptions],
    ) -> None: ...

    @overload
    def __init__(
        self,
        workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
        *,
        args: Sequence[Any],
        **options: Unpack[_StartOptions],
    ) -> None: ...

    @overload
    def __init__(
        self,
        workflow: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = [],
        result_type: type | None = None,
        **options: Unpack[_StartOptions],
    ) -> None: ...

    def __init__(
        self,
        workflow: str | Callable[..., Awaitable[Any]],
        arg: Any = _arg_unset,
        *,
        args: Sequence[Any] = [],
        id: str,
        task_queue: str,
        id_conflict_policy: WorkflowIDConflictPolicy,
        result_type: type | None = None,
        execution_timeout: timedelta | None = None,
        run_timeout: timedelta | None = None,
        task_timeout: timedelta | None = None,
        id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        retry_policy: RetryPolicy | None = None,
        cron_schedule: str = "",
        memo: Mapping[str, Any] | None = None,
        search_attributes: TypedSearchAttributes | SearchAttributes | None = None,
        static_summary: str | None = None,
        static_details: str | None = None,
        start_delay: timedelta | None = None,
        priority: Priority = Priority.default,
        versioning_override: VersioningOverride | None = None,
        stack_level: int = 2,
    ) -> None:
        """Describe the start. The arguments are those of ``Client.start_workflow``.

        Args:
            workflow: See ``Client.start_workflow``, as for everything else.
            arg: The argument, if there is one.
            args: The arguments, if there are several.
            id: Workflow id.
            task_queue: Task queue.
            id_conflict_policy: What to do when a run with the id is open: USE_EXISTING sends it the update.
            result_type: The type of the workflow's result, for workflows given by name.
            execution_timeout: Longest duration of the whole chain of runs.
            run_timeout: Longest duration of one run.
            task_timeout: Accepted for compatibility.
            id_reuse_policy: Whether the id may be used again after a run with it has closed.
            retry_policy: Whether to start again after a failure.
            cron_schedule: When to start again after each end.
            memo: Values to show with the workflow.
            search_attributes: Values to find the workflow by.
            static_summary: One line of Markdown about the workflow.
            static_details: Several lines of Markdown about the workflow.
            start_delay: How long to wait before the first workflow task; the update ends the wait.
            priority: Priority.
            versioning_override: Accepted for compatibility.
            stack_level: See ``Client.start_workflow``.

        Raises:
            ValueError: ``id_conflict_policy`` is UNSPECIFIED.
        """
        warn_untyped(search_attributes, stack_level)
        name, known_type = _Definition.get_name_and_result_type(workflow)
        if id_conflict_policy == WorkflowIDConflictPolicy.UNSPECIFIED:
            raise ValueError("WorkflowIDConflictPolicy is required")
        self._start_workflow_input = UpdateWithStartStartWorkflowInput(
            workflow=name,
            args=_arg_or_args(arg, args),
            id=id,
            task_queue=task_queue,
            execution_timeout=execution_timeout,
            run_timeout=run_timeout,
            task_timeout=task_timeout,
            id_reuse_policy=id_reuse_policy,
            id_conflict_policy=id_conflict_policy,
            retry_policy=retry_policy,
            cron_schedule=cron_schedule,
            memo=memo,
            search_attributes=search_attributes,
            static_summary=static_summary,
            static_details=static_details,
            start_delay=start_delay,
            headers={},
            ret_type=result_type or known_type,
            priority=priority,
            versioning_override=versioning_override,
        )
        self._workflow_handle: asyncio.Future[WorkflowHandle[SelfType, ReturnType]] | None = None
        self._used = False

    def _use(self) -> None:
        """Begin the one call that the operation is good for."""
        if self._used:
            raise RuntimeError("WithStartWorkflowOperation cannot be reused")
        self._used = True

    def _future(self) -> asyncio.Future[WorkflowHandle[SelfType, ReturnType]]:
        if self._workflow_handle is None:
            self._workflow_handle = asyncio.get_running_loop().create_future()
        return self._workflow_handle

    def _started(self, handle: WorkflowHandle[SelfType, ReturnType]) -> None:
        if not self._future().done():
            self._future().set_result(handle)

    def _failed(self, error: BaseException) -> None:
        future = self._future()
        if not future.done():
            future.set_exception(error)
            future.exception()  # whoever made the call has the error already; nobody needs to ask here

    async def workflow_handle(self) -> WorkflowHandle[SelfType, ReturnType]:
        """A handle on the workflow, once the update-with-start call knows that it is running.

        Raises:
            WorkflowAlreadyStartedError: The id policies forbid the start.
            RPCError: The call failed before the workflow was known to be running.
        """
        return await asyncio.shield(self._future())
