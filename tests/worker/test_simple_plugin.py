"""A plugin made of what it adds."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import durability.client
import durability.worker
from durability import activity, workflow
from durability.client import Client
from durability.converter import DataConverter, DefaultPayloadConverter
from durability.plugin import SimplePlugin
from durability.service import ConnectConfig, ServiceClient
from durability.testing import WorkflowEnvironment
from durability.worker import Replayer, UnsandboxedWorkflowRunner, Worker


class Both(durability.client.Interceptor, durability.worker.Interceptor):
    pass


class OfWorkers(durability.worker.Interceptor):
    pass


class Converter(DefaultPayloadConverter):
    pass


@activity.defn
async def added() -> str:
    return "added"


@workflow.defn
class Adds:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(added, start_to_close_timeout=timedelta(seconds=5))


async def test_a_plugin_adds_to_clients_workers_and_replayers() -> None:
    ran: list[str] = []

    @asynccontextmanager
    async def around() -> AsyncIterator[None]:
        ran.append("begin")
        yield
        ran.append("end")

    both, of_workers, runner = Both(), OfWorkers(), UnsandboxedWorkflowRunner()
    converter = dataclasses.replace(DataConverter.default, payload_converter_class=Converter)
    plugin = SimplePlugin(
        "adds",
        data_converter=lambda existing: converter,
        interceptors=[both, of_workers],
        activities=[added],
        workflows=lambda existing: [*(existing or []), Adds],
        workflow_runner=runner,
        workflow_failure_exception_types=[KeyError],
        run_context=around,
    )
    assert plugin.name() == "adds"
    async with await WorkflowEnvironment.start_time_skipping(plugins=[plugin]) as env:
        assert env.client.data_converter is converter
        assert both in env.client.config(active_config=True)["interceptors"]
        async with Worker(env.client, task_queue="plugin") as worker:
            config: Any = worker.config(active_config=True)
            assert config["interceptors"] == [of_workers]
            assert config["workflow_runner"] is runner
            assert config["workflow_failure_exception_types"] == [KeyError]
            assert await env.client.execute_workflow(Adds.run, id="adds", task_queue="plugin") == "added"
        history = await env.client.get_workflow_handle("adds").fetch_history()
    assert ran == ["begin", "end"]
    replayer = Replayer(workflows=[Adds], plugins=[SimplePlugin("replays", interceptors=[both, of_workers])])
    await replayer.replay_workflow(history)
    assert replayer.config(active_config=True)["interceptors"] == [both, of_workers]


async def test_plugins_change_what_a_client_connects_to() -> None:
    seen: list[str] = []

    class Renames(SimplePlugin):
        async def connect_service_client(
            self, config: ConnectConfig, next: Callable[[ConnectConfig], Awaitable[ServiceClient]]
        ) -> ServiceClient:
            seen.append(self.name())
            config.identity += self.name()
            config.api_key = "key"
            return await next(config)

    plugins = [Renames("a"), Renames("b")]
    client = await Client.connect("http://127.0.0.1:1", lazy=True, identity="me-", plugins=plugins)
    async with client:
        assert seen == ["a", "b"]
        assert client.identity == "me-ab"
        assert client.api_key == "key"
        client.api_key = "other"
        assert client.api_key == "other"
