"""Whether an emulator of DynamoDB can be trusted with what the engine relies on."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from durability._local.identity import REGION


class EmulatorRefused(Exception):
    """An emulator does not do what the engine relies on: its message says what, and what to use instead."""


_INSTEAD: Final = (
    "This emulator cannot run the engine: use the local cloud (`durability dev`), which takes one request at a time, "
    "or put one lock in front of the emulator."
)


def check_emulator(
    endpoint_url: str,
    *,
    access_key_id: str = "admission",
    secret_access_key: str = "admission",
    rounds: int = 25,
    writers: int = 4,
) -> None:
    """Race writers for conditional writes, and look at what failed ones leave, in a table that is deleted again.

    On an emulator that interleaves the check of a condition with the write, a correct program fails at random, and a
    program without a fence cannot be told from one with it. A failed condition must bring the item, from which the
    engine learns what beat it, and a cancelled transaction must leave nothing.

    Args:
        endpoint_url: URL of the emulator's DynamoDB.
        access_key_id: credentials for it.
        secret_access_key: credentials for it.
        rounds: races of each kind.
        writers: concurrent writers in each race.

    Raises:
        EmulatorRefused: a race had more than one winner, or none; a failed write told less, or left more, than it does.
    """
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=Config(max_pool_connections=writers, retries={"total_max_attempts": 1}),
    )
    table = f"admission-{uuid.uuid4().hex}"
    client.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    try:
        with ThreadPoolExecutor(writers) as pool:
            _race(pool, writers, rounds, endpoint_url, "PutItem", lambda turn: _put(client, table, turn))
            _put(client, table, -1)
            _race(pool, writers, rounds, endpoint_url, "UpdateItem", lambda turn: _advance(client, table, turn))
        _check_failed_writes(client, table, endpoint_url)
    finally:
        client.delete_table(TableName=table)


def _race(
    pool: ThreadPoolExecutor, writers: int, rounds: int, endpoint_url: str, operation: str, write: Callable[[int], bool]
) -> None:
    barrier = threading.Barrier(writers)

    def run(turn: int) -> bool:
        barrier.wait()
        return write(turn)

    for turn in range(rounds):
        winners = sum(pool.map(run, [turn] * writers))
        if winners != 1:
            raise EmulatorRefused(
                f"{endpoint_url}: {winners} of {writers} concurrent {operation} requests won a condition that exactly "
                f"one can win (round {turn + 1}). {_INSTEAD}"
            )


def _check_failed_writes(client: Any, table: str, endpoint_url: str) -> None:
    there = {"pk": {"S": "there"}, "version": {"N": "7"}}
    absent = {"TableName": table, "ConditionExpression": "attribute_not_exists(pk)"}
    with_item = {**absent, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    client.put_item(TableName=table, Item=there)
    failing: dict[str, Callable[[], object]] = {
        "PutItem": lambda: client.put_item(Item={"pk": there["pk"]}, **with_item),
        "UpdateItem": lambda: client.update_item(
            Key={"pk": there["pk"]}, UpdateExpression="REMOVE version", **with_item
        ),
    }
    for operation, write in failing.items():
        try:
            write()
        except client.exceptions.ConditionalCheckFailedException as error:
            if error.response.get("Item") == there:
                continue
        raise EmulatorRefused(
            f"{endpoint_url}: a failed condition of {operation} does not bring the item, although "
            f"ReturnValuesOnConditionCheckFailure asked for it. {_INSTEAD}"
        )
    puts = [{"Item": {"pk": {"S": "new"}}, "TableName": table}, {"Item": {"pk": there["pk"]}, **absent}]
    with contextlib.suppress(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=[{"Put": put} for put in puts])
    if "Item" in client.get_item(TableName=table, Key={"pk": {"S": "new"}}, ConsistentRead=True):
        raise EmulatorRefused(f"{endpoint_url}: a cancelled transaction has left one of its writes. {_INSTEAD}")


def _put(client: Any, table: str, turn: int) -> bool:
    item = {"pk": {"S": str(turn)}, "version": {"N": "0"}}
    return _wins(
        client, lambda: client.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(pk)")
    )


def _advance(client: Any, table: str, turn: int) -> bool:
    return _wins(
        client,
        lambda: client.update_item(
            TableName=table,
            Key={"pk": {"S": "-1"}},
            UpdateExpression="SET version = :next",
            ConditionExpression="version = :now",
            ExpressionAttributeValues={":now": {"N": str(turn)}, ":next": {"N": str(turn + 1)}},
        ),
    )


def _wins(client: Any, write: Callable[[], object]) -> bool:
    try:
        write()
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True
