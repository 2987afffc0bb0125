"""The part of Temporal's operator service that code calls before it uses search attributes."""

from __future__ import annotations

from typing import Final

from durability.api.enums.v1 import IndexedValueType
from durability.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    AddSearchAttributesResponse,
    ListSearchAttributesRequest,
    ListSearchAttributesResponse,
    RemoveSearchAttributesRequest,
    RemoveSearchAttributesResponse,
)
from durability.client._attribute_types import attribute_types
from durability.client._service_calls import Service, invalid, served

SYSTEM_ATTRIBUTES: Final = {
    "ExecutionStatus": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "StartTime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
    "TaskQueue": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "WorkflowId": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "WorkflowType": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
}
"""What the queries of lists know of every execution."""


class OperatorService(Service):
    """Adds and lists search attributes.

    A deployment has no registry of them: a value says itself of which type it is, and any name can be used. What is
    added is remembered by this process, for code that makes sure that its attributes are there, and for its clients
    to read untyped strings as ``Text``. All other methods raise ``RPCError`` (UNIMPLEMENTED).
    """

    @served
    async def add_search_attributes(self, req: AddSearchAttributesRequest) -> AddSearchAttributesResponse:
        """Note names with their types. One that is there keeps its type."""
        added = self._attributes(req.namespace)
        if not req.search_attributes:
            raise invalid("SearchAttributes are not set on request.")
        for name in req.search_attributes:
            if name in SYSTEM_ATTRIBUTES:
                raise invalid(f"Search attribute {name} is reserved by system.")
        for name, kind in req.search_attributes.items():
            added.setdefault(name, kind)
        return AddSearchAttributesResponse()

    @served
    async def remove_search_attributes(self, req: RemoveSearchAttributesRequest) -> RemoveSearchAttributesResponse:
        """Forget names. Values that executions have under them stay."""
        added = self._attributes(req.namespace)
        if not req.search_attributes:
            raise invalid("SearchAttributes are not set on request.")
        system = [name for name in req.search_attributes if name in SYSTEM_ATTRIBUTES]
        if system:
            raise invalid(f"Unable to remove non-custom search attributes: {', '.join(system)}.")
        for name in req.search_attributes:
            added.pop(name, None)
        return RemoveSearchAttributesResponse()

    @served
    async def list_search_attributes(self, req: ListSearchAttributesRequest) -> ListSearchAttributesResponse:
        """The names that were added, and those that every execution has."""
        return ListSearchAttributesResponse(
            custom_attributes=dict(self._attributes(req.namespace)), system_attributes=dict(SYSTEM_ATTRIBUTES)
        )

    def _attributes(self, namespace: str) -> dict[str, int]:
        self._check_namespace(namespace)
        return attribute_types(self._client)
