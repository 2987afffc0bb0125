"""The items of dispatched activities: who has claimed which attempt, its heartbeats, and the next attempt."""

from __future__ import annotations

import uuid

from durability._aws import items
from durability._aws.callers import AwsError
from durability._aws.items import binary, number, string
from durability._aws.requests import CONDITION_FAILED, TableRequests, item_key
from durability._runtime.ports import TaskState, WorkflowKey


class TaskItems:
    """The part of ``HistoryStore`` that is about dispatched activities."""

    def __init__(self, requests: TableRequests) -> None:
        self._requests = requests

    async def claim(
        self, key: WorkflowKey, run_id: str, sequence: int, attempt: int, now: int
    ) -> tuple[bool, TaskState]:
        """See ``HistoryStore.claim``."""
        claimer = uuid.uuid4().hex
        decided = (
            "attribute_not_exists(#attempt)" if attempt == 1 else "#next_attempt = :attempt AND #attempt < :attempt"
        )
        try:
            answer = await self._requests.request(
                "update_item",
                Key=item_key(key, items.task_key(run_id, sequence)),
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
            if error.code != CONDITION_FAILED:
                raise
            item = error.response.get("Item")
            mine = item is not None and item.get("claimer") == string(claimer)
            return mine, items.read_task(item)
        return True, items.read_task(answer["Attributes"])

    async def task(self, key: WorkflowKey, run_id: str, sequence: int) -> TaskState:
        """See ``HistoryStore.task``."""
        return items.read_task(await self._requests.get(key, items.task_key(run_id, sequence)))

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
            answer = await self._requests.request(
                "update_item",
                Key=item_key(key, items.task_key(run_id, sequence)),
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
            if error.code == CONDITION_FAILED:
                return None
            raise
        return items.read_task(answer["Attributes"])

    async def retry(self, key: WorkflowKey, run_id: str, sequence: int, attempt: int, due: int, failure: bytes) -> bool:
        """See ``HistoryStore.retry``."""
        try:
            await self._requests.request(
                "update_item",
                Key=item_key(key, items.task_key(run_id, sequence)),
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
            if error.code != CONDITION_FAILED:
                raise
            state = items.read_task(error.response.get("Item"))
            return (state.next_attempt, state.next_due, state.failure) == (attempt, due, failure)
        return True

    async def request_cancel(self, key: WorkflowKey, run_id: str, sequence: int) -> TaskState:
        """See ``HistoryStore.request_cancel``."""
        answer = await self._requests.request(
            "update_item",
            Key=item_key(key, items.task_key(run_id, sequence)),
            UpdateExpression="SET #cancel = :yes",
            ExpressionAttributeNames={"#cancel": "cancel_requested"},
            ExpressionAttributeValues={":yes": {"BOOL": True}},
            ReturnValues="ALL_OLD",
        )
        return items.read_task(answer.get("Attributes"))
