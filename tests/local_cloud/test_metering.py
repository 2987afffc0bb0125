from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from durability._aws.item_sizes import attribute_size, item_size
from durability._local import LocalCloud


@pytest.fixture(autouse=True)
def recording(cloud: LocalCloud) -> Iterator[None]:
    cloud.record()
    yield
    cloud.record(False)


@pytest.fixture
def table(cloud: LocalCloud) -> dict[str, str]:
    return {"TableName": cloud.outputs["TableName"]}


def item(pk: str, size: int, **more: Any) -> dict[str, Any]:
    """An item of exactly that many bytes, but for what is added."""
    return {"pk": {"S": pk}, "sk": {"S": "x"}, "d": {"B": b"x" * (size - 6 - len(pk))}, **more}


def last(cloud: LocalCloud) -> dict[str, Any]:
    return cloud.records()[-1]


def test_sizes() -> None:
    assert attribute_size({"S": "ü"}) == 2
    assert attribute_size({"B": "AAAA"}) == 3
    assert attribute_size({"B": "AA=="}) == 1
    assert attribute_size({"N": "1234"}) == 3
    assert attribute_size({"BOOL": True}) == 1
    assert attribute_size({"NULL": True}) == 1
    assert attribute_size({"L": []}) == 3
    assert attribute_size({"M": {"ab": {"S": "c"}}}) == 3 + 1 + 2 + 1
    assert attribute_size({"SS": ["a", "bc"]}) == 3
    assert item_size({"pk": {"S": "a"}, "sk": {"S": "b"}}) == 6


@pytest.mark.parametrize(("size", "units"), [(1024, 1), (1025, 2), (3000, 3)])
def test_a_put_costs_a_unit_for_every_kilobyte(cloud: LocalCloud, table: Any, size: int, units: int) -> None:
    cloud.client("dynamodb").put_item(**table, Item=item(f"put{size}", size))
    record = last(cloud)
    assert (record["operation"], record["principal"]) == ("PutItem", "client")
    assert record["item_sizes"] == [size]
    assert record["write_units"] == units


def test_a_failed_condition_and_an_update_cost_the_item(cloud: LocalCloud, table: Any) -> None:
    client = cloud.client("dynamodb")
    client.put_item(**table, Item=item("u", 3000))
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        client.put_item(**table, Item=item("u", 10), ConditionExpression="attribute_not_exists(pk)")
    assert (last(cloud)["status"], last(cloud)["write_units"]) == (400, 3)
    client.update_item(
        **table,
        Key={"pk": {"S": "u"}, "sk": {"S": "x"}},
        UpdateExpression="SET d = :d",
        ExpressionAttributeValues={":d": {"S": ""}},
    )
    assert last(cloud)["write_units"] == 3


def test_an_index_costs_when_its_entry_changes(cloud: LocalCloud, table: Any) -> None:
    client = cloud.client("dynamodb")

    def put(**more: Any) -> float:
        client.put_item(**table, Item=item("i", 500, **more))
        return float(last(cloud)["write_units"])

    assert put() == 1
    assert put(shard={"S": "a"}, at={"N": "1"}) == 2
    assert put(shard={"S": "a"}, at={"N": "1"}, other={"S": "not projected"}) == 1
    assert put(shard={"S": "a"}, at={"N": "2"}) == 3
    assert put() == 2


def test_reads(cloud: LocalCloud, table: Any) -> None:
    client = cloud.client("dynamodb")
    client.put_item(**table, Item=item("r", 5000))
    key = {"pk": {"S": "r"}, "sk": {"S": "x"}}
    client.get_item(**table, Key=key, ConsistentRead=True)
    assert last(cloud)["read_units"] == 2
    client.get_item(**table, Key=key, ProjectionExpression="pk")
    assert last(cloud)["read_units"] == 1
    client.get_item(**table, Key={"pk": {"S": "r"}, "sk": {"S": "missing"}}, ConsistentRead=True)
    assert last(cloud)["read_units"] == 1
    client.query(
        **table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "r"}},
        ConsistentRead=True,
    )
    assert last(cloud)["read_units"] == 2


def test_transactions_cost_twice(cloud: LocalCloud, table: Any) -> None:
    puts = [{"Put": {**table, "Item": item(f"t{index}", 100)}} for index in range(2)]
    cloud.client("dynamodb").transact_write_items(TransactItems=puts)
    assert last(cloud)["write_units"] == 4
    assert last(cloud)["item_sizes"] == [100, 100]


def test_batches_count_every_item(cloud: LocalCloud, table: Any) -> None:
    name = table["TableName"]
    requests = [{"PutRequest": {"Item": item(f"b{index}", 1500)}} for index in range(3)]
    cloud.client("dynamodb").batch_write_item(RequestItems={name: requests})
    assert last(cloud)["write_units"] == 6
