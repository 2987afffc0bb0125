"""Starting child workflows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any, Concatenate, Generic, TypedDict, Unpack, overload

from durability._core.interceptors import StartChildWorkflowInput
from durability.common import (
    Priority,
    RetryPolicy,
    SearchAttributes,
    TypedSearchAttributes,
    VersioningOverride,
    WorkflowIDReusePolicy,
)
from durability.common._arguments import _arg_or_args, _arg_unset
from durability.types import (
    MethodAsyncNoParam,
    MethodAsyncSingleParam,
    MethodSyncOrAsyncNoParam,
    MethodSyncOrAsyncSingleParam,
    MultiParamSpec,
    ParamType,
    ReturnType,
    SelfType,
)
from durability.workflow._context import uuid4
from durability.workflow._definition import _Definition
from durability.workflow._deprecations import warn_untyped
from durability.workflow._event_groups import EventGroup
from durability.workflow._exceptions import VersioningIntent
from durability.workflow._runtime import current


class ChildWorkflowHandle(asyncio.Task[ReturnType], Generic[SelfType, ReturnType]):
    """A child workflow that was started: a task that waits for its result."""

    @property
    def id(self) -> str:
        """Workflow id of the child."""
        raise NotImplementedError

    @property
    def first_execution_run_id(self) -> str | None:
        """First run of the child."""
        raise NotImplementedError

    @overload
    async def signal(
        self, signal: MethodSyncOrAsyncNoParam[SelfType, None], *, event_groups: Sequence[EventGroup] | None = None
    ) -> None: ...
    @overload
    async def signal(
        self,
        signal: MethodSyncOrAsyncSingleParam[SelfType, ParamType, None],
        arg: ParamType,
        *,
        event_groups: Sequence[EventGroup] | None = None,
    ) -> None: ...
    @overload
    async def signal(
        self,
        signal: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[None] | None],
        *,
        args: Sequence[Any],
        event_groups: Sequence[EventGroup] | None = None,
    ) -> None: ...
    @overload
    async def signal(
        self,
        signal: str,
        arg: Any = ...,
        *,
        args: Sequence[Any] = ...,
        event_groups: Sequence[EventGroup] | None = None,
    ) -> None: ...
    async def signal(
        self,
        signal: str | Callable[..., Any],
        arg: Any = _arg_unset,
        *,
        args: Sequence[Any] = [],
        event_groups: Sequence[EventGroup] | None = None,
    ) -> None:
        """Send a signal to the child and wait until it is delivered.

        Args:
            signal: The decorated handler, or the signal's name.
            arg: The argument, if there is exactly one.
            args: All arguments, otherwise.
            event_groups: Groups that it is to belong to in the history, besides those around it.

        Raises:
            ApplicationError: The child has ended.
        """
        raise NotImplementedError


class ChildWorkflowCancellationType(IntEnum):
    """What cancelling a child's handle does."""

    ABANDON = 0
    """Raise at once, and let the child go on."""
    TRY_CANCEL = 1
    """Ask for cancellation and raise at once."""
    WAIT_CANCELLATION_COMPLETED = 2
    """Ask for cancellation and wait for what the child makes of it."""
    WAIT_CANCELLATION_REQUESTED = 3
    """Raise as soon as the request is recorded: the engine delivers it by itself, so that is at once."""


class ParentClosePolicy(IntEnum):
    """What happens to a child when its parent ends."""

    UNSPECIFIED = 0
    TERMINATE = 1
    ABANDON = 2
    REQUEST_CANCEL = 3


class ChildWorkflowConfig(TypedDict, total=False):
    """Options of ``start_child_workflow`` and ``execute_child_workflow``."""

    id: str | None
    task_queue: str | None
    cancellation_type: ChildWorkflowCancellationType
    parent_close_policy: ParentClosePolicy
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    retry_policy: RetryPolicy | None
    cron_schedule: str
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    versioning_intent: VersioningIntent | None
    versioning_override: VersioningOverride | None
    static_summary: str | None
    static_details: str | None
    event_groups: Sequence[EventGroup] | None
    priority: Priority


@overload
async def start_child_workflow(
    workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[ChildWorkflowConfig]
) -> ChildWorkflowHandle[SelfType, ReturnType]: ...
@overload
async def start_child_workflow(
    workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
    arg: ParamType,
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[SelfType, ReturnType]: ...
@overload
async def start_child_workflow(
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
    *,
    args: Sequence[Any],
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[SelfType, ReturnType]: ...
@overload
async def start_child_workflow(
    workflow: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = None,
    **options: Unpack[ChildWorkflowConfig],
) -> ChildWorkflowHandle[Any, Any]: ...
async def start_child_workflow(
    workflow: Any,
    arg: Any = _arg_unset,
    *,
    args: Sequence[Any] = [],
    id: str | None = None,
    task_queue: str | None = None,
    result_type: type | None = None,
    cancellation_type: ChildWorkflowCancellationType = ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.TERMINATE,
    execution_timeout: timedelta | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    retry_policy: RetryPolicy | None = None,
    cron_schedule: str = "",
    memo: Mapping[str, Any] | None = None,
    search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
    versioning_intent: VersioningIntent | None = None,
    static_summary: str | None = None,
    static_details: str | None = None,
    event_groups: Sequence[EventGroup] | None = None,
    priority: Priority = Priority.default,
    versioning_override: VersioningOverride | None = None,
) -> ChildWorkflowHandle[Any, Any]:
    """Start a child workflow and wait until it has started.

    Args:
        workflow: The decorated ``run`` method, or the workflow type's name.
        arg: The argument, if there is exactly one.
        args: All arguments, otherwise.
        id: Workflow id; a random one by default.
        task_queue: Where it runs; the workflow's own task queue by default.
        result_type: What to decode the result into, when the workflow is given by name.
        cancellation_type: What cancelling the handle does.
        parent_close_policy: What happens to the child when this workflow ends.
        execution_timeout: Limit of the child's whole chain of runs.
        run_timeout: Limit of one run of the child.
        task_timeout: Limit of a workflow task of the child.
        id_reuse_policy: Whether the workflow id may have been used before.
        retry_policy: How the child is tried again; not at all by default.
        cron_schedule: When to run it again, as a cron expression.
        memo: Memo of the child.
        search_attributes: Search attributes of the child; the form as a mapping is deprecated.
        versioning_intent: Accepted for compatibility.
        static_summary: One line for people.
        static_details: More for people.
        event_groups: Groups that it is to belong to in the history, besides those around it.
        priority: Priority of the child's tasks.
        versioning_override: Accepted for compatibility.

    Returns:
        A handle: a task that ends with the child's result, or with a ``ChildWorkflowError``.

    Raises:
        WorkflowAlreadyStartedError: The workflow id is taken.
        ChildWorkflowError: The start was cancelled.
    """
    warn_untyped(search_attributes)
    name, arg_types, ret_type = _describe(workflow, result_type)
    return await current().outbound.start_child_workflow(
        StartChildWorkflowInput(
            workflow=name,
            args=_arg_or_args(arg, args),
            id=id or str(uuid4()),
            task_queue=task_queue,
            cancellation_type=cancellation_type,
            parent_close_policy=parent_close_policy,
            execution_timeout=execution_timeout,
            run_timeout=run_timeout,
            task_timeout=task_timeout,
            id_reuse_policy=id_reuse_policy,
            retry_policy=retry_policy,
            cron_schedule=cron_schedule,
            memo=memo,
            search_attributes=search_attributes,
            headers={},
            versioning_intent=versioning_intent,
            static_summary=static_summary,
            static_details=static_details,
            versioning_override=versioning_override,
            event_groups=event_groups,
            priority=priority,
            arg_types=arg_types,
            ret_type=ret_type,
        )
    )


@overload
async def execute_child_workflow(
    workflow: MethodAsyncNoParam[SelfType, ReturnType], **options: Unpack[ChildWorkflowConfig]
) -> ReturnType: ...
@overload
async def execute_child_workflow(
    workflow: MethodAsyncSingleParam[SelfType, ParamType, ReturnType],
    arg: ParamType,
    **options: Unpack[ChildWorkflowConfig],
) -> ReturnType: ...
@overload
async def execute_child_workflow(
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
    *,
    args: Sequence[Any],
    **options: Unpack[ChildWorkflowConfig],
) -> ReturnType: ...
@overload
async def execute_child_workflow(
    workflow: str,
    arg: Any = ...,
    *,
    args: Sequence[Any] = ...,
    result_type: type | None = None,
    **options: Unpack[ChildWorkflowConfig],
) -> Any: ...
async def execute_child_workflow(
    workflow: Any,
    arg: Any = _arg_unset,
    *,
    args: Sequence[Any] = [],
    id: str | None = None,
    task_queue: str | None = None,
    result_type: type | None = None,
    cancellation_type: ChildWorkflowCancellationType = ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.TERMINATE,
    execution_timeout: timedelta | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    retry_policy: RetryPolicy | None = None,
    cron_schedule: str = "",
    memo: Mapping[str, Any] | None = None,
    search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
    versioning_intent: VersioningIntent | None = None,
    static_summary: str | None = None,
    static_details: str | None = None,
    event_groups: Sequence[EventGroup] | None = None,
    priority: Priority = Priority.default,
    versioning_override: VersioningOverride | None = None,
) -> Any:
    """Start a child workflow and wait for its result; see ``start_child_workflow``."""
    handle: ChildWorkflowHandle[Any, Any] = await start_child_workflow(
        workflow,
        arg,
        args=args,
        id=id,
        task_queue=task_queue,
        result_type=result_type,
        cancellation_type=cancellation_type,
        parent_close_policy=parent_close_policy,
        execution_timeout=execution_timeout,
        run_timeout=run_timeout,
        task_timeout=task_timeout,
        id_reuse_policy=id_reuse_policy,
        retry_policy=retry_policy,
        cron_schedule=cron_schedule,
        memo=memo,
        search_attributes=search_attributes,
        versioning_intent=versioning_intent,
        static_summary=static_summary,
        static_details=static_details,
        event_groups=event_groups,
        priority=priority,
        versioning_override=versioning_override,
    )
    return await handle


def _describe(workflow: Any, result_type: type | None) -> tuple[str, list[type] | None, type | None]:
    if isinstance(workflow, str):
        return workflow, None, result_type
    if not callable(workflow):
        raise TypeError("Workflow must be a string or callable")
    definition = _Definition.must_from_run_fn(workflow)
    if definition.name is None:
        raise TypeError("Cannot invoke dynamic workflow explicitly")
    return definition.name, definition.arg_types, definition.ret_type
