"""Workers: processes, or parts of one, that take tasks off task queues by themselves.

A deployment needs none: there, tasks come to functions. ``durability.worker.Worker`` describes one, and what its
client is connected to hosts it, if it can.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from durability._runtime.code import CodeRunner, InPlace
from durability._runtime.engine import WorkflowSlot, any_slot
from durability._runtime.registry import WorkflowRegistry
from durability._runtime.settings import Settings
from durability.activity._runner import ActivityRunner


@dataclass(frozen=True)
class WorkerSpecification:
    """What a worker does.

    Attributes:
        task_queue: Where it takes tasks from.
        workflows: The workflows that it runs; None if it runs none.
        activities: The activities that it runs; None if it runs none.
        remote_activities: Whether it takes activities off the task queue, besides those of its own workflows.
        workflow_slots: Most workflow tasks at a time.
        workflow_slot: What each of them has to have besides.
        activity_slots: Most activities off the task queue at a time.
        held_runs: Most runs that it keeps in memory between their tasks.
        heartbeat_interval: Milliseconds between two recorded heartbeats of an attempt without a heartbeat timeout.
        longest_heartbeat_interval: The most for those with one, and for all.
        activities_per_second: Most activities that it takes off the task queue in a second; None for any number.
        queue_activities_per_second: Most that all workers of the task queue take together; None for any number.
        identity: Names it in histories.
        build: Build id of its code.
        code: Runs its workflow code.
    """

    task_queue: str
    workflows: WorkflowRegistry | None
    activities: ActivityRunner | None
    remote_activities: bool = True
    workflow_slots: int = 100
    workflow_slot: WorkflowSlot = any_slot
    activity_slots: int = 100
    held_runs: int = 1000
    heartbeat_interval: int = 30_000
    longest_heartbeat_interval: int = 60_000
    activities_per_second: float | None = None
    queue_activities_per_second: float | None = None
    identity: str = ""
    build: str = ""
    code: CodeRunner = field(default_factory=InPlace)

    def settings(self, settings: Settings) -> Settings:
        """Settings of the protocol, with what the worker says of its own."""
        return replace(
            settings,
            heartbeat_interval=self.heartbeat_interval,
            longest_heartbeat_interval=self.longest_heartbeat_interval,
        )


class HostedWorker(Protocol):
    """A worker at work."""

    async def failed(self) -> None:
        """Wait until the worker cannot go on, and raise why; returns if it is to end as nothing is to go on."""

    def stop(self) -> None:
        """Take no further tasks."""

    async def finished(self) -> None:
        """Wait until the tasks under way have ended."""

    async def close(self) -> None:
        """End what is still under way, and forget the worker."""


class WorkerHost(Protocol):
    """What workers can be attached to.

    Attributes:
        attaches_at_once: Whether ``attach`` does not wait for anything.
        functions_task_queue: The task queue of the deployment's own functions; empty if there are none.
        environment: Equal for all hosts of the same runs.
    """

    attaches_at_once: bool

    @property
    def functions_task_queue(self) -> str: ...

    @property
    def environment(self) -> object: ...

    async def attach(self, worker: WorkerSpecification) -> HostedWorker:
        """Have a worker take tasks, from now on.

        Raises:
            ConfigurationError: The task queue is not for workers.
        """
