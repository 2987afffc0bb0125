"""The client: starts workflows and hands out handles on them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Self, cast, overload

from durability._runtime.frontend import Frontend
from durability.client._async_activities import AsyncActivityHandle, AsyncActivityIDReference
from durability.client._config import PAYLOAD_LIMITS, ClientConfig
from durability.client._connect import connect, default_identity, say_ignored
from durability.client._executions import WorkflowExecutionAsyncIterator, WorkflowExecutionCount
from durability.client._impl import ClientImpl, deadline
from durability.client._interceptor import CountWorkflowsInput, Interceptor, ListWorkflowsInput, OutboundInterceptor
from durability.client._plugin import Plugin
from durability.client._starts import WorkflowStarts
from durability.client._updates_with_start import UpdateWithStart
from durability.client._workflow_handle import WorkflowHandle
from durability.common import HeaderCodecBehavior, QueryRejectCondition
from durability.converter import DataConverter
from durability.service import (
    ConnectConfig,
    DnsLoadBalancingConfig,
    GrpcCompression,
    HttpConnectProxyConfig,
    KeepAliveConfig,
    PayloadLimitsConfig,
    RetryConfig,
    ServiceClient,
    TLSConfig,
)
from durability.types import MultiParamSpec, ReturnType, SelfType
from durability.workflow._definition import _Definition

if TYPE_CHECKING:
    from durability.client._operator_service import OperatorService
    from durability.client._workflow_service import WorkflowService
    from durability.runtime import Runtime


class Client(WorkflowStarts, UpdateWithStart):
    """Starts workflows and talks to them. Make one with ``connect`` and use it for everything."""

    @classmethod
    async def connect(
        cls,
        target_host: str = "",
        *,
        namespace: str = "default",
        api_key: str | None = None,
        data_converter: DataConverter = DataConverter.default,
        plugins: Sequence[Plugin] = [],
        interceptors: Sequence[Interceptor] = [],
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        tls: bool | TLSConfig | None = None,
        retry_config: RetryConfig | None = None,
        keep_alive_config: KeepAliveConfig | None = KeepAliveConfig.default,
        connect_timeout: timedelta | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        identity: str | None = None,
        lazy: bool = False,
        runtime: Runtime | None = None,
        http_connect_proxy_config: HttpConnectProxyConfig | None = None,
        dns_load_balancing_config: DnsLoadBalancingConfig | None = None,
        grpc_compression: GrpcCompression = GrpcCompression.GZIP,
        payload_limits: PayloadLimitsConfig = PAYLOAD_LIMITS,
        header_codec_behavior: HeaderCodecBehavior = HeaderCodecBehavior.NO_CODEC,
    ) -> Self:
        """Connect to a deployment.

        Args:
            target_host: URL of the HTTP API (``http://`` or ``https://``). Anything else, such as nothing, means the
                deployment's table and queues themselves, named by the environment's ``DURABILITY_*`` variables and
                reached with the process's AWS credentials. Without these variables, a host and port of this machine
                (``localhost:7233``) are those of a local cloud that ``durability dev`` runs.
            namespace: Namespace. Over HTTP it is the deployment's own.
            api_key: Bearer token for the HTTP API. Without one, requests to API Gateway are signed with the
                process's AWS credentials.
            data_converter: Converts values to what is sent, and back.
            plugins: Change the client's configuration.
            interceptors: Intercept calls; the first one is outermost.
            default_workflow_query_reject_condition: See ``WorkflowHandle.query``.
            tls: Accepted for compatibility, as all that concerns gRPC; TLS follows from the URL.
            retry_config: Accepted for compatibility.
            keep_alive_config: Accepted for compatibility.
            connect_timeout: Longest time that connecting over HTTP may take.
            rpc_metadata: Accepted for compatibility.
            identity: Who this is, for the history; process id and host name by default.
            lazy: Whether to wait with connecting until the first call. Workers cannot use such a client.
            runtime: Where the metrics go that the client's workers record; the default runtime if None.
            http_connect_proxy_config: Accepted for compatibility.
            dns_load_balancing_config: Accepted for compatibility.
            grpc_compression: Accepted for compatibility.
            payload_limits: From which sizes on payloads are warned of, in the log.
            header_codec_behavior: Whether headers pass through the payload codec.

        Returns:
            The client. Close it with ``close``, or use it in an ``async with`` statement.

        Raises:
            ConfigurationError: A setting is missing from the environment.
            RPCError: The local cloud or the HTTP API cannot be reached (UNAVAILABLE), or the latter refuses
                (UNAUTHENTICATED, PERMISSION_DENIED).
        """
        say_ignored(
            "Client.connect",
            tls=tls,
            retry_config=retry_config,
            keep_alive_config=keep_alive_config is not KeepAliveConfig.default and keep_alive_config,
            rpc_metadata=rpc_metadata,
            http_connect_proxy_config=http_connect_proxy_config,
            dns_load_balancing_config=dns_load_balancing_config,
            grpc_compression=grpc_compression is not GrpcCompression.GZIP,
        )
        config = ConnectConfig(
            target_host,
            api_key=api_key,
            tls=tls,
            retry_config=retry_config,
            keep_alive_config=keep_alive_config,
            rpc_metadata=rpc_metadata,
            identity=identity or "",
            lazy=lazy,
            runtime=runtime,
            http_connect_proxy_config=http_connect_proxy_config,
            dns_load_balancing_config=dns_load_balancing_config,
            grpc_compression=grpc_compression,
            connect_timeout=connect_timeout,
            payload_limits=payload_limits,
        )
        used = [config]

        async def connect_with(config: ConnectConfig) -> ServiceClient:
            used.append(config)
            return cast(ServiceClient, await connect(config, namespace))

        connecting = connect_with
        for plugin in reversed(plugins):
            connecting = partial(plugin.connect_service_client, next=connecting)
        client = cls(
            cast(Frontend, await connecting(config)),
            namespace=namespace,
            data_converter=data_converter,
            plugins=plugins,
            interceptors=interceptors,
            default_workflow_query_reject_condition=default_workflow_query_reject_condition,
            header_codec_behavior=header_codec_behavior,
        )
        if used[-1].identity:
            client._identity = used[-1].identity
        client._rpc_metadata = rpc_metadata
        client._runtime = used[-1].runtime
        client._payload_limits = used[-1].payload_limits
        return client

    def __init__(
        self,
        service_client: Frontend,
        *,
        namespace: str = "default",
        data_converter: DataConverter = DataConverter.default,
        plugins: Sequence[Plugin] = [],
        interceptors: Sequence[Interceptor] = [],
        default_workflow_query_reject_condition: QueryRejectCondition | None = None,
        header_codec_behavior: HeaderCodecBehavior = HeaderCodecBehavior.NO_CODEC,
    ) -> None:
        """Create a client on what calls are made through. Users call ``connect``.

        Args:
            service_client: What calls are made through.
            namespace: See ``connect``, as for the rest.
            data_converter: See ``connect``.
            plugins: See ``connect``.
            interceptors: See ``connect``.
            default_workflow_query_reject_condition: See ``connect``.
            header_codec_behavior: See ``connect``.
        """
        config = ClientConfig(
            service_client=service_client,
            namespace=namespace,
            data_converter=data_converter,
            plugins=plugins,
            interceptors=interceptors,
            default_workflow_query_reject_condition=default_workflow_query_reject_condition,
            header_codec_behavior=header_codec_behavior,
        )
        self._initial_config = config.copy()
        for plugin in plugins:
            config = plugin.configure_client(config)
        self._config = config
        self._process = os.getpid()
        self._identity = default_identity()
        self._payload_limits = PAYLOAD_LIMITS
        self._rpc_metadata: Mapping[str, str | bytes] = {}
        self._runtime: Runtime | None = None
        self._workflow_service: WorkflowService | None = None
        self._operator_service: OperatorService | None = None
        self._impl: OutboundInterceptor = ClientImpl(self)
        for interceptor in reversed(list(config["interceptors"])):
            self._impl = interceptor.intercept_client(self._impl)

    async def delete_workflow(
        self, workflow_id: str, *, run_id: str | None = None, rpc_timeout: timedelta | None = None
    ) -> None:
        """Delete a run and everything that belongs to it: history, messages, large payloads.

        Temporal's client has this as ``workflow_service.delete_workflow_execution``. An open run is terminated first.

        Args:
            workflow_id: Id of the workflow.
            run_id: Its run; the current one by default.
            rpc_timeout: Longest duration of the call.

        Raises:
            RPCError: NOT_FOUND; UNAVAILABLE if the run takes too long to end, to be tried again.
        """
        async with deadline(rpc_timeout):
            await self.frontend.delete(workflow_id, run_id)

    async def close(self) -> None:
        """Close connections. The client cannot be used afterwards."""
        await self.frontend.close()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the client."""
        await self.close()

    def config(self, *, active_config: bool = False) -> ClientConfig:
        """The keyword arguments that make a client like this one.

        Args:
            active_config: Whether with the changes that plugins made.
        """
        config = (self._config if active_config else self._initial_config).copy()
        config["interceptors"] = list(config["interceptors"])
        return config

    @property
    def frontend(self) -> Frontend:
        """What calls are made through.

        Raises:
            AssertionError: The process was forked off the one that connected: its connections are the other's as well.
        """
        self._assert_same_process("use client")
        return self._config["service_client"]

    def _assert_same_process(self, action: str) -> None:
        here = os.getpid()
        if here != self._process:
            raise AssertionError(f"Cannot {action} across forks (the client is of process {self._process}, not {here})")

    @property
    def service_client(self) -> ServiceClient:
        """The same as ``frontend``, under the name that Temporal's client has for it."""
        return cast(ServiceClient, self._config["service_client"])

    @property
    def workflow_service(self) -> WorkflowService:
        """Calls with the requests and responses of Temporal's API; see ``durability.api.workflowservice.v1``."""
        if self._workflow_service is None:
            from durability.client._workflow_service import WorkflowService

            self._workflow_service = WorkflowService(self)
        return self._workflow_service

    @property
    def operator_service(self) -> OperatorService:
        """Calls about search attributes; see ``durability.api.operatorservice.v1``."""
        if self._operator_service is None:
            from durability.client._operator_service import OperatorService

            self._operator_service = OperatorService(self)
        return self._operator_service

    @property
    def namespace(self) -> str:
        """Namespace."""
        return self._config["namespace"]

    @property
    def identity(self) -> str:
        """Who this is, for the history."""
        return self._identity

    @property
    def api_key(self) -> str | None:
        """Bearer token for the HTTP API; setting another one counts from the next call on."""
        return getattr(self.frontend, "api_key", None)

    @api_key.setter
    def api_key(self, value: str | None) -> None:
        from durability.client._http import HttpFrontend

        if isinstance(self.frontend, HttpFrontend):
            self.frontend.api_key = value

    @property
    def rpc_metadata(self) -> Mapping[str, str | bytes]:
        """Accepted for compatibility: what was set last; nothing is sent."""
        return self._rpc_metadata

    @rpc_metadata.setter
    def rpc_metadata(self, value: Mapping[str, str | bytes]) -> None:
        self._rpc_metadata = value

    @property
    def data_converter(self) -> DataConverter:
        """The data converter."""
        return self._config["data_converter"]

    def get_workflow_handle(
        self,
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type | None = None,
    ) -> WorkflowHandle[Any, Any]:
        """Return a handle on a workflow, without asking whether it exists.

        Args:
            workflow_id: Workflow id.
            run_id: The run that calls go to; the current one by default.
            first_execution_run_id: First run of the chain that ``cancel`` and ``terminate`` are confined to.
            result_type: The type of the workflow's result.
        """
        return WorkflowHandle(
            self,
            workflow_id,
            run_id=run_id,
            result_run_id=run_id,
            first_execution_run_id=first_execution_run_id,
            result_type=result_type,
        )

    def get_workflow_handle_for(
        self,
        workflow: Callable[Concatenate[SelfType, MultiParamSpec], Awaitable[ReturnType]],
        workflow_id: str,
        *,
        run_id: str | None = None,
        first_execution_run_id: str | None = None,
    ) -> WorkflowHandle[SelfType, ReturnType]:
        """Return a handle with the types of a workflow, without asking whether it exists.

        Args:
            workflow: The workflow's run method.
            workflow_id: Workflow id.
            run_id: See ``get_workflow_handle``.
            first_execution_run_id: See ``get_workflow_handle``.
        """
        definition = _Definition.must_from_run_fn(workflow)
        return self.get_workflow_handle(
            workflow_id,
            run_id=run_id,
            first_execution_run_id=first_execution_run_id,
            result_type=definition.ret_type,
        )

    @overload
    def get_async_activity_handle(
        self, *, workflow_id: str, run_id: str | None, activity_id: str
    ) -> AsyncActivityHandle: ...

    @overload
    def get_async_activity_handle(self, *, task_token: bytes) -> AsyncActivityHandle: ...

    def get_async_activity_handle(
        self,
        *,
        workflow_id: str | None = None,
        run_id: str | None = None,
        activity_id: str | None = None,
        task_token: bytes | None = None,
    ) -> AsyncActivityHandle:
        """Return a handle on an activity that is to be completed from outside, without asking whether it exists.

        Give either the task token or the ids. The token names one attempt, the ids whichever is under way.

        Args:
            workflow_id: Id of the workflow that scheduled the activity.
            run_id: Run of the workflow; None for the current one.
            activity_id: The activity's id.
            task_token: ``activity.info().task_token``.

        Raises:
            ValueError: Neither is given, or both are.
        """
        if task_token is not None:
            if workflow_id is not None or run_id is not None or activity_id is not None:
                raise ValueError("Task token cannot be present with other IDs")
            return AsyncActivityHandle(self, task_token)
        if workflow_id is None or activity_id is None:
            raise ValueError("Workflow ID, run ID, and activity ID must all be given together, or a task token")
        return AsyncActivityHandle(self, AsyncActivityIDReference(workflow_id, run_id, activity_id))

    def list_workflows(
        self,
        query: str | None = None,
        *,
        limit: int | None = None,
        page_size: int = 1000,
        next_page_token: bytes | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowExecutionAsyncIterator:
        """List workflow executions, newest first; eventually consistent.

        Args:
            query: Conditions joined by AND: ``WorkflowType = 'X'``, ``WorkflowId = 'x'``,
                ``ExecutionStatus = 'Running'``, ``StartTime > '2026-01-31T00:00:00Z'`` (also ``>=``, ``<``, ``<=``).
                ``TaskQueue = 'x'`` and search attributes (``Color = 'red'``, ``Size = 3``, ``Urgent = true``) are
                looked for among the executions that the others select: no index has them.
            limit: Most executions in all.
            page_size: Most executions a page.
            next_page_token: Where to begin: ``next_page_token`` of another iterator.
            rpc_metadata: See ``start_workflow``.
            rpc_timeout: Accepted for compatibility; limit the iteration with ``asyncio.timeout``.

        Returns:
            An asynchronous iterator.

        Raises:
            RPCError: INVALID_ARGUMENT if the query cannot be read.
        """
        return self._impl.list_workflows(
            ListWorkflowsInput(
                query=query,
                page_size=page_size,
                next_page_token=next_page_token,
                rpc_metadata=rpc_metadata,
                rpc_timeout=rpc_timeout,
                limit=limit,
            )
        )

    async def count_workflows(
        self,
        query: str | None = None,
        rpc_metadata: Mapping[str, str | bytes] = {},
        rpc_timeout: timedelta | None = None,
    ) -> WorkflowExecutionCount:
        """Count workflow executions by listing them; eventually consistent.

        Args:
            query: See ``list_workflows``; ``GROUP BY ExecutionStatus`` at its end also counts by status.
            rpc_metadata: See ``start_workflow``.
            rpc_timeout: Longest duration of the call.

        Raises:
            RPCError: INVALID_ARGUMENT if the query cannot be read.
        """
        return await self._impl.count_workflows(
            CountWorkflowsInput(query=query, rpc_metadata=rpc_metadata, rpc_timeout=rpc_timeout)
        )
