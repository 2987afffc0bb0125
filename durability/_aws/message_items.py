"""Messages that lie beside the head, which is billed whole at every update: because they are large, or many."""

from __future__ import annotations

from typing import Final

from durability._aws import items
from durability._aws.items import Item, binary, number, string
from durability._aws.requests import TableRequests, item_key
from durability._runtime.ports import Head, ItemTooLargeError, WorkflowKey

BODY_LIMIT: Final = 380_000
"""Bytes of a body that leave room for keys and names in an item : DynamoDB allows one 409,600 bytes, names included."""
SPILL_FROM: Final = 4_096
"""Messages above this many bytes get an item of their own."""


class MessageItems:
    """Lays down, reads and deletes the items of messages to which an inbox refers."""

    def __init__(self, requests: TableRequests) -> None:
        self._requests = requests

    async def spill(self, head: Head) -> Item:
        """The item of a new head, its large messages laid down before."""
        item = items.head_item(head)
        for name, body in head.inbox.items():
            if len(body) > SPILL_FROM:
                await self.put(head.key, head.run_id, name, body)
                item["inbox"]["M"][name] = binary(items.POINTER)
        return item

    async def take_back(self, head: Head) -> None:
        """Delete what was laid down for a head that has not been written."""
        for name, body in head.inbox.items():
            if len(body) > SPILL_FROM:
                await self._delete(head, name)

    async def put(self, key: WorkflowKey, run_id: str, name: str, body: bytes) -> None:
        """Lay down a message before the inbox refers to it. Raises ItemTooLargeError."""
        _check_size(body)
        item = {**item_key(key, items.message_key(run_id, name)), "body": binary(body)}
        await self._requests.request("put_item", Item=item)

    async def bring_back(self, head: Head) -> Head:
        """Put the messages that the inbox refers to into it."""
        for name in head.spilled:
            item = await self._requests.get(head.key, items.message_key(head.run_id, name))
            if item is not None:
                head.inbox[name] = bytes(item["body"]["B"])
        return await self.with_apart(head)

    async def put_apart(self, key: WorkflowKey, run_id: str, name: str, body: bytes, now: int) -> None:
        """Lay down a message of which the head will only be told that there is one. Raises ItemTooLargeError."""
        _check_size(body)
        item = {**item_key(key, items.apart_key(run_id, name)), "name": string(name), "body": binary(body)}
        await self._requests.request("put_item", Item={**item, "at": number(now)})

    async def with_apart(self, head: Head) -> Head:
        """Add the messages that lie apart, if there are any.

        They are read after the head: each that its counter counts was there before, so none of those is missed.
        """
        if head.apart:
            found = await self._requests.between(head.key, *items.apart_range(head.run_id))
            for item in sorted(found.values(), key=lambda item: int(item["at"]["N"])):
                name = item["name"]["S"]
                head.apart_names.add(name)
                head.inbox.setdefault(name, bytes(item["body"]["B"]))
        return head

    async def take_back_apart(self, key: WorkflowKey, run_id: str, name: str) -> None:
        """Delete a message that lies apart and that the run does not take."""
        await self._requests.request("delete_item", Key=item_key(key, items.apart_key(run_id, name)))

    async def delete(self, head: Head, names: list[str]) -> None:
        """Delete the items of messages that are no longer in the inbox."""
        for name in head.spilled.intersection(names):
            await self._delete(head, name)
        apart = [items.apart_key(head.run_id, name) for name in names if name in head.apart_names]
        await self._requests.delete_all(head.key, apart)

    async def _delete(self, head: Head, name: str) -> None:
        await self._requests.request("delete_item", Key=item_key(head.key, items.message_key(head.run_id, name)))


def _check_size(body: bytes) -> None:
    if len(body) > BODY_LIMIT:
        raise ItemTooLargeError(f"{len(body):,} bytes, the limit is {BODY_LIMIT:,}")
