"""``HistoryStore`` on one DynamoDB table.

Every write is conditional and touches one item, but for the transaction that puts a run in the place of another. A
request whose answer was lost is sent again by the client library and then meets its own first try: writes carry a mark
by which they recognise themselves.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

from durability._aws import items
from durability._aws.callers import AwsError, Caller
from durability._aws.deletion import Deletion
from durability._aws.items import Item, binary, number, string
from durability._aws.listing import Listing
from durability._runtime.frontend import ListFilter, Status
from durability._runtime.ports import (
    Delivery,
    FencedError,
    Head,
    ItemTooLargeError,
    Loaded,
    Settlement,
    TaskState,
    WakeUp,
    WorkflowKey,
)
from durability.exceptions import HistoryFormatError

ITEM_LIMIT: Final = 409_600
"""Bytes; DynamoDB's limit for an item, names included."""
BODY_LIMIT: Final = 380_000
"""Bytes of a body that leave room for keys and names."""
SPILL_FROM: Final = 4_096
"""Messages above this many bytes get an item of their own: the head is billed whole at every update."""

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_TRANSACTION_CANCELLED: Final = "TransactionCanceledException"
_READS: Final = 5
"""A head that is read after a delta came in between is read again; more than this is no race."""
_RUNNING: Final = number(Status.RUNNING)
_UNCHANGED: Final = "#run_id = :run_id AND #dispatched = :expected_dispatched AND #counter = :expected_counter"


class DynamoDBStore:
    """See ``HistoryStore``."""

    def __init__(self, caller: Caller, table: str) -> None:
        self._caller = caller
        self._table = table
        self._listing = Listing(self._request)
        self._deletion = Deletion(caller, table)

    # --- reading ----------------------------------------------------------------------------------------------------

    async def load(self, key: WorkflowKey, run_id: str, after: int) -> Loaded:
        """See ``HistoryStore.load``: one query, as a run's deltas stand just before its head."""
        for _ in range(_READS):
            found = await self._range(key, items.delta_key(run_id, after + 1), items.HEAD)
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
            return Loaded(head, deltas)
        raise HistoryFormatError(f"the history of run {run_id} of workflow {key.workflow_id!r} lacks deltas at its end")

    async def deltas(self, key: WorkflowKey, run_id: str) -> list[tuple[int, bytes]]:
        """See ``HistoryStore.deltas``."""
        return _read_deltas(run_id, await self._range(key, f"{run_id}#0", f"{run_id}#m"))

    async def head(self, key: WorkflowKey) -> Head | None:
        """See ``HistoryStore.head``."""
        item = await self._get(key, items.HEAD)
        return items.read_head(item) if item else None

    async def closed_run(self, key: WorkflowKey, run_id: str) -> Head | None:
        """See ``HistoryStore.closed_run``."""
        item = await self._get(key, items.run_key(run_id))
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
        item = await self._spill(head)
        try:
            await self._request(
                "put_item",
                Item=item,
                ConditionExpression="attribute_not_exists(#pk)",
                ExpressionAttributeNames={"#pk": items.PARTITION},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            existing = _conflicting(error)
            if existing is None:
                raise
            return None if existing.run_id == head.run_id else existing
        return None

    async def replace(self, head: Head, expected: Head, summary: Head) -> Head | None:
        """See ``HistoryStore.replace``."""
        item = await self._spill(head)
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
        writes = [{"Put": {"TableName": self._table, **put}} for put in puts]
        try:
            await self._caller.call("dynamodb", "transact_write_items", TransactItems=writes)
        except AwsError as error:
            if error.code != _TRANSACTION_CANCELLED:
                raise
            existing = await self.head(head.key)
            if existing is None or "ConditionalCheckFailed" not in str(error):
                raise
            return None if existing.run_id == head.run_id else existing
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
            await self._request(
                "put_item",
                Item=item,
                ConditionExpression="attribute_not_exists(#sk)",
                ExpressionAttributeNames={"#sk": items.SORT},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code != _CONDITION_FAILED:
                raise
            if error.response.get("Item", {}).get("writer") != item["writer"]:
                raise FencedError from error

    async def _put_parts(self, sort: str, key: WorkflowKey, writer: str, body: bytes) -> int:
        parts = [body[start : start + BODY_LIMIT] for start in range(0, len(body), BODY_LIMIT)]
        for position, part in enumerate(parts):
            await self._request(
                "put_item",
                Item={
                    items.PARTITION: string(items.partition(key)),
                    items.SORT: string(f"{sort}~{writer}~{position:04d}"),
                    "body": binary(part),
                },
            )
        return len(parts)

    async def deliver(self, key: WorkflowKey, run_id: str | None, message: str, body: bytes, now: int) -> Delivery:
        """See ``HistoryStore.deliver``."""
        if len(body) > SPILL_FROM:
            head = await self.head(key)
            if head is None or not head.open or (run_id is not None and head.run_id != run_id):
                return Delivery(False, head)
            run_id = head.run_id
            await self._put_message(key, run_id, message, body)
            body = items.POINTER
        condition = "#status = :running" + (" AND #run_id = :run_id" if run_id is not None else "")
        names = {
            "#status": "status",
            "#inbox": "inbox",
            "#arrival": "arrival",
            "#message": message,
            "#counter": "counter",
            "#awake": "awake",
            "#attention_at": items.ATTENTION_AT,
            "#attention_shard": items.ATTENTION_SHARD,
        }
        values = {
            ":running": _RUNNING,
            ":body": binary(body),
            ":one": number(1),
            ":now": number(now),
            ":shard": string(items.attention_shard(key)),
        }
        if run_id is not None:
            names["#run_id"] = "run_id"
            values[":run_id"] = string(run_id)
        try:
            answer = await self._request(
                "update_item",
                Key=_key(key, items.HEAD),
                UpdateExpression=(
                    "SET #inbox.#message = if_not_exists(#inbox.#message, :body), "
                    "#arrival.#message = if_not_exists(#arrival.#message, #counter), "
                    "#counter = #counter + :one, "
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
            if error.code == _CONDITION_FAILED:
                existing = error.response.get("Item")
                return Delivery(False, items.read_head(existing) if existing else None)
            if error.code == "ValidationException" and "size" in str(error).lower():
                raise ItemTooLargeError(str(error)) from error
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
            "awake": number(settlement.awake) if settlement.awake else None,
            items.ATTENTION_AT: number(settlement.attention) if settlement.attention else None,
            items.ATTENTION_SHARD: string(items.attention_shard(head.key)) if settlement.attention else None,
        }
        if head.task_attempts:
            changes |= {"task_attempts": number(0), "task_failure": None}
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
            await self._delete_messages(head, drop)
        return conflict

    async def drop(self, head: Head, dispatched: int, messages: list[str]) -> Head | None:
        """See ``HistoryStore.drop``."""
        names = {"#run_id": "run_id", "#dispatched": "dispatched", "#inbox": "inbox", "#arrival": "arrival"}
        names["#status"] = "status"
        names |= {f"#m{position}": message for position, message in enumerate(messages)}
        removed = ", ".join(f"#inbox.#m{n}, #arrival.#m{n}" for n in range(len(messages)))
        try:
            answer = await self._request(
                "update_item",
                Key=_key(head.key, items.HEAD),
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
            if error.code == _CONDITION_FAILED:
                return None
            raise
        await self._delete_messages(head, messages)
        return await self._with_messages(items.read_head(answer["Attributes"]))

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
            await self._request(
                "update_item",
                Key=_key(head.key, items.HEAD),
                UpdateExpression=(
                    f"SET {message}#attempts = :attempts, #failure = :failure, #wake_up = :wake_up, "
                    "#attention_at = :wake_up, #attention_shard = :shard REMOVE #awake"
                ),
                ConditionExpression="#run_id = :run_id AND #dispatched = :dispatched AND #status = :running",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except AwsError as error:
            if error.code != _CONDITION_FAILED:
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
        await self._finish(_key(key, items.HEAD), run_id, dispatched)

    async def finish_closed(self, key: WorkflowKey, run_id: str, dispatched: int) -> None:
        """See ``HistoryStore.finish_closed``."""
        await self._finish(_key(key, items.run_key(run_id)), run_id, dispatched)

    async def _finish(self, where: Item, run_id: str, dispatched: int) -> None:
        names = {"#run_id": "run_id", "#status": "status", "#dispatched": "dispatched", "#awake": "awake"}
        names |= {"#attention_at": items.ATTENTION_AT, "#attention_shard": items.ATTENTION_SHARD}
        try:
            await self._request(
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
            if error.code != _CONDITION_FAILED:
                raise

    async def set_wake_up(self, head: Head, wake_up: int) -> None:
        """See ``HistoryStore.set_wake_up``."""
        names, values = _expectation(head)
        await self._update_head(head, {"wake_up": number(wake_up)}, names, values)

    # --- activities -------------------------------------------------------------------------------------------------

    async def claim(
        self, key: WorkflowKey, run_id: str, sequence: int, attempt: int, now: int
    ) -> tuple[bool, TaskState]:
        """See ``HistoryStore.claim``."""
        claimer = uuid.uuid4().hex
        decided = (
            "attribute_not_exists(#attempt)" if attempt == 1 else "#next_attempt = :attempt AND #attempt < :attempt"
        )
        try:
            answer = await self._request(
                "update_item",
                Key=_key(key, items.task_key(run_id, sequence)),
                UpdateExpression="SET #attempt = :attempt, #claimed = :now, #claimer = :claimer REMOVE #heartbeat",
                ConditionExpression=f"{decided} AND attribute_not_exists(#cancel)",
                ExpressionAttributeNames={
                    "#attempt": "attempt",
                    "#claimed": "claimed",
                    "#claimer": "claimer",
                    "#heartbeat": "heartbeat",
                    "#cancel": "cancel_requested",
                    **({} if attempt == 1 else {"#next_attempt": "next_attempt"}),
                },
                ExpressionAttributeValues={
                    ":attempt": number(attempt),
                    ":now": number(now),
                    ":claimer": string(claimer),
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code != _CONDITION_FAILED:
                raise
            item = error.response.get("Item")
            mine = item is not None and item.get("claimer") == string(claimer)
            return mine, items.read_task(item)
        return True, items.read_task(answer["Attributes"])

    async def task(self, key: WorkflowKey, run_id: str, sequence: int) -> TaskState:
        """See ``HistoryStore.task``."""
        return items.read_task(await self._get(key, items.task_key(run_id, sequence)))

    async def heartbeat(
        self,
        key: WorkflowKey,
        run_id: str,
        sequence: int,
        attempt: int,
        details: bytes,
        now: int,
        *,
        eager: bool = False,
    ) -> TaskState | None:
        """See ``HistoryStore.heartbeat``."""
        mine = "#attempt = :attempt AND (attribute_not_exists(#next) OR #next <= :attempt)"
        if eager:
            mine = (
                "(attribute_not_exists(#attempt) OR #attempt <= :attempt)"
                " AND (attribute_not_exists(#next) OR #next <= :attempt)"
            )
        try:
            answer = await self._request(
                "update_item",
                Key=_key(key, items.task_key(run_id, sequence)),
                UpdateExpression="SET #heartbeat = :now, #details = :details, #attempt = :attempt",
                ConditionExpression=mine,
                ExpressionAttributeNames={
                    "#heartbeat": "heartbeat",
                    "#details": "details",
                    "#attempt": "attempt",
                    "#next": "next_attempt",
                },
                ExpressionAttributeValues={
                    ":now": number(now),
                    ":details": binary(details),
                    ":attempt": number(attempt),
                },
                ReturnValues="ALL_NEW",
            )
        except AwsError as error:
            if error.code == _CONDITION_FAILED:
                return None
            raise
        return items.read_task(answer["Attributes"])

    async def retry(self, key: WorkflowKey, run_id: str, sequence: int, attempt: int, due: int, failure: bytes) -> bool:
        """See ``HistoryStore.retry``."""
        try:
            await self._request(
                "update_item",
                Key=_key(key, items.task_key(run_id, sequence)),
                UpdateExpression="SET #next = :attempt, #due = :due, #failure = :failure",
                ConditionExpression=(
                    "#attempt = :before AND (attribute_not_exists(#next) OR #next < :attempt) "
                    "AND attribute_not_exists(#cancel)"
                ),
                ExpressionAttributeNames={
                    "#attempt": "attempt",
                    "#next": "next_attempt",
                    "#due": "next_due",
                    "#failure": "failure",
                    "#cancel": "cancel_requested",
                },
                ExpressionAttributeValues={
                    ":attempt": number(attempt),
                    ":before": number(attempt - 1),
                    ":due": number(due),
                    ":failure": binary(failure),
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except AwsError as error:
            if error.code != _CONDITION_FAILED:
                raise
            state = items.read_task(error.response.get("Item"))
            return (state.next_attempt, state.next_due, state.failure) == (attempt, due, failure)
        return True

    async def request_cancel(self, key: WorkflowKey, run_id: str, sequence: int) -> TaskState:
        """See ``HistoryStore.request_cancel``."""
        answer = await self._request(
            "update_item",
            Key=_key(key, items.task_key(run_id, sequence)),
            UpdateExpression="SET #cancel = :yes",
            ExpressionAttributeNames={"#cancel": "cancel_requested"},
            ExpressionAttributeValues={":yes": {"BOOL": True}},
            ReturnValues="ALL_OLD",
        )
        return items.read_task(answer.get("Attributes"))

    # --- requests ---------------------------------------------------------------------------------------------------

    async def _request(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self._caller.call("dynamodb", operation, TableName=self._table, **parameters)

    async def _get(self, key: WorkflowKey, sort: str) -> Item | None:
        answer = await self._request("get_item", Key=_key(key, sort), ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item

    async def _delete(self, key: WorkflowKey, sort: str) -> None:
        await self._request("delete_item", Key=_key(key, sort))

    async def _range(self, key: WorkflowKey, first: str, last: str) -> dict[str, Item]:
        """Everything of a partition between two sort keys, by sort key; strongly consistent."""
        found: dict[str, Item] = {}
        parameters: dict[str, Any] = {}
        while True:
            answer = await self._request(
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
            parameters = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

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
            await self._request(
                "update_item",
                Key=_key(head.key, items.HEAD),
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
            return await self._with_messages(existing)
        return None

    # --- messages too large for the head ----------------------------------------------------------------------------

    async def _spill(self, head: Head) -> Item:
        """The item of a new head, its large messages laid down before."""
        item = items.head_item(head)
        for name, body in head.inbox.items():
            if len(body) > SPILL_FROM:
                await self._put_message(head.key, head.run_id, name, body)
                item["inbox"]["M"][name] = binary(items.POINTER)
        return item

    async def _put_message(self, key: WorkflowKey, run_id: str, name: str, body: bytes) -> None:
        if len(body) > BODY_LIMIT:
            raise ItemTooLargeError(f"{len(body):,} bytes, the limit is {BODY_LIMIT:,}")
        item = {**_key(key, items.message_key(run_id, name)), "body": binary(body)}
        await self._request("put_item", Item=item)

    async def _with_messages(self, head: Head) -> Head:
        for name in head.spilled:
            item = await self._get(head.key, items.message_key(head.run_id, name))
            if item is not None:
                head.inbox[name] = bytes(item["body"]["B"])
        return head

    async def _delete_messages(self, head: Head, names: list[str]) -> None:
        for name in head.spilled.intersection(names):
            await self._delete(head.key, items.message_key(head.run_id, name))


def _key(key: WorkflowKey, sort: str) -> Item:
    return {items.PARTITION: string(items.partition(key)), items.SORT: string(sort)}


def _expectation(head: Head) -> tuple[dict[str, str], dict[str, Item]]:
    names = {"#run_id": "run_id", "#dispatched": "dispatched", "#counter": "counter"}
    values = {
        ":run_id": string(head.run_id),
        ":expected_dispatched": number(head.dispatched),
        ":expected_counter": number(head.counter),
    }
    return names, values


def _conflicting(error: AwsError) -> Head | None:
    """The head that made a condition fail; None if the error is another one."""
    if error.code != _CONDITION_FAILED or "Item" not in error.response:
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
