"""Messages of Temporal's API that code constructs: plain classes that are used like protobuf's.

A message declares its fields as annotated attributes. A field that is not set reads as its default. For a message,
a list or a mapping that is a new one, which counts as set once something is put into it, as in protobuf. A field of an
enumeration is annotated as ``Annotated[int, "NameOfTheEnumeration"]``.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, Self, cast, dataclass_transform

UNSET: Final[Any] = object()
"""In a declaration: the default is an empty one of the field's type."""


@dataclass_transform(kw_only_default=True)
class ApiMessage:
    """Base of the messages: keyword arguments set fields."""

    __slots__ = ("__dict__", "_implied")

    _names: ClassVar[tuple[str, ...]] = ()
    _known_kinds: ClassVar[Mapping[str, _Kind]]
    _oneofs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    _implied: set[str]  # fields that were only read, and hold what they were read as

    def __init_subclass__(cls, **oneofs: tuple[str, ...]) -> None:
        """Declare a message; keyword arguments are groups of fields of which at most one is set."""
        cls._names = tuple(inspect.get_annotations(cls))
        cls._oneofs = oneofs
        for name in cls._names:
            if cls.__dict__.get(name) is UNSET:
                delattr(cls, name)

    def __init__(self, **fields: Any) -> None:
        object.__setattr__(self, "_implied", set())
        for name, value in fields.items():
            if name not in self._names:
                raise ValueError(f'Protocol message {type(self).__name__} has no "{name}" field.')
            if value is not None:
                setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._names:
            raise AttributeError(f"the message {type(self).__qualname__} has no field {name!r}")
        for group in self._oneofs.values():
            if name in group:
                for other in group:
                    self.__dict__.pop(other, None)
        self.__dict__[name] = value
        self._implied.discard(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._names:
            raise AttributeError(f"the message {type(self).__qualname__} has no field {name!r}")
        value = self.__dict__[name] = self._kinds()[name].empty()
        self._implied.add(name)
        return value

    def HasField(self, name: str) -> bool:
        """Whether a field is set."""
        if name not in self._names:
            raise ValueError(f'Protocol message {type(self).__name__} has no "{name}" field.')
        if name not in self.__dict__:
            return False
        return name not in self._implied or self.__dict__[name] != self._kinds()[name].empty()

    def WhichOneof(self, group: str) -> str | None:
        """The field of a group that is set, if one is."""
        if group not in self._oneofs:
            raise ValueError(f"the message {type(self).__qualname__} has no group {group!r}")
        return next((name for name in self._oneofs[group] if self.HasField(name)), None)

    def ClearField(self, name: str) -> None:
        """Unset a field."""
        self.__dict__.pop(name, None)

    def CopyFrom(self, other: Self) -> None:
        """Replace the contents by a copy of another message's."""
        if other is not self:
            self.__dict__.clear()
            self.__dict__.update(deepcopy(other.__dict__))
            object.__setattr__(self, "_implied", set(other._implied))

    def __deepcopy__(self, memo: object = None) -> Self:
        copy = type(self)()
        copy.CopyFrom(self)
        return copy

    def __eq__(self, other: object) -> bool:
        return dict(self._set()) == dict(other._set()) if type(other) is type(self) else NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._set())})"

    def _set(self) -> Iterator[tuple[str, Any]]:
        for name in self._names:
            default = getattr(type(self), name, UNSET)
            if self.HasField(name) and self.__dict__[name] != default:
                yield name, self.__dict__[name]

    @classmethod
    def _kinds(cls) -> Mapping[str, _Kind]:
        known: Mapping[str, _Kind] | None = cls.__dict__.get("_known_kinds")
        if known is None:
            hints = typing.get_type_hints(cls, include_extras=True)
            known = cls._known_kinds = {name: _kind(hints[name]) for name in cls._names}
        return known

    # --- protobuf's JSON --------------------------------------------------------------------------------------------

    @classmethod
    def message_type(cls) -> str:
        """Protobuf's full name of the message."""
        package = cls.__module__.removeprefix("durability.").partition("._")[0]
        return f"temporal.{package}.{cls.__qualname__}"

    def to_json(self) -> dict[str, Any]:
        """The message in protobuf's JSON mapping, without what is not set."""
        kinds = self._kinds()
        return {_camel(name): kinds[name].to_json(value) for name, value in self._set()}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read a message. Fields that it does not have are passed over.

        Raises:
            ValueError: A field holds what it cannot.
        """
        kinds = cls._kinds()
        given = {name: body[_camel(name)] for name in cls._names if body.get(_camel(name)) is not None}
        return cls(**{name: kinds[name].from_json(value) for name, value in given.items()})


class _Kind(typing.NamedTuple):
    """What a field holds."""

    empty: Callable[[], Any]
    to_json: Callable[[Any], Any] = lambda value: value
    from_json: Callable[[Any], Any] = lambda value: value


def _kind(hint: Any) -> _Kind:
    # Only what is asked for pays for these.
    from durability._core import enums, temporal_json
    from durability._core.failure import Failure
    from durability._core.payload import Payload, Payloads
    from durability._core.protobuf_times import Duration, Timestamp

    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        names = enums.ENUMS[arguments[1]]
        prefix = enums.enum_prefix(arguments[1])
        return _Kind(
            int,
            lambda number: temporal_json.enum_json(prefix, names, number),
            lambda name: enums.enum_number(arguments[1], name) if isinstance(name, str) else int(name),
        )
    if origin is list:
        item = _kind(arguments[0])
        return _Kind(
            list, lambda values: list(map(item.to_json, values)), lambda values: list(map(item.from_json, values))
        )
    if origin is dict:
        item = _kind(arguments[1])
        return _Kind(
            dict,
            lambda values: {key: item.to_json(value) for key, value in values.items()},
            lambda values: {key: item.from_json(value) for key, value in values.items()},
        )
    if hint is Payload:
        return _Kind(Payload, temporal_json.payload_json, temporal_json.payload_from_json)
    if hint is Payloads:
        return _Kind(
            Payloads,
            lambda value: temporal_json.payloads_json(value.payloads),
            lambda body: Payloads(temporal_json.payloads_from_json(body) or []),
        )
    if hint is Failure:
        return _Kind(Failure, temporal_json.failure_json, temporal_json.failure_from_json)
    if hint is Timestamp:
        return _Kind(
            lambda: Timestamp.from_milliseconds(0),
            lambda value: temporal_json.time_json(milliseconds_of(value)),
            lambda text: Timestamp.from_milliseconds(temporal_json.time_from_json(text)),
        )
    if hint is Duration:
        return _Kind(
            Duration,
            lambda value: temporal_json.duration_json(milliseconds_of(value)),
            lambda text: Duration(milliseconds=temporal_json.duration_from_json(text)),
        )
    if isinstance(hint, type) and issubclass(hint, ApiMessage):
        return _Kind(hint, lambda value: value.to_json(), hint.from_json)
    if hint is bytes:
        from base64 import b64decode, b64encode

        return _Kind(bytes, lambda value: b64encode(value).decode(), b64decode)
    if hint in (str, int, bool, float):
        return _Kind(hint, from_json=hint)
    return _Kind(lambda: None)


def milliseconds_of(value: object) -> int:
    """Milliseconds of a time or a duration of protobuf or of this package, or of one of Python's durations."""
    if isinstance(value, timedelta):
        return value // timedelta(milliseconds=1)
    return cast(int, cast(Any, value).ToMilliseconds())


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)
