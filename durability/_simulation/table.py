"""A twin of one DynamoDB table at the level of requests: what the adapter sends is what is tested.

Conditional writes are atomic, failed conditions bring the item, indexes lag behind, items and keys have a largest size,
queries have pages. Stored items are never changed in place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from durability._aws import items
from durability._aws.callers import AwsError
from durability._aws.item_sizes import item_size
from durability._simulation import expressions
from durability._simulation.expressions import Context, InvalidExpression, Item

ITEM_LIMIT: Final = 409_600
PAGE_LIMIT: Final = 1_048_576
HASH_KEY_LIMIT: Final = 2_048
RANGE_KEY_LIMIT: Final = 1_024
BATCH_LIMIT: Final = 25
INDEXES: Final = {
    items.ATTENTION_INDEX: (items.ATTENTION_SHARD, items.ATTENTION_AT),
    items.STATUS_INDEX: (items.STATUS_KEY, items.START_TIME),
    items.TYPE_INDEX: (items.TYPE_KEY, items.TYPE_RANGE),
}
_REMEMBERED: Final = 60_000
"""Milliseconds of the past that an index, or an eventually consistent read, may still show."""

Key = tuple[str, str]
Observer = Callable[[Key, Item | None, Item | None], None]


@dataclass(slots=True)
class Table:
    """One table.

    Attributes:
        clock: Milliseconds.
        lag: By how many milliseconds the next eventually consistent read is behind.
        page_limit: Bytes after which a query ends its page.
        observers: Told of every write that took effect: key, item before, item after.
    """

    clock: Callable[[], int]
    lag: Callable[[], int] = lambda: 0
    page_limit: int = PAGE_LIMIT
    observers: list[Observer] = field(default_factory=list)
    partitions: dict[str, dict[str, Item]] = field(default_factory=dict)
    _past: dict[Key, list[tuple[int, Item | None]]] = field(default_factory=dict)
    _indexed: dict[str, dict[Key, None]] = field(default_factory=lambda: {index: {} for index in INDEXES})
    _sizes: dict[int, int] = field(default_factory=dict)

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Carry out a request. Raises AwsError as DynamoDB answers."""
        try:
            method: Callable[..., dict[str, Any]] = getattr(self, f"_{operation}")
            return method(**{name: value for name, value in parameters.items() if name != "TableName"})
        except InvalidExpression as error:
            raise AwsError("ValidationException", str(error), {}) from error

    # --- reading ----------------------------------------------------------------------------------------------------

    def item(self, key: Key) -> Item | None:
        """An item as it is now."""
        return self.partitions.get(key[0], {}).get(key[1])

    def _get_item(self, Key: Item, ConsistentRead: bool = False) -> dict[str, Any]:
        key = _key(Key)
        item = self.item(key) if ConsistentRead else self._then(key, self.clock() - self.lag())
        return {"Item": dict(item)} if item is not None else {}

    def _query(
        self,
        KeyConditionExpression: str,
        ExpressionAttributeNames: dict[str, str],
        ExpressionAttributeValues: dict[str, Item],
        IndexName: str = "",
        ConsistentRead: bool = False,
        ScanIndexForward: bool = True,
        Limit: int | None = None,
        ExclusiveStartKey: Item | None = None,
        ProjectionExpression: str = "",
        **more: Any,
    ) -> dict[str, Any]:
        if more:
            raise NotImplementedError(f"queries with {sorted(more)}")
        condition = expressions.condition(KeyConditionExpression)
        names, values = ExpressionAttributeNames, ExpressionAttributeValues
        candidates = self._candidates(condition, names, values, IndexName, ConsistentRead)
        found = [item for item in candidates if condition.holds(Context(item, names, values))]
        order = INDEXES.get(IndexName, ("", items.SORT))[1]
        found.sort(key=lambda item: (_sortable(item[order]), item[items.SORT]["S"]), reverse=not ScanIndexForward)
        if ExclusiveStartKey is not None:
            positions = [_key(item) for item in found]
            start = _key(ExclusiveStartKey)
            found = found[positions.index(start) + 1 :] if start in positions else self._after(found, start)
        answer = self._page(found, Limit)
        if ProjectionExpression:
            shown = {names.get(name.strip(), name.strip()) for name in ProjectionExpression.split(",")}
            answer["Items"] = [
                {name: value for name, value in item.items() if name in shown} for item in answer["Items"]
            ]
        return answer

    def _after(self, found: list[Item], start: Key) -> list[Item]:
        return [item for item in found if _key(item) > start]

    def _page(self, found: list[Item], limit: int | None) -> dict[str, Any]:
        size = 0
        page: list[Item] = []
        for item in found:
            page.append(dict(item))
            size += self._sizes[id(item)]
            if size >= self.page_limit or len(page) == limit:
                break
        answer: dict[str, Any] = {"Items": page, "Count": len(page)}
        if len(page) < len(found):
            last = page[-1]
            answer["LastEvaluatedKey"] = {items.PARTITION: last[items.PARTITION], items.SORT: last[items.SORT]}
        return answer

    def _candidates(
        self,
        condition: expressions.Condition,
        names: dict[str, str],
        values: dict[str, Item],
        index: str,
        consistent: bool,
    ) -> list[Item]:
        if not index:
            equal = {names.get(path[0], path[0]): values[placeholder] for path, placeholder in condition.equal}
            _check_key((equal[items.PARTITION]["S"], 0), "primary key")
            partition = self.partitions.get(equal[items.PARTITION]["S"], {})
            if consistent:
                return list(partition.values())
            then = self.clock() - self.lag()
            past = (self._then((equal[items.PARTITION]["S"], sort), then) for sort in partition)
            return [item for item in past if item is not None]
        if consistent:
            raise AwsError("ValidationException", "Consistent reads are not supported on global secondary indexes", {})
        then = self.clock() - self.lag()
        hash_name, range_name = INDEXES[index]
        past = (self._then(key, then) for key in self._indexed[index])
        return [item for item in past if item is not None and hash_name in item and range_name in item]

    def shows(self, index: str, before: int, since: int) -> bool:
        """Whether any partition of an index had an entry with a range key up to a bound, at a time or after it."""
        range_name = INDEXES[index][1]
        for key in self._indexed[index]:
            for written, item in reversed(self._past[key]):
                if item is not None and range_name in item and int(item[range_name]["N"]) <= before:
                    return True
                if written <= since:
                    break
        return False

    def _then(self, key: Key, time: int) -> Item | None:
        for written, item in reversed(self._past.get(key, ())):
            if written <= time:
                return item
        return None

    # --- writing ----------------------------------------------------------------------------------------------------

    def _put_item(
        self, Item: Item, ReturnValuesOnConditionCheckFailure: str = "NONE", **condition: Any
    ) -> dict[str, Any]:
        key = _key(Item)
        before = self.item(key)
        self._check(before, ReturnValuesOnConditionCheckFailure, **condition)
        self._write(key, before, dict(Item))
        return {}

    def _delete_item(self, Key: Item, **condition: Any) -> dict[str, Any]:
        key = _key(Key)
        before = self.item(key)
        self._check(before, "NONE", **condition)
        self._write(key, before, None)
        return {}

    def _update_item(
        self,
        Key: Item,
        UpdateExpression: str,
        ReturnValues: str = "NONE",
        ReturnValuesOnConditionCheckFailure: str = "NONE",
        ConditionExpression: str = "",
        ExpressionAttributeNames: dict[str, str] | None = None,
        ExpressionAttributeValues: dict[str, Item] | None = None,
    ) -> dict[str, Any]:
        key = _key(Key)
        before = self.item(key)
        names, values = ExpressionAttributeNames or {}, ExpressionAttributeValues or {}
        self._check(before, ReturnValuesOnConditionCheckFailure, ConditionExpression, names, values)
        context = Context(before or dict(Key), names, values)
        after = expressions.apply(expressions.update(UpdateExpression), context)
        self._write(key, before, after)
        if ReturnValues == "ALL_OLD":
            return {"Attributes": dict(before)} if before is not None else {}
        return {"Attributes": dict(after)} if ReturnValues == "ALL_NEW" else {}

    def _batch_write_item(self, RequestItems: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        for requests in RequestItems.values():
            if len(requests) > BATCH_LIMIT:
                raise AwsError("ValidationException", f"Too many items requested: {len(requests)}", {})
            for request in requests:
                for kind, parameters in request.items():
                    self.call("delete_item" if kind == "DeleteRequest" else "put_item", parameters)
        return {"UnprocessedItems": {}}

    def _transact_write_items(self, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        reasons = []
        for entry in TransactItems:
            put = entry["Put"]
            failed = not self._holds(
                self.item(_key(put["Item"])),
                put.get("ConditionExpression", ""),
                put.get("ExpressionAttributeNames", {}),
                put.get("ExpressionAttributeValues", {}),
            )
            reasons.append("ConditionalCheckFailed" if failed else "None")
        if any(reason != "None" for reason in reasons):
            raise AwsError("TransactionCanceledException", f"cancelled, reasons [{', '.join(reasons)}]", {})
        for entry in TransactItems:
            _check_sizes(_key(entry["Put"]["Item"]), entry["Put"]["Item"])
        for entry in TransactItems:
            key = _key(entry["Put"]["Item"])
            self._write(key, self.item(key), dict(entry["Put"]["Item"]))
        return {}

    def _holds(self, item: Item | None, condition: str, names: dict[str, str], values: dict[str, Item]) -> bool:
        return not condition or expressions.condition(condition).holds(Context(item or {}, names, values))

    def _check(
        self,
        item: Item | None,
        on_failure: str,
        ConditionExpression: str = "",
        ExpressionAttributeNames: dict[str, str] | None = None,
        ExpressionAttributeValues: dict[str, Item] | None = None,
    ) -> None:
        if self._holds(item, ConditionExpression, ExpressionAttributeNames or {}, ExpressionAttributeValues or {}):
            return
        response = {"Item": dict(item)} if on_failure == "ALL_OLD" and item is not None else {}
        raise AwsError("ConditionalCheckFailedException", "The conditional request failed", response)

    def _write(self, key: Key, before: Item | None, after: Item | None) -> None:
        if after is not None:
            self._sizes[id(after)] = _check_sizes(key, after)
        partition = self.partitions.setdefault(key[0], {})
        if after is None:
            partition.pop(key[1], None)
        else:
            partition[key[1]] = after
            for index, (hash_name, _) in INDEXES.items():
                if hash_name in after:
                    self._indexed[index][key] = None
        now = self.clock()
        past = self._past.setdefault(key, [])
        past.append((now, after))
        while len(past) > 1 and past[1][0] < now - _REMEMBERED:
            del past[0]
        for observer in self.observers:
            observer(key, before, after)


@dataclass(slots=True)
class TableCaller:
    """Carries requests of the adapter to a table and nowhere else."""

    table: Table

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Others run before the request takes effect, and after."""
        if service != "dynamodb":
            raise NotImplementedError(f"{service}.{operation}")
        await asyncio.sleep(0)
        answer = self.table.call(operation, parameters)
        await asyncio.sleep(0)
        return answer

    async def close(self) -> None:
        """There is nothing to close."""


def _key(item: Item) -> Key:
    key = item[items.PARTITION]["S"], item[items.SORT]["S"]
    _check_key(key, "primary key")
    return key


def _check_key(key: tuple[str, Any], what: str) -> None:
    for value, limit in zip(key, (HASH_KEY_LIMIT, RANGE_KEY_LIMIT), strict=True):
        if isinstance(value, str) and not 0 < len(value.encode()) <= limit:
            raise AwsError("ValidationException", f"a part of the {what} is empty or has more than {limit} bytes", {})


def _check_sizes(key: Key, item: Item) -> int:
    """The size of an item that may be stored."""
    for index, (hash_name, range_name) in INDEXES.items():
        if hash_name in item and range_name in item:
            _check_key((item[hash_name]["S"], next(iter(item[range_name].values()))), f"key of the index {index}")
    size = item_size(item)
    if size > ITEM_LIMIT:
        raise AwsError("ValidationException", "Item size has exceeded the maximum allowed size", {})
    return size


def _sortable(value: Item) -> Any:
    ((kind, content),) = value.items()
    return int(content) if kind == "N" else content
