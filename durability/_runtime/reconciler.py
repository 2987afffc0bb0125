"""The net under everything: runs that nobody has looked at in time are woken.

A sender that dies between writing a message and sending the wake-up leaves an awake run behind; a wake-up that ended
in a dead-letter queue leaves an overdue one. Both show in one sparse index, by the time at which somebody should have
looked. The bound on a lost wake-up is ``Settings.overdue`` plus the period of the reconciler's schedule.
"""

from __future__ import annotations

import logging

from durability._runtime.engine import Engine
from durability._runtime.ports import WakeUp

logger = logging.getLogger("durability.runtime")

BATCH = 1000


async def reconcile(engine: Engine) -> int:
    """Wake every run that is overdue. Returns how many."""
    before = engine.clock() - engine.settings.overdue
    overdue = await engine.store.overdue(engine.namespace, before, BATCH)
    for key, run_id in overdue:
        logger.warning("run %s of workflow %r was not looked at in time: waking it", run_id, key.workflow_id)
        await engine.queue.send_wake_up(WakeUp(key.workflow_id, run_id))
    if overdue:
        engine.count("OverdueRuns", len(overdue))
    return len(overdue)
