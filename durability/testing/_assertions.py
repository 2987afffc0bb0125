"""In tests, an assertion that fails in a workflow fails the workflow, instead of having its task tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from durability.client import Interceptor as ClientInterceptor
from durability.exceptions import ApplicationError
from durability.worker import (
    ExecuteWorkflowInput,
    HandleSignalInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)


class AssertionInterceptor(ClientInterceptor, Interceptor):
    """Comes with the environment's client to the workers."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        with _failing_the_workflow():
            return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        with _failing_the_workflow():
            await super().handle_signal(input)


@contextmanager
def _failing_the_workflow() -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        failure = ApplicationError(str(error), type="AssertionError", non_retryable=True)
        raise failure.with_traceback(error.__traceback__) from None
