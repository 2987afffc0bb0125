"""A deployment to count in: the engine's own code and adapters, a real DynamoDB protocol, queue and time in memory.

The table is the template's, in the local cloud's backend process; requests reach it signed and over HTTP, as from a
function. Queue and schedules are in memory, because virtual time must drive them: thirty days pass at once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from benchmarks.usage import Usage, table_usage
from benchmarks.workflows import app
from durability._aws.callers import Caller
from durability._aws.dynamodb import DynamoDBStore
from durability._aws.signed import SignedCaller
from durability._local import LocalCloud
from durability._memory.cloud import MemoryCloud
from durability._memory.time import VirtualTimeLoop
from durability._runtime.engine import Engine
from durability._runtime.frontend import StartRequest
from durability._runtime.ports import ActivityAttempt, WakeUp, WorkflowKey

LATENCY: Final = 0.005
"""Virtual seconds that a request to the table takes: what comes in meanwhile can share the next request."""
SEND_BATCH: Final = 10
"""Messages of one SendMessageBatch."""


class _SlowCaller:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        await asyncio.sleep(LATENCY)
        return await self._caller.call(service, operation, **parameters)

    async def close(self) -> None:
        await self._caller.close()


class CountedCloud(MemoryCloud):
    """Counts messages and schedules, and runs everything in one warm process unless it is told to forget.

    Args:
        local: Has the table, and counts the requests to it.
        caller: Carries the requests.
        loop: Whose time it is.
        name: Begins the ids of its workflows: the table is shared.
    """

    def __init__(self, local: LocalCloud, caller: Caller, loop: VirtualTimeLoop, name: str) -> None:
        super().__init__(
            app.registry.create,
            app.runner,
            clock=loop.milliseconds,
            to_failure=app.registry.to_failure,
            store=DynamoDBStore(caller, local.outputs["TableName"]),
        )
        self._local = local
        self._name = name
        self._counts: Counter[str] = Counter()
        self._invocations_before = 0

    @property
    def engine(self) -> Engine:
        """Always the same process."""
        return self._engines[0]

    def forget(self) -> None:
        """Go on in a new process."""
        self.engine.sessions.clear()

    async def start(self, workflow_type: str, *arguments: object) -> str:
        """Start a workflow. Returns its id, of a length that is usual."""
        self._counts["started"] += 1
        workflow_id = f"{workflow_type}-{self._name}-{self._counts['started']:06d}"
        request = StartRequest(
            workflow_id=workflow_id,
            workflow_type=workflow_type,
            task_queue="benchmark",
            arguments=app.data_converter.payload_converter.to_payloads(arguments),
            request_id=f"start-{workflow_id}",
        )
        await self.gateway.start(request)
        return workflow_id

    async def signal(self, workflow_id: str, name: str) -> None:
        """Send a signal without arguments."""
        self._counts["signals"] += 1
        await self.gateway.signal(workflow_id, None, name, [], request_id=str(self._counts["signals"]))

    async def check_closed(self, workflow_id: str) -> None:
        """Raise if the run did not end well. Reads the table."""
        outcome = await self.gateway.outcome(workflow_id, None, wait=0)
        if outcome is None or outcome.failure is not None:
            raise AssertionError(f"{workflow_id} has not completed: {outcome}")

    def begin(self) -> None:
        """Count from nothing."""
        self._local.reset_requests()
        for name in ("messages", "sends", "schedules"):
            self._counts[name] = 0
        self._invocations_before = self.invocations

    def usage(self) -> Usage:
        """What was used since ``begin``."""
        table = table_usage(self._local.records())
        return Usage(
            operations=table.operations,
            write_units=table.write_units,
            read_units=table.read_units,
            written_bytes=table.written_bytes,
            read_bytes=table.read_bytes,
            messages=self._counts["messages"],
            sends=self._counts["sends"],
            schedules=self._counts["schedules"],
            invocations=self.invocations - self._invocations_before,
        )

    async def send_wake_up(self, wake_up: WakeUp, *, delay: int = 0) -> None:
        """See ``TaskQueue.send_wake_up``."""
        self._counts["sends"] += 1
        self._counts["messages"] += 1
        await super().send_wake_up(wake_up, delay=delay)

    async def send_activities(self, attempts: list[ActivityAttempt], *, delay: int = 0) -> None:
        """See ``TaskQueue.send_activities``."""
        self._counts["sends"] += -(-len(attempts) // SEND_BATCH)
        self._counts["messages"] += len(attempts)
        await super().send_activities(attempts, delay=delay)

    async def schedule(self, key: WorkflowKey, wake_up: WakeUp, at: int) -> None:
        """See ``TimerService.schedule``. What it sends when it fires is a message, too."""
        if (key, wake_up) not in self.schedules:
            self._counts["schedules"] += 1
            self._counts["messages"] += 1
        await super().schedule(key, wake_up, at)


Scenario = Callable[[CountedCloud], Awaitable[Usage]]


class Laboratory:
    """Counts what scenarios use, each in a deployment of its own over one table.

    Args:
        local: The local cloud; it must run.
    """

    def __init__(self, local: LocalCloud) -> None:
        self._local = local
        self._caller = SignedCaller(local.environment)
        self._loop = VirtualTimeLoop()
        self._names = (f"{number:04d}" for number in itertools.count(1))
        local.record()

    def count(self, scenario: Scenario) -> Usage:
        """Run a scenario to its end, and drop whatever it left behind."""

        async def run() -> Usage:
            cloud = CountedCloud(self._local, _SlowCaller(self._caller), self._loop, next(self._names))
            async with cloud:
                cloud.begin()
                return await scenario(cloud)

        return self._loop.run_until_complete(run())

    def close(self) -> None:
        """Close connections and loop; ends the recording."""
        self._local.record(False)
        self._loop.run_until_complete(self._caller.close())
        self._loop.close()
