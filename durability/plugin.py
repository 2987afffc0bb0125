"""A plugin made of what it adds, under the names of ``temporalio.plugin``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias, TypeVar

import durability.client
import durability.worker
from durability.client import ClientConfig, WorkflowHistory
from durability.converter import DataConverter
from durability.service import ConnectConfig, ServiceClient
from durability.worker import Replayer, ReplayerConfig, Worker, WorkerConfig, WorkflowReplayResult, WorkflowRunner

__all__ = ["PluginParameter", "SimplePlugin"]

T = TypeVar("T")

PluginParameter: TypeAlias = T | Callable[[T | None], T] | None
"""Nothing, a value, or a function that is given what there is so far and returns what there is to be."""

_Interceptor: TypeAlias = durability.client.Interceptor | durability.worker.Interceptor


class SimplePlugin(durability.client.Plugin, durability.worker.Plugin):
    """Adds the same things to clients, workers and replayers, each to what it concerns."""

    def __init__(
        self,
        name: str,
        *,
        data_converter: PluginParameter[DataConverter] = None,
        interceptors: Sequence[durability.client.Interceptor | durability.worker.Interceptor] | None = None,
        activities: PluginParameter[Sequence[Callable[..., Any]]] = None,
        nexus_service_handlers: PluginParameter[Sequence[Any]] = None,
        workflows: PluginParameter[Sequence[type]] = None,
        workflow_runner: PluginParameter[WorkflowRunner] = None,
        workflow_failure_exception_types: PluginParameter[Sequence[type[BaseException]]] = None,
        run_context: Callable[[], AbstractAsyncContextManager[None]] | None = None,
    ) -> None:
        """Create the plugin. A sequence is appended to what there is; a function is given that, and replaces it.

        Args:
            name: Name of the plugin.
            data_converter: Of clients and replayers.
            interceptors: Those of clients are added to clients, those of workers to workers and replayers; one that is
                both is added to the client, whose workers use it too.
            activities: Of workers.
            nexus_service_handlers: Accepted for compatibility.
            workflows: Of workers and replayers.
            workflow_runner: Of workers and replayers.
            workflow_failure_exception_types: Of workers and replayers.
            run_context: Makes an asynchronous context manager that is entered around each run of a worker or replayer.
        """
        self._name = name
        self.data_converter = data_converter
        self.interceptors = interceptors
        self.activities = activities
        self.nexus_service_handlers = nexus_service_handlers
        self.workflows = workflows
        self.workflow_runner = workflow_runner
        self.workflow_failure_exception_types = workflow_failure_exception_types
        self.run_context = run_context

    def name(self) -> str:
        """Name of the plugin."""
        return self._name

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """Add to a client's configuration.

        Args:
            config: The client's configuration so far.

        Returns:
            The same, changed.
        """
        _set(config, "data_converter", self.data_converter)
        self._append_interceptors(config, durability.client.Interceptor)
        return config

    async def connect_service_client(
        self, config: ConnectConfig, next: Callable[[ConnectConfig], Awaitable[ServiceClient]]
    ) -> ServiceClient:
        """Connect as without the plugin.

        Args:
            config: What to connect to.
            next: Connects.

        Returns:
            What ``next`` returned.
        """
        return await next(config)

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Add to a worker's configuration.

        Args:
            config: The worker's configuration so far.

        Returns:
            The same, changed.
        """
        _append(config, "activities", self.activities)
        of_client: Sequence[Any] = config["client"].config(active_config=True)["interceptors"]
        self._append_interceptors(config, durability.worker.Interceptor, known=of_client)
        self._configure_workflows(config)
        return config

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """Add to a replayer's configuration.

        Args:
            config: The replayer's configuration so far.

        Returns:
            The same, changed.
        """
        _set(config, "data_converter", self.data_converter)
        self._append_interceptors(config, durability.worker.Interceptor)
        self._configure_workflows(config)
        return config

    def _configure_workflows(self, config: WorkerConfig | ReplayerConfig) -> None:
        _append(config, "workflows", self.workflows)
        _set(config, "workflow_runner", self.workflow_runner)
        _append(config, "workflow_failure_exception_types", self.workflow_failure_exception_types)

    def _append_interceptors(self, config: Any, kind: type, known: Sequence[_Interceptor] = ()) -> None:
        fitting = [one for one in self.interceptors or () if isinstance(one, kind) and one not in known]
        if fitting:
            _append(config, "interceptors", fitting)

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run a worker, within the run context.

        Args:
            worker: The worker.
            next: Runs it.
        """
        if self.run_context is None:
            await next(worker)
            return
        async with self.run_context():
            await next(worker)

    @asynccontextmanager
    async def run_replayer(
        self,
        replayer: Replayer,
        histories: AsyncIterator[WorkflowHistory],
        next: Callable[
            [Replayer, AsyncIterator[WorkflowHistory]],
            AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]],
        ],
    ) -> AsyncIterator[AsyncIterator[WorkflowReplayResult]]:
        """Replay histories, within the run context.

        Args:
            replayer: The replayer.
            histories: What to replay.
            next: Replays them.
        """
        if self.run_context is None:
            async with next(replayer, histories) as results:
                yield results
            return
        async with self.run_context(), next(replayer, histories) as results:
            yield results


def _set(config: Any, key: str, parameter: PluginParameter[Any]) -> None:
    if parameter is not None:
        config[key] = _called(parameter, config.get(key)) if callable(parameter) else parameter


def _append(config: Any, key: str, parameter: PluginParameter[Sequence[Any]]) -> None:
    if parameter is not None:
        existing: Sequence[Any] | None = config.get(key)
        config[key] = _called(parameter, existing) if callable(parameter) else [*(existing or ()), *parameter]


def _called(parameter: Callable[[Any], Any], existing: Any) -> Any:
    return parameter(existing)
