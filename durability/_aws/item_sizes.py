"""Sizes of DynamoDB items, by the rules of "DynamoDB item sizes and formats" in the Amazon DynamoDB Developer Guide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Item = Mapping[str, Mapping[str, Any]]


def attribute_size(value: Mapping[str, Any]) -> int:
    """Bytes that an attribute value counts for.

    Args:
        value: attribute value as in the JSON protocol, for instance `{"S": "text"}`.
    """
    ((kind, content),) = value.items()
    if kind == "S":
        return len(str(content).encode())
    if kind == "B":
        return len(content) if isinstance(content, bytes) else len(content) * 3 // 4 - content.count("=")
    if kind == "N":
        digits = str(content).lower().split("e")[0].replace("-", "").replace(".", "").strip("0")
        return (len(digits) + 1) // 2 + 1 + str(content).startswith("-")
    if kind in ("BOOL", "NULL"):
        return 1
    if kind in ("SS", "NS", "BS"):
        return sum(attribute_size({kind[0]: element}) for element in content)
    if kind == "L":
        return 3 + sum(1 + attribute_size(element) for element in content)
    return 3 + sum(1 + len(name.encode()) + attribute_size(element) for name, element in content.items())


def item_size(item: Item | None) -> int:
    """Bytes that an item counts for: names and values of its attributes.

    Args:
        item: attributes as in the JSON protocol; None counts nothing.
    """
    return sum(len(name.encode()) + attribute_size(value) for name, value in (item or {}).items())
