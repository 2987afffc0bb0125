"""Carries a context variable along with every call, in its headers: from clients to workflows, and on to activities.

Here it is the language of the reader for whom all is done. Code in the middle passes it on without knowing about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Protocol

from durability import client, worker, workflow
from durability.api.common.v1 import Payload
from durability.converter import default

language: ContextVar[str] = ContextVar("language", default="en")

HEADER = "language"


class WithHeaders(Protocol):
    headers: Mapping[str, Payload]


def put(input: WithHeaders) -> None:
    payload = default().payload_converter.to_payload(language.get())
    input.headers = {**input.headers, HEADER: payload}


def take(input: WithHeaders) -> None:
    if payload := input.headers.get(HEADER):
        language.set(default().payload_converter.from_payload(payload, str))


class LanguageInterceptor(client.Interceptor, worker.Interceptor):
    """For clients and for what runs workflows and activities."""

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:
        return FromClient(next)

    def workflow_interceptor_class(
        self, input: worker.WorkflowInterceptorClassInput
    ) -> type[worker.WorkflowInboundInterceptor]:
        return IntoWorkflow

    def intercept_activity(self, next: worker.ActivityInboundInterceptor) -> worker.ActivityInboundInterceptor:
        return IntoActivity(next)


class FromClient(client.OutboundInterceptor):
    async def start_workflow(self, input: client.StartWorkflowInput) -> client.WorkflowHandle[Any, Any]:
        put(input)
        return await super().start_workflow(input)

    async def signal_workflow(self, input: client.SignalWorkflowInput) -> None:
        put(input)
        await super().signal_workflow(input)


class IntoWorkflow(worker.WorkflowInboundInterceptor):
    def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
        super().init(FromWorkflow(outbound))

    async def execute_workflow(self, input: worker.ExecuteWorkflowInput) -> Any:
        take(input)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: worker.HandleSignalInput) -> None:
        take(input)
        await super().handle_signal(input)


class FromWorkflow(worker.WorkflowOutboundInterceptor):
    def start_activity(self, input: worker.StartActivityInput) -> workflow.ActivityHandle[Any]:
        put(input)
        return super().start_activity(input)

    async def start_child_workflow(
        self, input: worker.StartChildWorkflowInput
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        put(input)
        return await super().start_child_workflow(input)


class IntoActivity(worker.ActivityInboundInterceptor):
    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:
        take(input)
        return await super().execute_activity(input)
