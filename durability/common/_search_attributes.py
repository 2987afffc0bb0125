"""Search attributes: indexed values by which executions are found."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar, cast, get_origin, overload

SearchAttributeValues: TypeAlias = list[str] | list[int] | list[float] | list[bool] | list[datetime]
"""Values of one untyped search attribute: a list, so that a bare string is not taken for a sequence of characters."""

SearchAttributes: TypeAlias = Mapping[str, SearchAttributeValues]
"""Untyped search attributes by name; typed ones are preferred."""

SearchAttributeValue: TypeAlias = str | int | float | bool | datetime | Sequence[str]
"""Value of one typed search attribute."""

SearchAttributeValueType = TypeVar("SearchAttributeValueType", str, int, float, bool, datetime, Sequence[str])
_Default = TypeVar("_Default")


class SearchAttributeIndexedValueType(IntEnum):
    """How a search attribute is indexed."""

    TEXT = 1
    KEYWORD = 2
    INT = 3
    DOUBLE = 4
    BOOL = 5
    DATETIME = 6
    KEYWORD_LIST = 7


_METADATA_TYPES = {
    SearchAttributeIndexedValueType.TEXT: "Text",
    SearchAttributeIndexedValueType.KEYWORD: "Keyword",
    SearchAttributeIndexedValueType.INT: "Int",
    SearchAttributeIndexedValueType.DOUBLE: "Double",
    SearchAttributeIndexedValueType.BOOL: "Bool",
    SearchAttributeIndexedValueType.DATETIME: "Datetime",
    SearchAttributeIndexedValueType.KEYWORD_LIST: "KeywordList",
}


class SearchAttributeKey(ABC, Generic[SearchAttributeValueType]):
    """Name and type of a search attribute. Make one with a ``for_`` method."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the attribute."""

    @property
    @abstractmethod
    def indexed_value_type(self) -> SearchAttributeIndexedValueType:
        """How the attribute is indexed."""

    @property
    @abstractmethod
    def value_type(self) -> type[SearchAttributeValueType]:
        """Python type of the value; may be generic."""

    @property
    def origin_value_type(self) -> type:
        """Python type of the value without type arguments, fit for ``isinstance``."""
        return get_origin(self.value_type) or self.value_type

    @property
    def _metadata_type(self) -> str:
        """The type as payload metadata has it."""
        return _METADATA_TYPES[self.indexed_value_type]

    def value_set(self, value: SearchAttributeValueType) -> SearchAttributeUpdate[SearchAttributeValueType]:
        """Return an update that sets the attribute."""
        return _SearchAttributeUpdate(self, value)

    def value_unset(self) -> SearchAttributeUpdate[SearchAttributeValueType]:
        """Return an update that removes the attribute."""
        return _SearchAttributeUpdate(self, None)

    @staticmethod
    def for_text(name: str) -> SearchAttributeKey[str]:
        """Key of a text, found by its words."""
        return _SearchAttributeKey(name, SearchAttributeIndexedValueType.TEXT, str)

    @staticmethod
    def for_keyword(name: str) -> SearchAttributeKey[str]:
        """Key of a string, found as a whole."""
        return _SearchAttributeKey(name, SearchAttributeIndexedValueType.KEYWORD, str)

    @staticmethod
    def for_int(name: str) -> SearchAttributeKey[int]:
        """Key of an integer."""
        return _SearchAttributeKey(name, SearchAttributeIndexedValueType.INT, int)

    @staticmethod
    def for_float(name: str) -> SearchAttributeKey[float]:
        """Key of a floating-point number."""
        return _SearchAttributeKey(name, SearchAttributeIndexedValueType.DOUBLE, float)

    @staticmethod
    def for_bool(name: str) -> SearchAttributeKey[bool]:
        """Key of a truth value."""
        return _SearchAttributeKey(name, SearchAttributeIndexedValueType.BOOL, bool)

    @staticmethod
    def for_datetime(name: str) -> SearchAttributeKey[datetime]:
        """Key of a time, which must have a timezone."""
        return _SearchAttributeKey(name, SearchAttributeIndexedValueType.DATETIME, datetime)

    @staticmethod
    def for_keyword_list(name: str) -> SearchAttributeKey[Sequence[str]]:
        """Key of several strings, each found as a whole."""
        return _SearchAttributeKey(name, SearchAttributeIndexedValueType.KEYWORD_LIST, Sequence[str])  # type: ignore[type-abstract]

    @staticmethod
    def _from_metadata_type(name: str, metadata_type: str) -> SearchAttributeKey[Any] | None:
        """Key for a type as payload metadata has it, such as ``KeywordList`` or ``INDEXED_VALUE_TYPE_KEYWORD_LIST``."""
        make = _KEYS.get(metadata_type.removeprefix("INDEXED_VALUE_TYPE_").replace("_", "").lower())
        return make(name) if make else None

    @staticmethod
    def _guess_from_untyped_values(name: str, values: SearchAttributeValues) -> SearchAttributeKey[Any] | None:
        """Key that untyped values fit, or None."""
        match values:
            case [str(), _, *_]:
                return SearchAttributeKey.for_keyword_list(name)
            case [str()]:
                return SearchAttributeKey.for_keyword(name)
            case [bool()]:
                return SearchAttributeKey.for_bool(name)
            case [int()]:
                return SearchAttributeKey.for_int(name)
            case [float()]:
                return SearchAttributeKey.for_float(name)
            case [datetime()]:
                return SearchAttributeKey.for_datetime(name)
            case _:
                return None


_KEYS: dict[str, Any] = {
    "text": SearchAttributeKey.for_text,
    "keyword": SearchAttributeKey.for_keyword,
    "int": SearchAttributeKey.for_int,
    "double": SearchAttributeKey.for_float,
    "bool": SearchAttributeKey.for_bool,
    "datetime": SearchAttributeKey.for_datetime,
    "keywordlist": SearchAttributeKey.for_keyword_list,
}


@dataclass(frozen=True)
class _SearchAttributeKey(SearchAttributeKey[SearchAttributeValueType]):
    _name: str
    _indexed_value_type: SearchAttributeIndexedValueType
    _value_type: type[SearchAttributeValueType]

    @property
    def name(self) -> str:
        return self._name

    @property
    def indexed_value_type(self) -> SearchAttributeIndexedValueType:
        return self._indexed_value_type

    @property
    def value_type(self) -> type[SearchAttributeValueType]:
        return self._value_type


class SearchAttributePair(NamedTuple, Generic[SearchAttributeValueType]):
    """A search attribute with its value."""

    key: SearchAttributeKey[SearchAttributeValueType]
    value: SearchAttributeValueType


class SearchAttributeUpdate(ABC, Generic[SearchAttributeValueType]):
    """A change of one search attribute. Made by ``SearchAttributeKey.value_set`` and ``value_unset``."""

    @property
    @abstractmethod
    def key(self) -> SearchAttributeKey[SearchAttributeValueType]:
        """The attribute to change."""

    @property
    @abstractmethod
    def value(self) -> SearchAttributeValueType | None:
        """The new value, or None to remove the attribute."""


@dataclass(frozen=True)
class _SearchAttributeUpdate(SearchAttributeUpdate[SearchAttributeValueType]):
    _key: SearchAttributeKey[SearchAttributeValueType]
    _value: SearchAttributeValueType | None

    @property
    def key(self) -> SearchAttributeKey[SearchAttributeValueType]:
        return self._key

    @property
    def value(self) -> SearchAttributeValueType | None:
        return self._value


@dataclass(frozen=True)
class TypedSearchAttributes(Collection[SearchAttributePair[Any]]):
    """Search attributes with their values, sorted by name. Immutable.

    Attributes:
        search_attributes: The pairs of key and value.
    """

    search_attributes: Sequence[SearchAttributePair[Any]]

    empty: ClassVar[TypedSearchAttributes]
    """No search attributes."""

    def __post_init__(self) -> None:
        """Sort the pairs.

        Raises:
            ValueError: A name occurs twice.
        """
        pairs = sorted(self.search_attributes, key=lambda pair: pair.key.name)
        for previous, pair in itertools.pairwise(pairs):
            if previous.key.name == pair.key.name:
                raise ValueError(f"Duplicate search attribute entries found for key {pair.key.name}")
        object.__setattr__(self, "search_attributes", pairs)

    def __len__(self) -> int:
        """Number of search attributes."""
        return len(self.search_attributes)

    def __getitem__(self, key: SearchAttributeKey[SearchAttributeValueType]) -> SearchAttributeValueType:
        """Value of the attribute with this name and type.

        Raises:
            KeyError: There is none.
        """
        for pair in self.search_attributes:
            if pair.key == key:
                return cast("SearchAttributeValueType", pair.value)
        raise KeyError(key.name)

    def __iter__(self) -> Iterator[SearchAttributePair[Any]]:
        """Iterate over the pairs."""
        return iter(self.search_attributes)

    def __contains__(self, key: object) -> bool:
        """Whether there is an attribute with this name and type."""
        return any(pair.key == key for pair in self.search_attributes)

    @overload
    def get(self, key: SearchAttributeKey[SearchAttributeValueType]) -> SearchAttributeValueType | None: ...

    @overload
    def get(
        self, key: SearchAttributeKey[SearchAttributeValueType], default: _Default
    ) -> SearchAttributeValueType | _Default: ...

    def get(self, key: SearchAttributeKey[Any], default: Any | None = None) -> Any:
        """Value of the attribute with this name and type, or the default."""
        try:
            return self[key]
        except KeyError:
            return default

    def updated(self, *search_attributes: SearchAttributePair[Any]) -> TypedSearchAttributes:
        """Return a copy in which these attributes replace those of the same names."""
        by_name = {pair.key.name: pair for pair in self.search_attributes}
        by_name.update({pair.key.name: pair for pair in search_attributes})
        return TypedSearchAttributes(list(by_name.values()))


TypedSearchAttributes.empty = TypedSearchAttributes(search_attributes=[])
