"""The workers of a local cloud."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from durability._runtime.eager import EagerActivities
from durability._runtime.engine import Engine
from durability._runtime.hosting import WorkerSpecification
from durability._runtime.pace import Pace
from durability._runtime.ports import ActivityAttempt, WakeUp
from durability._runtime.workflow_task import WorkflowTask
from durability.activity._context import Context

if TYPE_CHECKING:
    from durability._memory.local import LocalCloud

Message = WakeUp | ActivityAttempt


@dataclass(eq=False)
class Delivery:
    """A message that a worker is at work on.

    Attributes:
        cloud: Where.
        eager: The activities of a workflow task; None for a dispatched one, which is all there is.
    """

    cloud: LocalCloud
    eager: EagerActivities | None = None
    _sleeping: list[int] = field(default_factory=list)

    @property
    def rests(self) -> bool:
        """Whether all that is under way are activities that sleep in the environment's time."""
        sleeping = len(set(self._sleeping))
        if self.eager is None:
            return sleeping > 0
        return self.eager.idle and sleeping == self.eager.under_way

    @contextmanager
    def asleep(self, activity: Context) -> Iterator[None]:
        """A context in which an activity sleeps."""
        self._sleeping.append(id(activity))
        try:
            yield
        finally:
            self._sleeping.remove(id(activity))


current_delivery: contextvars.ContextVar[Delivery] = contextvars.ContextVar("durability_delivery")


@dataclass(eq=False)
class AttachedWorker:
    """A worker and what it has under way."""

    cloud: LocalCloud
    specification: WorkerSpecification
    engine: Engine
    context: contextvars.Context
    deliveries: dict[asyncio.Task[None], Message] = field(default_factory=dict)
    tasks: list[WorkflowTask] = field(default_factory=list)
    stopped: bool = False
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(self.specification.activities_per_second)

    def takes(self, message: Message) -> bool:
        """Whether the worker may be given a message now."""
        specification = self.specification
        if self.stopped:
            return False
        busy = sum(type(other) is type(message) for other in self.deliveries.values())
        if isinstance(message, WakeUp):
            return specification.workflows is not None and busy < specification.workflow_slots
        serves = specification.activities is not None and specification.remote_activities
        paced = max(self.pace.next, self.cloud.pace_of(specification).next) > self.cloud.clock()
        return serves and busy < specification.activity_slots and not paced

    def knows(self, name: str, message: Message) -> bool:
        """Whether the worker has the workflow or activity that a message is about."""
        registered = self.specification.workflows if isinstance(message, WakeUp) else self.specification.activities
        return registered is not None and name in registered.names

    async def failed(self) -> None:
        """See ``HostedWorker.failed``: nothing here can fail."""
        await asyncio.Event().wait()

    def stop(self) -> None:
        """See ``HostedWorker.stop``. Tasks under way begin no further activities."""
        self.stopped = True
        for task in self.tasks:
            task.deadline = task.eager.deadline = 0

    async def finished(self) -> None:
        """See ``HostedWorker.finished``."""
        while self.deliveries:
            await asyncio.wait(list(self.deliveries))

    async def close(self) -> None:
        """See ``HostedWorker.close``. Messages that were not dealt with wait for another worker."""
        self.stop()
        for delivery in list(self.deliveries):
            delivery.cancel()
        await self.finished()
        self.engine.sessions.clear()
        self.engine.code.end()
        self.cloud.detach(self)
