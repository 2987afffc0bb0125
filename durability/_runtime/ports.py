"""What the protocol needs from the outside: a history store, a task queue, a timer service, a clock.

All of it is asynchronous. An adapter may complete without ever suspending (boto3 in a function) or really wait
(aioboto3 in a client); the protocol is written once for both, and for the in-memory twin.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from durability._core.payload import Payload
from durability._runtime.frontend import ListFilter, Status


@dataclass(frozen=True, slots=True)
class WorkflowKey:
    """Names a workflow id in a namespace: one partition of the table."""

    namespace: str
    workflow_id: str


class HeadRecord(msgspec.Struct, array_like=True, tag_field="head"):
    """The part of a head that is written once, at the start of a run, and only read as a whole."""

    memo: dict[str, Payload] = {}
    search_attributes: dict[str, Payload] = {}
    parent_workflow_id: str = ""
    parent_run_id: str = ""
    parent_sequence: int = 0
    first_run_id: str = ""
    execution_time: int = 0
    root_workflow_id: str = ""
    root_run_id: str = ""
    static_summary: Payload | None = None
    static_details: Payload | None = None


@dataclass(slots=True)
class Head:
    """The current run of a workflow id. Times are milliseconds since the epoch; 0 means "none".

    Attributes:
        dispatched: Sequence number of the last delta whose commands have all been dispatched.
        counter: How many messages were ever put into the inbox; a release succeeds only if it has not changed.
        inbox: Messages by key, in stored form, in the order of their arrival.
        awake: Since when somebody owes the run a workflow task.
        wake_up: When the outstanding wake-up will arrive.
        attention: When, at the latest, somebody should have looked at the run; the reconciler goes by it.
        task_attempts: How many times in a row the workflow task failed, and ``task_failure`` with what.
        outcome: The closing record in stored form, once closed, if it is small enough; else empty, and the last
            delta (number ``dispatched``) tells.
        spilled: Keys of those messages that lie in items of their own.
        open_since: The delta from which on the history tells of all activities that had not ended when the run was
            released last.
        apart: Key of the first message since then that lies beside the head, which names no other.
        apart_names: Keys of those that were read.
    """

    key: WorkflowKey
    run_id: str
    workflow_type: str
    task_queue: str
    status: Status
    request_id: str
    start_time: int
    record: HeadRecord
    close_time: int = 0
    dispatched: int = 0
    counter: int = 0
    inbox: dict[str, bytes] = field(default_factory=dict)
    awake: int = 0
    wake_up: int = 0
    attention: int = 0
    task_attempts: int = 0
    task_failure: str = ""
    history_length: int = 0
    outcome: bytes = b""
    next_run_id: str = ""
    spilled: set[str] = field(default_factory=set)
    open_since: int = 0
    apart: str = ""
    apart_names: set[str] = field(default_factory=set)

    @property
    def open(self) -> bool:
        """Whether the run has not ended."""
        return self.status == Status.RUNNING

    def wake_up_at(self, due: int) -> WakeUp:
        """The message that has the run looked at when ``due`` has come; 0 for now."""
        return WakeUp(self.key.workflow_id, self.run_id, due, self.task_queue)


@dataclass(slots=True)
class Loaded:
    """What one read brings: the head and the deltas after the one asked for, as (sequence, stored bytes)."""

    head: Head | None
    deltas: list[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message: the head as it was before, and whether it was an open run that took the message.

    If the head's awake mark was clear, the sender owes the run a wake-up.
    """

    accepted: bool
    before: Head | None


@dataclass(slots=True)
class TaskState:
    """Where a dispatched activity stands: the item that its attempts are claimed on. Times as in ``Head``.

    Attributes:
        attempt: The last attempt that was claimed; 0 if none.
        claimed: When.
        heartbeat: When the attempt last gave a sign of life.
        details: Heartbeat details, encoded; they survive the attempt.
        next_attempt: The attempt decided after a failure, not yet claimed; 0 if none.
        next_due: When it may begin.
        failure: How the last attempt failed, encoded; empty if none did.
        cancel_requested: Whether the workflow asked for cancellation.
    """

    attempt: int = 0
    claimed: int = 0
    heartbeat: int = 0
    details: bytes = b""
    next_attempt: int = 0
    next_due: int = 0
    failure: bytes = b""
    cancel_requested: bool = False


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a release writes. ``None`` leaves a field as it is."""

    dispatched: int
    wake_up: int
    history_length: int
    open_since: int = 0
    status: Status = Status.RUNNING
    close_time: int = 0
    outcome: bytes = b""
    next_run_id: str = ""
    attention: int = 0
    awake: int = 0
    record: HeadRecord | None = None


class FencedError(Exception):
    """The delta's number is taken: somebody else advanced the run."""


class ItemTooLargeError(Exception):
    """The store cannot hold an item of this size."""


class HistoryStore(Protocol):
    """Heads, deltas, inboxes, activity attempts. Reads are strongly consistent unless a method says otherwise."""

    async def load(self, key: WorkflowKey, run_id: str, after: int) -> Loaded:
        """Read the head and the run's deltas with numbers above ``after``, in one request where that is possible."""
        ...

    async def deltas(self, key: WorkflowKey, run_id: str) -> list[tuple[int, bytes]]:
        """Read all deltas of a run, current or not."""
        ...

    async def head(self, key: WorkflowKey) -> Head | None:
        """Read the head alone; messages that lie in items of their own are not read."""
        ...

    async def closed_run(self, key: WorkflowKey, run_id: str) -> Head | None:
        """Read the summary of a run that is no longer its workflow id's current one."""
        ...

    async def create(self, head: Head) -> Head | None:
        """Write the first head of a workflow id. Returns the head that is there instead, if there is one."""
        ...

    async def replace(self, head: Head, expected: Head, summary: Head) -> Head | None:
        """Put a new run in the place of another one and keep ``summary`` of that one.

        Only if the head is still what ``expected`` says: same run, same status, same counter, same ``dispatched``.
        Returns None, or the head as it is now. That may be of the new run: by a request of this process whose answer
        was lost, or of another that came to the same run. Otherwise nothing is in its place.
        """
        ...

    async def append(self, key: WorkflowKey, run_id: str, sequence: int, body: bytes) -> None:
        """Write a delta, once. Raises FencedError if the number is taken."""
        ...

    async def deliver(
        self, key: WorkflowKey, run_id: str | None, message: str, body: bytes, now: int, *, apart: bool = False
    ) -> Delivery:
        """Put a message into the inbox of an open run, under its key, and set the awake mark.

        A message whose key is in the inbox already is left as it is. One that is delivered ``apart``, to a run that is
        named, is laid down beside the head, which does not grow by it, and comes after all that lie in the head.

        Raises:
            ItemTooLargeError: The message does not fit, alone or together with what is waiting already.
        """
        ...

    async def count_again(self, head: Head) -> bool:
        """Have every change that is conditional on ``head`` fail; False if it would have failed already.

        A message that lies apart may be seen before its sender has counted it. Whoever makes a difference of that to
        others has to count it.
        """
        ...

    async def settle(self, head: Head, settlement: Settlement, *, drop: list[str]) -> Head | None:
        """Release the run, if the head's run, ``dispatched`` and ``counter`` are still those of ``head``.

        Empties the inbox, clears the awake mark (or sets ``settlement.awake``), and forgets task failures.
        Returns None, or, when something new had come, the head as it is now; then nothing was written.
        """
        ...

    async def drop(self, head: Head, dispatched: int, messages: list[str]) -> Head | None:
        """Remove consumed messages and stay awake. Returns the head afterwards; None if the run is another by now."""
        ...

    async def fail_task(self, head: Head, failure: str, wake_up: int, *, record: tuple[str, bytes] | None) -> None:
        """Show a failed workflow task, clear the awake mark until ``wake_up``. Does nothing if the run moved on.

        ``record`` is the failure as a message, by its key, to be put into the inbox: it belongs to the history.
        """
        ...

    async def postpone(self, head: Head, until: int) -> bool:
        """Leave a run to its wake-up at ``until``, messages and all; False if something new has come."""
        ...

    async def finish(self, key: WorkflowKey, run_id: str, dispatched: int) -> None:
        """Note that a closed run has nothing left to dispatch, and clear its awake mark."""
        ...

    async def finish_closed(self, key: WorkflowKey, run_id: str, dispatched: int) -> None:
        """The same for a run that is no longer its workflow id's current one."""
        ...

    async def set_wake_up(self, head: Head, wake_up: int) -> None: ...

    async def claim(
        self, key: WorkflowKey, run_id: str, sequence: int, attempt: int, now: int
    ) -> tuple[bool, TaskState]:
        """Begin an attempt of a dispatched activity. True if it is the caller's; the state as it is now."""
        ...

    async def task(self, key: WorkflowKey, run_id: str, sequence: int) -> TaskState:
        """Read where an activity stands."""
        ...

    async def heartbeat(
        self,
        key: WorkflowKey,
        run_id: str,
        sequence: int,
        attempt: int,
        details: bytes,
        now: int,
        *,
        eager: bool = False,
    ) -> TaskState | None:
        """Record a heartbeat. None if the attempt is no longer the current one.

        An ``eager`` attempt has not been claimed: it is the current one unless a later one has been heard of.
        """
        ...

    async def retry(self, key: WorkflowKey, run_id: str, sequence: int, attempt: int, due: int, failure: bytes) -> bool:
        """Decide attempt number ``attempt`` after the one before it failed. False if that was decided already."""
        ...

    async def request_cancel(self, key: WorkflowKey, run_id: str, sequence: int) -> TaskState:
        """Ask for an activity's cancellation. Returns the state before; attempts can no longer be claimed."""
        ...

    async def delete(self, key: WorkflowKey, run_id: str, also: Callable[[], Awaitable[None]]) -> bool:
        """Delete all items of a closed run. False, and nothing is deleted, if it is open or not done with its end.

        May be repeated; the run can still be described until everything else of it is gone, that which ``also``
        deletes included: it is called once it is certain that the run goes.
        """
        ...

    async def overdue(self, namespace: str, before: int, limit: int) -> list[WakeUp]:
        """Wake-ups for the runs that should have been looked at before a time (eventually consistent)."""
        ...

    async def list_runs(self, namespace: str, filter: ListFilter) -> tuple[list[Head], str]:
        """A page of runs, newest first, and the next page's token (eventually consistent)."""
        ...


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A message for whoever serves the run's task queue: somebody should look at this run. ``due`` is 0 for "now"."""

    workflow_id: str
    run_id: str
    due: int = 0
    task_queue: str = ""


@dataclass(frozen=True, slots=True)
class ActivityAttempt:
    """A message for whoever serves the activity's task queue: run this attempt.

    ``body`` is the encoded command that scheduled it. ``apart`` says that its run waits for many: see
    ``HistoryStore.deliver``.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    sequence: int
    attempt: int
    due: int
    scheduled: int
    body: bytes
    task_queue: str = ""
    apart: bool = False


TaskKind = Literal["workflow", "activity"]


class TaskQueue(Protocol):
    """Where tasks wait for a function or a worker. A message says of which task queue it is."""

    async def send_wake_up(self, wake_up: WakeUp, *, delay: int = 0) -> None:
        """``delay`` in milliseconds, at most 900,000; rounded up to whole seconds."""
        ...

    async def send_wake_ups(self, wake_ups: list[WakeUp]) -> None:
        """Send all that can be sent. Raises the first error of those that cannot."""
        ...

    async def send_activities(self, attempts: list[ActivityAttempt], *, delay: int = 0) -> None:
        """Send all that can be sent, ``delay`` as above. Raises the first error of those that cannot."""
        ...

    async def has_backlog(self, task_queue: str) -> bool:
        """Whether workflow tasks of a worker's task queue wait for the worker."""
        ...


class TaskRoutes(Protocol):
    """Knows whose business the tasks of a task queue are."""

    async def elsewhere(self, task_queue: str, kind: TaskKind) -> bool:
        """Whether tasks of a kind are to be left to others than this process."""
        ...


class TimerService(Protocol):
    """Wake-ups further away than a queue can delay a message."""

    async def schedule(self, key: WorkflowKey, wake_up: WakeUp, at: int) -> None:
        """Put the wake-up on its task queue within a minute after ``at``; idempotent."""
        ...


class PayloadStore(Protocol):
    """Where payloads are kept that are too large for the table. Keys say where they belong and what they are."""

    async def put(self, key: str, body: bytes) -> None:
        """Write an object, once: what is there under the key already is the same and is left as it is."""
        ...

    async def get(self, key: str) -> bytes:
        """Read an object. Raises StoredPayloadError if there is none."""
        ...

    async def delete(self, prefix: str) -> None:
        """Delete all objects whose keys begin with ``prefix``."""
        ...


class WorkflowInvoker(Protocol):
    """Asks whoever serves a workflow's task queue for an answer, waiting for it."""

    async def invoke(self, request: bytes, workflow_id: str) -> bytes: ...

    async def is_asked(self, key: WorkflowKey, run_id: str, update_id: str) -> bool:
        """Whether somebody waits for a worker to take an update to a run, as far as that is known."""
        ...


Clock = Callable[[], int]
"""Milliseconds since the epoch."""

Sleep = Callable[[float], Awaitable[None]]
"""Waits for some seconds."""
