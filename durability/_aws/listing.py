"""Finding runs by index: never by a scan. Indexes are eventually consistent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from durability._aws import items
from durability._aws.items import number, string
from durability._aws.requests import TableRequests
from durability._runtime.frontend import ListFilter, Status
from durability._runtime.ports import Head, WakeUp, WorkflowKey
from durability._runtime.selection import selects
from durability.service import RPCError, RPCStatusCode

_END_OF_TIME: Final = 10**15 - 1

_Wanted = Callable[[Head], bool]


class Listing:
    """Queries on the indexes."""

    def __init__(self, requests: TableRequests) -> None:
        self._requests = requests

    async def overdue(self, namespace: str, before: int, limit: int) -> list[WakeUp]:
        """Wake-ups for runs that should have been looked at before a time, oldest first."""
        found = [
            entry for shard in range(items.SHARDS) for entry in await self._attention(namespace, shard, before, limit)
        ]
        found.sort(key=lambda entry: entry[0])
        return [wake_up for _, wake_up in found[:limit]]

    async def _attention(self, namespace: str, shard: int, before: int, limit: int) -> list[tuple[int, WakeUp]]:
        """The runs of one shard with the times at which they should have been looked at, oldest first."""
        found: list[tuple[int, WakeUp]] = []
        parameters: dict[str, Any] = {}
        while True:
            answer = await self._requests.request(
                "query",
                IndexName=items.ATTENTION_INDEX,
                KeyConditionExpression="#shard = :shard AND #at <= :before",
                ExpressionAttributeNames={"#shard": items.ATTENTION_SHARD, "#at": items.ATTENTION_AT},
                ExpressionAttributeValues={":shard": string(f"{namespace}#{shard}"), ":before": number(before)},
                Limit=limit - len(found),
                **parameters,
            )
            for item in answer["Items"]:
                wake_up = WakeUp(item["workflow_id"]["S"], item["run_id"]["S"], task_queue=item["task_queue"]["S"])
                found.append((int(item[items.ATTENTION_AT]["N"]), wake_up))
            if "LastEvaluatedKey" not in answer or len(found) >= limit:
                return found
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def page(self, namespace: str, filter: ListFilter) -> tuple[list[Head], str]:
        """A page, newest start first: the partitions that can hold answers, merged."""
        cursor = _read_token(filter.page_token)
        before = min(filter.started_before - 1 if filter.started_before else _END_OF_TIME, cursor[0])
        after = max(filter.started_after, 0)
        if after > before:
            return [], ""

        def wanted(head: Head) -> bool:
            return after <= head.start_time <= before and _place(head) < cursor and selects(filter, head)

        if filter.workflow_id:
            heads = await self._by_id(WorkflowKey(namespace, filter.workflow_id), wanted)
        else:
            heads = []
            for status in [Status(filter.status)] if filter.status else list(Status):
                heads += await self._partition(namespace, filter, status, after, before, wanted)
        heads.sort(key=_place, reverse=True)
        page = heads[: filter.page_size]
        token = f"{page[-1].start_time}:{page[-1].run_id}" if len(heads) >= filter.page_size and page else ""
        return page, token

    async def _by_id(self, key: WorkflowKey, wanted: _Wanted) -> list[Head]:
        heads: list[Head] = []
        for condition, value in (("#sk = :sk", items.HEAD), ("begins_with(#sk, :sk)", items.run_key(""))):
            parameters = _query(f"#pk = :pk AND {condition}", {"#pk": items.PARTITION, "#sk": items.SORT})
            values = {":pk": string(items.partition(key)), ":sk": string(value)}
            heads += await self._all(parameters | {"ExpressionAttributeValues": values}, None, wanted)
        return heads

    async def _partition(
        self, namespace: str, filter: ListFilter, status: Status, after: int, before: int, wanted: _Wanted
    ) -> list[Head]:
        """The newest runs of one status, of one type or of all, as many as the page may need."""
        if filter.workflow_type:
            parameters = _query(
                "#hash = :hash AND #range BETWEEN :after AND :before",
                {"#hash": items.TYPE_KEY, "#range": items.TYPE_RANGE},
            )
            parameters["IndexName"] = items.TYPE_INDEX
            values = {
                ":hash": string(items.type_key(namespace, filter.workflow_type)),
                ":after": string(items.type_range(status, after)),
                ":before": string(items.type_range(status, before)),
            }
        else:
            parameters = _query(
                "#hash = :hash AND #range BETWEEN :after AND :before",
                {"#hash": items.STATUS_KEY, "#range": items.START_TIME},
            )
            parameters["IndexName"] = items.STATUS_INDEX
            values = {
                ":hash": string(items.status_key(namespace, status)),
                ":after": number(after),
                ":before": number(before),
            }
        parameters |= {"ExpressionAttributeValues": values, "ScanIndexForward": False}
        return await self._all(parameters, filter.page_size, wanted)

    async def _all(self, parameters: dict[str, Any], limit: int | None, wanted: _Wanted) -> list[Head]:
        """What a query gives of what is wanted, until there are ``limit``."""
        heads: list[Head] = []
        while True:
            answer = await self._requests.request("query", **parameters)
            heads += filter(wanted, map(items.read_head, answer["Items"]))
            if "LastEvaluatedKey" not in answer or (limit is not None and len(heads) >= limit):
                return heads
            parameters = parameters | {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _query(condition: str, names: dict[str, str]) -> dict[str, Any]:
    return {"KeyConditionExpression": condition, "ExpressionAttributeNames": names}


def _place(head: Head) -> tuple[int, str]:
    """Where a run stands in a listing."""
    return (head.start_time, head.run_id)


def _read_token(token: str) -> tuple[int, str]:
    if not token:
        return (_END_OF_TIME + 1, "")
    time, separator, run_id = token.partition(":")
    if not separator or not (time.isascii() and time.isdigit() and len(time) <= len(str(_END_OF_TIME))):
        raise RPCError("the page token is not one that a listing gave", RPCStatusCode.INVALID_ARGUMENT, b"")
    return (int(time), run_id)
