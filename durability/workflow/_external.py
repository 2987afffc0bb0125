"""Other workflows: signals and cancellation requests to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, Generic, overload

from durability._core.interceptors import SignalExternalWorkflowInput
from durability.common._arguments import _arg_or_args, _arg_unset
from durability.types import (
    MethodSyncOrAsyncNoParam,
    MethodSyncOrAsyncSingleParam,
    MultiParamSpec,
    ParamType,
    SelfType,
)
from durability.workflow._event_groups import EventGroup
from durability.workflow._handlers import _SignalDefinition
from durability.workflow._runtime import current


class ExternalWorkflowHandle(Generic[SelfType]):
    """A workflow that is not a child of this one; made by ``get_external_workflow_handle``."""

    def __init__(self, id: str, run_id: str | None) -> None:
        """Use ``get_external_workflow_handle`` instead."""
        self._id = id
        self._run_id = run_id

    @property
    def id(self) -> str:
        """Workflow id."""
        return self._id

    @property
    def run_id(self) -> str | None:
        """The run; None for whichever is current."""
        return self._run_id

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
        """Send a signal and wait until it is delivered.

        Args:
            signal: The decorated handler, or the signal's name.
            arg: The argument, if there is exactly one.
            args: All arguments, otherwise.
            event_groups: Groups that it is to belong to in the history, besides those around it.

        Raises:
            ApplicationError: There is no such workflow, or it has ended.
        """
        instance = current()
        instance.loop.refuse_changes("signal external handle")
        await instance.outbound.signal_external_workflow(
            SignalExternalWorkflowInput(
                signal=_SignalDefinition.must_name_from_fn_or_str(signal),
                args=_arg_or_args(arg, args),
                namespace=instance.namespace,
                workflow_id=self._id,
                workflow_run_id=self._run_id,
                headers={},
                event_groups=event_groups,
            )
        )

    async def cancel(self, *, reason: str = "", event_groups: Sequence[EventGroup] | None = None) -> None:
        """Ask for cancellation and wait until the request is delivered.

        Args:
            reason: What ``cancellation_reason`` answers there.
            event_groups: Groups that it is to belong to in the history, besides those around it.

        Raises:
            ApplicationError: There is no such workflow, or it has ended.
        """
        await current().external.cancel(self._id, self._run_id, reason, event_groups)


def get_external_workflow_handle(workflow_id: str, *, run_id: str | None = None) -> ExternalWorkflowHandle[Any]:
    """A handle of any workflow.

    Args:
        workflow_id: Its workflow id.
        run_id: Its run; whichever is current by default.

    Returns:
        The handle.
    """
    current()
    return ExternalWorkflowHandle(workflow_id, run_id)


def get_external_workflow_handle_for(
    workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[Any]],
    workflow_id: str,
    *,
    run_id: str | None = None,
) -> ExternalWorkflowHandle[SelfType]:
    """As ``get_external_workflow_handle``, for a workflow of a known type, which only type checkers look at.

    Args:
        workflow: The decorated ``run`` method.
        workflow_id: Its workflow id.
        run_id: Its run; whichever is current by default.

    Returns:
        The handle.
    """
    return get_external_workflow_handle(workflow_id, run_id=run_id)
