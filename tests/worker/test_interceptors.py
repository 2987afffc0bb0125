"""Interceptors see the calls of clients, workflows and activities, and the headers that they pass on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durability import activity, client, workflow
from durability.api.common.v1 import Payload
from durability.testing import WorkflowEnvironment
from durability.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    Worker,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

calls: list[str] = []
HEADER = Payload(metadata={"encoding": b"json/plain"}, data=b'"carried"')


@activity.defn
async def step(value: str) -> str:
    activity.heartbeat("alive")
    return f"{value} in {activity.info().activity_type}"


@workflow.defn
class Child:
    @workflow.run
    async def run(self) -> str:
        return "child"


@workflow.defn
class Intercepted:
    def __init__(self) -> None:
        self.released = False

    @workflow.run
    async def run(self, value: str) -> str:
        result = await workflow.execute_activity(
            step, value, start_to_close_timeout=timedelta(seconds=5), heartbeat_timeout=timedelta(seconds=5)
        )
        result += " " + await workflow.execute_child_workflow(Child.run, id="child")
        await workflow.wait_condition(lambda: self.released)
        lent = workflow.extern_functions()["lent"]
        return f"{result} {lent()}"

    @workflow.signal
    def release(self) -> None:
        self.released = True

    @workflow.query
    def state(self) -> bool:
        return self.released


class Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        if not workflow.unsafe.is_replaying():
            calls.append(f"start activity {input.activity}")
        input.headers = {**input.headers, "header": HEADER}
        return super().start_activity(input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> workflow.ChildWorkflowHandle[Any, Any]:
        if not workflow.unsafe.is_replaying():
            calls.append(f"start child {input.workflow}")
        input.headers = {**input.headers, "header": HEADER}
        return await super().start_child_workflow(input)


class Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(Outbound(outbound))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        if not workflow.unsafe.is_replaying():
            calls.append(f"workflow {input.type.__name__} with {sorted(input.headers)}")
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        calls.append(f"signal {input.signal} with {sorted(input.headers)}")
        await super().handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        calls.append(f"query {input.query} with {sorted(input.headers)}")
        return await super().handle_query(input)


class ActivityOutbound(ActivityOutboundInterceptor):
    def heartbeat(self, *details: Any) -> None:
        calls.append(f"heartbeat {details}")
        super().heartbeat(*details)


class ActivityInbound(ActivityInboundInterceptor):
    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(ActivityOutbound(outbound))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        calls.append(f"activity with {sorted(input.headers)}")
        input.args = [f"<{input.args[0]}>"]
        return await super().execute_activity(input)


class Tracing(client.Interceptor, Interceptor):
    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:
        return ClientOutbound(next)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return ActivityInbound(next)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        input.unsafe_extern_functions["lent"] = lambda: "lent"
        return Inbound


class ClientOutbound(client.OutboundInterceptor):
    async def start_workflow(self, input: client.StartWorkflowInput) -> client.WorkflowHandle[Any, Any]:
        input.headers = {**input.headers, "header": HEADER}
        return await super().start_workflow(input)

    async def signal_workflow(self, input: client.SignalWorkflowInput) -> None:
        input.headers = {**input.headers, "header": HEADER}
        await super().signal_workflow(input)

    async def query_workflow(self, input: client.QueryWorkflowInput) -> Any:
        input.headers = {**input.headers, "header": HEADER}
        return await super().query_workflow(input)


async def test_interceptors_see_calls_and_headers() -> None:
    calls.clear()
    async with (
        await WorkflowEnvironment.start_local(interceptors=[Tracing()]) as env,
        Worker(env.client, task_queue="q", workflows=[Intercepted, Child], activities=[step]),
    ):
        handle = await env.client.start_workflow(Intercepted.run, "x", id="w", task_queue="q")
        child = env.client.get_workflow_handle("child")
        while "workflow Child with ['header']" not in calls:  # noqa: ASYNC110 - nothing tells the test
            await asyncio.sleep(0)
        assert await child.result() == "child"
        assert await handle.query(Intercepted.state) is False
        await handle.signal(Intercepted.release)
        assert await handle.result() == "<x> in step child lent"
    assert calls == [
        "workflow Intercepted with ['header']",
        "start activity step",
        "activity with ['header']",
        "heartbeat ('alive',)",
        "start child Child",
        "workflow Child with ['header']",
        "query state with ['header']",
        "signal release with ['header']",
    ]
