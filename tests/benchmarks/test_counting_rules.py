"""What the benchmarks count by, against examples worked out by hand.

The rules: "DynamoDB read and write operations", "DynamoDB item sizes and formats" and "Using global secondary indexes
in DynamoDB" in the Amazon DynamoDB Developer Guide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from durability._aws.item_sizes import attribute_size, item_size
from durability._local.metering import Meter

REGION = "us-east-1"
KEY = {"pk": {"S": "a"}, "sk": {"S": "b"}}
KEY_SIZE = 6
"""Two names of two letters and two values of one."""
INDEX = {
    "IndexName": "by_kind",
    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["shown"]},
}

Charge = Callable[..., dict[str, Any]]


@pytest.fixture
def charge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Charge]:
    """Does a request and returns what it costs."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client: Any = boto3.client("dynamodb", region_name=REGION)
        client.create_table(
            TableName="table",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "kind")],
            GlobalSecondaryIndexes=[INDEX],
        )
        meter = Meter()

        def do(operation: str, **parameters: Any) -> dict[str, Any]:
            parameters = {"TableName": "table", **parameters}
            noted = meter.before("dynamodb", operation, json.dumps(parameters).encode(), REGION)
            method = {"PutItem": "put_item", "UpdateItem": "update_item", "DeleteItem": "delete_item"}
            method |= {"GetItem": "get_item", "Query": "query"}
            try:
                answer = getattr(client, method[operation])(**parameters)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                answer = {}
            answer.pop("ResponseMetadata", None)
            return meter.after(noted, json.dumps(answer).encode(), REGION)

        yield do


def item(size: int, sort: str = "b", **attributes: str) -> dict[str, Any]:
    """An item of so many bytes."""
    made = {**KEY, "sk": {"S": sort}, **{name: {"S": value} for name, value in attributes.items()}, "body": {"S": ""}}
    made["body"] = {"S": "x" * (size - item_size(made))}
    return made


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "añb"}, 4),
        ({"N": "0"}, 1),
        ({"N": "1700000000000"}, 2),
        ({"N": "1234567"}, 5),
        ({"N": "-1234567"}, 6),
        ({"B": "AAEC"}, 3),
        ({"BOOL": True}, 1),
        ({"M": {}}, 3),
        ({"M": {"ab": {"S": "c"}}}, 3 + 1 + 2 + 1),
        ({"L": [{"S": "c"}, {"NULL": True}]}, 3 + 2 + 2),
    ],
)
def test_sizes_of_values(value: dict[str, Any], size: int) -> None:
    assert attribute_size(value) == size


def test_an_item_is_names_and_values() -> None:
    assert item_size({**KEY, "body": {"S": "ä"}}) == KEY_SIZE + 4 + 2


@pytest.mark.parametrize(("size", "units"), [(20, 1), (1024, 1), (1025, 2), (10 * 1024, 10)])
def test_a_write_unit_is_a_kilobyte(charge: Charge, size: int, units: int) -> None:
    assert charge("PutItem", Item=item(size)) == {"write_units": units, "read_units": 0, "item_sizes": [size]}


def test_the_larger_of_old_and_new_item_is_billed(charge: Charge) -> None:
    charge("PutItem", Item=item(3000))
    assert charge("PutItem", Item=item(100))["write_units"] == 3
    assert charge("PutItem", Item=item(2000))["write_units"] == 2


def test_an_update_is_billed_for_the_whole_item(charge: Charge) -> None:
    charge("PutItem", Item=item(3000))
    update = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
    assert charge("UpdateItem", Key=KEY, **update)["write_units"] == 3


def test_a_failed_condition_is_billed_for_the_item_that_is_there(charge: Charge) -> None:
    charge("PutItem", Item=item(1500))
    refused = charge("PutItem", Item=item(100), ConditionExpression="attribute_not_exists(pk)")
    assert refused["write_units"] == 2
    assert charge("GetItem", Key=KEY, ConsistentRead=True)["item_sizes"] == [1500]


def test_a_delete_is_billed_for_what_it_deletes(charge: Charge) -> None:
    charge("PutItem", Item=item(1500))
    assert charge("DeleteItem", Key=KEY)["write_units"] == 2
    assert charge("DeleteItem", Key=KEY)["write_units"] == 1


class TestIndexEntries:
    def test_an_item_without_the_key_has_none(self, charge: Charge) -> None:
        assert charge("PutItem", Item=item(100))["write_units"] == 1

    def test_a_new_entry_is_a_write(self, charge: Charge) -> None:
        assert charge("PutItem", Item=item(100, kind="k"))["write_units"] == 2

    def test_what_is_not_projected_does_not_touch_it(self, charge: Charge) -> None:
        charge("PutItem", Item=item(100, kind="k"))
        assert charge("PutItem", Item=item(200, kind="k"))["write_units"] == 1

    def test_a_change_of_what_is_projected_is_a_write(self, charge: Charge) -> None:
        charge("PutItem", Item=item(100, kind="k", shown="1"))
        assert charge("PutItem", Item=item(100, kind="k", shown="2"))["write_units"] == 2

    def test_a_change_of_the_key_is_a_delete_and_a_put(self, charge: Charge) -> None:
        charge("PutItem", Item=item(100, kind="k"))
        assert charge("PutItem", Item=item(100, kind="l"))["write_units"] == 3

    def test_an_entry_that_goes_is_a_write(self, charge: Charge) -> None:
        charge("PutItem", Item=item(100, kind="k"))
        assert charge("PutItem", Item=item(100))["write_units"] == 2

    def test_it_is_billed_by_its_own_size(self, charge: Charge) -> None:
        assert charge("PutItem", Item=item(5 * 1024, kind="k"))["write_units"] == 5 + 1
        assert charge("PutItem", Item=item(3 * 1024, kind="k", shown="x" * 1200))["write_units"] == 5 + 2


@pytest.mark.parametrize(
    ("size", "consistent", "units"), [(100, True, 1), (100, False, 0.5), (4096, True, 1), (4097, True, 2)]
)
def test_a_read_unit_is_four_kilobytes(charge: Charge, size: int, consistent: bool, units: float) -> None:
    charge("PutItem", Item=item(size))
    assert charge("GetItem", Key=KEY, ConsistentRead=consistent)["read_units"] == units


def test_reading_nothing_is_a_read(charge: Charge) -> None:
    assert charge("GetItem", Key=KEY, ConsistentRead=True)["read_units"] == 1


def test_a_query_rounds_after_adding_up(charge: Charge) -> None:
    for number in range(20):
        charge("PutItem", Item=item(300, sort=f"{number:02d}"))
    query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "a"}}}
    read = charge("Query", ConsistentRead=True, **query)
    assert read["read_units"] == 2
    assert sum(read["item_sizes"]) == 6000
    assert charge("Query", **query)["read_units"] == 1


def test_a_projection_of_attributes_saves_nothing(charge: Charge) -> None:
    charge("PutItem", Item=item(5000))
    query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "a"}}}
    assert charge("Query", ConsistentRead=True, ProjectionExpression="pk, sk", **query)["read_units"] == 2
