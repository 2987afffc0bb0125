"""Ending a run by beginning the next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Concatenate, NoReturn, TypedDict, Unpack, overload

from durability._core.interceptors import ContinueAsNewInput
from durability.common import RetryPolicy, SearchAttributes, TypedSearchAttributes
from durability.common._arguments import _arg_or_args, _arg_unset
from durability.types import MethodAsyncNoParam, MethodAsyncSingleParam, MultiParamSpec, ParamType, SelfType
from durability.workflow._definition import _Definition
from durability.workflow._deprecations import warn_untyped
from durability.workflow._event_groups import EventGroup
from durability.workflow._exceptions import ContinueAsNewVersioningBehavior, VersioningIntent
from durability.workflow._runtime import current


class _Options(TypedDict, total=False):
    task_queue: str | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    backoff_start_interval: timedelta | None
    retry_policy: RetryPolicy | None
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    versioning_intent: VersioningIntent | None
    initial_versioning_behavior: ContinueAsNewVersioningBehavior | None
    event_groups: Sequence[EventGroup] | None


@overload
def continue_as_new(arg: Any = ..., *, args: Sequence[Any] = ..., **options: Unpack[_Options]) -> NoReturn: ...
@overload
def continue_as_new(*, workflow: MethodAsyncNoParam[SelfType, Any], **options: Unpack[_Options]) -> NoReturn: ...
@overload
def continue_as_new(
    arg: ParamType, *, workflow: MethodAsyncSingleParam[SelfType, ParamType, Any], **options: Unpack[_Options]
) -> NoReturn: ...
@overload
def continue_as_new(
    *,
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[Any]],
    args: Sequence[Any],
    **options: Unpack[_Options],
) -> NoReturn: ...
@overload
def continue_as_new(*, workflow: str, args: Sequence[Any] = ..., **options: Unpack[_Options]) -> NoReturn: ...
def continue_as_new(
    arg: Any = _arg_unset,
    *,
    args: Sequence[Any] = [],
    workflow: Callable[..., Any] | str | None = None,
    task_queue: str | None = None,
    run_timeout: timedelta | None = None,
    task_timeout: timedelta | None = None,
    backoff_start_interval: timedelta | None = None,
    retry_policy: RetryPolicy | None = None,
    memo: Mapping[str, Any] | None = None,
    search_attributes: SearchAttributes | TypedSearchAttributes | None = None,
    versioning_intent: VersioningIntent | None = None,
    initial_versioning_behavior: ContinueAsNewVersioningBehavior | None = None,
    event_groups: Sequence[EventGroup] | None = None,
) -> NoReturn:
    """End this run at once and begin a new one, with an empty history, under the same workflow id.

    Args:
        arg: The argument, if there is exactly one.
        args: All arguments, otherwise.
        workflow: What to continue as; this workflow by default.
        task_queue: Where; as everything below, what this run has by default.
        run_timeout: Limit of the new run.
        task_timeout: Limit of its workflow tasks.
        backoff_start_interval: How long to wait before it begins.
        retry_policy: Its retry policy.
        memo: Its memo.
        search_attributes: Its search attributes; the form as a mapping is deprecated.
        versioning_intent: Accepted for compatibility.
        initial_versioning_behavior: Accepted for compatibility.
        event_groups: Groups that it is to belong to in the history, besides those around it.

    Raises:
        ContinueAsNewError: Always; it must pass out of the workflow.
    """
    warn_untyped(search_attributes)
    instance = current()
    instance.loop.refuse_changes("continue as new")
    name, arg_types = _describe(workflow)
    instance.outbound.continue_as_new(
        ContinueAsNewInput(
            workflow=name,
            args=_arg_or_args(arg, args),
            task_queue=task_queue,
            run_timeout=run_timeout,
            task_timeout=task_timeout,
            backoff_start_interval=backoff_start_interval,
            retry_policy=retry_policy,
            memo=memo,
            search_attributes=search_attributes,
            headers={},
            versioning_intent=versioning_intent,
            initial_versioning_behavior=initial_versioning_behavior,
            event_groups=event_groups,
            arg_types=arg_types,
        )
    )


def _describe(workflow: Callable[..., Any] | str | None) -> tuple[str | None, list[type] | None]:
    if workflow is None or isinstance(workflow, str):
        return workflow, None
    if not callable(workflow):
        raise TypeError("Workflow must be None, a string, or callable")
    definition = _Definition.must_from_run_fn(workflow)
    return definition.name, definition.arg_types
