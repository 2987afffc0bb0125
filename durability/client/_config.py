"""What clients are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Required, TypedDict

from durability._runtime.frontend import Frontend
from durability.client._interceptor import Interceptor
from durability.client._plugin import Plugin
from durability.common import HeaderCodecBehavior, QueryRejectCondition
from durability.converter import DataConverter
from durability.service import (
    DnsLoadBalancingConfig,
    GrpcCompression,
    HttpConnectProxyConfig,
    KeepAliveConfig,
    PayloadLimitsConfig,
    RetryConfig,
    TLSConfig,
)

if TYPE_CHECKING:
    from durability.runtime import Runtime


PAYLOAD_LIMITS = PayloadLimitsConfig()


class ClientConfig(TypedDict, total=False):
    """What a client is made of: keyword arguments of ``Client``, as plugins may change them."""

    service_client: Required[Frontend]
    namespace: Required[str]
    data_converter: Required[DataConverter]
    plugins: Required[Sequence[Plugin]]
    interceptors: Required[Sequence[Interceptor]]
    default_workflow_query_reject_condition: Required[QueryRejectCondition | None]
    header_codec_behavior: Required[HeaderCodecBehavior]


class ClientConnectConfig(TypedDict, total=False):
    """Keyword arguments of ``Client.connect``."""

    target_host: str
    namespace: str
    api_key: str | None
    data_converter: DataConverter
    plugins: Sequence[Plugin]
    interceptors: Sequence[Interceptor]
    default_workflow_query_reject_condition: QueryRejectCondition | None
    tls: bool | TLSConfig | None
    retry_config: RetryConfig | None
    keep_alive_config: KeepAliveConfig | None
    connect_timeout: timedelta | None
    rpc_metadata: Mapping[str, str | bytes]
    identity: str | None
    lazy: bool
    payload_limits: PayloadLimitsConfig
    runtime: Runtime | None
    http_connect_proxy_config: HttpConnectProxyConfig | None
    dns_load_balancing_config: DnsLoadBalancingConfig | None
    grpc_compression: GrpcCompression
    header_codec_behavior: HeaderCodecBehavior
