"""Metrics that are recorded once, not again on every replay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, Self, TypeVar

from durability.common import (
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

_M = TypeVar("_M", bound=MetricCommon)
_Silent = Callable[[], bool]


class ReplaySafeMeter(MetricMeter):
    """A meter that records nothing while ``silent`` is true."""

    def __init__(self, meter: MetricMeter, silent: _Silent) -> None:
        self._meter = meter
        self._silent = silent

    def create_counter(self, name: str, description: str | None = None, unit: str | None = None) -> MetricCounter:
        """Create a counter."""
        return _Counter(self._meter.create_counter(name, description, unit), self._silent)

    def create_histogram(self, name: str, description: str | None = None, unit: str | None = None) -> MetricHistogram:
        """Create a histogram of integers."""
        return _Histogram(self._meter.create_histogram(name, description, unit), self._silent)

    def create_histogram_float(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramFloat:
        """Create a histogram of floats."""
        return _HistogramFloat(self._meter.create_histogram_float(name, description, unit), self._silent)

    def create_histogram_timedelta(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramTimedelta:
        """Create a histogram of durations."""
        return _HistogramTimedelta(self._meter.create_histogram_timedelta(name, description, unit), self._silent)

    def create_gauge(self, name: str, description: str | None = None, unit: str | None = None) -> MetricGauge:
        """Create a gauge of integers."""
        return _Gauge(self._meter.create_gauge(name, description, unit), self._silent)

    def create_gauge_float(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricGaugeFloat:
        """Create a gauge of floats."""
        return _GaugeFloat(self._meter.create_gauge_float(name, description, unit), self._silent)

    def with_additional_attributes(self, additional_attributes: MetricAttributes) -> MetricMeter:
        """The same meter with further attributes."""
        return ReplaySafeMeter(self._meter.with_additional_attributes(additional_attributes), self._silent)


class _Common(MetricCommon, Generic[_M]):
    def __init__(self, metric: _M, silent: _Silent) -> None:
        self._metric = metric
        self._silent = silent

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
        metric: Any = self._metric.with_additional_attributes(additional_attributes)
        return type(self)(metric, self._silent)


class _Counter(_Common[MetricCounter], MetricCounter):
    def add(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        if not self._silent():
            self._metric.add(value, additional_attributes)


class _Histogram(_Common[MetricHistogram], MetricHistogram):
    def record(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        if not self._silent():
            self._metric.record(value, additional_attributes)


class _HistogramFloat(_Common[MetricHistogramFloat], MetricHistogramFloat):
    def record(self, value: float, additional_attributes: MetricAttributes | None = None) -> None:
        if not self._silent():
            self._metric.record(value, additional_attributes)


class _HistogramTimedelta(_Common[MetricHistogramTimedelta], MetricHistogramTimedelta):
    def record(self, value: timedelta, additional_attributes: MetricAttributes | None = None) -> None:
        if not self._silent():
            self._metric.record(value, additional_attributes)


class _Gauge(_Common[MetricGauge], MetricGauge):
    def set(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        if not self._silent():
            self._metric.set(value, additional_attributes)


class _GaugeFloat(_Common[MetricGaugeFloat], MetricGaugeFloat):
    def set(self, value: float, additional_attributes: MetricAttributes | None = None) -> None:
        if not self._silent():
            self._metric.set(value, additional_attributes)
