"""Queues, schedules and invocations in memory, around a ``MemoryStore``: the deployed shape without the deployment."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from durability._core.run import InstanceFactory
from durability._memory.store import MemoryStore
from durability._runtime import activity_task, direct, workflow_task
from durability._runtime.engine import Engine
from durability._runtime.ports import ActivityAttempt, Clock, HistoryStore, PayloadStore, WakeUp, WorkflowKey
from durability._runtime.reconciler import reconcile
from durability._runtime.settings import Settings
from durability._runtime.together import together
from durability._runtime.workflow_payloads import PayloadOptions
from durability.activity._runner import ActivityRunner

logger = logging.getLogger("durability.memory")

PROCESSES: Final = 4


@dataclass(slots=True)
class DeadLetter:
    """A message that was received too often, and why the last receipt failed."""

    message: WakeUp | ActivityAttempt
    error: BaseException


class MemoryCloud:
    """A whole deployment in one event loop.

    Attributes:
        store: Where runs are kept; any ``HistoryStore`` will do.
        invocations: How many tasks were executed.
        schedules: Wake-ups that were scheduled beyond the queue's delay, with their times.
        dead_letters: Messages that failed too often.
    """

    def __init__(
        self,
        factory: InstanceFactory,
        runner: ActivityRunner,
        *,
        clock: Clock,
        to_failure: Callable[[BaseException], Any],
        namespace: str = "default",
        store: HistoryStore | None = None,
        payload_store: PayloadStore | None = None,
        payload_options: PayloadOptions | None = None,
        settings: Settings | None = None,
        timeout: float = 60.0,
        visibility: float = 360.0,
        receives: int = 10,
    ) -> None:
        """Create the cloud.

        Args:
            factory: Makes workflow instances.
            runner: Runs activities.
            clock: Milliseconds since the epoch.
            to_failure: Turns an exception of a query handler into its recorded form.
            namespace: Namespace of all runs.
            store: A new ``MemoryStore`` by default.
            payload_store: Where payloads go that are too large for the table.
            payload_options: What happens to the payloads of workflows.
            settings: Of the protocol.
            timeout: Seconds that an invocation may take.
            visibility: Seconds after which a message that was not acknowledged comes again.
            receives: So many times at the most.
        """
        self.store: HistoryStore = store or MemoryStore()
        self.invocations = 0
        self.schedules: dict[tuple[WorkflowKey, WakeUp], int] = {}
        self.dead_letters: list[DeadLetter] = []
        self._clock = clock
        self._timeout = timeout
        self._visibility = visibility
        self._receives = receives
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._engines = [
            Engine(
                namespace=namespace,
                store=self.store,
                queue=self,
                timers=self,
                invoker=self,
                factory=factory,
                runner=runner,
                clock=clock,
                settings=settings or Settings(),
                to_failure=to_failure,
                payload_store=payload_store,
                payload_options=payload_options or PayloadOptions(),
                identity=f"memory/{number}",
            )
            for number in range(PROCESSES)
        ]
        self.gateway = self._engines[0].gateway

    @property
    def engine(self) -> Engine:
        """One of the engines."""
        return self._engines[self.invocations % len(self._engines)]

    async def send_wake_up(self, wake_up: WakeUp, *, delay: int = 0) -> None:
        """See ``TaskQueue.send_wake_up``."""
        self._later(-(-delay // 1000), self._deliver(wake_up, 1))

    async def send_wake_ups(self, wake_ups: list[WakeUp]) -> None:
        """See ``TaskQueue.send_wake_ups``."""
        await together(map(self.send_wake_up, wake_ups))

    async def send_activities(self, attempts: list[ActivityAttempt], *, delay: int = 0) -> None:
        """See ``TaskQueue.send_activities``."""
        for attempt in attempts:
            self._later(-(-delay // 1000), self._deliver(attempt, 1))

    async def has_backlog(self, task_queue: str) -> bool:
        """See ``TaskQueue.has_backlog``: there are no workers."""
        return False

    async def schedule(self, key: WorkflowKey, wake_up: WakeUp, at: int) -> None:
        """See ``TimerService.schedule``. Fires within the minute, late rather than early, as the real one."""
        if (key, wake_up) in self.schedules:
            return
        self.schedules[key, wake_up] = at
        self._later(max(0.0, (at - self._clock()) / 1000) + 59.0, self._deliver(wake_up, 1))

    async def invoke(self, request: bytes, workflow_id: str) -> bytes:
        """See ``WorkflowInvoker.invoke``."""
        self.invocations += 1
        deadline = self._clock() + int(self._timeout * 1000)
        return json.dumps(await direct.answer(self.engine, json.loads(request), deadline=deadline)).encode()

    async def is_asked(self, key: WorkflowKey, run_id: str, update_id: str) -> bool:
        """See ``WorkflowInvoker.is_asked``: nothing waits for a worker."""
        return False

    async def reconcile(self) -> int:
        """Run the reconciler once."""
        return await reconcile(self.engine)

    async def close(self) -> None:
        """Drop everything that is under way or waiting."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for engine in self._engines:
            engine.sessions.clear()

    def _later(self, seconds: float, work: Coroutine[Any, Any, None]) -> None:
        async def wait_and_work() -> None:
            if seconds > 0:
                try:
                    await asyncio.sleep(seconds)
                except asyncio.CancelledError:
                    work.close()
                    raise
            await work

        if self._closed:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(wait_and_work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, message: WakeUp | ActivityAttempt, receipt: int) -> None:
        self.invocations += 1
        engine = self.engine
        deadline = self._clock() + int(self._timeout * 1000)
        try:
            if isinstance(message, WakeUp):
                await workflow_task.execute(engine, message, deadline=deadline)
            else:
                await activity_task.execute_attempt(engine, message)
        except Exception as error:
            logger.warning("a task failed and will be tried again: %r", error)
            if receipt >= self._receives:
                self.dead_letters.append(DeadLetter(message, error))
            else:
                self._later(self._visibility, self._deliver(message, receipt + 1))

    async def __aenter__(self) -> MemoryCloud:
        """Return the cloud."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        with contextlib.suppress(asyncio.CancelledError):
            await self.close()
