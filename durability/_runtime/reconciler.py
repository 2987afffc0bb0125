"""The net under everything: runs that nobody has looked at in time are woken.

A sender that dies between writing a message and sending the wake-up leaves an awake run behind; a wake-up that ended
in a dead-letter queue leaves an overdue one. Both show in one sparse index, by the time at which somebody should have
looked. While messages wait for the worker of a task queue, its runs are not woken: the worker is away or behind, and
their wake-ups are most likely among the messages. The bound on a lost wake-up is ``Settings.overdue`` plus the period
of the reconciler's schedule.
"""

from __future__ import annotations

import logging
from typing import Final

from durability._runtime.engine import Engine
from durability._runtime.ports import WakeUp
from durability._runtime.together import together

logger = logging.getLogger("durability.runtime")

MOST: Final = 64_000
"""Runs of one round: so many wake-ups are sent in some ten of the function's 60 seconds."""
NAMED: Final = 100
"""Runs of one round that are named in the log."""


async def reconcile(engine: Engine) -> int:
    """Wake every run that is overdue. Returns how many.

    All of them in every round: were it only the oldest, those that cannot be helped would hide the others for ever.
    One that cannot be woken keeps none of the others from being woken; its error is raised in the end.
    """
    lost = await _lost(engine, engine.clock() - engine.settings.overdue)
    for wake_up in lost[:NAMED]:
        logger.warning(
            "run %s of workflow %r was not looked at in time: waking it", wake_up.run_id, wake_up.workflow_id
        )
    if len(lost) > NAMED:
        logger.warning("and %d more runs that were not looked at in time", len(lost) - NAMED)
    if lost:
        engine.count("OverdueRuns", len(lost))
        await engine.queue.send_wake_ups(lost)
    return len(lost)


async def wake_task_queue(engine: Engine, task_queue: str) -> None:
    """Wake the runs of a task queue that a worker has just taken over, as far as they are to be looked at soon.

    Among them are those that the functions could make nothing of, and would try again after a backoff.
    """
    soon = engine.clock() + engine.settings.failure_backoff_limit
    waiting = await engine.store.overdue(engine.namespace, soon, MOST)
    await engine.queue.send_wake_ups([wake_up for wake_up in waiting if wake_up.task_queue == task_queue])


async def _lost(engine: Engine, before: int) -> list[WakeUp]:
    """Wake-ups that nobody will receive any more."""
    overdue = await engine.store.overdue(engine.namespace, before, MOST)
    task_queues = list({wake_up.task_queue for wake_up in overdue})
    backlogs = dict(zip(task_queues, await together(map(engine.queue.has_backlog, task_queues)), strict=True))
    return [wake_up for wake_up in overdue if not backlogs[wake_up.task_queue]]
