"""Putting a message into a run's inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durability._core import history
from durability._core.encoding import decode_delta, encode_input
from durability._core.history import Input
from durability._core.run import effective
from durability._runtime.ports import WorkflowKey

if TYPE_CHECKING:
    from durability._runtime.gateway import Gateway


async def deliver(
    gateway: Gateway, key: WorkflowKey, run_id: str | None, name: str, message: Input, *, chain: bool
) -> bool:
    """See ``Gateway.deliver``."""
    if gateway.large.must_move(message, key.namespace, run_id or ""):
        return await _deliver_large(gateway, key, run_id, name, message, chain=chain)
    return await _deliver_small(gateway, key, run_id, name, message, chain=chain)


async def _deliver_large(
    gateway: Gateway, key: WorkflowKey, run_id: str | None, name: str, message: Input, *, chain: bool
) -> bool:
    """Large payloads belong to a run, so it has to be known which."""
    head = await gateway.store.head(key)
    to = run_id or (head.run_id if head is not None else "")
    if head is None or not head.open or head.run_id != to:
        return await _deliver_small(gateway, key, run_id, name, message, chain=chain)  # refused, or another run's
    kept = await gateway.large.put_away(message, key.namespace, to)
    if await _deliver_small(gateway, key, to, name, kept, chain=False):
        return True
    # The run has ended meanwhile. Without a run of its own the message is for the next one, if there is one.
    after = await gateway.store.head(key) if run_id is None or chain else None
    moved_on = after is not None and after.open and after.run_id != to
    return moved_on and await gateway.deliver(key, run_id, name, message, chain=chain)


async def _deliver_small(
    gateway: Gateway, key: WorkflowKey, run_id: str | None, name: str, message: Input, *, chain: bool
) -> bool:
    now = gateway.clock()
    delivery = await gateway.store.deliver(key, run_id, name, encode_input(message), now)
    before = delivery.before
    if before is None:
        return False
    if delivery.accepted:
        # Who finds the message there already may have brought it and died, or not have heard the answer, before
        # the wake-up was sent.
        if not before.awake or name in before.inbox:
            await gateway.wake(before)
        elif gateway.told is not None:
            gateway.told(key.workflow_id)
        return True
    if await was_consumed(gateway, key, run_id or before.run_id, message):
        return True
    moved_on = before.open and before.run_id != run_id and before.record.first_run_id == run_id
    return chain and moved_on and await gateway.deliver(key, before.run_id, name, message, chain=True)


async def was_consumed(gateway: Gateway, key: WorkflowKey, run_id: str, message: Input) -> bool:
    """Whether a closed run has the message: its sender died, or did not hear the answer, and tries again."""
    if not isinstance(message, history.WorkflowExecutionSignaled | history.WorkflowExecutionCancelRequested):
        return False
    deltas = [(sequence, decode_delta(body), len(body)) for sequence, body in await gateway.store.deltas(key, run_id)]
    return any(
        (isinstance(recorded, type(message)) and recorded.key == message.key)
        or (isinstance(recorded, history.WorkflowExecutionStarted) and message.key in recorded.recent_keys)
        for _, delta, _ in effective(deltas)
        for recorded in delta.inputs
    )
