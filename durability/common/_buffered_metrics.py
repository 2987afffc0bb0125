"""The meter of a runtime that has a ``MetricBuffer``, or something else that takes updates of metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, Self

from durability.common._metrics import (
    MetricAttributes,
    MetricCommon,
    MetricCounter,
    MetricGauge,
    MetricGaugeFloat,
    MetricHistogram,
    MetricHistogramFloat,
    MetricHistogramTimedelta,
    MetricMeter,
)
from durability.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BUFFERED_METRIC_KIND_HISTOGRAM,
    BufferedMetricKind,
    BufferedMetricUpdate,
)


class _Sink(Protocol):
    """Takes what is recorded: a ``MetricBuffer``, for instance."""

    _durations_as_seconds: bool

    def _put(self, update: BufferedMetricUpdate) -> None: ...


@dataclass(frozen=True)
class _Described:
    name: str
    description: str | None
    unit: str | None
    kind: BufferedMetricKind


@dataclass(frozen=True)
class _Update:
    metric: _Described
    value: int | float
    attributes: MetricAttributes


class BufferedMeter(MetricMeter):
    """Creates metrics that put what they are told into a buffer."""

    def __init__(
        self,
        buffer: _Sink,
        attributes: MetricAttributes,
        known: dict[_Described, _Described] | None = None,
    ) -> None:
        self._buffer = buffer
        self._attributes = attributes
        self._known = {} if known is None else known

    def _describe(self, name: str, description: str | None, unit: str | None, kind: BufferedMetricKind) -> _Described:
        described = _Described(name, description, unit, kind)
        return self._known.setdefault(described, described)

    def create_counter(self, name: str, description: str | None = None, unit: str | None = None) -> MetricCounter:
        """See ``MetricMeter``."""
        metric = self._describe(name, description, unit, BUFFERED_METRIC_KIND_COUNTER)
        return _Counter(metric, self._buffer, self._attributes)

    def create_histogram(self, name: str, description: str | None = None, unit: str | None = None) -> MetricHistogram:
        """See ``MetricMeter``."""
        metric = self._describe(name, description, unit, BUFFERED_METRIC_KIND_HISTOGRAM)
        return _Histogram(metric, self._buffer, self._attributes)

    def create_histogram_float(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramFloat:
        """See ``MetricMeter``."""
        metric = self._describe(name, description, unit, BUFFERED_METRIC_KIND_HISTOGRAM)
        return _HistogramFloat(metric, self._buffer, self._attributes)

    def create_histogram_timedelta(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramTimedelta:
        """See ``MetricMeter``; the unit ``duration`` becomes the one that durations are shown in."""
        if unit == "duration":
            unit = "s" if self._buffer._durations_as_seconds else "ms"
        metric = self._describe(name, description, unit, BUFFERED_METRIC_KIND_HISTOGRAM)
        return _HistogramTimedelta(metric, self._buffer, self._attributes)

    def create_gauge(self, name: str, description: str | None = None, unit: str | None = None) -> MetricGauge:
        """See ``MetricMeter``."""
        metric = self._describe(name, description, unit, BUFFERED_METRIC_KIND_GAUGE)
        return _Gauge(metric, self._buffer, self._attributes)

    def create_gauge_float(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricGaugeFloat:
        """See ``MetricMeter``."""
        metric = self._describe(name, description, unit, BUFFERED_METRIC_KIND_GAUGE)
        return _GaugeFloat(metric, self._buffer, self._attributes)

    def with_additional_attributes(self, additional_attributes: MetricAttributes) -> MetricMeter:
        """See ``MetricMeter``."""
        return type(self)(self._buffer, _merged(self._attributes, additional_attributes), self._known)


class _Metric(MetricCommon):
    def __init__(self, metric: _Described, buffer: _Sink, attributes: MetricAttributes) -> None:
        self._metric = metric
        self._buffer = buffer
        self._attributes = attributes

    @property
    def name(self) -> str:
        return self._metric.name

    @property
    def description(self) -> str | None:
        return self._metric.description

    @property
    def unit(self) -> str | None:
        return self._metric.unit

    def with_additional_attributes(self, additional_attributes: MetricAttributes) -> Self:
        return type(self)(self._metric, self._buffer, _merged(self._attributes, additional_attributes))

    def _put(self, value: int | float, additional: MetricAttributes | None) -> None:
        if value < 0:
            raise ValueError("Metric value cannot be negative")
        attributes = _merged(self._attributes, additional) if additional else self._attributes
        self._buffer._put(_Update(self._metric, value, attributes))


class _Counter(_Metric, MetricCounter):
    def add(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        self._put(value, additional_attributes)


class _Histogram(_Metric, MetricHistogram):
    def record(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        self._put(value, additional_attributes)


class _HistogramFloat(_Metric, MetricHistogramFloat):
    def record(self, value: float, additional_attributes: MetricAttributes | None = None) -> None:
        self._put(value, additional_attributes)


class _HistogramTimedelta(_Metric, MetricHistogramTimedelta):
    def record(self, value: timedelta, additional_attributes: MetricAttributes | None = None) -> None:
        seconds = value.total_seconds()
        self._put(
            seconds if self._buffer._durations_as_seconds else value // timedelta(milliseconds=1),
            additional_attributes,
        )


class _Gauge(_Metric, MetricGauge):
    def set(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        self._put(value, additional_attributes)


class _GaugeFloat(_Metric, MetricGaugeFloat):
    def set(self, value: float, additional_attributes: MetricAttributes | None = None) -> None:
        self._put(value, additional_attributes)


def _merged(attributes: MetricAttributes, additional: MetricAttributes) -> MetricAttributes:
    for name, value in additional.items():
        if not isinstance(value, str | int | float | bool):
            raise TypeError(f"Invalid value type for key {name}, must be str, int, float, or bool")
    return {**attributes, **additional}
