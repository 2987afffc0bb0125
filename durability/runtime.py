"""Telemetry of a process, under the names of ``temporalio.runtime``.

There is no engine behind Python code here whose logs and metrics would have to be configured: a runtime is where the
metrics go that workflows and activities record with their metric meters. Functions have Powertools for metrics of
their own.
"""

from __future__ import annotations

import logging as _logging
import threading as _threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import ClassVar, NewType, Protocol

from durability.common import MetricAttributes, MetricMeter

__all__ = [
    "BUFFERED_METRIC_KIND_COUNTER",
    "BUFFERED_METRIC_KIND_GAUGE",
    "BUFFERED_METRIC_KIND_HISTOGRAM",
    "BufferedMetric",
    "BufferedMetricKind",
    "BufferedMetricUpdate",
    "LogForwardingConfig",
    "LoggingConfig",
    "LoggingFormat",
    "MetricBuffer",
    "MetricBufferDurationFormat",
    "OpenTelemetryConfig",
    "OpenTelemetryMetricTemporality",
    "PrometheusConfig",
    "Runtime",
    "TelemetryConfig",
    "TelemetryFilter",
]

_logger = _logging.getLogger(__name__)


class _Default:
    """The runtime of whoever names none."""

    def __init__(self) -> None:
        self.runtime: Runtime | None = None
        self.prevented = False


_default = _Default()


class Runtime:
    """Where metrics of workflows and activities go. Clients pass theirs on to their workers."""

    @classmethod
    def default(cls) -> Runtime:
        """The runtime of clients that are given none; made when it is first asked for.

        Raises:
            RuntimeError: ``prevent_default`` was called.
        """
        if _default.runtime is None:
            if _default.prevented:
                raise RuntimeError("There is no default runtime: Runtime.prevent_default() was called")
            _default.runtime = cls(telemetry=TelemetryConfig())
        return _default.runtime

    @classmethod
    def prevent_default(cls) -> None:
        """Have ``default`` fail unless ``set_default`` was called.

        Raises:
            RuntimeError: There is a default runtime already.
        """
        if _default.runtime is not None:
            raise RuntimeError("Runtime.prevent_default() came too late: there is a default runtime already")
        _default.prevented = True

    @staticmethod
    def set_default(runtime: Runtime, *, error_if_already_set: bool = True) -> None:
        """Set the default runtime.

        Args:
            runtime: The runtime.
            error_if_already_set: Whether to refuse to replace one.

        Raises:
            RuntimeError: There is one already.
        """
        if _default.runtime is not None and error_if_already_set:
            raise RuntimeError("Runtime default already set")
        _default.runtime = runtime

    def __init__(
        self,
        *,
        telemetry: TelemetryConfig,
        worker_heartbeat_interval: timedelta | None = timedelta(seconds=60),
        disable_environment_info: bool = False,
    ) -> None:
        """Create the runtime.

        Args:
            telemetry: What is recorded, and where.
            worker_heartbeat_interval: Accepted for compatibility: no server asks for worker heartbeats.
            disable_environment_info: Accepted for compatibility.

        Raises:
            ValueError: The interval is not positive, or metrics cannot be served where they are to be.
        """
        if worker_heartbeat_interval is not None and worker_heartbeat_interval <= timedelta(0):
            raise ValueError("worker_heartbeat_interval must be positive")
        self._metric_meter: MetricMeter = MetricMeter.noop
        self._metric_prefix = "temporal_" if telemetry.metric_prefix is None else telemetry.metric_prefix
        tags = {"service_name": "temporal-core-sdk"} if telemetry.attach_service_name else {}
        if isinstance(telemetry.metrics, MetricBuffer):
            from durability.common._buffered_metrics import BufferedMeter

            self._metric_meter = BufferedMeter(telemetry.metrics._attach(), tags)
        elif isinstance(telemetry.metrics, PrometheusConfig):
            from durability.common._prometheus import PrometheusEndpoint, PrometheusMeter

            self._metric_meter = PrometheusMeter(PrometheusEndpoint(telemetry.metrics, telemetry.global_tags), tags)
        elif telemetry.metrics is not None:
            kind = type(telemetry.metrics).__name__
            _logger.info("%s is ignored: use Prometheus, or a MetricBuffer, and export what is in it", kind)

    @property
    def metric_meter(self) -> MetricMeter:
        """Records metrics; nothing unless the runtime has somewhere to put them."""
        return self._metric_meter


@dataclass
class TelemetryFilter:
    """Accepted for compatibility: there is no log but that of Python's ``logging``.

    Attributes:
        core_level: Level of the engine.
        other_level: Level of everything else.
    """

    core_level: str
    other_level: str

    def formatted(self) -> str:
        """Both levels as text."""
        return f"{self.other_level},durability={self.core_level}"


class LoggingFormat(Enum):
    """Accepted for compatibility: how log lines look is said to Python's ``logging``."""

    COMPACT = "compact"
    PRETTY = "pretty"
    JSON = "json"


@dataclass
class LogForwardingConfig:
    """Accepted for compatibility: the engine's logs are Python's already, under the name ``durability``.

    Attributes:
        logger: Where logs would go.
        append_target_to_name: Unused.
        prepend_target_on_message: Unused.
        overwrite_log_record_time: Unused.
        append_log_fields_to_message: Unused.
    """

    logger: _logging.Logger
    append_target_to_name: bool = True
    prepend_target_on_message: bool = True
    overwrite_log_record_time: bool = True
    append_log_fields_to_message: bool = True


@dataclass(frozen=True)
class LoggingConfig:
    """Accepted for compatibility: logging is configured with Python's ``logging``.

    Attributes:
        filter: Unused.
        forwarding: Unused.
        format: Unused.
    """

    filter: TelemetryFilter | str
    forwarding: LogForwardingConfig | None = None
    format: LoggingFormat | None = None
    default: ClassVar[LoggingConfig]


LoggingConfig.default = LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"))


class OpenTelemetryMetricTemporality(Enum):
    """Accepted for compatibility: what exported values count from."""

    CUMULATIVE = 1
    DELTA = 2


@dataclass(frozen=True)
class OpenTelemetryConfig:
    """Accepted for compatibility: metrics are not exported; drain a ``MetricBuffer``.

    Attributes:
        url: Unused.
        headers: Unused.
        metric_periodicity: Unused.
        metric_temporality: Unused.
        durations_as_seconds: Unused.
        http: Unused.
        histogram_bucket_overrides: Unused.
    """

    url: str
    headers: Mapping[str, str] | None = None
    metric_periodicity: timedelta | None = None
    metric_temporality: OpenTelemetryMetricTemporality = OpenTelemetryMetricTemporality.CUMULATIVE
    durations_as_seconds: bool = False
    http: bool = False
    histogram_bucket_overrides: Mapping[str, Sequence[float]] | None = None


@dataclass(frozen=True)
class PrometheusConfig:
    """Serves the metrics of workflows and activities at ``/metrics``, as long as the process lives, to Prometheus.

    Attributes:
        bind_address: IP address and port, such as ``127.0.0.1:9000``.
        counters_total_suffix: Whether the names of counters end in ``_total``.
        unit_suffix: Whether the names of histograms end in their unit.
        durations_as_seconds: Whether durations are shown in seconds, not in milliseconds.
        histogram_bucket_overrides: Upper bounds of histograms' buckets, by a part of their names.
    """

    bind_address: str
    counters_total_suffix: bool = False
    unit_suffix: bool = False
    durations_as_seconds: bool = False
    histogram_bucket_overrides: Mapping[str, Sequence[float]] | None = None


class MetricBufferDurationFormat(Enum):
    """How a buffer shows durations: as integers, or as floating-point numbers."""

    MILLISECONDS = 1
    SECONDS = 2


class MetricBuffer:
    """Keeps what was recorded until it is fetched. Fetch it regularly: what does not fit is dropped, with a log."""

    def __init__(
        self,
        buffer_size: int,
        duration_format: MetricBufferDurationFormat = MetricBufferDurationFormat.MILLISECONDS,
    ) -> None:
        """Create the buffer, to be given to one runtime.

        Args:
            buffer_size: How many updates it holds at most.
            duration_format: How durations are shown.
        """
        self._size = buffer_size
        self._durations_as_seconds = duration_format is MetricBufferDurationFormat.SECONDS
        self._updates: list[BufferedMetricUpdate] = []
        self._lock = _threading.Lock()
        self._attached = False

    def retrieve_updates(self) -> Sequence[BufferedMetricUpdate]:
        """Take everything out of the buffer.

        Returns:
            The updates, in the order in which they were recorded.

        Raises:
            RuntimeError: No runtime was made with this buffer yet.
        """
        if not self._attached:
            raise RuntimeError("Attempting to retrieve updates before runtime created")
        with self._lock:
            updates, self._updates = self._updates, []
        return updates

    def _attach(self) -> MetricBuffer:
        self._attached = True
        return self

    def _put(self, update: BufferedMetricUpdate) -> None:
        with self._lock:
            if len(self._updates) < self._size:
                self._updates.append(update)
                return
        _logger.error("a metric update was dropped: the buffer of %d is full", self._size)


@dataclass(frozen=True)
class TelemetryConfig:
    """What a runtime records, and where.

    Attributes:
        logging: Accepted for compatibility.
        metrics: Where what workflows and activities record goes: a buffer, or Prometheus. OpenTelemetry is accepted for
            compatibility.
        global_tags: Labels of all that is served to Prometheus.
        attach_service_name: Whether metrics have the attribute ``service_name``; its value is the reference's.
        metric_prefix: What the names of a worker's own metrics begin with; ``temporal_`` by default, as in Temporal.
    """

    logging: LoggingConfig | None = LoggingConfig.default
    metrics: OpenTelemetryConfig | PrometheusConfig | MetricBuffer | None = None
    global_tags: Mapping[str, str] = field(default_factory=dict)
    attach_service_name: bool = True
    metric_prefix: str | None = None


BufferedMetricKind = NewType("BufferedMetricKind", int)
"""What a buffered metric is."""

BUFFERED_METRIC_KIND_COUNTER = BufferedMetricKind(0)
"""Values are added up."""

BUFFERED_METRIC_KIND_GAUGE = BufferedMetricKind(1)
"""The last value counts."""

BUFFERED_METRIC_KIND_HISTOGRAM = BufferedMetricKind(2)
"""The distribution of the values counts."""


class BufferedMetric(Protocol):
    """A metric in a buffer; one object for each metric that code has created."""

    @property
    def name(self) -> str:
        """Name of the metric."""
        ...

    @property
    def description(self) -> str | None:
        """What it tells, for people."""
        ...

    @property
    def unit(self) -> str | None:
        """Unit of its values."""
        ...

    @property
    def kind(self) -> BufferedMetricKind:
        """One of the ``BUFFERED_METRIC_KIND_`` constants."""
        ...


class BufferedMetricUpdate(Protocol):
    """One value that was recorded."""

    @property
    def metric(self) -> BufferedMetric:
        """The metric."""
        ...

    @property
    def value(self) -> int | float:
        """What was added, set or recorded."""
        ...

    @property
    def attributes(self) -> MetricAttributes:
        """Attributes; not to be changed."""
        ...
