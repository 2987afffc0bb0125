"""DynamoDB's own rules, as far as the adapter depends on them: which of them each emulator keeps.

What an emulator does not keep is listed, and the list is exact: an emulator that gets better is noticed too.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest

from durability._aws import items
from durability._aws.callers import AwsError, BotoCaller
from durability._aws.item_sizes import item_size
from durability._simulation.table import Table, TableCaller
from tests.protocol.conftest import TABLE

Item = dict[str, Any]
LIMIT: Final = 409_600

KNOWN: Final[dict[str, set[str]]] = {
    "twin": set(),
    "moto": {
        "an_item_may_have_400_kb",  # 405,000 bytes are its limit
        "an_item_does_not_grow_beyond_it",
        "bounds_are_in_order",
        "a_batch_has_25_items",
    },
    "elsewhere": set(),
}
"""What is not kept: by the simulation's twin of a table, by the local cloud's moto, by ministack 1.5.33."""


class Emulator:
    """One of the emulators, and a partition of its own."""

    def __init__(self, caller: BotoCaller | TableCaller) -> None:
        self._caller = caller
        self.partition = uuid.uuid4().hex

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self._caller.call("dynamodb", operation, TableName=TABLE, **parameters)

    async def transact(self, *puts: dict[str, Any]) -> None:
        writes = [{"Put": {"TableName": TABLE, **put}} for put in puts]
        await self._caller.call("dynamodb", "transact_write_items", TransactItems=writes)

    async def batch(self, requests: list[dict[str, Any]]) -> None:
        await self._caller.call("dynamodb", "batch_write_item", RequestItems={TABLE: requests})

    def key(self, sort: str = "a") -> Item:
        return {items.PARTITION: {"S": self.partition}, items.SORT: {"S": sort}}

    def item(self, size: int, sort: str = "a") -> Item:
        """An item of so many bytes."""
        empty = {**self.key(sort), "body": {"B": b""}}
        return {**empty, "body": {"B": bytes(size - item_size(empty))}}

    async def put(self, item: Item, **condition: Any) -> None:
        await self.call("put_item", Item=item, **condition)

    async def get(self, sort: str = "a") -> Item | None:
        found: Item | None = (await self.call("get_item", Key=self.key(sort), ConsistentRead=True)).get("Item")
        return found

    async def between(self, low: str, high: str) -> list[Item]:
        answer = await self.call(
            "query",
            KeyConditionExpression="#pk = :pk AND #sk BETWEEN :low AND :high",
            ExpressionAttributeNames={"#pk": items.PARTITION, "#sk": items.SORT},
            ExpressionAttributeValues={":pk": {"S": self.partition}, ":low": {"S": low}, ":high": {"S": high}},
        )
        found: list[Item] = answer["Items"]
        return found


async def refused(work: Awaitable[Any], code: str = "ValidationException") -> AwsError:
    with pytest.raises(AwsError) as raised:
        await work
    assert raised.value.code == code
    return raised.value


async def an_item_may_have_400_kb(emulator: Emulator) -> None:
    await emulator.put(emulator.item(LIMIT))


async def an_item_may_have_no_more(emulator: Emulator) -> None:
    error = await refused(emulator.put(emulator.item(LIMIT + 1)))
    assert "size" in str(error).lower()
    assert await emulator.get() is None


async def an_item_does_not_grow_beyond_it(emulator: Emulator) -> None:
    await emulator.put(emulator.item(LIMIT - 1_000))
    grow = {"UpdateExpression": "SET more = :more", "ExpressionAttributeValues": {":more": {"B": bytes(2_000)}}}
    error = await refused(emulator.call("update_item", Key=emulator.key(), **grow))
    assert "size" in str(error).lower()
    assert "more" not in (await emulator.get() or {})


async def keys_are_not_empty(emulator: Emulator) -> None:
    await refused(emulator.put(emulator.key("")))


async def a_partition_key_has_2048_bytes(emulator: Emulator) -> None:
    emulator.partition = (emulator.partition * 64)[:2_048]
    await emulator.put(emulator.key())
    emulator.partition += "x"
    await refused(emulator.put(emulator.key()))


async def a_sort_key_has_1024_bytes(emulator: Emulator) -> None:
    await emulator.put(emulator.key("x" * 1_024))
    await refused(emulator.put(emulator.key("x" * 1_025)))


async def bounds_are_in_order(emulator: Emulator) -> None:
    await emulator.put(emulator.key("m"))
    assert len(await emulator.between("m", "m")) == 1
    await refused(emulator.between("z", "a"))


async def a_batch_has_25_items(emulator: Emulator) -> None:
    await emulator.batch([{"PutRequest": {"Item": emulator.key(str(n))}} for n in range(25)])
    await refused(emulator.batch([{"PutRequest": {"Item": emulator.key(f"b{n}")}} for n in range(26)]))
    assert await emulator.get("b0") is None


async def a_failed_condition_of_a_put_brings_the_item(emulator: Emulator) -> None:
    await emulator.put({**emulator.key(), "n": {"N": "1"}})
    again = emulator.put(
        emulator.key(),
        ConditionExpression="attribute_not_exists(#pk)",
        ExpressionAttributeNames={"#pk": items.PARTITION},
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    error = await refused(again, "ConditionalCheckFailedException")
    assert error.response["Item"] == {**emulator.key(), "n": {"N": "1"}}


async def a_failed_condition_of_an_update_brings_the_item(emulator: Emulator) -> None:
    await emulator.put({**emulator.key(), "n": {"N": "1"}})
    update = emulator.call(
        "update_item",
        Key=emulator.key(),
        UpdateExpression="SET n = :new",
        ConditionExpression="n = :old",
        ExpressionAttributeValues={":new": {"N": "3"}, ":old": {"N": "2"}},
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    error = await refused(update, "ConditionalCheckFailedException")
    assert error.response["Item"] == {**emulator.key(), "n": {"N": "1"}}


async def an_update_tells_the_item_before_it(emulator: Emulator) -> None:
    values = {":n": {"N": "1"}}
    update = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": values, "ReturnValues": "ALL_OLD"}
    assert not (await emulator.call("update_item", Key=emulator.key(), **update)).get("Attributes")
    again = await emulator.call("update_item", Key=emulator.key(), **update)
    assert again["Attributes"] == {**emulator.key(), "n": {"N": "1"}}


async def a_cancelled_transaction_leaves_nothing(emulator: Emulator) -> None:
    await emulator.put(emulator.key("b"))
    absent = {"ConditionExpression": "attribute_not_exists(pk)"}
    await refused(
        emulator.transact({"Item": emulator.key("a")}, {"Item": emulator.key("b"), **absent}),
        "TransactionCanceledException",
    )
    assert await emulator.get("a") is None


async def a_page_has_a_megabyte(emulator: Emulator) -> None:
    for n in range(5):
        await emulator.put(emulator.item(300_000, str(n)))
    names = {"#pk": items.PARTITION}
    answer = await emulator.call(
        "query",
        KeyConditionExpression="#pk = :pk",
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={":pk": {"S": emulator.partition}},
    )
    assert "LastEvaluatedKey" in answer
    assert len(answer["Items"]) < 5


async def an_index_is_not_read_consistently(emulator: Emulator) -> None:
    await refused(
        emulator.call(
            "query",
            IndexName=items.STATUS_INDEX,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": items.STATUS_KEY},
            ExpressionAttributeValues={":key": {"S": "x"}},
            ConsistentRead=True,
        )
    )


RULES: Final[list[Callable[[Emulator], Awaitable[None]]]] = [
    an_item_may_have_400_kb,
    an_item_may_have_no_more,
    an_item_does_not_grow_beyond_it,
    keys_are_not_empty,
    a_partition_key_has_2048_bytes,
    a_sort_key_has_1024_bytes,
    bounds_are_in_order,
    a_batch_has_25_items,
    a_failed_condition_of_a_put_brings_the_item,
    a_failed_condition_of_an_update_brings_the_item,
    an_update_tells_the_item_before_it,
    a_cancelled_transaction_leaves_nothing,
    a_page_has_a_megabyte,
    an_index_is_not_read_consistently,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", ["twin", "backend"])
async def test_which_rules_are_kept(
    name: str, rule: Callable[[Emulator], Awaitable[None]], request: pytest.FixtureRequest
) -> None:
    caller = TableCaller(Table(lambda: 0)) if name == "twin" else request.getfixturevalue("boto")
    if name == "backend":
        name = "elsewhere" if os.environ.get("STORE_ENDPOINT") else "moto"
    if rule.__name__ not in KNOWN[name]:
        await rule(Emulator(caller))
        return
    with pytest.raises((AssertionError, pytest.fail.Exception, AwsError)):
        await rule(Emulator(caller))
