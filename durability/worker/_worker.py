"""Workers: workflows and activities in the process of whoever runs them."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final, Self, cast

from durability._runtime.hosting import HostedWorker, WorkerHost
from durability.activity._processes import SharedStateManager
from durability.client import Client
from durability.exceptions import ConfigurationError
from durability.worker._config import (
    EXTERNAL_STORAGE_CONCURRENCY,
    WorkerConfig,
    WorkerDeploymentConfig,
    check,
    specification,
)
from durability.worker._interceptor import Interceptor
from durability.worker._plugin import Plugin
from durability.worker._registries import PatchActivationCallback
from durability.worker._runner import UNSANDBOXED, WorkflowRunner
from durability.worker._tuning import PollerBehavior, PollerBehaviorSimpleMaximum, WorkerTuner
from durability.worker.workflow_sandbox._runner import SANDBOXED

logger = logging.getLogger("durability.worker")

_ATTACHED_WITHIN: Final = 10.0
_POLLERS: Final = PollerBehaviorSimpleMaximum(maximum=5)


class Worker:
    """Runs workflows and activities in this process, for the deployment or test environment of its client.

    A deployment needs no workers: there, tasks come to functions. A worker serves a task queue of its own, for
    activities that take longer than a function may or need what a function has not. In tests
    (``durability.testing.WorkflowEnvironment``), workers run everything.

    Use it in an ``async with`` statement, or call ``run`` and ``shutdown``.
    """

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str,
        activities: Sequence[Callable[..., Any]] = [],
        nexus_service_handlers: Sequence[Any] = [],
        workflows: Sequence[type] = [],
        activity_executor: Executor | None = None,
        workflow_task_executor: ThreadPoolExecutor | None = None,
        nexus_task_executor: ThreadPoolExecutor | None = None,
        workflow_runner: WorkflowRunner = SANDBOXED,
        unsandboxed_workflow_runner: WorkflowRunner = UNSANDBOXED,
        plugins: Sequence[Plugin] = [],
        interceptors: Sequence[Interceptor] = [],
        build_id: str | None = None,
        identity: str | None = None,
        max_cached_workflows: int = 1000,
        max_concurrent_workflow_tasks: int | None = None,
        max_concurrent_activities: int | None = None,
        max_concurrent_local_activities: int | None = None,
        max_concurrent_nexus_tasks: int | None = None,
        tuner: WorkerTuner | None = None,
        max_concurrent_workflow_task_polls: int | None = None,
        nonsticky_to_sticky_poll_ratio: float = 0.2,
        max_concurrent_activity_task_polls: int | None = None,
        no_remote_activities: bool = False,
        sticky_queue_schedule_to_start_timeout: timedelta = timedelta(seconds=10),
        max_heartbeat_throttle_interval: timedelta = timedelta(seconds=60),
        default_heartbeat_throttle_interval: timedelta = timedelta(seconds=30),
        max_activities_per_second: float | None = None,
        max_task_queue_activities_per_second: float | None = None,
        max_eager_activity_reservations_per_workflow_task: int = 3,
        graceful_shutdown_timeout: timedelta = timedelta(),
        plugin_shutdown_timeout: timedelta | None = timedelta(seconds=60),
        workflow_failure_exception_types: Sequence[type[BaseException]] = [],
        shared_state_manager: SharedStateManager | None = None,
        debug_mode: bool = False,
        disable_eager_activity_execution: bool = False,
        on_fatal_error: Callable[[BaseException], Awaitable[None]] | None = None,
        use_worker_versioning: bool = False,
        disable_safe_workflow_eviction: bool = False,
        deployment_config: WorkerDeploymentConfig | None = None,
        patch_activation_callback: PatchActivationCallback | None = None,
        workflow_task_poller_behavior: PollerBehavior = _POLLERS,
        activity_task_poller_behavior: PollerBehavior = _POLLERS,
        nexus_task_poller_behavior: PollerBehavior = _POLLERS,
        disable_payload_error_limit: bool = False,
        max_workflow_task_external_storage_concurrency: int = EXTERNAL_STORAGE_CONCURRENCY,
    ) -> None:
        """Create a worker.

        Args:
            client: Connected to the environment that the worker is to serve.
            task_queue: Where it takes tasks from.
            activities: Functions, methods or objects decorated with ``activity.defn``.
            nexus_service_handlers: Nexus is not supported; must be empty.
            workflows: Classes decorated with ``workflow.defn``.
            activity_executor: Runs activities that are not ``async def``, in threads or in processes. Required if there
                are any.
            workflow_task_executor: Runs workflow code; give it a thread for each workflow task that runs at a time. By
                default the worker has threads of its own.
            nexus_task_executor: Accepted for compatibility.
            workflow_runner: Makes the instances of workflows; the default one guards them.
            unsandboxed_workflow_runner: The same for classes that are declared with ``sandboxed=False``.
            plugins: Change the worker's configuration and wrap its run; those of the client come first.
            interceptors: Intercept workflows and activities; those of the client come first.
            build_id: Recorded with every workflow task.
            identity: Names the worker in histories; the client's identity by default.
            max_cached_workflows: Most runs kept in memory between their tasks.
            max_concurrent_workflow_tasks: Most workflow tasks at a time; 100 by default.
            max_concurrent_activities: Most activities at a time; 100 by default.
            max_concurrent_local_activities: Most local activities at a time.
            max_concurrent_nexus_tasks: Accepted for compatibility.
            tuner: Says how many tasks the worker takes, instead of the ``max_concurrent_`` parameters.
            max_concurrent_workflow_task_polls: Accepted for compatibility, as all that concerns polling.
            nonsticky_to_sticky_poll_ratio: Accepted for compatibility.
            max_concurrent_activity_task_polls: Accepted for compatibility.
            no_remote_activities: Run only the local activities of the worker's own workflows.
            sticky_queue_schedule_to_start_timeout: Accepted for compatibility.
            max_heartbeat_throttle_interval: Longest time between two recorded heartbeats of an attempt.
            default_heartbeat_throttle_interval: That time where there is no heartbeat timeout; otherwise it is four
                fifths of the timeout.
            max_activities_per_second: Most activities that the worker begins in a second. All are dispatched then.
            max_task_queue_activities_per_second: The same for all workers of the task queue together.
            max_eager_activity_reservations_per_workflow_task: Accepted for compatibility; must be positive.
            graceful_shutdown_timeout: How long activities may go on after ``shutdown`` before they are cancelled.
            plugin_shutdown_timeout: How long leaving ``async with`` waits for plugins after the shutdown.
            workflow_failure_exception_types: Exceptions that fail a workflow instead of its workflow task.
            shared_state_manager: Connects to the processes of an ``activity_executor`` that is no thread pool.
            debug_mode: Let workflow code take its time and call ``breakpoint()``, in the event loop's thread. Also by
                the environment variable ``TEMPORAL_DEBUG``.
            disable_eager_activity_execution: Have activities dispatched to the task queue, even to this worker.
            on_fatal_error: Called when the worker fails, before it shuts down; not when it cannot start.
            use_worker_versioning: Accepted for compatibility; requires ``build_id``.
            disable_safe_workflow_eviction: Accepted for compatibility.
            deployment_config: The version that the worker is; its build id is recorded with every workflow task.
            patch_activation_callback: Asked whether a patch that a history knows nothing of is to be taken.
            workflow_task_poller_behavior: Accepted for compatibility.
            activity_task_poller_behavior: Accepted for compatibility.
            nexus_task_poller_behavior: Accepted for compatibility.
            disable_payload_error_limit: Take payloads of any size: what workflows and activities give is otherwise
                limited to 2 MiB a field, and more fails the workflow task or the activity's attempt.
            max_workflow_task_external_storage_concurrency: Calls to the data converter's external storage at a time,
                in one workflow task; must be positive.

        Raises:
            ValueError: There is nothing to run, two things have the same name, or parameters exclude each other.
            TypeError: Something is not decorated, or there is more than one dynamic workflow or activity.
            ConfigurationError: The client is connected to something that cannot host workers.
            AssertionError: The client was made before the process was forked off another, as with ``run``.
        """
        client._assert_same_process("create worker")
        parameters = {name: value for name, value in locals().items() if name in WorkerConfig.__annotations__}
        config = cast(WorkerConfig, parameters)
        from_client = [plugin for plugin in client.config()["plugins"] if isinstance(plugin, Plugin)]
        for own in from_client:
            if type(own) in map(type, plugins):
                warnings.warn(
                    f"The same plugin type {type(own)} is given to both client and worker: it runs twice", stacklevel=2
                )
        self._plugins: list[Plugin] = [*from_client, *plugins]
        self._initial_config = config.copy()
        for plugin in self._plugins:
            config = plugin.configure_worker(config)
        self._config = config
        check(config)
        self._host = _host(config["client"])
        self._activities, self._specification = specification(
            config, lambda: self.client, self._host.functions_task_queue
        )
        self._started = False
        self._shutdown_requested = asyncio.Event()
        self._shutdown_complete = asyncio.Event()
        self._attached = asyncio.Event()
        self._context_task: asyncio.Task[Any] | None = None
        self._run_task: asyncio.Task[None] | None = None
        self._run_error: BaseException | None = None
        self._in_block = False

    def config(self, *, active_config: bool = False) -> WorkerConfig:
        """The keyword arguments that make a worker like this one.

        Args:
            active_config: Whether with the changes that plugins made.
        """
        config = (self._config if active_config else self._initial_config).copy()
        config["activities"] = list(config.get("activities", []))
        config["workflows"] = list(config.get("workflows", []))
        return config

    @property
    def task_queue(self) -> str:
        """Where the worker takes tasks from."""
        return self._config["task_queue"]

    @property
    def client(self) -> Client:
        """The client that the worker was given last."""
        return self._config["client"]

    @client.setter
    def client(self, value: Client) -> None:
        """Replace the client that activities get; it must be connected to the same environment.

        The worker goes on through the connections of the client that it was made with, which have to stay open.
        """
        if _host(value).environment != self._host.environment:
            raise ValueError("The new client is connected to another environment than the worker")
        self._config["client"] = value

    @property
    def is_running(self) -> bool:
        """Whether the worker has been started and has not shut down."""
        return self._started and not self.is_shutdown

    @property
    def is_shutdown(self) -> bool:
        """Whether the worker has run and has shut down completely."""
        return self._shutdown_complete.is_set()

    async def run(self) -> None:
        """Run the worker until it has shut down.

        Cancelling this shuts the worker down as well.

        Raises:
            RuntimeError: It was started before, its client's namespace does not exist, the processes of its
                activities died, or its task queue refuses it.
            AssertionError: The process was forked off the one that made the worker.
        """

        def wrapped(plugin: Plugin, inner: Callable[[Worker], Awaitable[None]]) -> Callable[[Worker], Awaitable[None]]:
            return lambda worker: plugin.run_worker(worker, inner)

        call: Callable[[Worker], Awaitable[None]] = Worker._run
        for plugin in reversed(self._plugins):
            call = wrapped(plugin, call)
        await call(self)

    async def _run(self) -> None:
        if self._started:
            raise RuntimeError("Already started")
        try:
            self.client._assert_same_process("use worker")
            self._check_namespace()
            self._started = True
            hosted = await self._host.attach(self._specification)
        except BaseException:
            self._shutdown_complete.set()  # nothing runs: whoever waits for the end need not
            raise
        self._attached.set()
        ended: BaseException | None = None
        try:
            await self._until_shutdown(hosted)
        except asyncio.CancelledError as error:
            logger.info("Worker cancelled, shutting down")
            ended = error
        except BaseException as error:
            logger.error("Worker failed, shutting down", exc_info=error)
            ended = error
            await self._tell_of_failure(error)
        try:
            await self._end(hosted)
        finally:
            await hosted.close()
            self._shutdown_complete.set()
        if ended is not None:
            raise ended

    async def _tell_of_failure(self, error: BaseException) -> None:
        handler = self._config.get("on_fatal_error")
        if handler is not None:
            try:
                await handler(error)
            except (Exception, asyncio.CancelledError):  # the shutdown goes on all the same
                logger.warning("Fatal error handler failed", exc_info=True)

    def _check_namespace(self) -> None:
        asked, there = self.client.namespace, getattr(self._host, "namespace", self.client.namespace)
        if asked != there:
            raise RuntimeError(f"Worker validation failed: there is no namespace {asked!r} here, only {there!r}")

    async def _until_shutdown(self, hosted: HostedWorker) -> None:
        """Wait until the worker is to shut down; raises what it cannot go on for."""
        waits = [asyncio.ensure_future(self._shutdown_requested.wait()), asyncio.ensure_future(hosted.failed())]
        if self._activities is not None:
            waits.append(asyncio.ensure_future(self._activities.broken()))
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        for wait in done:
            wait.result()

    async def _end(self, hosted: HostedWorker) -> None:
        patience = self._config["graceful_shutdown_timeout"]
        logger.info("Beginning worker shutdown, will wait %s before cancelling activities", patience)
        hosted.stop()
        if self._activities is not None:
            await self._activities.end(patience.total_seconds())
        await hosted.finished()

    async def shutdown(self) -> None:
        """Shut the worker down and wait until it has; may be called before it has started, and repeatedly."""
        self._shutdown_requested.set()
        await self._shutdown_complete.wait()

    async def __aenter__(self) -> Self:
        """Start the worker; if it fails later, the task that is in the block is cancelled.

        Raises:
            ConfigurationError: The task queue is not for workers.
        """
        if self._context_task is not None:
            raise RuntimeError("Already started")
        self._context_task = asyncio.current_task()
        if self._context_task is None:
            raise RuntimeError("Can only use async with inside a task")
        self._run_task = asyncio.create_task(self._run_for_context(self._context_task))
        await self._until_attached(self._run_task)
        self._in_block = True
        return self

    async def _until_attached(self, run: asyncio.Task[None]) -> None:
        """Wait until tasks go to the worker; as it may be a plugin that starts it, not for ever."""
        if self._host.attaches_at_once:
            return
        attached = asyncio.ensure_future(self._attached.wait())
        try:
            await asyncio.wait([attached, run], return_when=asyncio.FIRST_COMPLETED, timeout=_ATTACHED_WITHIN)
        except asyncio.CancelledError:
            run.cancel()
            raise
        finally:
            attached.cancel()
        if self._run_error is not None:
            raise self._run_error

    async def _run_for_context(self, task: asyncio.Task[Any]) -> None:
        try:
            await self.run()
        except BaseException as error:  # raised again on leaving the block
            self._run_error = error
            self._shutdown_complete.set()
            if self._in_block:
                task.cancel()

    async def __aexit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        """Shut the worker down; raises what it failed with, if that ended the block."""
        if self._run_task is None:
            raise RuntimeError("Never started")
        await self.shutdown()
        self._in_block = False
        timeout = self._config.get("plugin_shutdown_timeout", timedelta(seconds=60))
        try:
            await asyncio.wait([self._run_task], timeout=timeout.total_seconds() if timeout else None)
        except asyncio.CancelledError:
            self._run_task.cancel()
            raise
        if not self._run_task.done():
            self._run_task.cancel()
        if exc_type is asyncio.CancelledError and self._run_error is not None:
            raise self._run_error


def _host(client: Client) -> WorkerHost:
    host: WorkerHost | None = getattr(client.frontend, "worker_host", None)
    if host is None:
        raise ConfigurationError(
            f"the client is connected to {client.frontend.__class__.__name__}, which cannot host workers: connect "
            "without a URL, as localhost:7233 to `durability dev`, or with the variables that `durability env` prints; "
            "or use the client of a durability.testing.WorkflowEnvironment"
        )
    return host
