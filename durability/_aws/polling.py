"""Workers on a deployment: a process that takes tasks off its own SQS queues, for as long as it likes.

The protocol is the functions' own; what is here is what Lambda does for them. Tasks are received by long polls, as many
as there is room for. The claim on a message is prolonged while its task goes on, and the message is deleted when
the task has ended. If the process dies, the message comes again when the queue's visibility timeout has passed.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from durability._aws.callers import AwsError, Caller
from durability._aws.mailbox import Mailbox, Request, read_request
from durability._aws.queues import BATCH, decode_attempt, decode_wake_up
from durability._aws.task_queues import MISSING, TaskQueues
from durability._core.activation import RunDetails
from durability._core.failure import Failure
from durability._runtime import direct, updates
from durability._runtime.activity_task import execute_attempt
from durability._runtime.engine import Engine
from durability._runtime.hosting import WorkerSpecification
from durability._runtime.pace import Pace
from durability._runtime.ports import TaskKind, WorkflowKey
from durability._runtime.reconciler import wake_task_queue
from durability._runtime.settings import Settings
from durability._runtime.workflow_payloads import PayloadOptions
from durability._runtime.workflow_task import WorkflowTask
from durability.activity._runner import ActivityRunner
from durability.exceptions import ConfigurationError

logger = logging.getLogger("durability.worker")

LONG_POLL: Final = 20
"""Seconds that a receive waits for a message; SQS's limit. An idle worker makes three requests a minute and kind."""
CONNECTIONS: Final = 200
"""Each worker holds one for each kind of task while it waits."""
NEVER: Final = 10**15
"""Milliseconds since the epoch: a worker's tasks have no deadline of their own."""
LONGEST_BACKOFF: Final = 600
"""Seconds until a message comes again whose task keeps failing; doubled from one second."""
_REFUSALS: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", *MISSING}
)
"""Errors that no waiting will cure."""

MakeEngine = Callable[..., Engine]
Execute = Callable[[str], Coroutine[Any, Any, None]]
Permit = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class _Message:
    """A task that has been received: what it is, and by what it is given back."""

    url: str
    body: str
    receipt: str
    receives: int


class PollingHost:
    """Hosts the workers of one process. Implements ``WorkerHost`` and ``WorkersHere``."""

    attaches_at_once = False

    def __init__(
        self,
        namespace: str,
        engine: MakeEngine,
        caller: Caller,
        polling: Caller,
        task_queues: TaskQueues,
        mailbox: Mailbox,
    ) -> None:
        """Create the host.

        Args:
            namespace: Namespace of all runs.
            engine: Makes an engine on the deployment's ports; takes what is a worker's own.
            caller: Carries requests.
            polling: Carries those that wait for messages.
            task_queues: The task queues that workers serve.
            mailbox: Takes answers.
        """
        self.namespace = namespace
        self.caller = caller
        self.polling = polling
        self.task_queues = task_queues
        self.mailbox = mailbox
        self._engine = engine
        self._workers: list[PolledWorker] = []

    @property
    def functions_task_queue(self) -> str:
        """See ``WorkerHost``."""
        return self.task_queues.own

    @property
    def environment(self) -> object:
        """See ``WorkerHost``."""
        return self.task_queues.environment

    async def attach(self, worker: WorkerSpecification) -> PolledWorker:
        """See ``WorkerHost.attach``. Registers the task queue if it is not registered."""
        registry = worker.workflows
        engine = self._engine(
            factory=registry.create if registry is not None else _no_workflows,
            runner=worker.activities or ActivityRunner([]),
            to_failure=registry.to_failure if registry is not None else _plain_failure,
            routes=OneQueue(worker.task_queue),
            settings=worker.settings(Settings(queries_catch_up=True)),
            build=worker.build,
            identity=worker.identity,
            code=worker.code,
            held_runs=worker.held_runs,
            workflow_slot=worker.workflow_slot,
            payload_options=registry.payload_options if registry is not None else PayloadOptions(),
        )
        attached = PolledWorker(self, worker, engine)
        try:
            await attached.start()
        except AwsError as error:
            raise ConfigurationError(
                f"task queue {worker.task_queue!r} could not be registered: {error}. Give the worker the stack's "
                "WorkerPolicy, or create the queue with `durability task-queue create`"
            ) from error
        self._workers.append(attached)
        return attached

    def detach(self, worker: PolledWorker) -> None:
        """Forget a worker."""
        if worker in self._workers:
            self._workers.remove(worker)

    async def task_queue_of(self, workflow_id: str) -> str:
        """See ``WorkersHere.task_queue_of``."""
        serving = [worker for worker in self._workers if worker.answers]
        if not serving:
            return ""
        head = await serving[0].engine.store.head(WorkflowKey(self.namespace, workflow_id))
        return head.task_queue if head is not None else ""

    async def answer(self, task_queue: str, request: bytes) -> bytes | None:
        """See ``WorkersHere.answer``."""
        for worker in self._workers:
            if worker.answers and worker.specification.task_queue == task_queue:
                return json.dumps(await direct.answer(worker.engine, json.loads(request), deadline=NEVER)).encode()
        return None

    async def end(self) -> None:
        """Have the workers of the running loop shut down as they do when they are told to, and wait until they have."""
        loop = asyncio.get_running_loop()
        workers = [worker for worker in self._workers if worker.loop is loop]
        for worker in workers:
            worker.end()
        for worker in workers:
            await worker.closed.wait()

    async def close(self) -> None:
        """End all workers that are still attached, and close the connections for messages."""
        for worker in list(self._workers):
            await worker.close()
        await self.polling.close()


@dataclass(frozen=True, slots=True)
class OneQueue:
    """The routes of a worker: it serves its own task queue, and nothing else."""

    task_queue: str

    async def elsewhere(self, task_queue: str, kind: TaskKind) -> bool:
        """See ``TaskRoutes.elsewhere``."""
        return task_queue != self.task_queue


@dataclass(eq=False)
class PolledWorker:
    """A worker at work. See ``HostedWorker``."""

    host: PollingHost
    specification: WorkerSpecification
    engine: Engine
    _context: contextvars.Context = field(default_factory=contextvars.copy_context)
    _stopped: bool = False
    _pollers: list[asyncio.Task[None]] = field(default_factory=list)
    _deliveries: dict[asyncio.Task[None], _Message] = field(default_factory=dict)
    _tasks: list[WorkflowTask] = field(default_factory=list)
    _updates: dict[asyncio.Task[Any], str] = field(default_factory=dict)
    _failure: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def answers(self) -> bool:
        """Whether it runs workflows, so that it can be asked about them."""
        return self.specification.workflows is not None and not self._stopped

    async def start(self) -> None:
        """Register the task queue and begin to take tasks. Raises AwsError."""
        specification = self.specification
        kinds: list[tuple[TaskKind, int]] = []
        if specification.workflows is not None:
            kinds.append(("workflow", specification.workflow_slots))
        if specification.activities is not None and specification.remote_activities:
            kinds.append(("activity", specification.activity_slots))
        for kind, slots in kinds:
            queues = self.host.task_queues
            url = await queues.find(specification.task_queue, kind)
            if url is None:
                url = await queues.register(specification.task_queue, kind)
                if kind == "workflow":
                    await wake_task_queue(self.engine, specification.task_queue)
            visibility = await self._visibility(url)
            execute, permit = self._execute_workflow_task, None
            if kind == "activity":
                execute, permit = self._execute_activity, self._permit()
            self._spawn(self._poll(kind, url, asyncio.Semaphore(slots), execute, permit))
            self._spawn(self._prolong(url, visibility))

    async def _visibility(self, url: str) -> int:
        name = "VisibilityTimeout"
        answer = await self.host.caller.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._pollers.append(asyncio.get_running_loop().create_task(work))

    # --- HostedWorker -----------------------------------------------------------------------------------------------

    async def failed(self) -> None:
        """See ``HostedWorker.failed``."""
        await asyncio.shield(self._failure)

    def end(self) -> None:
        """Have ``failed`` return."""
        if not self._failure.done():
            self._failure.set_result(None)

    def stop(self) -> None:
        """See ``HostedWorker.stop``. Tasks under way begin no further activities.

        A long poll is broken off. A message that was on its way comes again after the queue's visibility timeout.
        """
        self._stopped = True
        for poller in self._pollers[::2]:
            poller.cancel()
        for task in self._tasks:
            task.deadline = task.eager.deadline = 0

    async def finished(self) -> None:
        """See ``HostedWorker.finished``."""
        while self._deliveries:
            await asyncio.wait(list(self._deliveries))

    async def close(self) -> None:
        """See ``HostedWorker.close``. Tasks that were not done are given back to the queue at once."""
        self.stop()
        for delivery in list(self._deliveries):
            delivery.cancel()
        try:
            await self.finished()
            for poller in self._pollers:
                poller.cancel()
            await asyncio.gather(*self._pollers, return_exceptions=True)
        finally:
            self._failure.cancel()
            self.engine.sessions.clear()
            self.engine.code.end()
            self.host.detach(self)
            self.closed.set()

    # --- receiving --------------------------------------------------------------------------------------------------

    def _permit(self) -> Permit | None:
        """What is waited for before an activity is received; None if there is no limit."""
        own = Pace(self.specification.activities_per_second)
        together = self.specification.queue_activities_per_second
        if not own.interval and not together:
            return None

        async def permit() -> None:
            clock, sleep = self.engine.clock, self.engine.sleep
            await sleep(max(0.0, own.next - clock()) / 1000)
            own.take(clock())
            if together:
                due = await self.host.task_queues.take_turn(self.specification.task_queue, 1000 / together, clock())
                await sleep(max(0.0, due - clock()) / 1000)

        return permit

    async def _poll(
        self, kind: TaskKind, url: str, slots: asyncio.Semaphore, execute: Execute, permit: Permit | None
    ) -> None:
        failures, permitted = 0, False
        while True:
            free = await _acquire(slots, BATCH if permit is None else 1)
            try:
                if permit is not None and not permitted:
                    await permit()
                    permitted = True
                messages = await self._receive(url, free)
                failures = 0
            except Exception as error:
                _release(slots, free)
                if isinstance(error, AwsError) and error.code in _REFUSALS:
                    self._fail(kind, error)
                    return
                if self._stopped:
                    return  # what broke the request off may come out of it as an error of its own
                failures += 1
                logger.warning("receiving from %s failed: %r", url, error)
                await asyncio.sleep(min(2 ** min(failures, 5), 20))
                continue
            except BaseException:
                _release(slots, free)
                raise
            _release(slots, free - len(messages))
            permitted = permitted and not messages
            for message in sorted(messages, key=_asks, reverse=True):
                self._begin(message, slots, execute)
            if self._stopped:
                return

    async def _receive(self, url: str, free: int) -> list[_Message]:
        answer = await self.host.polling.call(
            "sqs",
            "receive_message",
            QueueUrl=url,
            MaxNumberOfMessages=free,
            WaitTimeSeconds=LONG_POLL,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [
            _Message(url, message["Body"], message["ReceiptHandle"], _receives(message))
            for message in answer.get("Messages", ())
        ]

    def _fail(self, kind: TaskKind, error: Exception) -> None:
        if not self._failure.done():
            failure = RuntimeError(f"{kind.capitalize()} worker failed")
            failure.__cause__ = error
            self._failure.set_exception(failure)
            self._failure.exception()  # it is raised to whoever waits; nobody has to

    async def _prolong(self, url: str, visibility: int) -> None:
        """Keep the messages of tasks under way from coming again. Past SQS's twelve hours they do, and do no harm."""
        while True:
            await asyncio.sleep(visibility / 3)
            held = [message for message in self._deliveries.values() if message.url == url]
            for start in range(0, len(held), BATCH):
                entries = [
                    {"Id": str(n), "ReceiptHandle": message.receipt, "VisibilityTimeout": visibility}
                    for n, message in enumerate(held[start : start + BATCH])
                ]
                try:
                    await self.host.caller.call("sqs", "change_message_visibility_batch", QueueUrl=url, Entries=entries)
                except Exception as error:
                    logger.warning("the messages of tasks under way could not be prolonged: %r", error)

    # --- executing --------------------------------------------------------------------------------------------------

    def _begin(self, message: _Message, slots: asyncio.Semaphore, execute: Execute) -> None:
        work = self._deliver(message, execute)
        delivery = asyncio.get_running_loop().create_task(work, context=self._context.copy())
        self._deliveries[delivery] = message

        def ended(delivery: asyncio.Task[None]) -> None:
            del self._deliveries[delivery]
            slots.release()
            if not delivery.cancelled() and (error := delivery.exception()) is not None:
                logger.warning("a message could not be given back or deleted, and will come again: %r", error)

        delivery.add_done_callback(ended)

    async def _deliver(self, message: _Message, execute: Execute) -> None:
        try:
            await execute(message.body)
        except asyncio.CancelledError:
            await self._give_back(message, 0)
            raise
        except Exception as error:
            logger.error("a task failed and will be tried again: %r", error, exc_info=error)
            await self._give_back(message, min(2 ** min(message.receives - 1, 30), LONGEST_BACKOFF))
        else:
            await self.host.caller.call("sqs", "delete_message", QueueUrl=message.url, ReceiptHandle=message.receipt)

    async def _give_back(self, message: _Message, seconds: int) -> None:
        await self.host.caller.call(
            "sqs",
            "change_message_visibility",
            QueueUrl=message.url,
            ReceiptHandle=message.receipt,
            VisibilityTimeout=seconds,
        )

    async def _execute_workflow_task(self, body: str) -> None:
        request = read_request(body)
        if request is not None:
            await self._answer(request)
            return
        engine, wake_up = self.engine, decode_wake_up(body)
        if await engine.wake_ups.put_back(wake_up, engine.clock()):
            return
        # Callers come first: an update that waited for a worker belongs to the first workflow task, as in Temporal.
        while calls := [call for call, updated in self._updates.items() if updated == wake_up.workflow_id]:
            await asyncio.wait(calls)
        task = WorkflowTask(engine, wake_up, NEVER)
        self._tasks.append(task)
        try:
            await task.run_to_release()
        finally:
            self._tasks[:] = [other for other in self._tasks if other is not task]

    async def _execute_activity(self, body: str) -> None:
        await execute_attempt(self.engine, decode_attempt(body))

    async def _answer(self, request: Request) -> None:
        if request.expires * 1000 < self.engine.clock():
            return
        answering = asyncio.get_running_loop().create_task(direct.answer(self.engine, request.event, deadline=NEVER))
        if updates.EVENT_KEY in request.event:
            self._updates[answering] = updates.decode(request.event).workflow_id
            answering.add_done_callback(self._updates.pop)
        answer = await answering
        if answer is None:
            raise ValueError("a message asks for an answer, but is neither a query nor an update")
        await self.host.mailbox.answer(request, answer)


async def _acquire(slots: asyncio.Semaphore, most: int) -> int:
    """Wait for a free slot, and take those that are free besides."""
    await slots.acquire()
    taken = 1
    while taken < most and not slots.locked():
        await slots.acquire()
        taken += 1
    return taken


def _release(slots: asyncio.Semaphore, number: int) -> None:
    for _ in range(number):
        slots.release()


def _asks(message: _Message) -> bool:
    return read_request(message.body) is not None


def _receives(message: dict[str, Any]) -> int:
    return int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))


def _no_workflows(details: RunDetails) -> Any:
    raise RuntimeError(f"this worker has no workflows, and was given {details.started.workflow_type!r}")


def _plain_failure(error: BaseException) -> Failure:
    return Failure(message=str(error))
