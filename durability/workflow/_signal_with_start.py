"""Signalling a workflow id, and starting a workflow there if none is open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Concatenate, Required, TypedDict, TypeVarTuple, Unpack, overload

from durability._core.interceptors import SignalWithStartWorkflowRequest, UserMetadata
from durability.common import (
    Priority,
    RetryPolicy,
    TypedSearchAttributes,
    VersioningOverride,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from durability.types import MethodSyncOrAsyncNoParam, MethodSyncOrAsyncSingleParam, MultiParamSpec, ParamType, SelfType
from durability.workflow._external import ExternalWorkflowHandle, get_external_workflow_handle
from durability.workflow._runtime import current

_WorkflowArgs = TypeVarTuple("_WorkflowArgs")


class _Options(TypedDict, total=False):
    id: Required[str]
    task_queue: Required[str]
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    id_conflict_policy: WorkflowIDConflictPolicy | None
    retry_policy: RetryPolicy | None
    cron_schedule: str | None
    memo: Mapping[str, Any] | None
    search_attributes: TypedSearchAttributes | None
    priority: Priority | None
    versioning_override: VersioningOverride | None
    start_delay: timedelta | None
    static_summary: str | None
    static_details: str | None


@overload
async def signal_with_start_workflow(
    workflow: Callable[[SelfType, *_WorkflowArgs], Awaitable[Any]],
    *positional_args: *_WorkflowArgs,
    signal: MethodSyncOrAsyncNoParam[SelfType, None],
    **options: Unpack[_Options],
) -> ExternalWorkflowHandle[SelfType]: ...
@overload
async def signal_with_start_workflow(
    workflow: Callable[[SelfType, *_WorkflowArgs], Awaitable[Any]],
    *positional_args: *_WorkflowArgs,
    signal: MethodSyncOrAsyncSingleParam[SelfType, ParamType, None],
    signal_args: ParamType,
    **options: Unpack[_Options],
) -> ExternalWorkflowHandle[SelfType]: ...
@overload
async def signal_with_start_workflow(
    workflow: Callable[[SelfType, *_WorkflowArgs], Awaitable[Any]],
    *positional_args: *_WorkflowArgs,
    signal: str | Callable[..., Awaitable[None] | None],
    signal_args: list[Any] | None = None,
    **options: Unpack[_Options],
) -> ExternalWorkflowHandle[SelfType]: ...
@overload
async def signal_with_start_workflow(
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[Any]],
    *,
    args: list[Any],
    signal: str | Callable[..., Awaitable[None] | None],
    signal_args: object | list[Any] | None = None,
    **options: Unpack[_Options],
) -> ExternalWorkflowHandle[SelfType]: ...
@overload
async def signal_with_start_workflow(
    workflow: str,
    *positional_args: object,
    args: list[Any] | None = None,
    signal: str | Callable[..., Awaitable[None] | None],
    signal_args: object | list[Any] | None = None,
    **options: Unpack[_Options],
) -> ExternalWorkflowHandle[Any]: ...
async def signal_with_start_workflow(
    workflow: str | Callable[..., Awaitable[object]],
    *positional_args: object,
    args: list[Any] | None = None,
    id: str,
    task_queue: str,
    signal: str | Callable[..., Awaitable[None] | None],
    signal_args: object | list[Any] | None = None,
    execution_timeout: timedelta | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    id_conflict_policy: WorkflowIDConflictPolicy | None = None,
    retry_policy: RetryPolicy | None = None,
    cron_schedule: str | None = None,
    memo: Mapping[str, Any] | None = None,
    search_attributes: TypedSearchAttributes | None = None,
    priority: Priority | None = None,
    versioning_override: VersioningOverride | None = None,
    start_delay: timedelta | None = None,
    static_summary: str | None = None,
    static_details: str | None = None,
) -> ExternalWorkflowHandle[Any]:
    """Signal the open run of a workflow id; if there is none, start one that has the signal before anything else.

    Both are one step: of several workflows that do this at the same time, one starts the run, and all signals reach
    it. What is sent is sent once, whatever crashes.

    Args:
        workflow: The decorated ``run`` method, or the workflow's type name.
        positional_args: The workflow's arguments; or give ``args``.
        args: The workflow's arguments as a list.
        id: The workflow id.
        task_queue: Its task queue, for a start.
        signal: The decorated handler, or the signal's name.
        signal_args: The signal's argument; a list holds several, so an argument that is a list goes into another one.
        execution_timeout: Limit of a started workflow with all the runs that follow it; none by default.
        run_timeout: Limit of its run; none by default.
        task_timeout: Accepted for compatibility.
        id_reuse_policy: Whether to start a workflow whose id a closed one has.
        id_conflict_policy: What to do about an open one: ``USE_EXISTING``, which is the default, or
            ``TERMINATE_EXISTING``.
        retry_policy: Starts the workflow again when it fails; it does not by default.
        cron_schedule: Starts it again and again.
        memo: Its memo.
        search_attributes: Its search attributes.
        priority: Its priority.
        versioning_override: Accepted for compatibility.
        start_delay: How long its first workflow task waits.
        static_summary: One line about it, for people.
        static_details: More about it, for people.

    Returns:
        A handle of the run that has the signal.

    Raises:
        NexusOperationError: The id policy refuses the start (the cause says why), or the call was cancelled before
            the signal was sent.
    """
    if positional_args and args is not None:
        raise TypeError("cannot specify both positional arguments and args")
    if signal_args is not None and not isinstance(signal_args, list):
        signal_args = [signal_args]
    about = static_summary is not None or static_details is not None
    instance = current()
    operation = await instance.outbound.start_signal_with_start_workflow(
        SignalWithStartWorkflowRequest(
            workflow=workflow,
            args=list(positional_args) if positional_args else args,
            id=id,
            task_queue=task_queue,
            signal=signal,
            signal_args=signal_args,
            execution_timeout=execution_timeout,
            run_timeout=run_timeout,
            task_timeout=task_timeout,
            id_reuse_policy=id_reuse_policy,
            id_conflict_policy=id_conflict_policy,
            retry_policy=retry_policy,
            cron_schedule=cron_schedule,
            memo=memo,
            search_attributes=search_attributes,
            priority=priority,
            versioning_override=versioning_override,
            start_delay=start_delay,
            user_metadata=UserMetadata(static_summary, static_details) if about else None,
            namespace=instance.namespace,
        )
    )
    response = await operation
    return get_external_workflow_handle(id, run_id=response.run_id)
