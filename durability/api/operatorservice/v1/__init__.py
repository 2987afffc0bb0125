"""Requests of ``Client.operator_service`` and its answers."""

from __future__ import annotations

from typing import Annotated

from durability._core.api_message import UNSET, ApiMessage

__all__ = [
    "AddSearchAttributesRequest",
    "AddSearchAttributesResponse",
    "ListSearchAttributesRequest",
    "ListSearchAttributesResponse",
    "RemoveSearchAttributesRequest",
    "RemoveSearchAttributesResponse",
]

_IndexedValueType = Annotated[int, "IndexedValueType"]


class AddSearchAttributesRequest(ApiMessage):
    search_attributes: dict[str, _IndexedValueType] = UNSET
    namespace: str = ""


class AddSearchAttributesResponse(ApiMessage): ...


class RemoveSearchAttributesRequest(ApiMessage):
    search_attributes: list[str] = UNSET
    namespace: str = ""


class RemoveSearchAttributesResponse(ApiMessage): ...


class ListSearchAttributesRequest(ApiMessage):
    namespace: str = ""


class ListSearchAttributesResponse(ApiMessage):
    custom_attributes: dict[str, _IndexedValueType] = UNSET
    system_attributes: dict[str, _IndexedValueType] = UNSET
    storage_schema: dict[str, str] = UNSET
