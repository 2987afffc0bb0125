"""From what JSON has to what a type hint asks for."""

from __future__ import annotations

import collections
import dataclasses
import inspect
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from types import UnionType
from typing import Any, ClassVar, Literal, NewType, TypeVar, Union, get_type_hints

JSONTypeConverterUnhandled = NewType("JSONTypeConverterUnhandled", object)
"""Type of ``JSONTypeConverter.Unhandled``."""


class JSONTypeConverter(ABC):
    """Converts what JSON has to types that ``value_to_type`` does not know."""

    Unhandled: ClassVar[JSONTypeConverterUnhandled] = JSONTypeConverterUnhandled(object())
    """What ``to_typed_value`` returns for a type that is not its own."""

    @abstractmethod
    def to_typed_value(self, hint: type, value: Any) -> Any | JSONTypeConverterUnhandled | None:
        """Convert a value.

        Args:
            hint: The type expected.
            value: A scalar, list or dictionary from JSON.

        Returns:
            The converted value, or ``Unhandled``.
        """


def value_to_type(hint: type, value: Any, custom_converters: Sequence[JSONTypeConverter] = ()) -> Any:
    """Convert what JSON has to a type.

    Args:
        hint: The type expected.
        value: A scalar, list or dictionary from JSON.
        custom_converters: Asked first, in order.

    Returns:
        The converted value.

    Raises:
        TypeError: The value does not fit the type.
    """
    for converter in custom_converters:
        converted = converter.to_typed_value(hint, value)
        if converted is not JSONTypeConverter.Unhandled:
            return converted
    convert_scalar = _scalar_converter(hint)
    return convert_scalar(value) if convert_scalar else _convert(hint, value, custom_converters)


def _scalar_converter(hint: Any) -> Callable[[Any], Any] | None:
    """Only classes are looked up: other type hints may not be hashable."""
    return _SCALARS.get(hint) if hint is Any or isinstance(hint, type) else None


def _convert(hint: Any, value: Any, custom: Sequence[JSONTypeConverter]) -> Any:
    if supertype := getattr(hint, "__supertype__", None):
        return value_to_type(supertype, value, custom)
    origin = getattr(hint, "__origin__", hint)
    if origin is Literal:
        if value not in hint.__args__:
            raise TypeError(f"Value {value} not in literal values {hint.__args__}")
        return value
    if origin is Union or isinstance(origin, UnionType):
        return _to_union(hint, value, custom)
    is_class = inspect.isclass(origin)
    if is_class and issubclass(origin, Mapping):
        return _to_mapping(hint, origin, value, custom)
    if dataclasses.is_dataclass(hint):
        return _to_dataclass(hint, value, custom)
    if isinstance(inspect.getattr_static(hint, "parse_obj", None), classmethod | staticmethod):
        if not isinstance(value, dict):
            raise TypeError(f"Cannot convert to {hint}, value is {type(value)} not dict")
        return hint.parse_obj(value)
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return _to_enum(hint, value)
    if inspect.isclass(hint) and issubclass(hint, uuid.UUID):
        return hint(value)
    if is_class and issubclass(origin, Iterable):
        return _to_iterable(hint, origin, value, custom)
    raise TypeError(f"Unserializable type during conversion: {hint}")


def _to_datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise TypeError(f"Expected datetime or ISO8601 string, got {type(value)}")
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise TypeError(f"Failed parsing datetime string: {value}") from error


def _to_number(hint: type[int] | type[float]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if not isinstance(value, int | float):
            raise TypeError(f"Expected value to be int|float, was {type(value)}")
        return hint(value)

    return convert


def _to_same(hint: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if not isinstance(value, hint):
            raise TypeError(f"Expected value to be {hint.__name__}, was {type(value)}")
        return value

    return convert


def _to_bytes(value: Any) -> bytes:
    if not isinstance(value, str | bytes | list):
        raise TypeError(f"Expected value to be bytes, was {type(value)}")
    return bytes(value)  # type: ignore[arg-type]  # bytes inside JSON are a list of numbers; a str raises TypeError


def _to_none(value: Any) -> None:
    if value is not None:
        raise TypeError(f"Expected None, got value of type {type(value)}")


_SCALARS: dict[Any, Callable[[Any], Any]] = {
    Any: lambda value: value,
    datetime: _to_datetime,
    int: _to_number(int),
    float: _to_number(float),
    bool: _to_same(bool),
    str: _to_same(str),
    bytes: _to_bytes,
    type(None): _to_none,
}


def _to_union(hint: Any, value: Any, custom: Sequence[JSONTypeConverter]) -> Any:
    for member in hint.__args__:
        try:
            return value_to_type(member, value, custom)
        except Exception:  # whatever a member raises, the next one may fit
            continue
    raise TypeError(f"Failed converting to {hint} from {value}")


def _to_mapping(hint: Any, origin: type, value: Any, custom: Sequence[JSONTypeConverter]) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError(f"Expected {hint}, value was {type(value)}")
    is_typed_dict = bool(getattr(origin, "__required_keys__", None) or getattr(origin, "__optional_keys__", None))
    types_by_key = get_type_hints(origin) if is_typed_dict else None
    arguments = [*getattr(hint, "__args__", ()), None, None]
    key_type, value_type = (None if arg is Any or isinstance(arg, TypeVar) else arg for arg in arguments[:2])
    converted: dict[Any, Any] = {}
    for key, item in value.items():
        item_type = types_by_key.get(key) if types_by_key is not None else value_type
        if key_type:
            try:
                key = _to_key(key_type, key, custom)
            except Exception as error:
                raise TypeError(f"Failed converting key {key!r} to type {key_type} in mapping {hint}") from error
        if item_type:
            try:
                item = value_to_type(item_type, item, custom)
            except Exception as error:
                raise TypeError(f"Failed converting value for key {key!r} in mapping {hint}") from error
        converted[key] = item
    return hint(**converted) if is_typed_dict else converted


def _to_key(key_type: Any, key: Any, custom: Sequence[JSONTypeConverter]) -> Any:
    """JSON has strings for keys only: numbers, booleans and None come as their JSON text."""
    if isinstance(key, str):
        if key_type is int or key_type is float:
            key = key_type(key)
        elif inspect.isclass(key_type) and issubclass(key_type, Enum) and issubclass(key_type, int):
            key = int(key)
        elif key_type is bool:
            key = {"true": True, "false": False}[key]
        elif key_type is type(None):
            key = {"null": None}[key]
    return key if isinstance(key_type, type) and isinstance(key, key_type) else value_to_type(key_type, key, custom)


def _to_dataclass(hint: Any, value: Any, custom: Sequence[JSONTypeConverter]) -> Any:
    """Unknown keys are ignored; a missing one is for the class to refuse."""
    if not isinstance(value, dict):
        raise TypeError(f"Cannot convert to dataclass {hint}, value is {type(value)} not dict")
    hints = get_type_hints(hint)
    arguments: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for field in dataclasses.fields(hint):
        if field.name not in value:
            continue
        try:
            converted = value_to_type(hints[field.name], value[field.name], custom)
        except Exception as error:
            raise TypeError(f"Failed converting field {field.name} on dataclass {hint}") from error
        (arguments if field.init else others)[field.name] = converted
    instance = hint(**arguments)
    for name, other in others.items():
        object.__setattr__(instance, name, other)  # works on frozen classes too
    return instance


def _to_enum(hint: type[Enum], value: Any) -> Any:
    mixins: tuple[tuple[type, str], ...] = ((int, "an integer"), (str, "a string"))
    for mixin, article in mixins:
        if issubclass(hint, mixin):
            if not isinstance(value, mixin):
                raise TypeError(f"Cannot convert to enum {hint}, value not {article}, value is {type(value)}")
            return hint(value)
    raise TypeError(f"Unserializable type during conversion: {hint}")


_COLLECTIONS: dict[type, Callable[[list[Any]], Any]] = {
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    collections.deque: collections.deque,
}


def _to_iterable(hint: Any, origin: type, value: Any, custom: Sequence[JSONTypeConverter]) -> Any:
    if not isinstance(value, Iterable):
        raise TypeError(f"Expected {hint}, value was {type(value)}")
    arguments: tuple[Any, ...] = getattr(hint, "__args__", ())
    if not arguments or (len(arguments) == 1 and (isinstance(arguments[0], TypeVar) or arguments[0] is Ellipsis)):
        items = list(value)
    else:
        items = []
        for index, item in enumerate(value):
            item_type = _item_type(hint, origin, arguments, index)
            try:
                items.append(value_to_type(item_type, item, custom))
            except Exception as error:
                raise TypeError(f"Failed converting {hint} index {index}") from error
    return _COLLECTIONS.get(origin, list)(items)


def _item_type(hint: Any, origin: type, arguments: tuple[Any, ...], index: int) -> Any:
    if origin is not tuple:
        return arguments[0]
    if index < len(arguments) and arguments[index] is not Ellipsis:
        return arguments[index]
    if arguments[-1] is Ellipsis:
        return arguments[-2]
    raise TypeError(f"Type {hint} only expecting {len(arguments)} values, got at least {index + 1}")
