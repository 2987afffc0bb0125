"""What clients may ask of the engine, independent of how they reach it.

Two implementations: over the table and the queues (``durability._runtime.gateway``), and over the HTTP API
(``durability.client._http``). Everything is asynchronous and raises ``durability.service.RPCError`` with the status
that Temporal's server would give, or a more specific error of ``durability.exceptions`` where the method says so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import IntEnum
from typing import Literal, Protocol

import msgspec

from durability._core.failure import Failure
from durability._core.history import Delta, RetryPolicyRecord
from durability._core.payload import Payload


class Status(IntEnum):
    """Status of a workflow execution; the numbers of Temporal's ``WorkflowExecutionStatus``."""

    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    CONTINUED_AS_NEW = 6
    TIMED_OUT = 7


class StartRequest(msgspec.Struct, kw_only=True):
    """Everything needed to start a run. Durations are milliseconds, 0 meaning "not set".

    ``request_id`` makes a start idempotent: a second start with the same one answers with the first one's run.
    ``id_reuse_policy`` and ``id_conflict_policy`` are the numbers of the enums in ``durability.common``.
    """

    workflow_id: str
    workflow_type: str
    task_queue: str
    arguments: list[Payload]
    request_id: str
    headers: dict[str, Payload] = {}
    memo: dict[str, Payload] = {}
    search_attributes: dict[str, Payload] = {}
    execution_timeout: int = 0
    run_timeout: int = 0
    task_timeout: int = 0
    id_reuse_policy: int = 1
    id_conflict_policy: int = 0
    retry_policy: RetryPolicyRecord | None = None
    cron_schedule: str = ""
    start_delay: int = 0
    identity: str = ""
    static_summary: Payload | None = None
    static_details: Payload | None = None
    priority: list[Payload] | None = None
    signal_name: str = ""  # signal-with-start when set
    signal_arguments: list[Payload] = []


class Started(msgspec.Struct, kw_only=True):
    """Outcome of a start. ``existing`` tells that the run was there already (same request, or USE_EXISTING).

    ``first_run_id`` is then the first run of the chain that it belongs to. ``attached`` tells that the run has the
    update which came with the start, whatever the id policies say.
    """

    workflow_id: str
    run_id: str
    existing: bool = False
    first_run_id: str = ""
    attached: bool = False


class UpdateStage(IntEnum):
    """How far an update has come; the numbers of Temporal's ``UpdateWorkflowExecutionLifecycleStage``."""

    ADMITTED = 1
    ACCEPTED = 2
    COMPLETED = 3


class UpdateRequest(msgspec.Struct, kw_only=True):
    """An update to deliver, once per ``update_id`` and run. An empty ``run_id`` is the current run.

    ``stage`` is what the caller waits for. With ``start``, the workflow is started first if the id policies in it say
    so, and the update is part of its first workflow task.
    """

    workflow_id: str
    run_id: str = ""
    update_id: str
    name: str
    arguments: list[Payload]
    headers: dict[str, Payload] = {}
    identity: str = ""
    stage: UpdateStage = UpdateStage.COMPLETED
    start: StartRequest | None = None


class UpdateState(msgspec.Struct, kw_only=True):
    """What has become of an update: once completed, ``failure`` says whether it failed or was rejected.

    ``existing`` tells whether the workflow was there before the start that the update came with, and ``first_run_id``
    is then the first run of its chain.
    """

    workflow_id: str
    run_id: str
    update_id: str
    stage: UpdateStage = UpdateStage.ADMITTED
    result: Payload | None = None
    failure: Failure | None = None
    existing: bool = False
    first_run_id: str = ""


class ActivityReport(msgspec.Struct, kw_only=True):
    """What somebody outside says of an activity, named by its task token or by ids; see ``AsyncActivityHandle``.

    ``failure`` belongs to "failed", ``result`` to "completed", ``details`` to all others and to "failed".
    """

    kind: Literal["completed", "failed", "canceled", "heartbeat"]
    task_token: bytes = b""
    workflow_id: str = ""
    run_id: str = ""
    activity_id: str = ""
    result: Payload | None = None
    failure: Failure | None = None
    details: list[Payload] = []
    identity: str = ""


class PendingActivity(msgspec.Struct, kw_only=True):
    """An activity that has not ended. Times are milliseconds since the epoch, 0 meaning unknown."""

    activity_id: str
    activity_type: str
    state: str  # "scheduled" or "started"
    attempt: int = 1
    scheduled: int = 0
    next_attempt: int = 0
    last_failure: Failure | None = None
    last_heartbeat_details: list[Payload] | None = None


class Description(msgspec.Struct, kw_only=True):
    """A workflow execution as it stands. Times are milliseconds since the epoch, 0 meaning "not yet".

    ``task_attempts`` and ``task_failure`` are set while the workflow task keeps failing (a bug in workflow code);
    ``next_wake_up`` is when the run will be woken if nothing comes before.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: Status
    start_time: int
    close_time: int = 0
    execution_time: int = 0
    history_length: int = 0
    parent_workflow_id: str = ""
    parent_run_id: str = ""
    first_run_id: str = ""
    root_workflow_id: str = ""
    root_run_id: str = ""
    static_summary: Payload | None = None
    static_details: Payload | None = None
    memo: dict[str, Payload] = {}
    search_attributes: dict[str, Payload] = {}
    task_attempts: int = 0
    task_failure: str = ""
    next_wake_up: int = 0
    pending_activities: list[PendingActivity] = []


class Outcome(msgspec.Struct, kw_only=True):
    """How a run ended: ``result`` if completed, ``failure`` if not, ``new_run_id`` if it goes on in another run.

    ``details`` are what a client gave that terminated it.
    """

    run_id: str
    status: Status
    result: Payload | None = None
    failure: Failure | None = None
    new_run_id: str = ""
    details: list[Payload] = []


AttributeValue = str | int | float | bool
"""What a search attribute is compared with."""


class ListFilter(msgspec.Struct, kw_only=True):
    """Which executions to list. Times are milliseconds since the epoch; 0 and "" mean "any".

    ``task_queue`` and ``attributes``, which are search attributes by name, are looked for among the runs that the rest
    selects: no index has them.
    """

    workflow_type: str = ""
    status: int = 0
    workflow_id: str = ""
    started_after: int = 0
    started_before: int = 0
    task_queue: str = ""
    attributes: dict[str, AttributeValue] = {}
    page_size: int = 100
    page_token: str = ""


class Page(msgspec.Struct, kw_only=True):
    """A page of a listing, newest start first; ``next_page_token`` is empty on the last one."""

    executions: list[Description]
    next_page_token: str = ""


class Frontend(Protocol):
    """See the module's text. ``run_id=None`` means the workflow id's current run."""

    async def start(self, request: StartRequest) -> Started:
        """Raises WorkflowAlreadyStartedError, RPCError(INVALID_ARGUMENT)."""
        ...

    async def signal(
        self,
        workflow_id: str,
        run_id: str | None,
        name: str,
        arguments: list[Payload],
        *,
        request_id: str,
        headers: dict[str, Payload] | None = None,
        identity: str = "",
    ) -> None:
        """Deliver a signal once per ``request_id``. Raises RPCError(NOT_FOUND) for an unknown or closed execution."""
        ...

    async def cancel(
        self, workflow_id: str, run_id: str | None, *, request_id: str, reason: str = "", identity: str = ""
    ) -> bool:
        """Ask an execution to cancel itself; False if it has ended already. Raises RPCError(NOT_FOUND)."""
        ...

    async def terminate(
        self,
        workflow_id: str,
        run_id: str | None,
        *,
        reason: str = "",
        details: list[Payload] | None = None,
        identity: str = "",
    ) -> None: ...

    async def query(
        self,
        workflow_id: str,
        run_id: str | None,
        name: str,
        arguments: list[Payload],
        *,
        headers: dict[str, Payload] | None = None,
    ) -> Payload | None:
        """Raises WorkflowQueryFailedError from the handler, RPCError(INVALID_ARGUMENT) for an unknown query."""
        ...

    async def update(self, request: UpdateRequest, *, wait: float) -> UpdateState:
        """Deliver an update and wait up to ``wait`` seconds for the stage asked for.

        The state may be short of that stage; while it is ADMITTED, nothing durable holds the update, and the caller is
        to ask again with the same id. Raises RPCError(NOT_FOUND) for an unknown or closed execution.
        """
        ...

    async def update_outcome(
        self, workflow_id: str, run_id: str | None, update_id: str, *, stage: UpdateStage, wait: float
    ) -> UpdateState:
        """Wait up to ``wait`` seconds for an update's stage. Raises RPCError(NOT_FOUND).

        An update that waits for a worker is ADMITTED.
        """
        ...

    async def report_activity(self, report: ActivityReport) -> bool:
        """Report on an activity that is completed from outside; returns whether its cancellation was asked for.

        Raises RPCError(NOT_FOUND) if the attempt is not under way.
        """
        ...

    async def delete(self, workflow_id: str, run_id: str | None) -> None:
        """Delete a run and all that belongs to it; one that is open is terminated first.

        Raises RPCError: NOT_FOUND; UNAVAILABLE if the run takes too long to end.
        """
        ...

    async def describe(self, workflow_id: str, run_id: str | None) -> Description: ...

    async def outcome(self, workflow_id: str, run_id: str | None, *, wait: float) -> Outcome | None:
        """How the run ended, or None if it is still open after ``wait`` seconds."""
        ...

    def history(self, workflow_id: str, run_id: str | None) -> AsyncIterator[Delta]:
        """The deltas of a run, oldest first. Raises RPCError(NOT_FOUND).

        What an open run has accepted and not consumed yet comes last, as a delta that is not written.
        """
        ...

    async def list(self, filter: ListFilter) -> Page: ...

    async def close(self) -> None: ...
