"""What the soak runs: the orders example, and a workflow of what orders do not use.

A collector takes numbered signals and updates, starts a child with a dispatched activity in each round, and continues
as new between rounds. It ends with everything that it was told, so whatever got lost or came twice shows in its result.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from durability import Application, workflow
from durability._runtime.settings import Settings
from durability.common import RetryPolicy
from examples.orders.app import app as orders

with workflow.unsafe.imports_passed_through():
    from examples.orders import activities
    from examples.orders.model import Shipment

ROUNDS = 3
# Lost wake-ups are looked for earlier than by default, to see more of them found; above what an invocation may take.
SETTINGS = Settings(overdue=20_000)


@dataclass
class Collection:
    """What a collector has: passed on from run to run, and its result. Updates come with the run that took them."""

    rounds: int = 0
    signals: list[int] = field(default_factory=list)
    updates: list[tuple[int, str]] = field(default_factory=list)
    tracking: list[str] = field(default_factory=list)
    finish: bool = False


@workflow.defn
class Parcel:
    """The child: one shipment, by an activity that is dispatched, as it may take longer than a workflow task."""

    @workflow.run
    async def run(self, key: str) -> str:
        return await workflow.execute_activity(
            activities.ship,
            Shipment(key, "12 Harbour Street, Bergen", 1),
            start_to_close_timeout=timedelta(seconds=12),
            heartbeat_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1)),
        )


@workflow.defn
class Collector:
    """Collects until it is told to finish."""

    @workflow.init
    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    @workflow.run
    async def run(self, collection: Collection) -> Collection:
        if collection.rounds < ROUNDS:
            collection.rounds += 1
            key = f"{workflow.info().workflow_id}/{collection.rounds}"
            child = workflow.execute_child_workflow(Parcel.run, key, id=key.replace("/", "-"))
            tracking, _ = await asyncio.gather(child, workflow.sleep(workflow.random().uniform(0.2, 4)))
            collection.tracking.append(tracking)
            workflow.continue_as_new(collection)
        await workflow.wait_condition(lambda: collection.finish)
        return collection

    @workflow.signal
    def note(self, number: int) -> None:
        self._collection.signals.append(number)

    @workflow.signal
    def finish(self) -> None:
        self._collection.finish = True

    @workflow.update
    def add(self, number: int) -> int:
        self._collection.updates.append((number, workflow.info().run_id))
        return len(self._collection.updates)


app = Application(
    workflows=[*orders.workflows, Collector, Parcel],
    activities=orders.activities,
    webhooks=orders.webhooks,
    settings=SETTINGS,
)
