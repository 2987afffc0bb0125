"""Environments in which workflows run in tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from durability._core.run import LongHistory
from durability._memory.clock import EnvironmentClock
from durability._memory.local import LocalCloud
from durability._runtime.frontend import Frontend
from durability.client import Client, Interceptor, OutboundInterceptor, Plugin, StartWorkflowInput, WorkflowHandle
from durability.common import QueryRejectCondition, SearchAttributeKey
from durability.converter import DataConverter
from durability.testing._assertions import AssertionInterceptor

if TYPE_CHECKING:
    from durability.runtime import Runtime
    from durability.testing._cloud import LocalCloudEnvironment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class WorkflowEnvironment:
    """Where workflows run in tests.

    ``start_local`` and ``start_time_skipping`` start one in this process and event loop, in memory, in no time;
    ``start_local_cloud`` starts the services and functions of a deployment on this machine, in seconds;
    ``from_client`` makes one of whatever a client is connected to. Use it in an ``async with`` statement, and run a
    ``durability.worker.Worker`` with its ``client``. An ``assert`` that fails in a workflow fails the workflow.
    """

    @classmethod
    def from_client(cls, client: Client) -> WorkflowEnvironment:
        """Make an environment of what a client is connected to. Time cannot be skipped there.

        Args:
            client: The client; the environment's own has one more interceptor.
        """
        return WorkflowEnvironment(_with_interceptors(client, AssertionInterceptor()))

    @classmethod
    async def start_local(
        cls,
        *,
        namespace: str = "default",
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = [],
        plugins: Sequence[Plugin] = [],
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        retry_config: Any = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        identity: str | None = None,
        tls: Any = False,
        ip: str = "127.0.0.1",
        port: int | None = None,
        download_dest_dir: str | None = None,
        ui: bool = False,
        runtime: Runtime | None = None,
        search_attributes: Sequence[SearchAttributeKey[Any]] = (),
        dev_server_existing_path: str | None = None,
        dev_server_database_filename: str | None = None,
        dev_server_log_format: str = "pretty",
        dev_server_log_level: str | None = "warn",
        dev_server_download_version: str = "default",
        dev_server_extra_args: Sequence[str] = [],
        dev_server_download_ttl: timedelta | None = None,
        dev_server_startup_timeout: timedelta | None = None,
        ui_port: int | None = None,
    ) -> WorkflowEnvironment:
        """Start an environment in memory, in real time.

        Args:
            namespace: Namespace of all workflows.
            data_converter: See ``Client.connect``.
            interceptors: See ``Client.connect``.
            plugins: See ``Client.connect``.
            default_workflow_query_reject_condition: See ``Client.connect``.
            retry_config: Accepted for compatibility, as all that concerns a server: there is none.
            rpc_metadata: Accepted for compatibility.
            identity: See ``Client.connect``.
            tls: Accepted for compatibility.
            ip: Accepted for compatibility.
            port: Accepted for compatibility.
            download_dest_dir: Accepted for compatibility.
            ui: Accepted for compatibility.
            runtime: See ``Client.connect``.
            search_attributes: Accepted for compatibility: search attributes need not be registered.
            dev_server_existing_path: Accepted for compatibility.
            dev_server_database_filename: Accepted for compatibility.
            dev_server_log_format: Accepted for compatibility.
            dev_server_log_level: Accepted for compatibility.
            dev_server_download_version: Accepted for compatibility.
            dev_server_extra_args: The dynamic configuration values ``limit.historyCount.suggestContinueAsNew`` and
                ``limit.historySize.suggestContinueAsNew`` are kept to; all else is accepted for compatibility.
            dev_server_download_ttl: Accepted for compatibility.
            dev_server_startup_timeout: Accepted for compatibility.
            ui_port: Accepted for compatibility.
        """
        cloud = LocalCloud(namespace=namespace, long_history=_long_history(dev_server_extra_args))
        return _MemoryEnvironment(
            cloud,
            _client(
                cloud.gateway,
                cloud.namespace,
                data_converter,
                interceptors,
                plugins,
                default_workflow_query_reject_condition,
                identity,
                runtime,
            ),
        )

    @classmethod
    async def start_time_skipping(
        cls,
        *,
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = [],
        plugins: Sequence[Plugin] = [],
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        retry_config: Any = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        identity: str | None = None,
        port: int | None = None,
        download_dest_dir: str | None = None,
        runtime: Runtime | None = None,
        test_server_existing_path: str | None = None,
        test_server_download_version: str = "default",
        test_server_extra_args: Sequence[str] = [],
        test_server_download_ttl: timedelta | None = None,
        test_server_startup_timeout: timedelta | None = None,
    ) -> WorkflowEnvironment:
        """Start an environment in memory that skips time in which nothing happens.

        Time is skipped while the result of a workflow started by the environment's client is awaited
        (``execute_workflow``, and ``result`` on the handle that ``start_workflow`` returned) and during ``sleep``;
        never while a workflow task or an activity runs, or a workflow task that failed is to be tried again. Otherwise
        it passes as ever. There is one time for the whole environment.

        Args:
            data_converter: See ``Client.connect``.
            interceptors: See ``Client.connect``.
            plugins: See ``Client.connect``.
            default_workflow_query_reject_condition: See ``Client.connect``.
            retry_config: Accepted for compatibility, as all that concerns a server: there is none.
            rpc_metadata: Accepted for compatibility.
            identity: See ``Client.connect``.
            port: Accepted for compatibility.
            download_dest_dir: Accepted for compatibility.
            runtime: See ``Client.connect``.
            test_server_existing_path: Accepted for compatibility.
            test_server_download_version: Accepted for compatibility.
            test_server_extra_args: Accepted for compatibility.
            test_server_download_ttl: Accepted for compatibility.
            test_server_startup_timeout: Accepted for compatibility.
        """
        cloud = LocalCloud()
        return _TimeSkippingEnvironment(
            cloud,
            _client(
                cloud.gateway,
                cloud.namespace,
                data_converter,
                interceptors,
                plugins,
                default_workflow_query_reject_condition,
                identity,
                runtime,
            ),
        )

    @classmethod
    async def start_local_cloud(
        cls,
        application: str | None = None,
        *,
        namespace: str = "default",
        data_converter: DataConverter = DataConverter.default,
        interceptors: Sequence[Interceptor] = [],
        plugins: Sequence[Plugin] = [],
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        identity: str | None = None,
        template: str | Path | None = None,
        parameters: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> LocalCloudEnvironment:
        """Start the stack of a SAM template on this machine: real queues and items, functions in real processes.

        It takes a few seconds, so that tests share one, each with task queues of its own. The functions serve the task
        queue ``default`` if there is an application; tasks of any other wait for a worker.

        Args:
            application: What the functions serve, as ``module:attribute``; nothing by default.
            namespace: Namespace of all workflows.
            data_converter: See ``Client.connect``.
            interceptors: See ``Client.connect``.
            plugins: See ``Client.connect``.
            default_workflow_query_reject_condition: See ``Client.connect``.
            identity: See ``Client.connect``.
            template: The template; by default ``template.yaml`` in the working directory, or this project's own, whose
                functions then import the application from the working directory.
            parameters: Template parameters besides those that follow from the above.
            variables: Environment variables of every function, besides the template's.

        Raises:
            TemplateError: The template is wrong, or asks for what the local cloud does not have.
        """
        from durability.testing._cloud import start

        return await start(
            application,
            namespace=namespace,
            template=template,
            parameters=parameters or {},
            variables=variables or {},
            client=lambda frontend: _client(
                frontend,
                namespace,
                data_converter,
                interceptors,
                plugins,
                default_workflow_query_reject_condition,
                identity,
            ),
        )

    def __init__(self, client: Client) -> None:
        """Not for users: see the class methods."""
        self._client = client

    async def __aenter__(self) -> Self:
        """Return the environment."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Shut the environment down."""
        await self.shutdown()

    @property
    def client(self) -> Client:
        """A client of the environment."""
        return self._client

    async def connect_client(self, **kwargs: Any) -> Client:
        """Make another client of the environment.

        Args:
            kwargs: Keyword arguments of ``Client``; the rest is as in ``client``.
        """
        options = {"namespace": self.client.namespace, **kwargs}
        return Client(self.client.frontend, **options)

    async def shutdown(self) -> None:
        """Shut the environment down. Does nothing to one that was made of a client."""

    async def sleep(self, duration: timedelta | float) -> None:
        """Wait in the environment's time; where time is skipped, that takes none.

        In an activity this simulates work that takes long: time is skipped if the workflow's result is awaited, and
        timers and timeouts come on the way.

        Args:
            duration: How long; in seconds if it is a number.
        """
        await asyncio.sleep(_seconds(duration))

    async def get_current_time(self, handle: WorkflowHandle[Any, Any] | None = None) -> datetime:
        """The environment's time, in UTC.

        Args:
            handle: Accepted for compatibility: workflows have no times of their own.
        """
        return datetime.now(UTC)

    @property
    def supports_time_skipping(self) -> bool:
        """Whether time is skipped."""
        return self.supports_time_skipping_v1 or self.supports_time_skipping_v2

    @property
    def supports_time_skipping_v1(self) -> bool:
        """Whether time is skipped, for all workflows alike."""
        return False

    @property
    def supports_time_skipping_v2(self) -> bool:
        """Whether every workflow has a time of its own; there is no such environment here."""
        return False

    @contextmanager
    def auto_time_skipping_disabled(self) -> Iterator[None]:
        """Do not skip time while results are awaited in this block; ``sleep`` still does."""
        yield

    @contextmanager
    def with_time_skipping_disabled(self) -> Iterator[None]:
        """Accepted for compatibility: only means something where workflows have times of their own."""
        yield

    async def fast_forward(
        self, handle: WorkflowHandle[Any, Any], duration: timedelta | float | None = None, /
    ) -> bool:
        """Accepted for compatibility; needs an environment in which workflows have times of their own.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError("fast_forward needs an environment in which workflows have times of their own; use sleep")


class _MemoryEnvironment(WorkflowEnvironment):
    """An environment in this process, in real time."""

    def __init__(self, cloud: LocalCloud, client: Client) -> None:
        super().__init__(_with_interceptors(client, AssertionInterceptor()))
        self._cloud = cloud

    async def shutdown(self) -> None:
        await self._cloud.close()

    @property
    def _clock(self) -> EnvironmentClock:
        return self._cloud.clock


class _TimeSkippingEnvironment(_MemoryEnvironment):
    """An environment in this process, in skipping time."""

    def __init__(self, cloud: LocalCloud, client: Client) -> None:
        super().__init__(cloud, client)
        self._client = _with_interceptors(self._client, _SkippingInterceptor(self))
        self._automatic = True

    async def sleep(self, duration: timedelta | float) -> None:
        await self._cloud.sleep(_seconds(duration))

    async def get_current_time(self, handle: WorkflowHandle[Any, Any] | None = None) -> datetime:
        return _EPOCH + timedelta(milliseconds=self._clock())

    @property
    def supports_time_skipping_v1(self) -> bool:
        return True

    @contextmanager
    def auto_time_skipping_disabled(self) -> Iterator[None]:
        before, self._automatic = self._automatic, False
        try:
            yield
        finally:
            self._automatic = before

    @asynccontextmanager
    async def skipping(self) -> AsyncIterator[None]:
        """While somebody awaits a result."""
        if not self._automatic:
            yield
            return
        self._clock.unlock()
        try:
            yield
        finally:
            self._clock.lock()


class _SkippingInterceptor(Interceptor):
    def __init__(self, environment: _TimeSkippingEnvironment) -> None:
        self._environment = environment

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _SkippingOutbound(next, self._environment)


class _SkippingOutbound(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, environment: _TimeSkippingEnvironment) -> None:
        super().__init__(next)
        self._environment = environment

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        handle = await super().start_workflow(input)
        # The handle may be of a class that an interceptor chose; only its result is waited for differently.
        handle.__class__ = _SkippingHandle
        skipping = cast(_SkippingHandle, handle)
        skipping.environment = self._environment
        return skipping


class _SkippingHandle(WorkflowHandle[Any, Any]):
    environment: _TimeSkippingEnvironment

    async def result(
        self,
        *,
        follow_runs: bool = True,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> Any:
        async with self.environment.skipping():
            return await super().result(follow_runs=follow_runs, rpc_metadata=rpc_metadata, rpc_timeout=rpc_timeout)


def _client(
    frontend: Frontend,
    namespace: str,
    data_converter: DataConverter,
    interceptors: Sequence[Interceptor],
    plugins: Sequence[Plugin],
    default_workflow_query_reject_condition: QueryRejectCondition | None,
    identity: str | None,
    runtime: Runtime | None = None,
) -> Client:
    client = Client(
        frontend,
        namespace=namespace,
        data_converter=data_converter,
        interceptors=interceptors,
        plugins=plugins,
        default_workflow_query_reject_condition=default_workflow_query_reject_condition,
    )
    if identity:
        client._identity = identity
    client._runtime = runtime
    return client


def _with_interceptors(client: Client, *interceptors: Interceptor) -> Client:
    config = client.config()
    config["interceptors"] = [*config["interceptors"], *interceptors]
    new = Client(**config)
    new._identity = client.identity
    new._payload_limits = client._payload_limits
    new._rpc_metadata = client._rpc_metadata
    new._runtime = client._runtime
    return new


def _long_history(arguments: Sequence[str]) -> LongHistory:
    """From when on workflows are told to continue as new, by the arguments of a development server."""
    values: dict[str, str] = {}
    for argument in arguments:
        name, _, value = argument.partition("=")
        values[name] = value
    default = LongHistory()
    return LongHistory(
        int(values.get("limit.historyCount.suggestContinueAsNew", default.events)),
        int(values.get("limit.historySize.suggestContinueAsNew", default.size)),
    )


def _seconds(duration: timedelta | float) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else duration
