"""The client's methods that send an update to a workflow that may have to be started first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack, overload

from durability.client._interceptor import (
    OutboundInterceptor,
    StartWorkflowUpdateWithStartInput,
    UpdateWithStartUpdateWorkflowInput,
)
from durability.client._updates import WithStartWorkflowOperation, WorkflowUpdateHandle, WorkflowUpdateStage
from durability.client._workflow_handle import _UpdateOptions
from durability.common._arguments import _arg_or_args, _arg_unset
from durability.types import LocalReturnType, MultiParamSpec, ParamType, SelfType
from durability.workflow._handlers import UpdateMethodMultiParam, _UpdateDefinition

if TYPE_CHECKING:
    pass


class UpdateWithStart:
    """The part of ``Client`` that sends updates with starts."""

    _impl: OutboundInterceptor

    @overload
    async def execute_update_with_start_workflow(
        self,
        update: UpdateMethodMultiParam[[SelfType], LocalReturnType],
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        **options: Unpack[_UpdateOptions],
    ) -> LocalReturnType: ...

    @overload
    async def execute_update_with_start_workflow(
        self,
        update: UpdateMethodMultiParam[[SelfType, ParamType], LocalReturnType],
        arg: ParamType,
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        **options: Unpack[_UpdateOptions],
    ) -> LocalReturnType: ...

    @overload
    async def execute_update_with_start_workflow(
        self,
        update: UpdateMethodMultiParam[MultiParamSpec, LocalReturnType],
        *,
        args: Sequence[Any],
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        **options: Unpack[_UpdateOptions],
    ) -> LocalReturnType: ...

    @overload
    async def execute_update_with_start_workflow(
        self,
        update: str,
        arg: Any = ...,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        args: Sequence[Any] = [],
        result_type: type | None = None,
        **options: Unpack[_UpdateOptions],
    ) -> Any: ...

    async def execute_update_with_start_workflow(
        self,
        update: str | Callable[..., Any],
        arg: Any = _arg_unset,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        args: Sequence[Any] = [],
        id: str | None = None,
        result_type: type | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        """Send an update to a workflow, starting it if it is not running, and wait for the update's result.

        A started workflow gets the update in its first workflow task.

        Args:
            update: The update's method or name.
            arg: The argument, if there is one.
            start_workflow_operation: How to start the workflow, and what to do if it is running.
            args: The arguments, if there are several.
            id: Update id. A random one by default.
            result_type: The type expected, for updates given by name.
            rpc_metadata: See ``start_workflow``.
            rpc_timeout: Longest time to wait.

        Returns:
            The update's result.

        Raises:
            WorkflowUpdateFailedError: The update was rejected, its handler failed, or the run ended before it.
            WorkflowAlreadyStartedError: The id policies forbid the start.
            WorkflowUpdateRPCTimeoutOrCancelledError: ``rpc_timeout`` is over, or the call was cancelled.
            RPCError: The workflow could not be started, or the update not be sent.
        """
        handle = await self._start_update_with_start(
            update,
            arg,
            args,
            start_workflow_operation,
            WorkflowUpdateStage.COMPLETED,
            id,
            result_type,
            rpc_metadata,
            rpc_timeout,
        )
        return await handle.result()

    @overload
    async def start_update_with_start_workflow(
        self,
        update: UpdateMethodMultiParam[[SelfType], LocalReturnType],
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[_UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update_with_start_workflow(
        self,
        update: UpdateMethodMultiParam[[SelfType, ParamType], LocalReturnType],
        arg: ParamType,
        *,
        start_workflow_operation: WithStartWorkflowOperation[SelfType, Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[_UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update_with_start_workflow(
        self,
        update: UpdateMethodMultiParam[MultiParamSpec, LocalReturnType],
        *,
        args: Sequence[Any],
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        **options: Unpack[_UpdateOptions],
    ) -> WorkflowUpdateHandle[LocalReturnType]: ...

    @overload
    async def start_update_with_start_workflow(
        self,
        update: str,
        arg: Any = ...,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = [],
        result_type: type | None = None,
        **options: Unpack[_UpdateOptions],
    ) -> WorkflowUpdateHandle[Any]: ...

    async def start_update_with_start_workflow(
        self,
        update: str | Callable[..., Any],
        arg: Any = _arg_unset,
        *,
        start_workflow_operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        args: Sequence[Any] = [],
        id: str | None = None,
        result_type: type | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowUpdateHandle[Any]:
        """Send an update to a workflow, starting it if it is not running; see ``execute_update_with_start_workflow``.

        Args:
            update: The update's method or name.
            arg: The argument, if there is one.
            start_workflow_operation: How to start the workflow, and what to do if it is running.
            wait_for_stage: ACCEPTED or COMPLETED.
            args: The arguments, if there are several.
            id: Update id. A random one by default.
            result_type: The type expected, for updates given by name.
            rpc_metadata: See ``start_workflow``.
            rpc_timeout: Longest time to wait.

        Returns:
            A handle on the update. If it was rejected, its ``result`` raises.

        Raises:
            ValueError: ``wait_for_stage`` is ADMITTED.
            WorkflowAlreadyStartedError: The id policies forbid the start.
            WorkflowUpdateRPCTimeoutOrCancelledError: ``rpc_timeout`` is over, or the call was cancelled.
            RPCError: The workflow could not be started, or the update not be sent.
        """
        return await self._start_update_with_start(
            update,
            arg,
            args,
            start_workflow_operation,
            wait_for_stage,
            id,
            result_type,
            rpc_metadata,
            rpc_timeout,
        )

    async def _start_update_with_start(
        self,
        update: str | Callable[..., Any],
        arg: Any,
        args: Sequence[Any],
        operation: WithStartWorkflowOperation[Any, Any],
        wait_for_stage: WorkflowUpdateStage,
        id: str | None,
        result_type: type | None,
        rpc_metadata: Mapping[str, str | bytes],
        rpc_timeout: timedelta | None,
    ) -> WorkflowUpdateHandle[Any]:
        if wait_for_stage == WorkflowUpdateStage.ADMITTED:
            raise ValueError("ADMITTED wait stage not supported")
        name, known_type = _UpdateDefinition.get_name_and_result_type(update)
        operation._use()
        return await self._impl.start_update_with_start_workflow(
            StartWorkflowUpdateWithStartInput(
                start_workflow_input=operation._start_workflow_input,
                update_workflow_input=UpdateWithStartUpdateWorkflowInput(
                    update_id=id,
                    update=name,
                    args=_arg_or_args(arg, args),
                    wait_for_stage=wait_for_stage,
                    headers={},
                    ret_type=result_type or known_type,
                ),
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
                _on_start=operation._started,
                _on_start_error=operation._failed,
            )
        )
