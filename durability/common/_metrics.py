"""Metrics that workflow and activity code records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Self, TypeAlias

MetricAttributes: TypeAlias = Mapping[str, str | int | float | bool]
"""Attributes, also called dimensions, of a metric."""


class MetricMeter(ABC):
    """Makes metrics. All ``create_`` methods take a name, a description for people, and the unit of the values."""

    noop: ClassVar[MetricMeter]
    """A meter that records nothing."""

    @abstractmethod
    def create_counter(self, name: str, description: str | None = None, unit: str | None = None) -> MetricCounter:
        """Return a metric that values are added to."""

    @abstractmethod
    def create_histogram(self, name: str, description: str | None = None, unit: str | None = None) -> MetricHistogram:
        """Return a metric for the distribution of integers."""

    @abstractmethod
    def create_histogram_float(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramFloat:
        """Return a metric for the distribution of floating-point numbers."""

    @abstractmethod
    def create_histogram_timedelta(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramTimedelta:
        """Return a metric for the distribution of durations, with a precision of milliseconds."""

    @abstractmethod
    def create_gauge(self, name: str, description: str | None = None, unit: str | None = None) -> MetricGauge:
        """Return a metric whose value is an integer that goes up and down."""

    @abstractmethod
    def create_gauge_float(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricGaugeFloat:
        """Return a metric whose value is a floating-point number that goes up and down."""

    @abstractmethod
    def with_additional_attributes(self, additional_attributes: MetricAttributes) -> MetricMeter:
        """Return a meter whose metrics have these attributes as well.

        Raises:
            TypeError: A value has a type that attributes cannot have.
        """


class MetricCommon(ABC):
    """What all metrics have."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the metric."""

    @property
    @abstractmethod
    def description(self) -> str | None:
        """What the metric tells, for people."""

    @property
    @abstractmethod
    def unit(self) -> str | None:
        """Unit of the values."""

    @abstractmethod
    def with_additional_attributes(self, additional_attributes: MetricAttributes) -> Self:
        """Return the same metric with these attributes as well.

        Raises:
            TypeError: A value has a type that attributes cannot have.
        """


class MetricCounter(MetricCommon):
    """A metric that values are added to."""

    @abstractmethod
    def add(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        """Add a value that is not negative.

        Raises:
            ValueError: The value is negative.
            TypeError: An attribute has a type that attributes cannot have.
        """


class MetricHistogram(MetricCommon):
    """A metric for the distribution of integers."""

    @abstractmethod
    def record(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        """Record a value that is not negative.

        Raises:
            ValueError: The value is negative.
            TypeError: An attribute has a type that attributes cannot have.
        """


class MetricHistogramFloat(MetricCommon):
    """A metric for the distribution of floating-point numbers."""

    @abstractmethod
    def record(self, value: float, additional_attributes: MetricAttributes | None = None) -> None:
        """Record a value that is not negative.

        Raises:
            ValueError: The value is negative.
            TypeError: An attribute has a type that attributes cannot have.
        """


class MetricHistogramTimedelta(MetricCommon):
    """A metric for the distribution of durations."""

    @abstractmethod
    def record(self, value: timedelta, additional_attributes: MetricAttributes | None = None) -> None:
        """Record a duration that is not negative, with a precision of milliseconds.

        Raises:
            ValueError: The value is negative.
            TypeError: An attribute has a type that attributes cannot have.
        """


class MetricGauge(MetricCommon):
    """A metric whose value is an integer that goes up and down."""

    @abstractmethod
    def set(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        """Set a value that is not negative.

        Raises:
            ValueError: The value is negative.
            TypeError: An attribute has a type that attributes cannot have.
        """


class MetricGaugeFloat(MetricCommon):
    """A metric whose value is a floating-point number that goes up and down."""

    @abstractmethod
    def set(self, value: float, additional_attributes: MetricAttributes | None = None) -> None:
        """Set a value that is not negative.

        Raises:
            ValueError: The value is negative.
            TypeError: An attribute has a type that attributes cannot have.
        """


class _NoopMetric(MetricCommon):
    def __init__(self, name: str, description: str | None, unit: str | None) -> None:
        self._name = name
        self._description = description
        self._unit = unit

    @property
    def name(self) -> str:
        return self._name

    @property
    def description(self) -> str | None:
        return self._description

    @property
    def unit(self) -> str | None:
        return self._unit

    def with_additional_attributes(self, additional_attributes: MetricAttributes) -> Self:
        return self


class _NoopCounter(_NoopMetric, MetricCounter):
    def add(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        pass


class _NoopHistogram(_NoopMetric, MetricHistogram):
    def record(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        pass


class _NoopHistogramFloat(_NoopMetric, MetricHistogramFloat):
    def record(self, value: float, additional_attributes: MetricAttributes | None = None) -> None:
        pass


class _NoopHistogramTimedelta(_NoopMetric, MetricHistogramTimedelta):
    def record(self, value: timedelta, additional_attributes: MetricAttributes | None = None) -> None:
        pass


class _NoopGauge(_NoopMetric, MetricGauge):
    def set(self, value: int, additional_attributes: MetricAttributes | None = None) -> None:
        pass


class _NoopGaugeFloat(_NoopMetric, MetricGaugeFloat):
    def set(self, value: float, additional_attributes: MetricAttributes | None = None) -> None:
        pass


class _NoopMeter(MetricMeter):
    def create_counter(self, name: str, description: str | None = None, unit: str | None = None) -> MetricCounter:
        return _NoopCounter(name, description, unit)

    def create_histogram(self, name: str, description: str | None = None, unit: str | None = None) -> MetricHistogram:
        return _NoopHistogram(name, description, unit)

    def create_histogram_float(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramFloat:
        return _NoopHistogramFloat(name, description, unit)

    def create_histogram_timedelta(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricHistogramTimedelta:
        return _NoopHistogramTimedelta(name, description, unit)

    def create_gauge(self, name: str, description: str | None = None, unit: str | None = None) -> MetricGauge:
        return _NoopGauge(name, description, unit)

    def create_gauge_float(
        self, name: str, description: str | None = None, unit: str | None = None
    ) -> MetricGaugeFloat:
        return _NoopGaugeFloat(name, description, unit)

    def with_additional_attributes(self, additional_attributes: MetricAttributes) -> MetricMeter:
        return self


MetricMeter.noop = _NoopMeter()
