"""Putting a message into a run's inbox."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durability._core import history
from durability._core.encoding import decode_deltas, encode_input
from durability._core.history import Input
from durability._core.run import effective
from durability._runtime.ports import WorkflowKey

if TYPE_CHECKING:
    from durability._runtime.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message, and how it is to be delivered: see ``Gateway.deliver``."""

    gateway: Gateway
    key: WorkflowKey
    name: str
    message: Input
    chain: bool
    apart: bool

    async def deliver(self, run_id: str | None) -> bool:
        """Deliver it. False if there is no such open run."""
        if self.gateway.large.must_move(self.message, self.key.namespace, run_id or ""):
            return await self._deliver_large(run_id)
        return await self._deliver_small(run_id)

    async def _deliver_large(self, run_id: str | None) -> bool:
        """Large payloads belong to a run, so it has to be known which."""
        store = self.gateway.store
        head = await store.head(self.key)
        to = run_id or (head.run_id if head is not None else "")
        if head is None or not head.open or head.run_id != to:
            return await self._deliver_small(run_id)  # refused, or another run's
        kept = await self.gateway.large.put_away(self.message, self.key.namespace, to)
        if await dataclasses.replace(self, message=kept, chain=False)._deliver_small(to):
            return True
        # The run has ended meanwhile. Without a run of its own the message is for the next one, if there is one.
        after = await store.head(self.key) if run_id is None or self.chain else None
        moved_on = after is not None and after.open and after.run_id != to
        return moved_on and await self.deliver(run_id)

    async def _deliver_small(self, run_id: str | None) -> bool:
        gateway, key, name = self.gateway, self.key, self.name
        body = encode_input(self.message)
        delivery = await gateway.store.deliver(key, run_id, name, body, gateway.clock(), apart=self.apart)
        before = delivery.before
        if before is None:
            return False
        if delivery.accepted:
            # Who finds the message there already may have brought it and died, or not have heard the answer, before
            # the wake-up was sent.
            if not before.awake or name in before.inbox or name == before.apart:
                await gateway.wake(before)
            elif gateway.told is not None:
                gateway.told(key.workflow_id)
            return True
        if await was_consumed(gateway, key, run_id or before.run_id, self.message):
            return True
        moved_on = before.open and before.run_id != run_id and before.record.first_run_id == run_id
        return self.chain and moved_on and await self.deliver(before.run_id)


async def was_consumed(gateway: Gateway, key: WorkflowKey, run_id: str, message: Input) -> bool:
    """Whether a closed run has the message: its sender died, or did not hear the answer, and tries again."""
    if not isinstance(message, history.WorkflowExecutionSignaled | history.WorkflowExecutionCancelRequested):
        return False
    deltas = decode_deltas(await gateway.store.deltas(key, run_id))
    return any(
        (isinstance(recorded, type(message)) and recorded.key == message.key)
        or (isinstance(recorded, history.WorkflowExecutionStarted) and message.key in recorded.recent_keys)
        for _, delta, _ in effective(deltas)
        for recorded in delta.inputs
    )
