"""What comes from outside: nearly right, or anything at all."""

from __future__ import annotations

import os
import types
import typing
from functools import cache
from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FACTOR: Final = int(os.environ.get("FUZZ", "0"))
"""How many times the usual number of examples are played, all of them new; 0 for the usual ones, always the same."""

NASTY_TEXTS: Final = (
    "",
    " ",
    ".",
    "..",
    "/",
    "a/b",
    "%2F",
    "%",
    "~",
    "~~",
    "#",
    "\0",
    "\n",
    "\r\n",
    "\x7f",
    "\u0085",
    "\u00b2",
    "\u2028",
    "\ufeff",
    "\ufffe",
    "\U0010ffff",
    "\U0001f600" * 300,
    "é" * 600,
    "x" * 1000,
    "x" * 1001,
    "x" * 70_000,
    "-1",
    "1e999",
    "nan",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "null",
    "__proto__",
    "$ref",
)


def examples(count: int) -> settings:
    """Settings for a test: so many examples, the same ones each time unless more are asked for."""
    return settings(
        max_examples=count * max(FACTOR, 1),
        derandomize=not FACTOR,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )


def texts(max_size: int = 40) -> st.SearchStrategy[str]:
    """Text that UTF-8 has: mostly short, sometimes unkind."""
    plain = st.text(st.characters(codec="utf-8"), max_size=max_size)
    return st.one_of(plain, st.sampled_from(NASTY_TEXTS), st.from_regex(r"[\w.:@-]{1,20}", fullmatch=True))


@cache
def json_values(depth: int = 2) -> st.SearchStrategy[Any]:
    """Any JSON value of so many levels.

    Not by ``st.recursive``: it draws again when there are too many leaves, which has been seen not to end.
    """
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from((2**31, 2**63, 2**64, -(2**63) - 1, 10**40, 0.1, -0.0, 1e308))
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts()
    )
    if not depth:
        return leaves
    inner = json_values(depth - 1)
    return leaves | st.lists(inner, max_size=4) | st.dictionaries(texts(8), inner, max_size=4)


@st.composite
def damaged(draw: st.DrawFn, original: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with a few edits: bits flipped, pieces cut out, doubled or replaced."""
    data = bytearray(draw(original))
    for _ in range(draw(st.integers(1, 4))):
        where = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(0, 8))
        match draw(st.sampled_from(("flip", "cut", "truncate", "double", "replace", "insert"))):
            case "flip" if data:
                data[where] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[where : where + length]
            case "truncate":
                del data[where:]
            case "double":
                data[where:where] = data[where : where + length]
            case "replace":
                data[where : where + length] = draw(st.binary(min_size=length, max_size=length))
            case _:
                data[where:where] = draw(st.binary(max_size=8))
    return bytes(data)


# --- values of a type -----------------------------------------------------------------------------------------------

_DEPTH: Final = 3
_SCALARS: Final[dict[Any, st.SearchStrategy[Any]]] = {
    str: texts(12),
    bytes: st.binary(max_size=20),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 40),
    float: st.floats(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
    Any: json_values(1),
    msgspec.UnsetType: st.just(msgspec.UNSET),
}


@cache
def values_of(kind: Any, depth: int = _DEPTH) -> st.SearchStrategy[Any]:
    """Values of a type that msgspec reads and writes; at most so many structs within each other."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = {
            field.name: values_of(field.type, depth - 1) if depth or field.required else st.just(field.default)
            for field in msgspec.structs.fields(kind)
            if depth or field.required
        }
        required = {field.name for field in msgspec.structs.fields(kind) if field.required}
        optional = {name: strategy for name, strategy in fields.items() if name not in required}
        return st.fixed_dictionaries({name: fields[name] for name in required}, optional=optional).map(
            lambda given: kind(**given)
        )
    origin, of = typing.get_origin(kind), typing.get_args(kind)
    size = 2 if depth > 0 else 0
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values_of(each, depth) for each in of if depth >= 0 or each is type(None)])
    if origin is typing.Annotated:
        return values_of(of[0], depth)
    if origin is typing.Literal:
        return st.sampled_from(of)
    if origin is list:
        return st.lists(values_of(of[0], depth), max_size=size)
    if origin is tuple:
        return st.lists(values_of(of[0], depth), max_size=size).map(tuple)
    if origin is dict:
        return st.dictionaries(values_of(of[0], depth), values_of(of[1], depth), max_size=size)
    raise NotImplementedError(f"values of {kind!r}")
