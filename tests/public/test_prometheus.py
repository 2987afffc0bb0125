"""Metrics as Prometheus reads them, word for word what Temporal's SDK serves."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
import temporalio.runtime

from durability import runtime


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def serve(module: ModuleType, address: str, telemetry: Mapping[str, Any] | None = None, **config: Any) -> Any:
    """A runtime; the reference's serves as long as it lives."""
    metrics = module.PrometheusConfig(bind_address=address, **config)
    return module.Runtime(telemetry=module.TelemetryConfig(metrics=metrics, **(telemetry or {})))


def served(address: str, path: str = "/metrics") -> tuple[str, list[str]]:
    with urllib.request.urlopen(f"http://{address}{path}") as response:
        return response.headers["Content-Type"], sorted(response.read().decode().splitlines())


def record(meter: Any) -> None:
    described = 'with a "quote", a \\ and\na line'
    counter = meter.create_counter("orders-taken", described, "ms")
    counter.add(2)
    counter.add(2**40)
    counter.add(3, {"b": 'a"b\nc\\d', "a": True, "n": 1.5})
    meter.with_additional_attributes({"shop": "harbour"}).create_counter("orders-taken", described, "ms").add(1)
    sizes = meter.create_histogram("order_size", "pages", "pages")
    for value in (0, 50, 51, 100_000):
        sizes.record(value)
    sizes.record(7, {"kind": "book"})
    meter.create_histogram_float("weight").record(0.25)
    waits = meter.create_histogram_timedelta("wait", unit="duration")
    waits.record(timedelta(milliseconds=1500))
    gauge = meter.create_gauge("open")
    gauge.set(9)
    gauge.set(4)
    meter.create_gauge_float("share").set(0.5)
    meter.create_counter("not told anything")


@pytest.mark.parametrize(
    ("config", "telemetry"),
    [
        ({}, {}),
        ({"durations_as_seconds": True}, {"attach_service_name": False}),
        ({"unit_suffix": True, "counters_total_suffix": True}, {"global_tags": {"zone": "a", "area": "b"}}),
        (
            {"histogram_bucket_overrides": {"order": [0.5, 10]}, "unit_suffix": True, "durations_as_seconds": True},
            {"attach_service_name": False, "global_tags": {"zone": "a"}},
        ),
    ],
)
def test_it_serves_what_the_reference_serves(config: dict[str, Any], telemetry: dict[str, Any]) -> None:
    answers = []
    for module in (runtime, temporalio.runtime):
        address = free_address()
        serving = serve(module, address, telemetry, **config)
        record(serving.metric_meter)
        answers.append(served(address))
    assert answers[0] == answers[1]
    assert len(answers[0][1]) > 30


def test_what_prometheus_cannot_name_is_dropped_with_a_log(caplog: pytest.LogCaptureFixture) -> None:
    address = free_address()
    meter = serve(runtime, address).metric_meter
    meter.create_counter("9 lives").add(1)
    meter.create_counter("lives").add(1, {"9": "x"})
    meter.create_counter("lives").add(1)
    meter.create_gauge("lives").set(1)
    assert served(address)[1][-1] == 'lives{service_name="temporal-core-sdk"} 1'
    assert len(served(address)[1]) == 3
    assert [record.message.partition(" is dropped")[0] for record in caplog.records] == [
        "the metric '9 lives'",
        "the metric 'lives'",
        "the metric 'lives'",
    ]


def test_nothing_else_is_served() -> None:
    address = free_address()
    serve(runtime, address)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        served(address, "/")


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:70000", "example.org:9000"])
def test_wrong_addresses_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="Invalid Prometheus address"):
        serve(runtime, address)


def test_a_port_that_is_taken_is_refused() -> None:
    address = free_address()
    serve(runtime, address)
    with pytest.raises(ValueError, match="Failed starting Prometheus exporter"):
        serve(runtime, address)
