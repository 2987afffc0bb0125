"""Arranging for a run to be looked at again.

A run has at most one wake-up outstanding, for the earliest thing that time alone will bring. Within a quarter of an
hour that is a delayed queue message. Beyond, it is a one-time schedule that is set a little early, because its
precision is a minute; what it puts on the queue arrives early, and is put back with the rest of the delay, without a
look at the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from durability._runtime.ports import TaskQueue, TimerService, WakeUp, WorkflowKey
from durability._runtime.settings import Settings

if TYPE_CHECKING:
    from durability._runtime.engine import Engine

CLOCKS_DIFFER_BY: Final = 10_000
"""Milliseconds, by far, that the clocks of two processes differ by: Lambda's are kept by NTP."""


@dataclass(frozen=True, slots=True)
class WakeUps:
    """Sends wake-ups by way of queue and timer service."""

    namespace: str
    queue: TaskQueue
    timers: TimerService
    settings: Settings

    async def at(self, wake_up: WakeUp, now: int) -> None:
        """Have the run looked at when ``wake_up.due`` (milliseconds since the epoch) has come; idempotent."""
        due = wake_up.due
        if due - now <= self.settings.queue_delay:
            await self.queue.send_wake_up(wake_up, delay=max(0, due - now))
        else:
            at = due - self.settings.schedule_lead
            await self.timers.schedule(WorkflowKey(self.namespace, wake_up.workflow_id), wake_up, at)

    async def put_back(self, wake_up: WakeUp, now: int) -> bool:
        """Put a wake-up that came early back on the queue. False if it is time."""
        if wake_up.due - now <= self.settings.early:
            return False
        await self.at(wake_up, now)
        return True


async def is_needed(engine: Engine, wake_up: WakeUp) -> bool:
    """Whether a wake-up that time brought still has something to do, told from the head alone if possible."""
    held = engine.sessions.take(wake_up.workflow_id, wake_up.run_id)
    if held is not None:
        engine.sessions.put(held)
        return True
    head = await engine.store.head(WorkflowKey(engine.namespace, wake_up.workflow_id))
    if head is None or head.run_id != wake_up.run_id:
        return False
    if head.awake or head.inbox:
        return True
    if not head.open or not head.attention:
        return False
    now = engine.clock()
    if head.attention <= now + engine.settings.early:
        return True
    if head.wake_up <= max(now, wake_up.due):  # this is the one, early by this clock
        await engine.wake_ups.at(head.wake_up_at(head.attention), now)
        await engine.store.set_wake_up(head, head.attention)
    return False
