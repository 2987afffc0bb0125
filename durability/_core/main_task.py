"""The workflow's own task, and the ways in which a workflow ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, NoReturn

from durability._core import history
from durability._core.interceptors import ContinueAsNewInput, ExecuteWorkflowInput
from durability._core.options import milliseconds
from durability.converter._search_attributes import search_attributes_to_payloads
from durability.exceptions import CancelledError, is_cancelled_exception
from durability.workflow._event_groups import _captured
from durability.workflow._exceptions import ContinueAsNewError

if TYPE_CHECKING:
    from durability._core.instance import Instance


class MainTask:
    """The task of the ``run`` method."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._task: asyncio.Task[None] | None = None

    def start(self, input: ExecuteWorkflowInput) -> None:
        """Have ``run`` called."""
        self._task = self._instance.loop.create_task(self.guard(self._run(input)), name="run")

    async def _run(self, input: ExecuteWorkflowInput) -> None:
        instance = self._instance
        result = await instance.inbound.execute_workflow(input)
        if not instance.loop.closing:
            instance.commands.close(history.WorkflowExecutionCompleted(instance.converters.encode_one(result)))

    def cancel(self) -> None:
        """Cancel the task; what else the workflow has begun is reached by its awaiting it."""
        if self._task is not None:
            # Not at once: the task may not have begun, and then could not see its cancellation.
            self._instance.loop.call_soon(self._task.cancel)

    async def guard(self, work: Awaitable[None]) -> None:
        """Run ``run`` or a signal handler, and turn how it ends into what becomes of the workflow."""
        try:
            await work
        except _ContinueAsNew as request:
            self._instance.commands.close(self._continued_as_new(request.input), request.groups)
        except asyncio.CancelledError as error:
            self._raised(CancelledError(str(error)))
        except Exception as error:
            self._raised(error)

    def _raised(self, error: BaseException) -> None:
        instance = self._instance
        if instance.loop.closing:
            return
        if instance.cancel_reason is not None and is_cancelled_exception(error):
            instance.commands.close(history.WorkflowExecutionCanceled())
        elif instance.is_failure_exception(error):
            try:
                self.fail(error)
            except Exception as problem:
                instance.loop.failure = problem
        else:
            instance.loop.failure = error

    def fail(self, error: BaseException) -> None:
        """End the workflow by a failure.

        Raises:
            ValueError: The exception cannot be converted.
        """
        try:
            failure = self._instance.converters.to_failure(error)
        except Exception as problem:
            raise ValueError("Failed converting workflow exception") from problem
        self._instance.commands.close(history.WorkflowExecutionFailed(failure))

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        """Leave the workflow by an exception that becomes a command when it has passed through user code."""
        raise _ContinueAsNew(input)

    def _continued_as_new(self, input: ContinueAsNewInput) -> history.WorkflowExecutionContinuedAsNew:
        converters = self._instance.converters
        return history.WorkflowExecutionContinuedAsNew(
            workflow_type=input.workflow or self._instance.details.started.workflow_type,
            task_queue=input.task_queue or "",
            arguments=converters.encode(input.args),
            headers=dict(input.headers),
            memo=converters.encode_mapping(input.memo) if input.memo else None,
            search_attributes=search_attributes_to_payloads(input.search_attributes)
            if input.search_attributes
            else None,
            run_timeout=milliseconds(input.run_timeout) or None,
            task_timeout=milliseconds(input.task_timeout) or None,
            retry_policy=input.retry_policy._to_record() if input.retry_policy is not None else None,
            backoff_start_interval=milliseconds(input.backoff_start_interval),
        )


class _ContinueAsNew(ContinueAsNewError):
    def __init__(self, input: ContinueAsNewInput) -> None:
        super().__init__("Continue as new")
        self.input = input
        self.groups = _captured(input.event_groups)
