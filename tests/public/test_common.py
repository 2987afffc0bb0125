"""Types in common, held against the reference."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import temporalio.api.common.v1
import temporalio.common
import temporalio.converter
from hypothesis import given
from hypothesis import strategies as st

from durability import common, converter
from durability._core.payload import ExternalPayloadDetails, Payload
from durability._core.temporal_json import payload_from_json, payload_json
from durability._rest.bodies import from_payload, to_payload
from durability.api.common import v1
from durability.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

POLICIES: list[dict[str, Any]] = [
    {"initial_interval": timedelta(seconds=-1)},
    {"backoff_coefficient": 0.5},
    {"maximum_interval": timedelta(seconds=-1)},
    {"maximum_interval": timedelta(milliseconds=1)},
    {"maximum_attempts": -1},
    {"maximum_attempts": 1, "backoff_coefficient": 0.5},
    {"initial_interval": timedelta(0)},
    {},
]


@pytest.mark.parametrize("arguments", POLICIES)
def test_retry_policies_are_refused_with_the_reference_messages(arguments: dict[str, Any]) -> None:
    def outcome(policy: Any, convert: Any) -> str:
        try:
            convert(policy)
        except ValueError as error:
            return str(error)
        return "valid"

    ours = outcome(common.RetryPolicy(**arguments), lambda policy: policy._to_record())
    proto = temporalio.api.common.v1.RetryPolicy()
    theirs = outcome(temporalio.common.RetryPolicy(**arguments), lambda policy: policy.apply_to_proto(proto))
    assert ours == theirs


def test_retry_policy_as_record() -> None:
    record = common.RetryPolicy(initial_interval=timedelta(seconds=2), non_retryable_error_types=["A"])._to_record()
    assert (record.initial_interval, record.maximum_interval, record.non_retryable_error_types) == (
        2000,
        200_000,
        ("A",),
    )
    policy = common.RetryPolicy._from_record(record)
    assert policy._to_record() == record
    assert policy.maximum_interval == timedelta(seconds=200)


def test_an_interval_of_zero_is_the_default_as_on_the_server() -> None:
    record = common.RetryPolicy(initial_interval=timedelta(0))._to_record()
    assert (record.initial_interval, record.maximum_interval) == (1000, 100_000)
    assert common.RetryPolicy(initial_interval=timedelta(microseconds=1))._to_record().initial_interval == 1


payloads = st.builds(
    Payload,
    metadata=st.dictionaries(st.text(max_size=20), st.binary(max_size=200), max_size=4),
    data=st.binary(max_size=300),
    external_payloads=st.lists(st.integers(0, 2**40).map(ExternalPayloadDetails), max_size=2).map(tuple),
)


@given(payloads)
def test_payload_has_the_wire_format_of_the_reference(payload: Payload) -> None:
    theirs = temporalio.api.common.v1.Payload.FromString(payload.SerializeToString())
    assert (dict(theirs.metadata), theirs.data) == (payload.metadata, payload.data)
    sizes = [details.size_bytes for details in payload.external_payloads]
    assert [details.size_bytes for details in theirs.external_payloads] == sizes
    assert payload_from_json(payload_json(payload)) == copy.deepcopy(payload) == payload
    assert to_payload(from_payload(payload)) == payload
    assert Payload.FromString(theirs.SerializeToString()) == payload
    assert payload.ByteSize() == theirs.ByteSize()


@pytest.mark.parametrize(("encoding", "data"), [("anNvbi9wbGFpbg==", "/+8="), ("anNvbi9wbGFpbg", "_-8")])
def test_base64_in_json_may_be_of_either_alphabet_and_without_padding(encoding: str, data: str) -> None:
    read = payload_from_json({"metadata": {"encoding": encoding}, "data": data})
    assert read == Payload({"encoding": b"json/plain"}, b"\xff\xef")


@given(st.lists(payloads, max_size=3))
def test_payloads_have_the_wire_format_of_the_reference(items: list[Payload]) -> None:
    ours = v1.Payloads(payloads=items)
    theirs = temporalio.api.common.v1.Payloads.FromString(ours.SerializeToString())
    assert v1.Payloads.FromString(theirs.SerializeToString()) == ours
    copy = v1.Payloads()
    copy.CopyFrom(ours)
    assert copy == ours
    assert ours.ByteSize() == theirs.ByteSize()


def test_fields_that_are_not_known_are_skipped() -> None:
    theirs = temporalio.api.common.v1.Payload(metadata={"encoding": b"x"}, data=b"y")
    serialized = theirs.SerializeToString() + b"\x28\x96\x01" + b"\x31" + b"\0" * 8 + b"\x3d" + b"\0" * 4
    assert Payload.FromString(serialized) == Payload(metadata={"encoding": b"x"}, data=b"y")


@pytest.mark.parametrize("garbage", [b"\x0a", b"\x0a\x05a", b"\xff" * 11, b"\x0b"])
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(ValueError, match="Not a protobuf message"):
        Payload.FromString(garbage)


def test_raw_values_can_be_pickled() -> None:
    value = common.RawValue(Payload(metadata={"encoding": b"x"}, data=b"y"))
    assert pickle.loads(pickle.dumps(value)) == value
    assert (
        value.__getstate__()
        == temporalio.common.RawValue(
            temporalio.api.common.v1.Payload(metadata={"encoding": b"x"}, data=b"y")
        ).__getstate__()
    )


NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
TYPED = [
    ("for_text", "some text"),
    ("for_keyword", "word"),
    ("for_int", 3),
    ("for_float", 1.5),
    ("for_bool", True),
    ("for_datetime", NOW),
    ("for_keyword_list", ["a", "b"]),
]


@pytest.mark.parametrize(("method", "value"), TYPED)
def test_typed_search_attributes_are_encoded_as_in_the_reference(method: str, value: Any) -> None:
    key = getattr(SearchAttributeKey, method)("name")
    ours = converter.encode_typed_search_attribute_value(key, value)
    theirs = temporalio.converter.encode_typed_search_attribute_value(
        getattr(temporalio.common.SearchAttributeKey, method)("name"), value
    )
    assert (ours.metadata, ours.data) == (dict(theirs.metadata), theirs.data)
    message = v1.SearchAttributes()
    converter.encode_search_attributes(TypedSearchAttributes([SearchAttributePair(key, value)]), message)
    assert converter.decode_typed_search_attributes(message)[key] == value


@pytest.mark.parametrize("values", [["a"], [1, 2], [1.5], [True], [NOW], [], [1, "a"], [object()], "text"])
def test_untyped_search_attributes_are_encoded_as_in_the_reference(values: Any) -> None:
    def outcome(module: Any) -> Any:
        try:
            return module.encode_search_attribute_values(values).data
        except TypeError as error:
            return str(error)

    assert outcome(converter) == outcome(temporalio.converter)


def test_untyped_search_attributes_come_back() -> None:
    message = v1.SearchAttributes()
    converter.encode_search_attributes({"number": [1, 2], "word": ["a"]}, message)
    assert converter.decode_search_attributes(message) == {"number": [1, 2], "word": ["a"]}
    assert len(converter.decode_typed_search_attributes(message)) == 0


@pytest.mark.parametrize(
    ("type_name", "data"),
    [
        (b"Double", b"3"),
        (b"Int", b"[3]"),
        (b"Int", b"[3,4]"),
        (b"INDEXED_VALUE_TYPE_KEYWORD_LIST", b'["a"]'),
        (b"Bool", b'"x"'),
        (b"New", b"1"),
    ],
)
def test_typed_decoding_is_that_of_the_reference(type_name: bytes, data: bytes) -> None:
    metadata = {"encoding": b"json/plain", "type": type_name}
    ours = converter.decode_typed_search_attributes(v1.SearchAttributes(indexed_fields={"n": Payload(metadata, data)}))
    message = temporalio.api.common.v1.SearchAttributes()
    message.indexed_fields["n"].CopyFrom(temporalio.api.common.v1.Payload(metadata=metadata, data=data))
    theirs = temporalio.converter.decode_typed_search_attributes(message)
    assert [(p.key.name, p.value, type(p.value)) for p in ours] == [
        (p.key.name, p.value, type(p.value)) for p in theirs
    ]


def test_typed_search_attributes_are_a_sorted_collection() -> None:
    first, second = SearchAttributeKey.for_int("a"), SearchAttributeKey.for_keyword("b")
    attributes = TypedSearchAttributes([SearchAttributePair(second, "x"), SearchAttributePair(first, 1)])
    assert [pair.key.name for pair in attributes] == ["a", "b"]
    assert first in attributes  # type: ignore[comparison-overlap]
    assert SearchAttributeKey.for_float("a") not in attributes  # type: ignore[comparison-overlap]
    assert attributes.get(SearchAttributeKey.for_int("c"), 7) == 7
    assert attributes.updated(SearchAttributePair(first, 2))[first] == 2
    assert attributes[first] == 1
    with pytest.raises(KeyError):
        attributes[SearchAttributeKey.for_int("c")]
    with pytest.raises(ValueError, match="Duplicate search attribute entries found for key a"):
        TypedSearchAttributes([SearchAttributePair(first, 1), SearchAttributePair(first, 2)])
    update = first.value_unset()
    assert (update.key, update.value) == (first, None)


def test_untyped_values_are_guessed_by_their_type() -> None:
    guess = SearchAttributeKey._guess_from_untyped_values
    assert guess("n", [True]) == SearchAttributeKey.for_bool("n")
    assert guess("n", [1]) == SearchAttributeKey.for_int("n")
    assert guess("n", ["a", "b"]) == SearchAttributeKey.for_keyword_list("n")
    assert guess("n", []) is None


def test_priorities_are_checked() -> None:
    with pytest.raises(ValueError, match="priority_key must be a positive integer"):
        common.Priority(priority_key=0)
    with pytest.raises(TypeError, match="priority_key must be an integer"):
        common.Priority(priority_key="high")  # type: ignore[arg-type]
    assert common.Priority.default == common.Priority()


def test_deployment_versions() -> None:
    version = common.WorkerDeploymentVersion.from_canonical_string("name.build.1")
    assert (version.deployment_name, version.build_id) == ("name", "build.1")
    assert version.to_canonical_string() == "name.build.1"
    with pytest.raises(ValueError, match="Cannot parse version string: none"):
        common.WorkerDeploymentVersion.from_canonical_string("none")


def test_the_noop_meter_takes_everything() -> None:
    meter = common.MetricMeter.noop.with_additional_attributes({"a": 1})
    meter.create_counter("c").add(1)
    meter.create_histogram("h").record(1)
    meter.create_histogram_float("f").record(1.0, {"b": "c"})
    meter.create_histogram_timedelta("t").record(timedelta(seconds=1))
    meter.create_gauge("g").set(1)
    gauge = meter.create_gauge_float("gf", "what", "unit").with_additional_attributes({})
    gauge.set(1.0)
    assert (gauge.name, gauge.description, gauge.unit) == ("gf", "what", "unit")
