"""The run's memo and search attributes, as workflow code reads and changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from durability._core.history import SearchAttributesUpserted, WorkflowPropertiesModified
from durability._core.payload import Payload
from durability.common import (
    SearchAttributeIndexedValueType,
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributes,
    SearchAttributeUpdate,
    SearchAttributeValues,
)
from durability.common._arguments import _arg_unset
from durability.converter import encode_search_attribute_values, encode_typed_search_attribute_value
from durability.workflow._event_groups import EventGroup, _captured

if TYPE_CHECKING:
    from durability._core.instance import Instance

_KEYWORD_LIST = SearchAttributeIndexedValueType.KEYWORD_LIST


class Memo:
    """The memo; its raw form is the very mapping that ``Info.raw_memo`` shows."""

    def __init__(self, instance: Instance, raw: dict[str, Payload]) -> None:
        self._instance = instance
        self._raw = raw
        self._decoded: dict[str, Any] | None = None

    def values(self) -> Mapping[str, Any]:
        """Everything, decoded without type hints."""
        if self._decoded is None:
            converter = self._instance.converters.payloads
            self._decoded = {key: converter.from_payload(value) for key, value in self._raw.items()}
        return self._decoded

    def value(self, key: str, default: Any, type_hint: type | None) -> Any:
        """One value.

        Raises:
            KeyError: There is none, and no default.
        """
        payload = self._raw.get(key)
        if payload is None:
            if default is _arg_unset:
                raise KeyError(f"Memo does not have a value for key {key}")
            return default
        converter = self._instance.converters.payloads
        return converter.from_payload(payload) if type_hint is None else converter.from_payload(payload, type_hint)

    def upsert(self, updates: Mapping[str, Any], event_groups: Sequence[EventGroup] | None) -> None:
        """Set values; None removes one."""
        self._instance.loop.refuse_changes("add command")
        encode = self._instance.converters.encode_one
        payloads = {key: None if value is None else encode(value) for key, value in updates.items()}
        if not payloads:
            return
        self._instance.commands.add(WorkflowPropertiesModified(payloads), _captured(event_groups))
        for key, payload in payloads.items():
            if payload is None:
                self._raw.pop(key, None)
            else:
                self._raw[key] = payload
        if self._decoded is not None:
            # In place: as in the reference, a mapping that was handed out before shows the change.
            converter = self._instance.converters.payloads
            for key, payload in payloads.items():
                if payload is None:
                    self._decoded.pop(key, None)
                else:
                    self._decoded[key] = converter.from_payload(payload)


class SearchAttributesOfRun:
    """Search attributes, in the two forms that ``Info`` shows."""

    def __init__(
        self, instance: Instance, untyped: dict[str, SearchAttributeValues], typed: list[SearchAttributePair[Any]]
    ) -> None:
        self._instance = instance
        self._untyped = untyped
        self._typed = typed

    def upsert(
        self,
        attributes: SearchAttributes | Sequence[SearchAttributeUpdate[Any]],
        event_groups: Sequence[EventGroup] | None,
    ) -> None:
        """Set and remove search attributes."""
        self._instance.loop.refuse_changes("upsert search attributes")
        if isinstance(attributes, Mapping):
            payloads = {name: encode_search_attribute_values(values) for name, values in attributes.items()}
        else:
            payloads = {
                update.key.name: encode_typed_search_attribute_value(update.key, update.value) for update in attributes
            }
        self._instance.commands.add(SearchAttributesUpserted(payloads), _captured(event_groups))
        if isinstance(attributes, Mapping):
            for name, values in attributes.items():
                self._set_untyped(name, values)
        else:
            for update in attributes:
                self._set_typed(update)

    def _set_typed(self, update: SearchAttributeUpdate[Any]) -> None:
        name, value = update.key.name, update.value
        if value is None:
            self._untyped[name] = []
            self._replace(name, None)
        else:
            self._untyped[name] = list(value) if update.key.indexed_value_type == _KEYWORD_LIST else [value]
            self._replace(name, SearchAttributePair(update.key, value))

    def _set_untyped(self, name: str, values: SearchAttributeValues) -> None:
        self._untyped[name] = values
        if not values:
            self._replace(name, None)
            return
        key = SearchAttributeKey._guess_from_untyped_values(name, values)
        if key is None:
            return
        if key.indexed_value_type == _KEYWORD_LIST:
            self._replace(name, SearchAttributePair(key, values))
        elif len(values) == 1:
            self._replace(name, SearchAttributePair(key, values[0]))

    def _replace(self, name: str, pair: SearchAttributePair[Any] | None) -> None:
        index = next((i for i, known in enumerate(self._typed) if known.key.name == name), None)
        if index is None:
            if pair is not None:
                self._typed.append(pair)
        elif pair is None:
            del self._typed[index]
        else:
            self._typed[index] = pair
