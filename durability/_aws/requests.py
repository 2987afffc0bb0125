"""Requests to the table."""

from __future__ import annotations

from typing import Any, Final

from durability._aws import items
from durability._aws.callers import Caller
from durability._aws.items import Item, string
from durability._runtime.ports import WorkflowKey

CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_BATCH: Final = 25
"""Items that one ``BatchWriteItem`` deletes at the most."""


class TableRequests:
    """What all parts of the store do with their table."""

    def __init__(self, caller: Caller, table: str) -> None:
        self.caller = caller
        self.table = table

    async def request(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call DynamoDB about the table."""
        return await self.caller.call("dynamodb", operation, TableName=self.table, **parameters)

    async def get(self, key: WorkflowKey, sort: str) -> Item | None:
        """An item, strongly consistent."""
        answer = await self.request("get_item", Key=item_key(key, sort), ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item

    async def between(self, key: WorkflowKey, first: str, last: str, *, keys_only: bool = False) -> dict[str, Item]:
        """Everything of a partition between two sort keys, by sort key; strongly consistent."""
        found: dict[str, Item] = {}
        parameters: dict[str, Any] = {"ProjectionExpression": "#sk"} if keys_only else {}
        while True:
            answer = await self.request(
                "query",
                KeyConditionExpression="#pk = :pk AND #sk BETWEEN :first AND :last",
                ExpressionAttributeNames={"#pk": items.PARTITION, "#sk": items.SORT},
                ExpressionAttributeValues={
                    ":pk": string(items.partition(key)),
                    ":first": string(first),
                    ":last": string(last),
                },
                ConsistentRead=True,
                **parameters,
            )
            for item in answer["Items"]:
                found[item[items.SORT]["S"]] = item
            if "LastEvaluatedKey" not in answer:
                return found
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def delete_all(self, key: WorkflowKey, sorts: list[str]) -> None:
        """Delete items of a partition."""
        for start in range(0, len(sorts), _BATCH):
            writes = [{"DeleteRequest": {"Key": item_key(key, sort)}} for sort in sorts[start : start + _BATCH]]
            while writes:
                answer = await self.caller.call("dynamodb", "batch_write_item", RequestItems={self.table: writes})
                writes = answer.get("UnprocessedItems", {}).get(self.table, [])


def item_key(key: WorkflowKey, sort: str) -> Item:
    """The key of an item of a workflow id's partition."""
    return {items.PARTITION: string(items.partition(key)), items.SORT: string(sort)}
