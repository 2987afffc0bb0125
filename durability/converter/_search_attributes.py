"""Search attributes as payloads. They are indexed, so they never pass through a codec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from durability._core.payload import Payload
from durability.api.common import v1
from durability.common import (
    SearchAttributeIndexedValueType,
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributes,
    SearchAttributeValue,
    SearchAttributeValues,
    SearchAttributeValueType,
    TypedSearchAttributes,
)
from durability.converter._data_converter import DataConverter


def search_attributes_to_payloads(
    attributes: SearchAttributes | TypedSearchAttributes | None, *, guess_types: bool = False
) -> dict[str, Payload]:
    """Convert search attributes to payloads by name.

    Args:
        attributes: The search attributes.
        guess_types: Whether payloads of untyped values name the types that the values suggest. Temporal's server
            knows the types of attributes that were registered with it; nothing is registered here.

    Raises:
        TypeError: A value does not have the type of its attribute.
        ValueError: A time has no timezone.
    """
    if isinstance(attributes, TypedSearchAttributes):
        return {key.name: encode_typed_search_attribute_value(key, value) for key, value in attributes}
    payloads = {name: encode_search_attribute_values(values) for name, values in (attributes or {}).items()}
    if guess_types:
        for name, values in (attributes or {}).items():
            _name_type(payloads[name], SearchAttributeKey._guess_from_untyped_values(name, values))
    return payloads


def _name_type(payload: Payload, key: SearchAttributeKey[Any] | None) -> None:
    if key is not None:
        payload.metadata["type"] = key._metadata_type.encode()


def search_attributes_from_payloads(payloads: Mapping[str, Payload]) -> SearchAttributes:
    """Convert payloads by name to untyped search attributes."""
    attributes: dict[str, Any] = {}
    for name, payload in payloads.items():
        values = _as_list(DataConverter.default.payload_converter.from_payload(payload))
        is_datetime = payload.metadata.get("type") == b"Datetime"
        attributes[name] = [datetime.fromisoformat(value) for value in values] if is_datetime else values
    return attributes


def typed_search_attributes_from_payloads(payloads: Mapping[str, Payload]) -> TypedSearchAttributes:
    """Convert payloads by name to typed search attributes.

    Attributes whose payload does not name a known type, or has a value that does not fit it, are left out.
    """
    pairs = [_typed_pair(name, payload) for name, payload in payloads.items()]
    return TypedSearchAttributes([pair for pair in pairs if pair is not None])


def with_types(payloads: Mapping[str, Payload], known: Mapping[str, int] | None = None) -> dict[str, Payload]:
    """Payloads by name, with their types.

    Args:
        payloads: The search attributes.
        known: Numbers of ``IndexedValueType`` by name, which count where a value fits them, as in Temporal's server.
            Where neither these nor the payload say a type, the value suggests one.
    """
    return {name: _with_type(name, payload, (known or {}).get(name, 0)) for name, payload in payloads.items()}


def _with_type(name: str, payload: Payload, kind: int) -> Payload:
    if kind:
        typed = Payload({**payload.metadata, "type": SearchAttributeIndexedValueType(kind).name.encode()}, payload.data)
        if _typed_pair(name, typed) is not None:
            return typed
    return payload if "type" in payload.metadata else _guessed(name, payload)


def _guessed(name: str, payload: Payload) -> Payload:
    if "type" in payload.metadata:
        return payload
    values = _as_list(DataConverter.default.payload_converter.from_payload(payload))
    typed = Payload(dict(payload.metadata), payload.data)
    _name_type(typed, SearchAttributeKey._guess_from_untyped_values(name, values))
    return typed


def _typed_pair(name: str, payload: Payload) -> SearchAttributePair[Any] | None:
    key = SearchAttributeKey._from_metadata_type(name, payload.metadata.get("type", b"").decode())
    if key is None:
        return None
    value: Any = DataConverter.default.payload_converter.from_payload(payload)
    if key.indexed_value_type != SearchAttributeIndexedValueType.KEYWORD_LIST:
        values = _as_list(value)
        if len(values) != 1:
            return None
        value = values[0]
    if key.indexed_value_type == SearchAttributeIndexedValueType.DATETIME:
        value = datetime.fromisoformat(value)
    elif key.indexed_value_type == SearchAttributeIndexedValueType.DOUBLE and type(value) is int:
        value = float(value)
    return SearchAttributePair(key, value) if isinstance(value, key.origin_value_type) else None


def encode_search_attributes(attributes: SearchAttributes | TypedSearchAttributes, api: v1.SearchAttributes) -> None:
    """Add search attributes to a message.

    Args:
        attributes: The search attributes.
        api: Where to put them.

    Raises:
        TypeError: A value does not have the type of its attribute.
        ValueError: A time has no timezone.
    """
    api.indexed_fields.update(search_attributes_to_payloads(attributes))


def encode_typed_search_attribute_value(
    key: SearchAttributeKey[SearchAttributeValueType], value: SearchAttributeValue | None
) -> Payload:
    """Convert the value of a typed search attribute; None removes the attribute.

    Raises:
        TypeError: The value does not have the type of its attribute.
        ValueError: A time has no timezone.
    """
    converter = DataConverter.default.payload_converter
    if value is None:
        return converter.to_payload(None)
    if not isinstance(value, key.origin_value_type):
        raise TypeError(f"Value of type {value} not suitable for indexed value type {key.indexed_value_type}")
    if isinstance(value, datetime):
        value = _to_text(value)
    if isinstance(value, Sequence) and not all(isinstance(item, str) for item in value):
        raise TypeError("All values of a keyword list must be strings")
    payload = converter.to_payload(value)
    payload.metadata["type"] = key._metadata_type.encode()
    return payload


def encode_search_attribute_values(vals: SearchAttributeValues) -> Payload:
    """Convert the values of an untyped search attribute.

    Args:
        vals: The values, all of the same type.

    Raises:
        TypeError: The values are not a list, or not of one type that search attributes can have.
        ValueError: A time has no timezone.
    """
    if not isinstance(vals, list):
        raise TypeError("Search attribute values must be lists")
    for value in vals:
        if not isinstance(value, str | int | float | bool | datetime):
            raise TypeError(
                f"Search attribute value of type {type(value).__name__} not one of str, int, float, bool, or datetime"
            )
    if len({type(value) for value in vals}) > 1:
        raise TypeError("Search attribute values must have the same type for the same key")
    payload = DataConverter.default.payload_converter.to_payload(
        [_to_text(value) if isinstance(value, datetime) else value for value in vals]
    )
    # Temporal's server adds the type of the registered attribute. Here, what the values tell has to do.
    type_name = _UNTYPED.get(type(vals[0])) if vals else None
    if type_name is not None:
        payload.metadata["type"] = type_name
    return payload


_UNTYPED: Final = {bool: b"Bool", int: b"Int", float: b"Double", datetime: b"Datetime"}
"""Types that values without one have for certain; text may be ``Text``, ``Keyword`` or a list of those."""


def decode_search_attributes(api: v1.SearchAttributes) -> SearchAttributes:
    """Return the search attributes of a message, untyped."""
    return search_attributes_from_payloads(api.indexed_fields)


def decode_typed_search_attributes(api: v1.SearchAttributes) -> TypedSearchAttributes:
    """Return the search attributes of a message. Those without a known type are left out."""
    return typed_search_attributes_from_payloads(api.indexed_fields)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _to_text(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("Timezone must be present on all search attribute dates")
    return value.isoformat()
