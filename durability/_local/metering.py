"""Capacity units and item sizes of DynamoDB requests, by the published rules.

moto's own consumed capacity is a constant. The rules are those of "DynamoDB read and write operations" and "DynamoDB
item sizes and formats" in the Amazon DynamoDB Developer Guide: 1 KB a write unit, 4 KB a read unit, half a unit for an
eventually consistent read, transactions twice, every index entry that changes, at least one unit a request, failed
conditions included.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from durability._aws.item_sizes import Item, item_size
from durability._local.identity import ACCOUNT

_WRITES = {"PutItem": "Item", "UpdateItem": "Key", "DeleteItem": "Key"}


class Meter:
    """Computes what a DynamoDB request costs from the items before and after it."""

    def before(self, service: str, operation: str, body: bytes, region: str) -> dict[str, Any] | None:
        """Note the items that a request is about to write.

        Args:
            service: signing name of the service.
            operation: its operation.
            body: JSON body.
            region: region of the request.

        Returns:
            What `after` needs; None for a request that is not metered.
        """
        if service != "dynamodb":
            return None
        parameters = json.loads(body)
        writes = [
            (table, key, _current(table, key))
            for table, key in _writes(operation, parameters, region)
            if table is not None
        ]
        return {"operation": operation, "parameters": parameters, "writes": writes}

    def after(self, noted: dict[str, Any] | None, response: bytes, region: str) -> dict[str, Any]:
        """The cost of a request that has been done.

        Args:
            noted: what `before` returned.
            response: JSON answer.
            region: region of the request.

        Returns:
            `write_units`, `read_units`, `item_sizes` (bytes, of the items as written or read); empty if not metered.
        """
        if noted is None:
            return {}
        operation, parameters = noted["operation"], noted["parameters"]
        factor = 2 if operation.startswith("Transact") else 1
        write_units, sizes = 0, []
        for table, key, old in noted["writes"]:
            new = _current(table, key)
            sizes.append(item_size(new if new is not None else old))
            write_units += factor * (_units(max(item_size(old), item_size(new)), 1024) + _index_units(table, old, new))
        read_units = 0.0
        answer = json.loads(response) if response[:1] == b"{" else {}
        for read_sizes, strong, together in _reads(operation, parameters, answer, region):
            sizes += read_sizes
            blocks = _units(sum(read_sizes), 4096) if together else sum(_units(size, 4096) for size in read_sizes)
            read_units += factor * blocks * (1 if strong or factor == 2 else 0.5)
        return {"write_units": write_units, "read_units": read_units, "item_sizes": sizes}


def _units(size: int, unit: int) -> int:
    return max(1, math.ceil(size / unit))


def _table(name: str, region: str) -> Table | None:
    return dynamodb_backends[ACCOUNT][region].tables.get(name.rsplit("/", 1)[-1])


def _current(table: Table, key: Item) -> Item | None:
    hash_key, *range_key = (DynamoType(dict(key[name])) for name in _key_names(table))
    if hash_key not in table.items:
        return None
    found: Any = table.items[hash_key]
    if range_key:
        found = found.get(range_key[0])
    return None if found is None else found.to_json()["Attributes"]


def _key_names(table: Table) -> list[str]:
    return [
        element["AttributeName"] for element in sorted(table.schema, key=lambda element: element["KeyType"] != "HASH")
    ]


def _writes(operation: str, parameters: dict[str, Any], region: str) -> Iterator[tuple[Table | None, Item]]:
    if operation in _WRITES:
        yield _table(parameters["TableName"], region), parameters[_WRITES[operation]]
    elif operation == "BatchWriteItem":
        for name, requests in parameters["RequestItems"].items():
            for request in requests:
                yield _table(name, region), (request.get("PutRequest") or request["DeleteRequest"]).popitem()[1]
    elif operation == "TransactWriteItems":
        for element in parameters["TransactItems"]:
            ((kind, action),) = element.items()
            yield _table(action["TableName"], region), action["Item" if kind == "Put" else "Key"]


def _index_units(table: Table, old: Item | None, new: Item | None) -> int:
    units = 0
    for index in [*table.indexes, *table.global_indexes]:
        keys = [element["AttributeName"] for element in index.schema]
        names = {*keys, *_key_names(table), *((index.projection or {}).get("NonKeyAttributes") or [])}
        everything = (index.projection or {}).get("ProjectionType", "ALL") == "ALL"
        entries = []
        for item in (old, new):
            indexed = item is not None and all(name in item for name in keys)
            entries.append(
                {name: item[name] for name in item if everything or name in names} if indexed and item else None
            )
        before, after = entries
        if before == after:
            continue
        if before is not None and after is not None and all(before[name] == after[name] for name in keys):
            units += _units(max(item_size(before), item_size(after)), 1024)
        else:
            units += sum(_units(item_size(entry), 1024) for entry in (before, after) if entry is not None)
    return units


def _reads(
    operation: str, parameters: dict[str, Any], answer: dict[str, Any], region: str
) -> Iterator[tuple[list[int], bool, bool]]:
    """Sizes of the items read, whether consistently, and whether they are added up before rounding."""

    def stored(name: str, key: Item) -> int:
        table = _table(name, region)
        return item_size(_current(table, key)) if table is not None else 0

    if operation == "GetItem":
        yield [stored(parameters["TableName"], parameters["Key"])], bool(parameters.get("ConsistentRead")), False
    elif operation == "BatchGetItem":
        for name, request in parameters["RequestItems"].items():
            yield [stored(name, key) for key in request["Keys"]], bool(request.get("ConsistentRead")), False
    elif operation == "TransactGetItems":
        gets = [element["Get"] for element in parameters["TransactItems"]]
        yield [stored(get["TableName"], get["Key"]) for get in gets], True, False
    elif operation in ("Query", "Scan"):
        table = _table(parameters["TableName"], region)
        names = _key_names(table) if table is not None else []
        # A projection does not make a read of the table cheaper; one of an index is billed as it is projected.
        whole = "IndexName" not in parameters
        sizes = [
            stored(parameters["TableName"], item) if whole and all(name in item for name in names) else item_size(item)
            for item in answer.get("Items", [])
        ]
        yield sizes, bool(parameters.get("ConsistentRead")), True
