"""What enumerations look like to Python code that protobuf made for it."""

from __future__ import annotations

from collections.abc import Mapping

from durability._core.enums import ENUMS, enum_prefix
from durability._core.events_view import EVENT_TYPES


class Enumeration:
    """An enumeration: its values are attributes, and can be looked up by name and by number."""

    ValueType = int

    def __init__(self, name: str, values: Mapping[str, int]) -> None:
        """Not for users: the enumerations are in this module."""
        self._name = name
        self._values = dict(values)

    def __getattr__(self, name: str) -> int:
        """The value of a name."""
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the enumeration {self._name} has no value {name!r}") from None

    def Name(self, number: int) -> str:
        """Name of a value.

        Raises:
            ValueError: There is none with this number.
        """
        for name, value in self._values.items():
            if value == number:
                return name
        raise ValueError(f"the enumeration {self._name} has no value {number}")

    def Value(self, name: str) -> int:
        """Number of a value.

        Raises:
            ValueError: There is none of this name.
        """
        if name not in self._values:
            raise ValueError(f"the enumeration {self._name} has no value {name!r}")
        return self._values[name]

    def keys(self) -> list[str]:
        """All names."""
        return list(self._values)

    def values(self) -> list[int]:
        """All numbers."""
        return list(self._values.values())

    def items(self) -> list[tuple[str, int]]:
        """All names with their numbers."""
        return list(self._values.items())


def made(name: str) -> Enumeration:
    """The enumeration of a name."""
    values = {"UNSPECIFIED": 0, **EVENT_TYPES} if name == "EventType" else {v: n for n, v in enumerate(ENUMS[name])}
    prefix = enum_prefix(name)
    return Enumeration(name, {f"{prefix}_{enum_prefix(value)}": number for value, number in values.items()})
