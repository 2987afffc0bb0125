"""Payload conversion gives the reference's bytes and reads them back to the same values."""

from __future__ import annotations

import collections
import dataclasses
import json
import typing
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum
from typing import Any, Generic, Literal, NewType, TypedDict, TypeVar

import pytest
import temporalio.api.common.v1
import temporalio.converter
from google.protobuf import timestamp_pb2, wrappers_pb2
from hypothesis import given
from hypothesis import strategies as st

from durability import converter
from durability._core.payload import Payload
from durability.common import RawValue
from durability.converter import DataConverter, PayloadCodec, PayloadConverter


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Plain(Enum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5


@dataclasses.dataclass(frozen=True)
class Order:
    id: uuid.UUID
    placed: datetime
    lines: list[Point]
    colour: Colour = Colour.RED
    note: str | None = None
    total: int = dataclasses.field(init=False, default=0)


class Movie(TypedDict, total=False):
    title: str
    year: int


class WithDict:
    def dict(self) -> dict[str, int]:
        return {"b": 2, "a": 1}


UserId = NewType("UserId", int)
T = TypeVar("T")
ORDER = Order(uuid.UUID(int=5), datetime(2026, 1, 2, tzinfo=UTC), [Point(1), Point(2, 3.0)])

VALUES: list[Any] = [
    None,
    b"bytes",
    "Grüße \U0001f600",
    1.5,
    True,
    {"b": 1, "a": [1, {"d": 1, "c": 2}]},
    ORDER,
    [ORDER],
    Colour.RED,
    Level.LOW,
    datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    uuid.UUID(int=7),
    (1, 2),
    {3},
    WithDict(),
    float("nan"),
    {1: "int key", 2: None},
    [b"bytes inside"],
    timestamp_pb2.Timestamp(seconds=5),
    wrappers_pb2.StringValue(value="x"),
]


def both(payload: Payload) -> temporalio.api.common.v1.Payload:
    return temporalio.api.common.v1.Payload.FromString(payload.SerializeToString())


@pytest.mark.parametrize("value", VALUES)
def test_payloads_are_the_reference_payloads(value: Any) -> None:
    ours = PayloadConverter.default.to_payload(value)
    theirs = temporalio.converter.PayloadConverter.default.to_payload(value)
    assert (ours.metadata, ours.data) == (dict(theirs.metadata), theirs.data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_json_is_the_reference_json(value: Any) -> None:
    ours = PayloadConverter.default.to_payload(value)
    assert ours.data == temporalio.converter.PayloadConverter.default.to_payload(value).data
    back = PayloadConverter.default.from_payload(ours)
    assert json.dumps(back, sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("value", [object(), Plain.ONE, {"a": object()}, {1: 1, "a": 1}])
def test_what_the_reference_refuses_is_refused_alike(value: Any) -> None:
    def outcome(converter: Any) -> tuple[str, str]:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the reference raises
            converter.to_payload(value)
        return caught.type.__name__, str(caught.value)

    theirs = outcome(temporalio.converter.PayloadConverter.default)
    assert outcome(PayloadConverter.default) == theirs


HINTS: list[tuple[Any, Any]] = [
    (int, 5),
    (int, 5.5),
    (int, True),
    (int, "5"),
    (float, 5),
    (bool, True),
    (bool, 1),
    (str, "s"),
    (str, 1),
    (bytes, [1, 2]),
    (bytes, "x"),
    (type(None), None),
    (type(None), 1),
    (Any, {"a": 1}),
    (object, {"a": 1}),
    (datetime, "2026-01-02T03:04:05+00:00"),
    (datetime, "nonsense"),
    (datetime, 5),
    (uuid.UUID, str(uuid.UUID(int=1))),
    (uuid.UUID, "nonsense"),
    (UserId, 3),
    (Literal["a", 1], "a"),
    (Literal["a"], "b"),
    (int | None, None),
    (int | None, "x"),
    (typing.Optional[Point], {"x": 1}),  # noqa: UP045 - the old spelling is what is tested
    (str | int, 5),
    (Point | Order, {"x": 1}),
    (Point, {"x": 1, "unknown": 2}),
    (Point, {"y": 1}),
    (Point, {"x": "one"}),
    (Point, [1]),
    (Order, json.loads(json.dumps(ORDER, cls=converter.AdvancedJSONEncoder))),
    (list, [1]),
    (list[int], [1, 2]),
    (list[int], ["x"]),
    (list[Point], [{"x": 1}]),
    (list[T], [1]),  # type: ignore[valid-type]
    (list[int], 5),
    (tuple[int, str], [1, "a"]),
    (tuple[int, str], [1, "a", 2]),
    (tuple[int, ...], [1, 2, 3]),
    (set[int], [1, 1]),
    (frozenset[str], ["a"]),
    (collections.deque[int], [1]),
    (Sequence[int], [1]),
    (Iterable[Point], [{"x": 1}]),
    (dict, {"a": 1}),
    (dict[str, int], {"a": 1}),
    (dict[str, int], {"a": "x"}),
    (dict[str, int], [1]),
    (dict[int, str], {"1": "a"}),
    (dict[float, str], {"1.5": "a"}),
    (dict[bool, str], {"true": "a"}),
    (dict[bool, str], {"yes": "a"}),
    (dict[None, str], {"null": "a"}),
    (dict[Level, str], {"1": "a"}),
    (dict[Colour, str], {"red": "a"}),
    (dict[uuid.UUID, int], {str(uuid.UUID(int=1)): 1}),
    (dict[str, Any], {"a": [1]}),
    (Mapping[str, Point], {"a": {"x": 1}}),
    (Movie, {"title": "t", "year": 1}),
    (Movie, {"title": 5}),
    (Movie, {"title": "t", "more": 1}),
    (Colour, "red"),
    (Colour, "blue"),
    (Colour, 1),
    (Level, 1),
    (Level, "1"),
    (Plain, 1),
    (WithDict, {}),
]


@pytest.mark.parametrize(("hint", "value"), HINTS)
def test_type_hints_are_applied_as_in_the_reference(hint: Any, value: Any) -> None:
    def outcome(module: Any) -> Any:
        try:
            result = module.value_to_type(hint, value)
        except Exception as error:
            return type(error), str(error)
        return type(result), result

    assert outcome(converter) == outcome(temporalio.converter)


def test_custom_type_converters_come_first() -> None:
    class Reversed(converter.JSONTypeConverter):
        def to_typed_value(self, hint: type, value: Any) -> Any:
            return value[::-1] if hint is str else converter.JSONTypeConverter.Unhandled

    json_plain = converter.JSONPlainPayloadConverter(custom_type_converters=[Reversed()])
    payload = Payload({"encoding": b"json/plain"}, b'["ab"]')
    assert json_plain.from_payload(payload, list[str]) == ["ba"]
    assert json_plain.from_payload(payload) == ["ab"]


def test_decoding_errors_are_those_of_the_reference() -> None:
    for payload in (
        Payload({"encoding": b"other"}, b""),
        Payload({}, b""),
        Payload({"encoding": b"json/plain"}, b"{"),
        Payload({"encoding": b"binary/null"}, b"x"),
        Payload({"encoding": b"json/protobuf", "messageType": b"no.Such"}, b"{}"),
        Payload({"encoding": b"binary/protobuf", "messageType": b"google.protobuf.StringValue"}, b"\xff"),
    ):
        with pytest.raises((KeyError, RuntimeError)) as ours:
            PayloadConverter.default.from_payload(payload)
        with pytest.raises((KeyError, RuntimeError)) as theirs:
            temporalio.converter.PayloadConverter.default.from_payload(both(payload))
        assert (ours.type, str(ours.value)) == (theirs.type, str(theirs.value))
        assert str(ours.value.__cause__) == str(theirs.value.__cause__)


def test_protobuf_messages_come_back() -> None:
    message = wrappers_pb2.StringValue(value="x")
    for encoding in (converter.JSONProtoPayloadConverter(), converter.BinaryProtoPayloadConverter()):
        payload = encoding.to_payload(message)
        assert payload is not None
        assert encoding.from_payload(payload) == message


def test_raw_values_pass_through() -> None:
    payload = Payload({"encoding": b"anything"}, b"x")
    assert PayloadConverter.default.to_payload(RawValue(payload)) is payload
    assert PayloadConverter.default.from_payload(payload, RawValue) == RawValue(payload)


def test_fewer_hints_than_payloads() -> None:
    payloads = PayloadConverter.default.to_payloads([{"x": 1}, {"x": 1}])
    inner = converter.DefaultPayloadConverter()
    assert inner.from_payloads(payloads, [Point]) == [Point(1), {"x": 1}]


def test_pydantic_models_are_warned_about() -> None:
    import pydantic

    class Model(pydantic.BaseModel):
        a: int

    with pytest.warns(UserWarning, match=r"durability\.contrib\.pydantic"):
        converter.JSONPlainPayloadConverter(encoder=ModelEncoder).to_payload(Model(a=1))


class ModelEncoder(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return o.model_dump()


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


class BoxConverter(converter.TransferTypeConverter[Any, Any]):
    def to_transfer_type(self, value: Any) -> Any:
        return [value.content]

    def from_transfer_type(self, value: Any, type_hint: type[Any]) -> Any:
        return Box(value[0])


def test_transfer_types() -> None:
    decorated = converter.transfer_type_convertible(BoxConverter)(Box)
    payload = PayloadConverter.default.to_payload(decorated(5))
    assert payload.data == b"[5]"
    assert PayloadConverter.default.from_payload(payload, Box[int]) == Box(5)
    with pytest.raises(TypeError, match="already has a transfer type converter"):
        converter.transfer_type_convertible(BoxConverter)(Box)


class Rot(PayloadCodec):
    """A codec that is its own test: it refuses to decode what it did not encode."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload({"encoding": b"rot"}, payload.SerializeToString()[::-1]) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        assert all(payload.metadata == {"encoding": b"rot"} for payload in payloads)
        return [Payload.FromString(payload.data[::-1]) for payload in payloads]


async def test_data_converter_with_codec() -> None:
    data_converter = DataConverter(payload_codec=Rot())
    payloads = await data_converter.encode([1, Point(2)])
    assert {payload.metadata["encoding"] for payload in payloads} == {b"rot"}
    assert await data_converter.decode(payloads, [int, Point]) == [1, Point(2)]
    wrapper = await data_converter.encode_wrapper(["a"])
    assert await data_converter.decode_wrapper(wrapper) == ["a"]
    assert await data_converter.decode_wrapper(None) == []


class ContextCodec(Rot, converter.WithSerializationContext):
    context: converter.SerializationContext | None = None

    def with_context(self, context: converter.SerializationContext) -> ContextCodec:
        codec = ContextCodec()
        codec.context = context
        return codec


class ContextEncoding(converter.JSONPlainPayloadConverter, converter.WithSerializationContext):
    def __init__(self, context: converter.SerializationContext | None = None) -> None:
        super().__init__()
        self.context = context

    def with_context(self, context: converter.SerializationContext) -> ContextEncoding:
        return ContextEncoding(context)

    def to_payload(self, value: Any) -> Payload | None:
        return super().to_payload([value, str(self.context)])


class ContextPayloadConverter(converter.CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(ContextEncoding())


def test_contexts_reach_every_part() -> None:
    context = converter.WorkflowSerializationContext("namespace", "workflow")
    assert DataConverter.default.with_context(context) is DataConverter.default
    data_converter = DataConverter(ContextPayloadConverter, ContextCodec())
    in_context = data_converter.with_context(context)
    assert isinstance(in_context.payload_codec, ContextCodec)
    assert in_context.payload_codec.context == context
    assert json.loads(in_context.payload_converter.to_payload(1).data) == [1, str(context)]
    assert json.loads(data_converter.payload_converter.to_payload(1).data) == [1, "None"]
    assert in_context.failure_converter is data_converter.failure_converter


def test_only_nexus_and_external_storage_are_missing() -> None:
    missing = set(temporalio.converter.__all__) - set(converter.__all__)
    assert {name for name in missing if not name.startswith(("Storage", "External"))} == {"NexusSerializationContext"}


def test_payload_validation_error() -> None:
    ours, theirs = (module.create_payload_validation_error({"a": 1}) for module in (converter, temporalio.converter))
    assert (str(ours), ours.details, ours.type, ours.non_retryable) == (
        str(theirs),
        theirs.details,
        theirs.type,
        theirs.non_retryable,
    )
