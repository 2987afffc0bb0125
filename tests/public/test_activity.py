"""Definitions, and what activity code can ask for outside of an activity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import temporalio.activity
import temporalio.common

from durability import activity, common
from durability._core.type_hints import type_hints_from_func
from durability.activity._definition import _Definition


@activity.defn
async def named(a: int, b: str | None = None) -> list[str]:
    return [f"{a}{b}"]


@activity.defn(name="other")
def threaded(a: int) -> int:
    return a


@activity.defn(dynamic=True)
async def dynamic(args: Sequence[common.RawValue]) -> None: ...


class Service:
    @activity.defn
    async def method(self, a: int) -> str:
        return str(a)


class Callee:
    async def __call__(self, a: int) -> str:
        return str(a)


def test_definitions() -> None:
    definition = _Definition.must_from_callable(named)
    assert (definition.name, definition.is_async) == ("named", True)
    assert (definition.arg_types, definition.ret_type) == ([int, str | None], list[str])
    assert _Definition.must_from_callable(threaded).name == "other"
    assert not _Definition.must_from_callable(threaded).is_async
    assert _Definition.must_from_callable(dynamic).name is None


def test_definitions_of_methods_are_bound() -> None:
    service = Service()
    definition = _Definition.must_from_callable(service.method)
    assert definition.fn == service.method
    assert (definition.arg_types, definition.ret_type) == ([int], str)


def test_definitions_of_callable_objects() -> None:
    callee = activity.defn(name="callee")(Callee())
    definition = _Definition.must_from_callable(callee)
    assert definition.is_async
    assert definition.arg_types == [int]


def test_names_and_result_types() -> None:
    assert _Definition.get_name_and_result_type("text") == ("text", None)
    assert _Definition.get_name_and_result_type(named) == ("named", list[str])
    with pytest.raises(ValueError, match="has no name"):
        _Definition.get_name_and_result_type(dynamic)
    with pytest.raises(TypeError, match=r"was it decorated with @activity\.defn"):
        _Definition.get_name_and_result_type(len)


def keyword_only(*, a: int) -> None: ...


def not_raw(args: Sequence[int]) -> None: ...


@pytest.mark.parametrize(
    "options", [{"fn": keyword_only}, {"fn": not_raw, "dynamic": True}, {"fn": keyword_only, "dynamic": True}]
)
def test_refusals_have_the_messages_of_the_reference(options: dict[str, Any]) -> None:
    options = dict(options)
    fn = options.pop("fn")
    with pytest.raises(TypeError) as ours:
        activity.defn(**options)(fn)
    with pytest.raises(TypeError) as theirs:
        temporalio.activity.defn(**options)(fn)
    assert str(ours.value) == str(theirs.value).replace("temporalio", "durability")


def test_a_function_is_decorated_once() -> None:
    with pytest.raises(ValueError, match="Function already contains activity definition"):
        activity.defn(named)


def untyped(a, b: int) -> None: ...  # type: ignore[no-untyped-def]


def variadic(*args: int) -> None: ...


@pytest.mark.parametrize(
    "fn", [named, threaded, untyped, variadic, Callee, Callee(), Callee().__call__, Service().method]
)
def test_type_hints_are_those_of_the_reference(fn: Callable[..., Any]) -> None:
    assert type_hints_from_func(fn) == temporalio.common._type_hints_from_func(fn)


OUTSIDE: list[Callable[[], Any]] = [
    activity.info,
    activity.client,
    activity.heartbeat,
    activity.is_cancelled,
    activity.is_worker_shutdown,
    activity.cancellation_details,
    activity.payload_converter,
    activity.metric_meter,
    activity.wait_for_cancelled_sync,
    activity.wait_for_worker_shutdown_sync,
]


@pytest.mark.parametrize("function", OUTSIDE, ids=lambda function: function.__name__)
def test_outside_of_an_activity(function: Callable[[], Any]) -> None:
    assert not activity.in_activity()
    with pytest.raises(RuntimeError, match="Not in activity context"):
        function()
