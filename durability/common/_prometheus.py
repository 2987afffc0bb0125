"""What a runtime with a ``PrometheusConfig`` has recorded, served in Prometheus's text format.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import logging
import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from durability.common._buffered_metrics import BufferedMeter
from durability.common._metrics import MetricHistogramTimedelta
from durability.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_HISTOGRAM,
    BufferedMetric,
    BufferedMetricKind,
    BufferedMetricUpdate,
)

if TYPE_CHECKING:
    from durability.runtime import PrometheusConfig

logger = logging.getLogger("durability.runtime")

# The bounds of the reference's histograms, in milliseconds and in seconds.
_MILLISECONDS: Final = (50.0, 100.0, 500.0, 1_000.0, 2_500.0, 10_000.0)
_SECONDS: Final = tuple(bound / 1_000 for bound in _MILLISECONDS)
_KINDS: Final = {BUFFERED_METRIC_KIND_COUNTER: "counter", BUFFERED_METRIC_KIND_HISTOGRAM: "histogram"}
_NAME: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESS: Final = re.compile(r"(?P<host>[0-9.]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})
_VALUE_ESCAPES: Final = {**_ESCAPES, ord('"'): r"\""}

_Labels = tuple[tuple[str, str], ...]


class _Unnameable(ValueError):
    """Prometheus has no such names."""


@dataclass
class _Series:
    """What one set of labels has come to: a value, or how values are distributed."""

    value: int | float = 0
    buckets: list[int] = field(default_factory=list)

    def lines(self, name: str, labels: _Labels, bounds: Sequence[float]) -> list[str]:
        if not self.buckets:
            return [f"{name}{_braces(labels)} {_number(self.value)}"]
        lines, count = [], 0
        for bound, here in zip([*map(_number, bounds), "+Inf"], self.buckets, strict=True):
            count += here
            lines.append(f"{name}_bucket{_braces((*labels, ('le', bound)))} {count}")
        return [*lines, f"{name}_sum{_braces(labels)} {_number(self.value)}", f"{name}_count{_braces(labels)} {count}"]


@dataclass
class _Family:
    """All series of a metric."""

    kind: BufferedMetricKind
    description: str
    bounds: Sequence[float]
    series: dict[_Labels, _Series] = field(default_factory=dict)

    def put(self, labels: _Labels, value: int | float) -> None:
        series = self.series.setdefault(labels, _Series())
        if self.kind == BUFFERED_METRIC_KIND_HISTOGRAM:
            series.buckets = series.buckets or [0] * (len(self.bounds) + 1)
            series.buckets[bisect_left(self.bounds, value)] += 1
        elif self.kind != BUFFERED_METRIC_KIND_COUNTER:
            series.value = 0
        series.value += value

    def lines(self, name: str) -> list[str]:
        head = [f"# HELP {name} {self.description}", f"# TYPE {name} {_KINDS.get(self.kind, 'gauge')}"]
        return head + [line for labels, one in self.series.items() for line in one.lines(name, labels, self.bounds)]


class PrometheusMeter(BufferedMeter):
    """Creates metrics that are served to Prometheus."""

    def create_histogram_timedelta(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramTimedelta:
        """See ``MetricMeter``; whatever the unit, it is the one that durations are shown in."""
        unit = "seconds" if self._buffer._durations_as_seconds else "milliseconds"
        return super().create_histogram_timedelta(name, description, unit)


class PrometheusEndpoint:
    """Adds up what a ``PrometheusMeter`` tells it, and serves it at ``/metrics`` from a thread."""

    def __init__(self, config: PrometheusConfig, tags: Mapping[str, str]) -> None:
        """Start to serve.

        Args:
            config: Where, and how metrics are named.
            tags: Labels of all series.

        Raises:
            ValueError: The address is wrong, or taken.
        """
        self._config = config
        self._durations_as_seconds = config.durations_as_seconds
        self._tags: _Labels = tuple(sorted((_valid(_LABEL, name), value) for name, value in tags.items()))
        self._families: dict[str, _Family] = {}
        self._lock = threading.Lock()
        server = _server(config.bind_address, self.text)
        threading.Thread(target=server.serve_forever, name="prometheus", daemon=True).start()

    def _put(self, update: BufferedMetricUpdate) -> None:
        try:
            name = self._name(update.metric)
            labels = sorted((_valid(_LABEL, key), _text(value)) for key, value in update.attributes.items())
        except _Unnameable as error:
            logger.error("the metric %r is dropped: %s", update.metric.name, error)
            return
        with self._lock:
            family = self._families.get(name)
            if family is None:
                description = (update.metric.description or name).translate(_ESCAPES)
                family = self._families[name] = _Family(update.metric.kind, description, self._bounds(name))
            if family.kind == update.metric.kind:
                family.put((*labels, *self._tags), update.value)
                return
        logger.error("the metric %r is dropped: there is one of another kind under this name", name)

    def _name(self, metric: BufferedMetric) -> str:
        suffix = ""
        if metric.kind == BUFFERED_METRIC_KIND_COUNTER and self._config.counters_total_suffix:
            suffix = "_total"
        elif metric.kind == BUFFERED_METRIC_KIND_HISTOGRAM and self._config.unit_suffix and metric.unit:
            suffix = f"_{metric.unit}"
        return _valid(_NAME, metric.name + suffix)

    def _bounds(self, name: str) -> Sequence[float]:
        for part, bounds in (self._config.histogram_bucket_overrides or {}).items():
            if part in name:
                return sorted(bounds)
        return _SECONDS if self._durations_as_seconds else _MILLISECONDS

    def text(self) -> str:
        """Everything, as Prometheus reads it."""
        with self._lock:
            lines = [line for name in sorted(self._families) for line in self._families[name].lines(name)]
        return "".join(f"{line}\n" for line in lines)


def _server(address: str, text: Callable[[], str]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(404)
                return
            body = text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes are not worth a line."""

    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError(f"Invalid Prometheus address: {address!r} is not an IP address and a port")
    host = match["host"].strip("[]")
    server = type("Server", (ThreadingHTTPServer,), {"address_family": _family(host), "daemon_threads": True})
    try:
        made: ThreadingHTTPServer = server((host, int(match["port"])), Handler)
    except OSError as error:
        raise ValueError(f"Failed starting Prometheus exporter: {error.strerror}") from error
    return made


def _family(host: str) -> int:
    import socket

    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _valid(pattern: re.Pattern[str], name: str) -> str:
    converted = name.replace("-", "_").replace(".", "_")
    if not pattern.fullmatch(converted):
        raise _Unnameable(f"{name!r} is no name in Prometheus")
    return converted


def _braces(labels: _Labels) -> str:
    if not labels:
        return ""
    inner = ",".join(f'{name}="{value.translate(_VALUE_ESCAPES)}"' for name, value in labels)
    return f"{{{inner}}}"


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: int | float) -> str:
    return repr(value).removesuffix(".0").replace("inf", "+Inf")
