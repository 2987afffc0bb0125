"""The net under everything: runs that nobody has looked at in time are woken.

A sender that dies between writing a message and sending the wake-up leaves an awake run behind; a wake-up that ended
in a dead-letter queue leaves an overdue one. Both show in one sparse index, by the time at which somebody should have
looked. While messages wait for the worker of a task queue, its runs are not woken: the worker is away or behind, and
their wake-ups are most likely among the messages. The bound on a lost wake-up is ``Settings.overdue`` plus the period
of the reconciler's schedule.
"""

from __future__ import annotations

import logging

from durability._runtime.engine import Engine
from durability._runtime.ports import WakeUp

logger = logging.getLogger("durability.runtime")

BATCH = 1000
MOST = 64 * BATCH


async def reconcile(engine: Engine) -> int:
    """Wake every run that is overdue. Returns how many.

    One that cannot be woken keeps none of those behind it from being woken; its error is raised in the end.
    """
    before = engine.clock() - engine.settings.overdue
    lost = await _lost(engine, before)
    failures: list[Exception] = []
    for wake_up in lost:
        logger.warning(
            "run %s of workflow %r was not looked at in time: waking it", wake_up.run_id, wake_up.workflow_id
        )
        try:
            await engine.queue.send_wake_up(wake_up)
        except Exception as error:
            failures.append(error)
    if lost:
        engine.count("OverdueRuns", len(lost))
    if failures:
        raise failures[0]
    return len(lost)


async def wake_task_queue(engine: Engine, task_queue: str) -> None:
    """Wake the runs of a task queue that a worker has just taken over, as far as they are to be looked at soon.

    Among them are those that the functions could make nothing of, and would try again after a backoff.
    """
    soon = engine.clock() + engine.settings.failure_backoff_limit
    for wake_up in await engine.store.overdue(engine.namespace, soon, MOST):
        if wake_up.task_queue == task_queue:
            await engine.queue.send_wake_up(wake_up)


async def _lost(engine: Engine, before: int) -> list[WakeUp]:
    """Wake-ups that nobody will receive any more."""
    backlogs: dict[str, bool] = {}
    limit = BATCH
    while True:
        overdue = await engine.store.overdue(engine.namespace, before, limit)
        for wake_up in overdue:
            if wake_up.task_queue not in backlogs:
                backlogs[wake_up.task_queue] = await engine.queue.has_backlog(wake_up.task_queue)
        lost = [wake_up for wake_up in overdue if not backlogs[wake_up.task_queue]]
        if lost or len(overdue) < limit or limit >= MOST:
            return lost[:BATCH]
        limit *= 8  # the runs of a worker that is away must not hide those behind them
