"""Everything that tasks are executed with, in one place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from durability._core.failure import Failure
from durability._core.run import InstanceFactory, Run
from durability._runtime.code import CodeRunner, InPlace
from durability._runtime.gateway import Gateway
from durability._runtime.large_payloads import LargePayloads
from durability._runtime.ports import (
    Clock,
    HistoryStore,
    PayloadStore,
    Sleep,
    TaskKind,
    TaskQueue,
    TaskRoutes,
    TimerService,
    WorkflowInvoker,
    WorkflowKey,
)
from durability._runtime.sessions import Sessions
from durability._runtime.settings import Settings
from durability._runtime.turns import Turns
from durability._runtime.wakeups import WakeUps
from durability._runtime.workflow_payloads import PayloadOptions, WorkflowPayloads
from durability.activity._cancellation import Cancellation
from durability.activity._runner import ActivityRunner

Count = Callable[[str, int], None]
"""Takes the name of a metric and a number to add to it."""


def _count_nothing(metric: str, number: int) -> None:
    """Nobody wants to know."""


class _Everything:
    """Leaves no task to others."""

    async def elsewhere(self, task_queue: str, kind: TaskKind) -> bool:
        return False


WorkflowSlot = Callable[[], AbstractAsyncContextManager[Callable[[str], None]]]
"""A context for the time that an executor works on a run; it gives what is to be called with the workflow's type."""


def any_slot() -> AbstractAsyncContextManager[Callable[[str], None]]:
    """A slot where they are not counted."""
    return nullcontext(lambda workflow_type: None)


@dataclass(slots=True)
class Engine:
    """The ports, the user's code, and what this process remembers.

    Attributes:
        factory: Makes workflow instances from the user's registered workflows.
        runner: Runs the user's registered activities.
        clock: Milliseconds since the epoch.
        to_failure: Turns an exception of a query handler into its recorded form.
        sleep: Waits for some seconds.
        payload_store: Where payloads go that are too large for the table; None to keep them in the table.
        payload_options: What happens to the payloads of workflows.
        count: Told how often something happened that an operator wants to know of.
        build: Build id of the code, recorded with every delta.
        identity: Names this process in histories.
        routes: Says which tasks are to be left to others; none by default.
        code: Runs workflow code; in the event loop's thread by default.
        local_attempts: Local activities under way, by run and sequence number: whichever executor works on their run
            by now can cancel them, although they give no sign of life.
        told: See ``Gateway``.
        workflow_slot: What an executor has to have while it works on a run.
    """

    namespace: str
    store: HistoryStore
    queue: TaskQueue
    timers: TimerService
    invoker: WorkflowInvoker
    factory: InstanceFactory
    runner: ActivityRunner
    clock: Clock
    to_failure: Callable[[BaseException], Failure]
    sleep: Sleep = asyncio.sleep
    count: Count = _count_nothing
    settings: Settings = field(default_factory=Settings)
    build: str = ""
    identity: str = ""
    routes: TaskRoutes = field(default_factory=_Everything)
    sessions: Sessions = field(default_factory=Sessions)
    turns: Turns = field(default_factory=Turns)
    code: CodeRunner = field(default_factory=InPlace)
    local_attempts: dict[tuple[str, int], Cancellation] = field(default_factory=dict)
    told: Callable[[str], None] | None = None
    workflow_slot: WorkflowSlot = any_slot
    payload_store: PayloadStore | None = None
    payload_options: PayloadOptions = field(default_factory=PayloadOptions)
    large: LargePayloads = field(init=False)
    payloads: WorkflowPayloads = field(init=False)
    gateway: Gateway = field(init=False)
    wake_ups: WakeUps = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self.large = LargePayloads(self.payload_store, settings.inline_limit, settings.storage_concurrency)
        self.payloads = WorkflowPayloads(self.payload_options, self.large, self.code)
        self.sessions.on_drop = self.code.close
        self.gateway = Gateway(
            self.namespace, self.store, self.queue, self.invoker, self.clock, self.sleep, self.large, self.told
        )
        self.wake_ups = WakeUps(self.namespace, self.queue, self.timers, self.settings)

    def new_run(self, workflow_id: str, run_id: str) -> Run:
        """A run of which nothing has been replayed yet."""
        return Run(self.namespace, workflow_id, run_id, self.factory, self.settings.long_history)

    async def is_open(self, key: WorkflowKey, run_id: str) -> bool:
        """Whether a run is its workflow's current one, and open."""
        head = await self.store.head(key)
        return head is not None and head.open and head.run_id == run_id
