"""``HistoryStore`` on one DynamoDB table.

Every write is conditional and touches one item, but for the transaction that puts a run in the place of another. A
request whose answer was lost is sent again by the client library and then meets its own first try: writes carry a mark
by which they recognise themselves.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Final

from durability._aws import items
from durability._aws.callers import AwsError, Caller
from durability._aws.deletion import Deletion
from durability._aws.items import Item, binary, number, string
from durability._aws.listing import Listing
from durability._aws.message_items import BODY_LIMIT, SPILL_FROM, MessageItems
from durability._aws.requests import CONDITION_FAILED, TableRequests, item_key
from durability._aws.tasks import TaskItems
from durability._runtime.frontend import ListFilter, Status
from durability._runtime.ports import (
    Delivery,
    FencedError,
    Head,
    ItemTooLargeError,
    Loaded,
    Settlement,
    WakeUp,
    WorkflowKey,
)
from durability.exceptions import HistoryFormatError

_TRANSACTION_CANCELLED: Final = "TransactionCanceledException"
_READS: Final = 5
"""A head that is read after a delta came in between is read again; more than this is no race."""
_RUNNING: Final = number(Status.RUNNING)
_UNCHANGED: Final = "#run_id = :run_id AND #dispatched = :expected_dispatched AND #counter = :expected_counter"


class DynamoDBStore(TaskItems):
    """See ``HistoryStore``."""

    def __init__(self, caller: Caller, table: str) -> None:
        requests = TableRequests(caller, table)
        super().__init__(requests)
        self._listing = Listing(requests)
        self._deletion = Deletion(requests)
        self._messages = MessageItems(requests)

    # --- reading ----------------------------------------------------------------------------------------------------

    async def load(self, key: WorkflowKey, run_id: str, after: int) -> Loaded:
        """See ``HistoryStore.load``: one query, as a run's deltas stand just before its head."""
        for _ in range(_READS):
            found = await self._requests.between(key, items.delta_key(run_id, after + 1), items.HEAD)
            head_item = found.pop(items.HEAD, None)
            head = items.read_head(head_item) if head_item else None
            deltas = _read_deltas(run_id, found)
            last = deltas[-1][0] if deltas else after
            if head is not None and head.run_id == run_id and head.dispatched > last:
                continue  # the head was read after a delta that came in between
            if head is not None:
                for name in head.spilled:
                    spilled = found.get(items.message_key(head.run_id, name))
                    if spilled is not None:
                        head.inbox[name] = bytes(spilled["body"]["B"])
                await self._messages.with_apart(head)
            return Loaded(head, deltas)
        raise HistoryFormatError(f"the history of run {run_id} of workflow {key.workflow_id!r} lacks deltas at its end")

    async def deltas(self, key: WorkflowKey, run_id: str) -> list[tuple[int, bytes]]:
        """See ``HistoryStore.deltas``."""
        return _read_deltas(run_id, await self._requests.between(key, f"{run_id}#0", f"{run_id}#m"))

    async def head(self, key: WorkflowKey) -> Head | None:
        """See ``HistoryStore.head``."""
        item = await self._requests.get(key, items.HEAD)
        return items.read_head(item) if item else None

    async def closed_run(self, key: WorkflowKey, run_id: str) -> Head | None:
        """See ``HistoryStore.closed_run``."""
        item = await self._requests.get(key, items.run_key(run_id))
        return items.read_head(item) if item else None

    async def list_runs(self, namespace: str, filter: ListFilter) -> tuple[list[Head], str]:
        """See ``HistoryStore.list_runs``."""
        return await self._listing.page(namespace, filter)

    async def overdue(self, namespace: str, before: int, limit: int) -> list[WakeUp]:
        """See ``HistoryStore.overdue``."""
        return await self._listing.overdue(namespace, before, limit)

    async def delete(self, key: WorkflowKey, run_id: str, also: Callable[[], Awaitable[None]]) -> bool:
        """See ``HistoryStore.delete``."""
        head = await self.head(key)
        summary = None if head is not None and head.run_id == run_id else await self.closed_run(key, run_id)
        return await self._deletion.delete(key, head, summary, run_id, also)

    # --- starting ---------------------------------------------------------------------------------------------------

    async def create(self, head: Head) -> Head | None:
        """See ``HistoryStore.create``."""
        item = await self._messages.spill(head)
        try:
            await self._requests.request(
                "put_item",
                Item=item,
                ConditionExpression="attribute_not_exists(#pk)",
                ExpressionAttributeNames={"#pk": items.PARTITION},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            existing = _conflicting(error)
            if existing is not None and existing.run_id == head.run_id:
                return None
            # Of any other error it is not known whether the head has been written.
            if existing is not None or _is_too_large(error):
                await self._messages.take_back(head)
            if existing is None:
                _raise_if_too_large(error)
                raise
            return existing
        return None

    async def replace(self, head: Head, expected: Head, summary: Head) -> Head | None:
        """See ``HistoryStore.replace``."""
        item = await self._messages.spill(head)
        names, values = _expectation(expected)
        puts = (
            {"Item": items.head_item(summary, items.run_key(summary.run_id))},
            {
                "Item": item,
                "ConditionExpression": f"{_UNCHANGED} AND #status = :status",
                "ExpressionAttributeNames": {**names, "#status": "status"},
                "ExpressionAttributeValues": {**values, ":status": number(expected.status)},
            },
        )
        writes = [{"Put": {"TableName": self._requests.table, **put}} for put in puts]
        try:
            await self._requests.caller.call("dynamodb", "transact_write_items", TransactItems=writes)
        except AwsError as error:
            if error.code != _TRANSACTION_CANCELLED:
                raise
            existing = await self.head(head.key)
            if existing is None or "ConditionalCheckFailed" not in str(error):
                raise
            return existing
        return None

    # --- a run's life -----------------------------------------------------------------------------------------------

    async def append(self, key: WorkflowKey, run_id: str, sequence: int, body: bytes) -> None:
        """See ``HistoryStore.append``. A body beyond an item's size is laid down in parts before."""
        writer = uuid.uuid4().hex
        item = {
            items.PARTITION: string(items.partition(key)),
            items.SORT: string(items.delta_key(run_id, sequence)),
            "writer": string(writer),
        }
        if len(body) <= BODY_LIMIT:
            item["body"] = binary(body)
        else:
            item["parts"] = number(await self._put_parts(item[items.SORT]["S"], key, writer, body))
        try:
            await self._requests.request(
                "put_item",
                Item=item,
                ConditionExpression="attribute_not_exists(#sk)",
                ExpressionAttributeNames={"#sk": items.SORT},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code != CONDITION_FAILED:
                raise
            if error.response.get("Item", {}).get("writer") != item["writer"]:
                raise FencedError from error

    async def _put_parts(self, sort: str, key: WorkflowKey, writer: str, body: bytes) -> int:
        parts = [body[start : start + BODY_LIMIT] for start in range(0, len(body), BODY_LIMIT)]
        for position, part in enumerate(parts):
            await self._requests.request(
                "put_item",
                Item={
                    items.PARTITION: string(items.partition(key)),
                    items.SORT: string(f"{sort}~{writer}~{position:04d}"),
                    "body": binary(part),
                },
            )
        return len(parts)

    async def deliver(
        self, key: WorkflowKey, run_id: str | None, message: str, body: bytes, now: int, *, apart: bool = False
    ) -> Delivery:
        """See ``HistoryStore.deliver``."""
        if apart:
            assert run_id is not None
            await self._messages.put_apart(key, run_id, message, body, now)
            delivery = await self._note(key, run_id, message, None, now)
            if not delivery.accepted:
                await self._messages.take_back_apart(key, run_id, message)
            return delivery
        if len(body) > SPILL_FROM:
            head = await self.head(key)
            if head is None or not head.open or (run_id is not None and head.run_id != run_id):
                return Delivery(False, head)
            run_id = head.run_id
            await self._messages.put(key, run_id, message, body)
            body = items.POINTER
        return await self._note(key, run_id, message, body, now)

    async def _note(self, key: WorkflowKey, run_id: str | None, message: str, body: bytes | None, now: int) -> Delivery:
        """Tell the head of a message; without a body, only that there is one apart."""
        condition = "#status = :running" + (" AND #run_id = :run_id" if run_id is not None else "")
        names = {
            "#status": "status",
            "#counter": "counter",
            "#awake": "awake",
            "#attention_at": items.ATTENTION_AT,
            "#attention_shard": items.ATTENTION_SHARD,
        }
        values = {
            ":running": _RUNNING,
            ":one": number(1),
            ":now": number(now),
            ":shard": string(items.attention_shard(key)),
        }
        if run_id is not None:
            names["#run_id"] = "run_id"
            values[":run_id"] = string(run_id)
        if body is None:
            names["#apart"] = items.APART
            values[":message"] = string(message)
            noted = "#apart = if_not_exists(#apart, :message)"
        else:
            names |= {"#inbox": "inbox", "#arrival": "arrival", "#message": message}
            values[":body"] = binary(body)
            noted = (
                "#inbox.#message = if_not_exists(#inbox.#message, :body), "
                "#arrival.#message = if_not_exists(#arrival.#message, #counter)"
            )
        try:
            answer = await self._requests.request(
                "update_item",
                Key=item_key(key, items.HEAD),
                UpdateExpression=(
                    f"SET {noted}, #counter = #counter + :one, "
                    "#attention_at = if_not_exists(#awake, :now), #attention_shard = :shard, "
                    "#awake = if_not_exists(#awake, :now)"
                ),
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code == CONDITION_FAILED:
                existing = error.response.get("Item")
                return Delivery(False, items.read_head(existing) if existing else None)
            _raise_if_too_large(error)
            raise
        return Delivery(True, items.read_head(answer["Attributes"]))

    async def settle(self, head: Head, settlement: Settlement, *, drop: list[str]) -> Head | None:
        """See ``HistoryStore.settle``."""
        names, values = _expectation(head)
        changes: dict[str, Item | None] = {
            "inbox": {"M": {}},
            "arrival": {"M": {}},
            "dispatched": number(settlement.dispatched),
            "wake_up": number(settlement.wake_up),
            "history_length": number(settlement.history_length),
            "open_since": number(settlement.open_since),
            "awake": number(settlement.awake) if settlement.awake else None,
            items.ATTENTION_AT: number(settlement.attention) if settlement.attention else None,
            items.ATTENTION_SHARD: string(items.attention_shard(head.key)) if settlement.attention else None,
        }
        if head.task_attempts:
            changes |= {"task_attempts": number(0), "task_failure": None}
        if head.apart:
            changes[items.APART] = None
        if settlement.record is not None:
            changes["record"] = items.encode_record(settlement.record)
        if settlement.status != Status.RUNNING:
            changes |= {
                "status": number(settlement.status),
                "close_time": number(settlement.close_time),
                "final_length": number(settlement.history_length),
                "outcome": binary(settlement.outcome) if settlement.outcome else None,
                items.STATUS_KEY: string(items.status_key(head.key.namespace, settlement.status)),
                items.TYPE_RANGE: string(items.type_range(settlement.status, head.start_time)),
            }
        conflict = await self._update_head(head, changes, names, values)
        if conflict is None:
            await self._messages.delete(head, drop)
        return conflict

    async def drop(self, head: Head, dispatched: int, messages: list[str]) -> Head | None:
        """See ``HistoryStore.drop``."""
        here = [message for message in messages if message in head.inbox and message not in head.apart_names]
        left = await self._drop_here(head, dispatched, here) if here else await self.head(head.key)
        if left is None or left.run_id != head.run_id or left.dispatched != dispatched or not left.open:
            return None
        await self._messages.delete(head, messages)
        return await self._messages.bring_back(left)

    async def _drop_here(self, head: Head, dispatched: int, messages: list[str]) -> Head | None:
        """Remove messages that lie in the head."""
        names = {"#run_id": "run_id", "#dispatched": "dispatched", "#inbox": "inbox", "#arrival": "arrival"}
        names["#status"] = "status"
        names |= {f"#m{position}": message for position, message in enumerate(messages)}
        removed = ", ".join(f"#inbox.#m{n}, #arrival.#m{n}" for n in range(len(messages)))
        try:
            answer = await self._requests.request(
                "update_item",
                Key=item_key(head.key, items.HEAD),
                UpdateExpression=f"REMOVE {removed}",
                ConditionExpression="#run_id = :run_id AND #dispatched = :dispatched AND #status = :running",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={
                    ":run_id": string(head.run_id),
                    ":dispatched": number(dispatched),
                    ":running": _RUNNING,
                },
                ReturnValues="ALL_NEW",
            )
        except AwsError as error:
            if error.code == CONDITION_FAILED:
                return None
            raise
        return items.read_head(answer["Attributes"])

    async def count_again(self, head: Head) -> bool:
        """See ``HistoryStore.count_again``."""
        names, values = _expectation(head)
        return await self._update_head(head, {"counter": number(head.counter + 1)}, names, values) is None

    async def fail_task(self, head: Head, failure: str, wake_up: int, *, record: tuple[str, bytes] | None) -> None:
        """See ``HistoryStore.fail_task``."""
        names = {"#run_id": "run_id", "#dispatched": "dispatched", "#status": "status", "#attempts": "task_attempts"}
        names |= {"#failure": "task_failure", "#awake": "awake", "#wake_up": "wake_up"}
        names |= {"#attention_at": items.ATTENTION_AT, "#attention_shard": items.ATTENTION_SHARD}
        values = {
            ":run_id": string(head.run_id),
            ":dispatched": number(head.dispatched),
            ":running": _RUNNING,
            ":attempts": number(head.task_attempts + 1),
            ":failure": string(failure),
            ":wake_up": number(wake_up),
            ":shard": string(items.attention_shard(head.key)),
        }
        message = ""
        if record is not None:
            names |= {"#inbox": "inbox", "#arrival": "arrival", "#counter": "counter", "#message": record[0]}
            values |= {":body": binary(record[1]), ":one": number(1)}
            message = (
                "#inbox.#message = if_not_exists(#inbox.#message, :body), "
                "#arrival.#message = if_not_exists(#arrival.#message, #counter), #counter = #counter + :one, "
            )
        try:
            await self._requests.request(
                "update_item",
                Key=item_key(head.key, items.HEAD),
                UpdateExpression=(
                    f"SET {message}#attempts = :attempts, #failure = :failure, #wake_up = :wake_up, "
                    "#attention_at = :wake_up, #attention_shard = :shard REMOVE #awake"
                ),
                ConditionExpression="#run_id = :run_id AND #dispatched = :dispatched AND #status = :running",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except AwsError as error:
            if error.code != CONDITION_FAILED:
                raise

    async def postpone(self, head: Head, until: int) -> bool:
        """See ``HistoryStore.postpone``."""
        changes: dict[str, Item | None] = {
            "awake": None,
            "wake_up": number(until),
            items.ATTENTION_AT: number(until),
            items.ATTENTION_SHARD: string(items.attention_shard(head.key)),
        }
        return await self._update_head(head, changes, *_expectation(head)) is None

    async def finish(self, key: WorkflowKey, run_id: str, dispatched: int) -> None:
        """See ``HistoryStore.finish``."""
        await self._finish(item_key(key, items.HEAD), run_id, dispatched)

    async def finish_closed(self, key: WorkflowKey, run_id: str, dispatched: int) -> None:
        """See ``HistoryStore.finish_closed``."""
        await self._finish(item_key(key, items.run_key(run_id)), run_id, dispatched)

    async def _finish(self, where: Item, run_id: str, dispatched: int) -> None:
        names = {"#run_id": "run_id", "#status": "status", "#dispatched": "dispatched", "#awake": "awake"}
        names |= {"#attention_at": items.ATTENTION_AT, "#attention_shard": items.ATTENTION_SHARD}
        try:
            await self._requests.request(
                "update_item",
                Key=where,
                UpdateExpression="SET #dispatched = :dispatched REMOVE #awake, #attention_at, #attention_shard",
                ConditionExpression="#run_id = :run_id AND #status <> :running",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={
                    ":run_id": string(run_id),
                    ":running": _RUNNING,
                    ":dispatched": number(dispatched),
                },
            )
        except AwsError as error:
            if error.code != CONDITION_FAILED:
                raise

    async def set_wake_up(self, head: Head, wake_up: int) -> None:
        """See ``HistoryStore.set_wake_up``."""
        names, values = _expectation(head)
        await self._update_head(head, {"wake_up": number(wake_up)}, names, values)

    async def _update_head(
        self, head: Head, changes: dict[str, Item | None], names: dict[str, str], values: dict[str, Item]
    ) -> Head | None:
        assignments, removals = [], []
        for position, (name, value) in enumerate(changes.items()):
            names[f"#c{position}"] = name
            if value is None:
                removals.append(f"#c{position}")
            else:
                values[f":c{position}"] = value
                assignments.append(f"#c{position} = :c{position}")
        expression = "SET " + ", ".join(assignments) + (" REMOVE " + ", ".join(removals) if removals else "")
        try:
            await self._requests.request(
                "update_item",
                Key=item_key(head.key, items.HEAD),
                UpdateExpression=expression,
                ConditionExpression=f"{_UNCHANGED} AND #open = :open",
                ExpressionAttributeNames={**names, "#open": "status"},
                ExpressionAttributeValues={**values, ":open": _RUNNING},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            existing = _conflicting(error)
            if existing is None:
                raise
            return await self._messages.bring_back(existing)
        return None


def _expectation(head: Head) -> tuple[dict[str, str], dict[str, Item]]:
    names = {"#run_id": "run_id", "#dispatched": "dispatched", "#counter": "counter"}
    values = {
        ":run_id": string(head.run_id),
        ":expected_dispatched": number(head.dispatched),
        ":expected_counter": number(head.counter),
    }
    return names, values


def _is_too_large(error: AwsError) -> bool:
    return error.code == "ValidationException" and "size" in str(error).lower()


def _raise_if_too_large(error: AwsError) -> None:
    if _is_too_large(error):
        raise ItemTooLargeError(str(error)) from error


def _conflicting(error: AwsError) -> Head | None:
    """The head that made a condition fail; None if the error is another one."""
    if error.code != CONDITION_FAILED or "Item" not in error.response:
        return None
    return items.read_head(error.response["Item"])


def _read_deltas(run_id: str, found: dict[str, Item]) -> list[tuple[int, bytes]]:
    prefix = f"{run_id}#"
    deltas: list[tuple[int, bytes]] = []
    for sort, item in sorted(found.items()):
        number_text = sort.removeprefix(prefix)
        if not sort.startswith(prefix) or not number_text.isdigit():
            continue
        if "parts" in item:
            writer = item["writer"]["S"]
            parts = [found[f"{sort}~{writer}~{n:04d}"]["body"]["B"] for n in range(int(item["parts"]["N"]))]
            deltas.append((int(number_text), b"".join(map(bytes, parts))))
        else:
            deltas.append((int(number_text), bytes(item["body"]["B"])))
    return deltas
