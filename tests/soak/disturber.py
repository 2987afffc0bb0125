"""Kills function processes, stops and resumes them, and deploys in the middle: by seed, and counted."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable

from .faults import FaultPlan
from .target import Target, Victim

_GLANCE = 0.01


class Disturber:
    """Disturbs the processes of a deployment that are at work.

    Args:
        target: the deployment.
        plan: counts, and says when all is to be quiet.
        befell: told what a process was handling that was disturbed, and when by ``time.monotonic``.
        seed: of all decisions.
        pause: seconds between two disturbances, on average.
        redeployment: seconds between two deployments.
        longest_stop: seconds that a process is stopped at most.
    """

    def __init__(
        self,
        target: Target,
        plan: FaultPlan,
        befell: Callable[[bytes, float], None],
        seed: int,
        *,
        pause: float,
        redeployment: float,
        longest_stop: float,
    ) -> None:
        self._target = target
        self._plan = plan
        self._befell = befell
        self._random = random.Random(seed)
        self._pause = pause
        self._redeployment = redeployment
        self._longest_stop = longest_stop
        self._stops: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Disturb, until the plan is no longer active."""
        deployed = time.monotonic()
        while self._plan.active:
            await asyncio.sleep(self._random.expovariate(1 / self._pause))
            if time.monotonic() - deployed > self._redeployment:
                deployed = time.monotonic()
                await asyncio.to_thread(self._target.redeploy)
                self._plan.count("process: replaced by a deployment")
            victim = await self._find()
            if victim is None:
                continue
            if self._random.random() < 0.55:
                self._kill(victim)
            else:
                self._stop(victim)
        await asyncio.gather(*self._stops)

    async def _find(self) -> Victim | None:
        """A process in the middle of something: most invocations take a few milliseconds."""
        while self._plan.active:
            victims = await asyncio.to_thread(self._target.victims)
            if victims:
                victim = self._random.choice(victims)
                await asyncio.sleep(self._random.choice((0.0, 0.0, self._random.uniform(0, 0.05), 0.5)))
                return victim
            await asyncio.sleep(_GLANCE)
        return None

    def _kill(self, victim: Victim) -> None:
        if victim.signal(signal.SIGKILL):
            self._befell(victim.event, time.monotonic())
            self._plan.count(f"process: {victim.function} killed")

    def _stop(self, victim: Victim) -> None:
        if not victim.signal(signal.SIGSTOP):
            return
        self._befell(victim.event, time.monotonic())
        task = asyncio.create_task(self._resume(victim, self._random.uniform(0.3, self._longest_stop)))
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    async def _resume(self, victim: Victim, seconds: float) -> None:
        await asyncio.sleep(seconds)
        resumed = victim.signal(signal.SIGCONT)
        self._befell(victim.event, time.monotonic())
        self._plan.count(f"process: {victim.function} stopped, {'resumed' if resumed else 'timed out meanwhile'}")
