"""A local cloud in memory with task queues and workers: what the test environments run on.

Where ``MemoryCloud`` imitates a deployment, with the delays of its services, this is the same protocol on queues that
are exact to the millisecond, in the user's own event loop. Tasks go to the worker that serves their task queue, and
wait if there is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import json
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NoReturn
from weakref import WeakValueDictionary

from durability._core.activation import RunDetails
from durability._core.encoding import decode_command
from durability._core.failure import Failure
from durability._core.history import ActivityTaskScheduled
from durability._core.run import LongHistory
from durability._memory.clock import EnvironmentClock, Relevance
from durability._memory.local_gateway import LocalGateway
from durability._memory.offers import Offers
from durability._memory.payloads import MemoryPayloadStore
from durability._memory.watched_store import WatchedStore
from durability._memory.workers import AttachedWorker, Delivery, Message, current_delivery
from durability._runtime import activity_task, direct, queries, updates
from durability._runtime.attempts import TaskToken
from durability._runtime.engine import Engine
from durability._runtime.hosting import WorkerSpecification
from durability._runtime.large_payloads import LargePayloads
from durability._runtime.pace import Pace
from durability._runtime.ports import ActivityAttempt, Head, WakeUp, WorkflowKey
from durability._runtime.sessions import Sessions
from durability._runtime.settings import Settings
from durability._runtime.together import together
from durability._runtime.turns import Turns
from durability._runtime.validation import workflow_not_found
from durability._runtime.workflow_payloads import PayloadOptions
from durability._runtime.workflow_task import WorkflowTask
from durability.activity._context import current_context
from durability.activity._runner import ActivityRunner, ActivityTask
from durability.service import ConnectConfig, RPCError, RPCStatusCode

logger = logging.getLogger("durability.local")

_NEVER: Final = 500 * 366 * 86_400_000
"""Milliseconds; longer than any timer of a workflow."""

LOCAL_SETTINGS: Final = Settings(
    linger=0,  # a wake-up costs nothing here, and whoever waits in a task keeps time from being skipped
    look_after=0,  # nor does a look
    queue_delay=2 * _NEVER,  # the queues here keep messages for as long as it takes, so no schedules are needed
    attempt_recheck=2 * _NEVER,  # no message is ever lost
    apart_from=2 * _NEVER,  # a large head costs nothing here
    failure_backoff=200,
    failure_backoff_limit=10_000,  # somebody is watching
)

TERMINATE: Final = "terminate"
"""Inbox key of a request to terminate a run (``Gateway.terminate``)."""
_CATCHES_UP_WITHIN: Final = 1.0
_RECEIPTS: Final = 10
_REDELIVERY: Final = 1_000


class LocalCloud:
    """Store, queues, timers and workers of one environment.

    Attributes:
        store: Where runs are kept.
        payload_store: Where their large payloads are kept.
        clock: Its time.
        gateway: For clients.
        offers: Updates on their way.
    """

    attaches_at_once = True
    functions_task_queue = ""

    def __init__(self, *, namespace: str = "default", long_history: LongHistory | None = None) -> None:
        """Create the cloud.

        Args:
            namespace: Namespace of all runs.
            long_history: From when on workflows are told to continue as new; as Temporal by default.
        """
        self.namespace: Final = namespace
        self._settings: Final = replace(LOCAL_SETTINGS, long_history=long_history or LongHistory())
        self.store: Final = WatchedStore()
        self.payload_store: Final = MemoryPayloadStore()
        self.clock: Final = EnvironmentClock()
        self._turns: Final = Turns()
        self.gateway: Final = self._gateway(ConnectConfig(f"memory://{next(_numbers)}"))
        self.environment: Final = self.gateway.config.target_host
        _clouds[self.gateway.config.target_host] = self
        self._workers: list[AttachedWorker] = []
        self._rotation = itertools.count()
        self._waiting: dict[tuple[str, type[Message]], dict[Message, None]] = {}
        self._served: set[str] = set()
        self._callers: dict[str, list[asyncio.Future[None]]] = {}
        self._calls: dict[str, list[asyncio.Future[None]]] = {}
        self._paces: dict[str, Pace] = {}
        self._closed = False
        self.offers: Final = Offers()
        self._completed_outside: set[TaskToken] = set()
        self._with_sleepers: list[Delivery] = []
        self.clock.held = self._awaits_report
        self.clock.resting = lambda: sum(delivery.rests for delivery in set(self._with_sleepers))

    def _gateway(self, config: ConnectConfig) -> LocalGateway:
        large = LargePayloads(self.payload_store, LOCAL_SETTINGS.inline_limit, LOCAL_SETTINGS.storage_concurrency)
        return LocalGateway(
            self.namespace,
            self.store,
            self,
            self,
            self.clock,
            self.clock.sleep,
            large,
            told=self._turns.tell,
            cloud=self,
            config=config,
        )

    def _awaits_report(self) -> bool:
        """Whether there are activities under way of which no worker knows: users complete them in real time."""
        self._completed_outside = {token for token in self._completed_outside if self.store.awaits_report(token)}
        return bool(self._completed_outside)

    async def sleep(self, seconds: float) -> None:
        """Sleep in the environment's time, which may be skipped meanwhile.

        An activity that sleeps is not waited for, but does not allow time to be skipped: somebody else has to, as in
        Temporal.
        """
        delivery, activity = current_delivery.get(None), current_context.get(None)
        if delivery is None or delivery.cloud is not self or activity is None:
            self.clock.unlock()
            try:
                await self.clock.sleep(seconds)
            finally:
                self.clock.lock()
            return
        self._with_sleepers.append(delivery)
        try:
            with delivery.asleep(activity):
                await self.clock.sleep(seconds)
        finally:
            self._with_sleepers.remove(delivery)

    # --- workers ----------------------------------------------------------------------------------------------------

    async def attach(self, worker: WorkerSpecification) -> AttachedWorker:
        """See ``WorkerHost.attach``."""
        attached = AttachedWorker(self, worker, self._engine(worker), contextvars.copy_context())
        self._paces.pop(worker.task_queue, None)
        self._workers.append(attached)
        self._served.add(worker.task_queue)
        if worker.activities is not None:
            worker.activities.on_completes_later = self._completes_outside
        self._hand_out(worker.task_queue)
        return attached

    def _completes_outside(self, attempt: ActivityTask) -> None:
        self._completed_outside.add(TaskToken.decode(attempt.task_token))

    def _engine(self, worker: WorkerSpecification) -> Engine:
        registry = worker.workflows
        return Engine(
            namespace=self.namespace,
            store=self.store,
            queue=self,
            timers=self,
            invoker=self,
            factory=registry.create if registry is not None else _no_workflows,
            runner=worker.activities or ActivityRunner([]),
            clock=self.clock,
            to_failure=registry.to_failure if registry is not None else _plain_failure,
            sleep=self.clock.sleep,
            settings=worker.settings(self._settings),
            build=worker.build,
            identity=worker.identity,
            code=worker.code,
            sessions=Sessions(worker.held_runs),
            turns=self._turns,
            told=self._turns.tell,
            workflow_slot=worker.workflow_slot,
            payload_store=self.payload_store,
            payload_options=registry.payload_options if registry is not None else PayloadOptions(),
        )

    def pace_of(self, worker: WorkerSpecification) -> Pace:
        """The pace of a task queue: as the worker that was attached last says."""
        return self._paces.setdefault(worker.task_queue, Pace(worker.queue_activities_per_second))

    def detach(self, worker: AttachedWorker) -> None:
        """Forget a worker."""
        if worker in self._workers:
            self._workers.remove(worker)

    def _worker_for(self, task_queue: str, message: Message) -> AttachedWorker | None:
        ready = [w for w in self._workers if w.specification.task_queue == task_queue and w.takes(message)]
        if not ready:
            return None
        name = self._name(message)
        fitting = [worker for worker in ready if worker.knows(name, message)] or ready
        return fitting[next(self._rotation) % len(fitting)]

    def _name(self, message: Message) -> str:
        if isinstance(message, ActivityAttempt):
            return _scheduled(message).activity_type
        head = self._head(message)
        return head.workflow_type if head is not None else ""

    def _task_queue(self, message: Message) -> str:
        if isinstance(message, ActivityAttempt):
            own = _scheduled(message).task_queue
            if own:
                return own
        head = self._head(message)
        return head.task_queue if head is not None else ""

    def _head(self, message: Message) -> Head | None:
        return self.store.current(WorkflowKey(self.namespace, message.workflow_id))

    def reconsider(self, workflow_id: str) -> None:
        """Look again at what waits for a worker beside a workflow, which may need none any more."""
        for waiting in list(self._waiting.values()):
            for message in [message for message in waiting if message.workflow_id == workflow_id]:
                del waiting[message]
                self._route(message)

    # --- ports ------------------------------------------------------------------------------------------------------

    async def send_wake_up(self, wake_up: WakeUp, *, delay: int = 0) -> None:
        """See ``TaskQueue.send_wake_up``."""
        self._send(wake_up, delay, lambda: self._relevance(wake_up))

    async def send_wake_ups(self, wake_ups: list[WakeUp]) -> None:
        """See ``TaskQueue.send_wake_ups``."""
        await together(map(self.send_wake_up, wake_ups))

    async def send_activities(self, attempts: list[ActivityAttempt], *, delay: int = 0) -> None:
        """See ``TaskQueue.send_activities``."""
        for attempt in attempts:
            self._send(attempt, delay, lambda: Relevance.NEEDED)

    async def has_backlog(self, task_queue: str) -> bool:
        """See ``TaskQueue.has_backlog``."""
        return bool(self._waiting.get((task_queue, WakeUp)))

    async def schedule(self, key: WorkflowKey, wake_up: WakeUp, at: int) -> None:
        """See ``TimerService.schedule``."""
        await self.send_wake_up(wake_up, delay=wake_up.due - self.clock())

    async def invoke(self, request: bytes, workflow_id: str) -> bytes:
        """See ``WorkflowInvoker.invoke``."""
        event = json.loads(request)
        update = updates.decode(event) if updates.EVENT_KEY in event else None
        call = update or queries.decode(event)
        head = self.store.current(WorkflowKey(self.namespace, workflow_id))
        if head is not None:
            task_queue, run_id = head.task_queue, head.run_id
        elif update is not None and update.start is not None:
            task_queue, run_id = update.start.task_queue, ""
        else:
            raise workflow_not_found(workflow_id, call.run_id)
        if update is None and task_queue not in self._served:
            raise RPCError(
                f"no poller seen for task queue {task_queue!r}: start a worker that serves it and has the workflow",
                RPCStatusCode.FAILED_PRECONDITION,
                b"",
            )
        if update is None and head is not None:
            await self._catch_up(head)
        message = WakeUp(workflow_id, run_id)
        while (worker := self._worker_for(task_queue, message)) is None:
            await self._worker_to_come(task_queue)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        calls = self._calls.setdefault(workflow_id, [])
        calls.append(answered)
        self.clock.begin_work()
        try:
            return json.dumps(await direct.answer(worker.engine, event, deadline=_NEVER * 100)).encode()
        finally:
            answered.set_result(None)
            calls.remove(answered)
            if not calls:
                self._calls.pop(workflow_id, None)
            self.clock.end_work()

    async def is_asked(self, key: WorkflowKey, run_id: str, update_id: str) -> bool:
        """See ``WorkflowInvoker.is_asked``."""
        return self.offers.include(key.workflow_id, run_id, update_id)

    async def _catch_up(self, head: Head) -> None:
        """Let workflow tasks under way record what was accepted before a query, as they do in Temporal.

        The answer would be the same, but effects that the query told of would not have happened yet.
        """
        if head.awake and not head.task_attempts and head.key in self.store.unread:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CATCHES_UP_WITHIN):
                    await asyncio.shield(self.store.growth(head.key))

    async def _worker_to_come(self, task_queue: str) -> None:
        """Wait until there may be a worker that has room."""
        change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._callers.setdefault(task_queue, []).append(change)
        await change

    # --- delivery ---------------------------------------------------------------------------------------------------

    def _send(self, message: Message, delay: int, relevance: Callable[[], Relevance]) -> None:
        if self._closed or delay > _NEVER:
            return
        if delay <= 0:
            self._route(message)
        else:
            self.clock.at(self.clock() + delay, lambda: self._route(message), relevance)

    def _relevance(self, wake_up: WakeUp) -> Relevance:
        head = self._head(wake_up)
        if head is None or not head.open or head.run_id != wake_up.run_id:
            return Relevance.STALE
        if head.task_attempts:
            return Relevance.HELD
        if head.awake or 0 < head.attention <= wake_up.due:
            return Relevance.NEEDED
        if head.wake_up != wake_up.due:
            return Relevance.STALE
        # The one that is outstanding: it arranges the next one, if there is anything to wait for.
        return Relevance.NEEDED if head.attention else Relevance.IDLE

    def _route(self, message: Message, receipt: int = 1) -> None:
        if self._closed:
            return
        task_queue = self._task_queue(message)
        worker = self._worker_for(task_queue, message)
        if worker is not None:
            self._start(worker, message, receipt)
            return
        if isinstance(message, WakeUp) and self._is_over(message, task_queue):
            self._start(self._caretaker(), message, receipt)
            return
        self._waiting.setdefault((task_queue, type(message)), {})[message] = None

    def _is_over(self, wake_up: WakeUp, task_queue: str) -> bool:
        """Whether a run that no worker serves has been terminated, or has timed out: neither needs a worker.

        If it is still to time out, it will be looked at again then.
        """
        head = self._head(wake_up)
        if head is None or any(w.specification.task_queue == task_queue and not w.stopped for w in self._workers):
            return False
        deadline = self.store.deadline(head.key)
        if deadline > self.clock():
            self.clock.at(deadline, lambda: self.reconsider(wake_up.workflow_id), lambda: self._is_open(wake_up))
        return TERMINATE in head.inbox or 0 < deadline <= self.clock()

    def _is_open(self, wake_up: WakeUp) -> Relevance:
        """What the end of its time means for a run that waits for a worker."""
        head = self._head(wake_up)
        is_open = head is not None and head.open and head.run_id == wake_up.run_id
        return Relevance.NEEDED if is_open else Relevance.STALE

    def _caretaker(self) -> AttachedWorker:
        nothing = WorkerSpecification(task_queue="", workflows=None, activities=None)
        return AttachedWorker(self, nothing, self._engine(nothing), contextvars.copy_context())

    def _hand_out(self, task_queue: str) -> None:
        """Give out what waits for a worker, as far as there is one with room for it."""
        for caller in self._callers.pop(task_queue, ()):
            if not caller.done():
                caller.set_result(None)
        for kind in (WakeUp, ActivityAttempt):
            waiting = self._waiting.get((task_queue, kind))
            while waiting:
                message = next(iter(waiting))
                worker = self._worker_for(task_queue, message)
                if worker is None:
                    break
                del waiting[message]
                self._start(worker, message, 1)

    def _start(self, worker: AttachedWorker, message: Message, receipt: int) -> None:
        self.clock.begin_work()
        if isinstance(message, ActivityAttempt):
            self._keep_pace(worker)
        delivery = asyncio.get_running_loop().create_task(self._deliver(worker, message), context=worker.context.copy())
        worker.deliveries[delivery] = message

        def ended(delivery: asyncio.Task[None]) -> None:
            del worker.deliveries[delivery]
            if delivery.cancelled():
                self._route(message)
            elif error := delivery.exception():
                self._failed(message, receipt, error)
            self._hand_out(worker.specification.task_queue)
            self.clock.end_work()

        delivery.add_done_callback(ended)

    def _keep_pace(self, worker: AttachedWorker) -> None:
        """After an activity was begun: look after those that wait when the next one may begin."""
        paces = (worker.pace, self.pace_of(worker.specification))
        for pace in paces:
            pace.take(self.clock())
        if any(pace.interval for pace in paces):
            due = math.ceil(max(pace.next for pace in paces))
            task_queue = worker.specification.task_queue
            self.clock.at(due, lambda: self._hand_out(task_queue), lambda: Relevance.NEEDED)

    async def _deliver(self, worker: AttachedWorker, message: Message) -> None:
        engine, delivery = worker.engine, Delivery(self)
        current_delivery.set(delivery)
        if isinstance(message, ActivityAttempt):
            await activity_task.execute_attempt(engine, message)
            return
        # Callers come first: an update that waited for a worker belongs to the first workflow task, as in Temporal.
        while self._awaits_first_task(message) and (calls := self._calls.get(message.workflow_id)):
            await asyncio.wait(calls)
        if await engine.wake_ups.put_back(message, engine.clock()):
            return
        task = WorkflowTask(engine, message, _NEVER * 100)
        delivery.eager, task.eager.on_idle = task.eager, self.clock.consider_skipping
        worker.tasks.append(task)
        try:
            await task.run_to_release()
        finally:
            worker.tasks[:] = [other for other in worker.tasks if other is not task]

    def _awaits_first_task(self, wake_up: WakeUp) -> bool:
        """Whether a run has not begun, and not been terminated: a caller may wait for that in turn."""
        head = self._head(wake_up)
        if head is None or head.run_id != wake_up.run_id:
            return False
        return not head.dispatched and TERMINATE not in head.inbox

    def _failed(self, message: Message, receipt: int, error: BaseException) -> None:
        logger.error("a task of workflow %r failed: %r", message.workflow_id, error, exc_info=error)
        if receipt < _RECEIPTS:
            self.clock.at(self.clock() + _REDELIVERY, lambda: self._route(message, receipt + 1), lambda: Relevance.HELD)

    async def close(self) -> None:
        """Drop everything that is under way or waiting."""
        self._closed = True
        self.offers.withdraw()
        for worker in list(self._workers):
            await worker.close()
        self._waiting.clear()
        self.clock.close()


_clouds: WeakValueDictionary[str, LocalCloud] = WeakValueDictionary()
"""The environments of this process by what ``Client.connect`` finds them by."""
_numbers: Final = itertools.count(1)


def gateway_at(config: ConnectConfig) -> LocalGateway:
    """The clients' side of an environment in this process.

    Raises:
        RuntimeError: There is no such environment, or it was shut down.
    """
    cloud = _clouds.get(config.target_host)
    if cloud is None or cloud._closed:
        raise RuntimeError(f"Failed client connect: there is no environment at {config.target_host} in this process")
    return cloud._gateway(config)


def _scheduled(attempt: ActivityAttempt) -> ActivityTaskScheduled:
    command = decode_command(attempt.body)
    assert isinstance(command, ActivityTaskScheduled)
    return command


def _no_workflows(details: RunDetails) -> NoReturn:
    raise RuntimeError(f"this worker has no workflows, and was given {details.started.workflow_type!r}")


def _plain_failure(error: BaseException) -> Failure:
    return Failure(message=str(error))
