"""Errors of calls to the engine, with the status codes of gRPC that Temporal's service answers with; payload limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from durability import __version__ as __version__
from durability.exceptions import TemporalError

if TYPE_CHECKING:
    from durability.runtime import Runtime

__all__ = [
    "ConnectConfig",
    "DnsLoadBalancingConfig",
    "GrpcCompression",
    "HttpConnectProxyConfig",
    "KeepAliveConfig",
    "PayloadLimitsConfig",
    "RPCError",
    "RPCStatusCode",
    "RetryConfig",
    "ServiceClient",
    "TLSConfig",
]


class RPCStatusCode(IntEnum):
    """Status of a call; numbers and meanings as in gRPC's ``google.rpc.Code``."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RPCError(TemporalError):
    """A call to the engine was refused or did not succeed."""

    def __init__(self, message: str, status: RPCStatusCode, raw_grpc_status: bytes = b"") -> None:
        """Create the error.

        Args:
            message: What went wrong.
            status: The kind of error; programs decide by it.
            raw_grpc_status: Kept for compatibility. There is no gRPC here, so the engine leaves it empty.
        """
        super().__init__(message)
        self._message = message
        self._status = status
        self._raw_grpc_status = raw_grpc_status

    @property
    def message(self) -> str:
        """What went wrong."""
        return self._message

    @property
    def status(self) -> RPCStatusCode:
        """The kind of error."""
        return self._status

    @property
    def raw_grpc_status(self) -> bytes:
        """Serialized gRPC status; empty, as there is no gRPC here."""
        return self._raw_grpc_status


@dataclass(frozen=True)
class PayloadLimitsConfig:
    """From which sizes on a client warns of what it sends, in the log.

    Attributes:
        payloads_warn_size: Bytes of the payloads of one field; 0 for no warning. Temporal's default
            ``limit.blobSize.warn``.
        memo_warn_size: Bytes of a memo; 0 for no warning. Temporal's default ``limit.memoSize.warn``.
    """

    payloads_warn_size: int = 512 * 1024
    memo_warn_size: int = 2 * 1024


# --- connecting: kept so that code which says it runs; what concerns gRPC has no effect -------------------------------


@dataclass
class TLSConfig:
    """Accepted for compatibility: whether there is TLS follows from the URL, certificates from the system.

    Attributes:
        server_root_ca_cert: Unused.
        domain: Unused.
        client_cert: Unused.
        client_private_key: Unused.
        verification_server_name: Unused.
    """

    server_root_ca_cert: bytes | None = None
    domain: str | None = None
    client_cert: bytes | None = None
    client_private_key: bytes | None = None
    verification_server_name: str | None = None


@dataclass
class RetryConfig:
    """Accepted for compatibility: how calls are repeated is decided for each kind of call.

    Attributes:
        initial_interval_millis: Unused.
        randomization_factor: Unused.
        multiplier: Unused.
        max_interval_millis: Unused.
        max_elapsed_time_millis: Unused.
        max_retries: Unused.
    """

    initial_interval_millis: int = 100
    randomization_factor: float = 0.2
    multiplier: float = 1.5
    max_interval_millis: int = 5000
    max_elapsed_time_millis: int | None = 10000
    max_retries: int = 10


@dataclass(frozen=True)
class KeepAliveConfig:
    """Accepted for compatibility: connections of HTTP are kept alive anyway.

    Attributes:
        interval_millis: Unused.
        timeout_millis: Unused.
    """

    interval_millis: int = 30000
    timeout_millis: int = 15000
    default: ClassVar[KeepAliveConfig]


KeepAliveConfig.default = KeepAliveConfig()


@dataclass(frozen=True)
class HttpConnectProxyConfig:
    """Accepted for compatibility.

    Attributes:
        target_host: Unused.
        basic_auth: Unused.
    """

    target_host: str
    basic_auth: tuple[str, str] | None = None


@dataclass(frozen=True)
class DnsLoadBalancingConfig:
    """Accepted for compatibility.

    Attributes:
        resolution_interval_millis: Unused.
    """

    resolution_interval_millis: int = 30000
    default: ClassVar[DnsLoadBalancingConfig]


DnsLoadBalancingConfig.default = DnsLoadBalancingConfig()


class GrpcCompression(ABC):
    """Accepted for compatibility: there is no gRPC."""

    NONE: ClassVar[GrpcCompression]
    GZIP: ClassVar[GrpcCompression]


@dataclass(frozen=True)
class _NoGrpcCompression(GrpcCompression):
    pass


@dataclass(frozen=True)
class _GzipGrpcCompression(GrpcCompression):
    pass


GrpcCompression.NONE = _NoGrpcCompression()
GrpcCompression.GZIP = _GzipGrpcCompression()


@dataclass
class ConnectConfig:
    """What ``Client.connect`` connects to. Plugins may change it in ``connect_service_client``.

    Attributes:
        target_host: URL of the HTTP API, or something else for the deployment's own resources.
        api_key: Bearer token for the HTTP API.
        tls: Unused.
        retry_config: Unused.
        keep_alive_config: Unused.
        rpc_metadata: Unused.
        identity: Who the client is, for the history.
        lazy: Whether to wait with connecting until the first call.
        runtime: Where metrics go; the default runtime if None.
        http_connect_proxy_config: Unused.
        dns_load_balancing_config: Unused.
        grpc_compression: Unused.
        payload_limits: From which sizes on the client warns of what it sends.
        connect_timeout: Longest time that connecting over HTTP may take.
    """

    target_host: str
    api_key: str | None = None
    tls: bool | TLSConfig | None = None
    retry_config: RetryConfig | None = None
    keep_alive_config: KeepAliveConfig | None = KeepAliveConfig.default
    rpc_metadata: Mapping[str, str | bytes] = field(default_factory=dict)
    identity: str = ""
    lazy: bool = False
    runtime: Runtime | None = None
    http_connect_proxy_config: HttpConnectProxyConfig | None = None
    dns_load_balancing_config: DnsLoadBalancingConfig | None = None
    grpc_compression: GrpcCompression = GrpcCompression.GZIP
    payload_limits: PayloadLimitsConfig = field(default_factory=PayloadLimitsConfig)
    connect_timeout: timedelta | None = None


class ServiceClient(ABC):
    """What a client's calls go through. Plugins hand on what they are given.

    Attributes:
        config: What it is connected with. To the ``target_host`` in it other clients can be connected, too.
    """

    config: ConnectConfig

    @abstractmethod
    async def check_health(
        self,
        *,
        service: str = "temporal.api.workflowservice.v1.WorkflowService",
        retry: bool = False,
        metadata: Mapping[str, str | bytes] = {},
        timeout: timedelta | None = None,
    ) -> bool:
        """Check whether calls can be made.

        Args:
            service: Name of the service; there is only the default one.
            retry: Unused.
            metadata: Unused.
            timeout: Longest time to wait.

        Returns:
            True. What cannot be reached is an error.

        Raises:
            RPCError: NOT_FOUND for another service, else the status that every call would have.
        """
