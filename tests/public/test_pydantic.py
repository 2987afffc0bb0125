"""Conversion with Pydantic gives the reference's bytes."""

from __future__ import annotations

import dataclasses
import pickle
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pydantic
import pytest
import temporalio.contrib.pydantic

from durability.contrib import pydantic as contrib
from durability.contrib.pydantic import PydanticJSONPlainPayloadConverter, pydantic_data_converter


class Line(pydantic.BaseModel):
    name: str
    price: float = 1.5


class Order(pydantic.BaseModel):
    id: uuid.UUID
    lines: list[Line]
    placed: datetime
    within: timedelta | None = None


@dataclasses.dataclass
class Point:
    x: int


ORDER = Order(id=uuid.UUID(int=1), lines=[Line(name="a")], placed=datetime(2026, 1, 2, tzinfo=UTC))
VALUES: list[Any] = [ORDER, [ORDER], {"b": 1, "a": ORDER}, None, b"bytes", {1, 2}, timedelta(seconds=5), Point(1), "ü"]


@pytest.mark.parametrize("value", VALUES)
def test_payloads_are_the_reference_payloads(value: Any) -> None:
    ours = pydantic_data_converter.payload_converter.to_payload(value)
    theirs = temporalio.contrib.pydantic.pydantic_data_converter.payload_converter.to_payload(value)
    assert (ours.metadata, ours.data) == (dict(theirs.metadata), theirs.data)


@pytest.mark.parametrize(
    ("value", "hint"), [(ORDER, Order), ([ORDER], list[Order]), (Point(1), Point), ({1}, set[int])]
)
def test_values_come_back(value: Any, hint: Any) -> None:
    converter = pydantic_data_converter.payload_converter
    assert converter.from_payload(converter.to_payload(value), hint) == value
    converter.from_payload(converter.to_payload(value))


def test_what_does_not_fit_is_refused() -> None:
    converter = pydantic_data_converter.payload_converter
    with pytest.raises(pydantic.ValidationError):
        converter.from_payload(converter.to_payload({"name": 5}), Line)


def test_options() -> None:
    converter = PydanticJSONPlainPayloadConverter(contrib.ToJsonOptions(exclude_unset=True))
    payload = converter.to_payload(Line(name="a"))
    assert payload is not None
    assert payload.data == b'{"name":"a"}'
    with pytest.raises(ValueError, match="cannot be negative"):
        PydanticJSONPlainPayloadConverter(max_cached_type_adapters=-1)


def test_hints_that_cannot_be_hashed() -> None:
    converter = PydanticJSONPlainPayloadConverter()
    payload = converter.to_payload(5)
    assert payload is not None
    hint: Any = Annotated[int, pydantic.Field(ge=1), ["unhashable"]]
    assert converter.from_payload(payload, hint) == 5


def test_pickling() -> None:
    converter = pickle.loads(pickle.dumps(PydanticJSONPlainPayloadConverter(contrib.ToJsonOptions(exclude_unset=True))))
    payload = converter.to_payload(Line(name="a"))
    assert payload.data == b'{"name":"a"}'
