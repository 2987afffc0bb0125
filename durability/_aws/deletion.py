"""Deleting runs with everything that belongs to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from durability._aws import items
from durability._aws.callers import AwsError
from durability._aws.items import number, string
from durability._aws.requests import CONDITION_FAILED, TableRequests, item_key
from durability._runtime.frontend import Status
from durability._runtime.ports import Head, WorkflowKey


class Deletion:
    """Deletes the items of one run: its head or summary goes last, so what was begun can be taken up again."""

    def __init__(self, requests: TableRequests) -> None:
        self._requests = requests

    async def delete(
        self,
        key: WorkflowKey,
        head: Head | None,
        summary: Head | None,
        run_id: str,
        also: Callable[[], Awaitable[None]],
    ) -> bool:
        """Delete a run. ``head`` is its workflow id's, ``summary`` that of the run if another has followed it."""
        run = head if head is not None and head.run_id == run_id else summary
        if run is None:
            return True
        sorts = await self._sorts(key, f"{run_id}#", f"{run_id}$")  # "$" follows "#"
        deltas = [int(tail) for sort in sorts if (tail := sort.removeprefix(f"{run_id}#")).isdigit()]
        if run.open or run.awake or max(deltas, default=0) > run.dispatched:
            return False
        await also()
        sorts += await self._sorts(key, f"TASK#{run_id}#", f"TASK#{run_id}$")
        sorts += await self._sorts(key, *items.apart_range(run_id))
        await self._requests.delete_all(key, sorts)
        if run is head and await self._delete_head(head):
            return True
        await self._requests.request("delete_item", Key=item_key(key, items.run_key(run_id)))
        return True

    async def _sorts(self, key: WorkflowKey, first: str, last: str) -> list[str]:
        return list(await self._requests.between(key, first, last, keys_only=True))

    async def _delete_head(self, head: Head) -> bool:
        """Delete a head, unless another run has taken its place."""
        try:
            await self._requests.request(
                "delete_item",
                Key=item_key(head.key, items.HEAD),
                ConditionExpression="attribute_not_exists(#run_id) OR (#run_id = :run_id AND #status <> :running)",
                ExpressionAttributeNames={"#run_id": "run_id", "#status": "status"},
                ExpressionAttributeValues={":run_id": string(head.run_id), ":running": number(Status.RUNNING)},
            )
        except AwsError as error:
            if error.code != CONDITION_FAILED:
                raise
            return False
        return True
