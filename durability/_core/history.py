"""History: the typed records that a run consists of, and how they are grouped into deltas.

A *delta* is what one workflow task added: the **inputs** that it consumed and the **commands** that it
decided, in order. Replaying a run means activating the workflow with each delta's inputs and checking that it gives
each delta's commands again. Everything else that Temporal's history shows (workflow task events, activity started
events, event ids) follows from the deltas and is derived, not stored.

Tags are the numbers of Temporal's ``EventType`` (``temporal/api/enums/v1/event_type.proto``); records that Temporal
does not have are numbered from 200. Times are milliseconds since the epoch, durations milliseconds, unless
a name says otherwise. A zero duration means "not set". Records are stored as arrays: fields may only ever be appended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from durability._core.failure import Failure
from durability._core.payload import Payload

FORMAT = 1
"""The format number written into every delta; a reader refuses numbers that it does not know."""
NOT_WRITTEN = 0
"""Format of a delta that is only shown: its inputs have been accepted, and no workflow task has consumed them yet.

Its time is since when somebody owes the run a workflow task; 0 if nobody does.
"""


class RetryPolicyRecord(msgspec.Struct, array_like=True, frozen=True):
    """A retry policy with every default filled in."""

    initial_interval: int = 1000
    backoff_coefficient: float = 2.0
    maximum_interval: int = 100_000
    maximum_attempts: int = 0  # 0: without limit
    non_retryable_error_types: tuple[str, ...] = ()


class ExecutionReference(msgspec.Struct, array_like=True, frozen=True):
    """Names a workflow execution. ``sequence`` is the child's number in a parent, otherwise 0."""

    namespace: str
    workflow_id: str
    run_id: str
    sequence: int = 0


class Record(msgspec.Struct, array_like=True, tag_field="event"):
    """Base of everything a delta holds."""


# --- inputs: what happened to the run -------------------------------------------------------------------------------


class WorkflowExecutionStarted(Record, tag=1):
    """First input of every run. ``key`` is the start's request id."""

    time: int
    key: str
    workflow_type: str
    task_queue: str
    arguments: list[Payload]
    headers: dict[str, Payload] = {}
    memo: dict[str, Payload] = {}
    search_attributes: dict[str, Payload] = {}
    execution_timeout: int = 0
    run_timeout: int = 0
    task_timeout: int = 0
    retry_policy: RetryPolicyRecord | None = None
    attempt: int = 1
    cron_schedule: str = ""
    start_delay: int = 0
    parent: ExecutionReference | None = None
    root: ExecutionReference | None = None
    first_run_id: str = ""
    continued_run_id: str = ""
    last_completion_result: list[Payload] | None = None
    last_failure: Failure | None = None
    identity: str = ""
    priority: list[Payload] | None = None
    static_summary: Payload | None = None
    static_details: Payload | None = None
    execution_deadline: int = 0  # absolute; carried over from the first run of the chain
    recent_keys: list[str] = []  # messages that the run before consumed of late: whoever repeats one is not heard twice


class WorkflowExecutionSignaled(Record, tag=26):
    time: int
    key: str
    name: str
    arguments: list[Payload]
    headers: dict[str, Payload] = {}
    identity: str = ""


class WorkflowExecutionCancelRequested(Record, tag=20):
    time: int
    key: str
    reason: str = ""
    identity: str = ""


class WorkflowExecutionUpdateAdmitted(Record, tag=47):
    """An update request; ``key`` is the update id."""

    time: int
    key: str
    name: str
    arguments: list[Payload]
    headers: dict[str, Payload] = {}
    identity: str = ""


class WorkflowExecutionTerminated(Record, tag=27):
    time: int
    key: str
    reason: str = ""
    details: list[Payload] | None = None
    identity: str = ""


class WorkflowExecutionTimedOut(Record, tag=4):
    time: int
    key: str = ""
    retry_state: int = 0


class TimerFired(Record, tag=18):
    time: int
    sequence: int


class ActivityOutcome(Record):
    """What ended an activity; ``started`` and ``attempt`` describe the last attempt, for the derived started event."""

    time: int
    key: str
    sequence: int
    attempt: int
    started: int
    identity: str


class ActivityTaskCompleted(ActivityOutcome, tag=12):
    result: Payload | None = None


class ActivityTaskFailed(ActivityOutcome, tag=13):
    """``failure`` is what user code raised, not wrapped in an activity failure."""

    failure: Failure
    retry_state: int = 0


class ActivityTaskTimedOut(ActivityOutcome, tag=14):
    """``failure`` is a timeout failure; its cause is the last attempt's failure, if there was one."""

    failure: Failure
    retry_state: int = 0


class ActivityTaskCanceled(ActivityOutcome, tag=16):
    """``failure`` is a cancelled failure with the details that the activity gave."""

    failure: Failure


class ChildWorkflowExecutionStarted(Record, tag=31):
    time: int
    key: str
    sequence: int
    run_id: str


class StartChildWorkflowExecutionFailed(Record, tag=30):
    """``cause`` as in Temporal's ``StartChildWorkflowExecutionFailedCause``: 1 is "already exists"."""

    time: int
    key: str
    sequence: int
    cause: int = 1


class ChildWorkflowExecutionCompleted(Record, tag=32):
    time: int
    key: str
    sequence: int
    result: Payload | None = None


class ChildWorkflowExecutionFailed(Record, tag=33):
    time: int
    key: str
    sequence: int
    failure: Failure
    retry_state: int = 0


class ChildWorkflowExecutionCanceled(Record, tag=34):
    time: int
    key: str
    sequence: int
    failure: Failure


class ChildWorkflowExecutionTimedOut(Record, tag=35):
    time: int
    key: str
    sequence: int
    retry_state: int = 0


class ChildWorkflowExecutionTerminated(Record, tag=36):
    time: int
    key: str
    sequence: int


class ExternalWorkflowExecutionSignaled(Record, tag=39):
    time: int
    key: str
    sequence: int


class SignalExternalWorkflowExecutionFailed(Record, tag=38):
    """``cause``: 1 is "not found"."""

    time: int
    key: str
    sequence: int
    cause: int = 1


class ExternalWorkflowExecutionCancelRequested(Record, tag=24):
    time: int
    key: str
    sequence: int


class RequestCancelExternalWorkflowExecutionFailed(Record, tag=23):
    time: int
    key: str
    sequence: int
    cause: int = 1


class SignalWithStartCompleted(Record, tag=50):
    """A signal-with-start reached the run ``run_id``; ``started`` if it was started for it.

    Temporal's history has it, as what follows, as an operation of its own Nexus endpoint.
    """

    time: int
    key: str
    sequence: int
    run_id: str
    started: bool = False


class SignalWithStartFailed(Record, tag=51):
    """The policies for workflow ids refused a signal-with-start."""

    time: int
    key: str
    sequence: int
    message: str


class ChildWorkflowCancelDelivered(Record, tag=203):
    """Whether the cancellation of a child reached it; ``cause``: 0 if it did, 1 is "not found".

    Gives the workflow nothing to see, as with Temporal, whose history has this as the outcome of a request to an
    external workflow.
    """

    time: int
    key: str
    sequence: int
    cause: int = 0
    number: int = 1


class ActivityRetryScheduled(Record, tag=200):
    """An eager attempt failed and the next one is decided. Gives the workflow nothing to see.

    ``deadline`` is when the next attempt counts as lost if nothing was heard of it; 0 while nobody has begun it.
    ``details`` are what the attempt's last heartbeat told, for the next one; None leaves what was known.
    """

    time: int
    sequence: int
    attempt: int  # the number of the attempt that comes next
    due: int
    deadline: int
    failure: Failure | None
    details: list[Payload] | None = None


class WorkflowTaskFailed(Record, tag=9):
    """A workflow task failed and is tried again: the first attempt only. Gives the workflow nothing to see."""

    time: int
    key: str
    failure: Failure
    cause: int
    """Number of Temporal's ``WorkflowTaskFailedCause``."""
    identity: str = ""


Input = (
    WorkflowExecutionStarted
    | WorkflowExecutionSignaled
    | WorkflowExecutionCancelRequested
    | WorkflowExecutionUpdateAdmitted
    | WorkflowExecutionTerminated
    | WorkflowExecutionTimedOut
    | TimerFired
    | ActivityTaskCompleted
    | ActivityTaskFailed
    | ActivityTaskTimedOut
    | ActivityTaskCanceled
    | ChildWorkflowExecutionStarted
    | StartChildWorkflowExecutionFailed
    | ChildWorkflowExecutionCompleted
    | ChildWorkflowExecutionFailed
    | ChildWorkflowExecutionCanceled
    | ChildWorkflowExecutionTimedOut
    | ChildWorkflowExecutionTerminated
    | ExternalWorkflowExecutionSignaled
    | SignalExternalWorkflowExecutionFailed
    | ExternalWorkflowExecutionCancelRequested
    | RequestCancelExternalWorkflowExecutionFailed
    | ChildWorkflowCancelDelivered
    | SignalWithStartCompleted
    | SignalWithStartFailed
    | ActivityRetryScheduled
    | WorkflowTaskFailed
)

UNSEEN_INPUTS = (ActivityRetryScheduled, WorkflowTaskFailed)
"""Inputs that the workflow does not get to see."""
CHILD_ENDS = (
    StartChildWorkflowExecutionFailed,
    ChildWorkflowExecutionCompleted,
    ChildWorkflowExecutionFailed,
    ChildWorkflowExecutionCanceled,
    ChildWorkflowExecutionTimedOut,
    ChildWorkflowExecutionTerminated,
)
SIGNAL_ENDS = (ExternalWorkflowExecutionSignaled, SignalExternalWorkflowExecutionFailed)


# --- commands: what the workflow decided ------------------------------------------------------------------------------


class TimerStarted(Record, tag=17):
    sequence: int
    duration: int
    summary: Payload | None = None


class TimerCanceled(Record, tag=19):
    sequence: int


class ActivityTaskScheduled(Record, tag=10):
    """``eager_deadline`` is filled in by the runtime, not by the workflow: see ``ActivityRetryScheduled.deadline``."""

    sequence: int
    activity_id: str
    activity_type: str
    task_queue: str  # empty: the workflow's own
    arguments: list[Payload]
    headers: dict[str, Payload] = {}
    schedule_to_close_timeout: int = 0
    schedule_to_start_timeout: int = 0
    start_to_close_timeout: int = 0
    heartbeat_timeout: int = 0
    retry_policy: RetryPolicyRecord | None = None
    cancellation_type: int = 0  # durability.workflow.ActivityCancellationType
    disable_eager_execution: bool = False
    priority: list[Payload] | None = None
    summary: Payload | None = None
    local: bool = False
    local_retry_threshold: int = 0
    eager_deadline: int = 0


class ActivityTaskCancelRequested(Record, tag=15):
    sequence: int


class StartChildWorkflowExecutionInitiated(Record, tag=29):
    sequence: int
    workflow_id: str
    workflow_type: str
    task_queue: str
    arguments: list[Payload]
    headers: dict[str, Payload] = {}
    memo: dict[str, Payload] = {}
    search_attributes: dict[str, Payload] = {}
    execution_timeout: int = 0
    run_timeout: int = 0
    task_timeout: int = 0
    parent_close_policy: int = 1  # durability.workflow.ParentClosePolicy: TERMINATE
    cancellation_type: int = 2  # durability.workflow.ChildWorkflowCancellationType: WAIT_CANCELLATION_COMPLETED
    id_reuse_policy: int = 1  # durability.common.WorkflowIDReusePolicy: ALLOW_DUPLICATE
    retry_policy: RetryPolicyRecord | None = None
    cron_schedule: str = ""
    priority: list[Payload] | None = None
    static_summary: Payload | None = None
    static_details: Payload | None = None


class CancelChildWorkflowExecutionRequested(Record, tag=201):
    """Cancellation of one of the run's own children (Temporal shows it as a request to cancel an external workflow).

    ``number`` counts the requests to one child: there is one for every cancellation of its handle.
    """

    sequence: int
    reason: str = ""
    number: int = 1


class SignalExternalWorkflowExecutionInitiated(Record, tag=37):
    """``child_sequence`` is set instead of the execution when the target is one of the run's own children."""

    sequence: int
    namespace: str
    workflow_id: str
    run_id: str
    name: str
    arguments: list[Payload]
    headers: dict[str, Payload] = {}
    child_sequence: int = 0


class SignalExternalWorkflowExecutionCanceled(Record, tag=202):
    """The workflow no longer waits for the outcome of a signal that it sent."""

    sequence: int


class SignalWithStartScheduled(Record, tag=48):
    """A signal to a workflow id, which starts a workflow there if none is open."""

    sequence: int
    workflow_id: str
    workflow_type: str
    task_queue: str
    arguments: list[Payload]
    signal_name: str
    signal_arguments: list[Payload]
    headers: dict[str, Payload] = {}
    memo: dict[str, Payload] = {}
    search_attributes: dict[str, Payload] = {}
    execution_timeout: int = 0
    run_timeout: int = 0
    task_timeout: int = 0
    id_reuse_policy: int = 1  # durability.common.WorkflowIDReusePolicy: ALLOW_DUPLICATE
    id_conflict_policy: int = 0  # durability.common.WorkflowIDConflictPolicy; 0: USE_EXISTING
    retry_policy: RetryPolicyRecord | None = None
    cron_schedule: str = ""
    start_delay: int = 0
    priority: list[Payload] | None = None
    static_summary: Payload | None = None
    static_details: Payload | None = None


class RequestCancelExternalWorkflowExecutionInitiated(Record, tag=22):
    sequence: int
    namespace: str
    workflow_id: str
    run_id: str
    reason: str = ""


class PatchMarkerRecorded(Record, tag=25):
    """Temporal's marker event, as far as it is used for patches."""

    patch_id: str
    deprecated: bool = False


class SearchAttributesUpserted(Record, tag=40):
    search_attributes: dict[str, Payload]


class WorkflowPropertiesModified(Record, tag=46):
    """A memo upsert; a null payload removes the key."""

    memo: dict[str, Payload | None]


class EventGroupMarker(msgspec.Struct, array_like=True, frozen=True):
    """A group of commands: one that workflow code made, or what a signal or an update brought about.

    Exactly one of ``id``, ``signal`` and ``update`` is set.
    """

    id: str = ""
    label: Payload | None = None
    signal: int = 0  # counted from the run's first
    update: str = ""


class CommandGrouped(Record, tag=204):
    """The command that follows belongs to event groups (Temporal has them as a part of the command).

    A record of its own, so that the many commands without groups have nothing to store for them.
    """

    markers: list[EventGroupMarker]


class WorkflowExecutionUpdateAccepted(Record, tag=41):
    key: str


class WorkflowExecutionUpdateRejected(Record, tag=42):
    """Never stored: a rejected update leaves no history, its answer only goes to the caller."""

    key: str
    failure: Failure


class WorkflowExecutionUpdateCompleted(Record, tag=43):
    key: str
    result: Payload | None = None
    failure: Failure | None = None


class WorkflowExecutionCompleted(Record, tag=2):
    result: Payload | None = None


class WorkflowExecutionFailed(Record, tag=3):
    failure: Failure
    retry_state: int = 0


class WorkflowExecutionCanceled(Record, tag=21):
    details: list[Payload] | None = None


class WorkflowExecutionContinuedAsNew(Record, tag=28):
    workflow_type: str
    task_queue: str  # empty: unchanged
    arguments: list[Payload]
    headers: dict[str, Payload] = {}
    memo: dict[str, Payload] | None = None  # None: unchanged, as for what follows
    search_attributes: dict[str, Payload] | None = None
    run_timeout: int | None = None
    task_timeout: int | None = None
    retry_policy: RetryPolicyRecord | None = None
    backoff_start_interval: int = 0


Command = (
    TimerStarted
    | TimerCanceled
    | ActivityTaskScheduled
    | ActivityTaskCancelRequested
    | StartChildWorkflowExecutionInitiated
    | CancelChildWorkflowExecutionRequested
    | SignalExternalWorkflowExecutionInitiated
    | SignalExternalWorkflowExecutionCanceled
    | SignalWithStartScheduled
    | RequestCancelExternalWorkflowExecutionInitiated
    | PatchMarkerRecorded
    | SearchAttributesUpserted
    | WorkflowPropertiesModified
    | CommandGrouped
    | WorkflowExecutionUpdateAccepted
    | WorkflowExecutionUpdateRejected
    | WorkflowExecutionUpdateCompleted
    | WorkflowExecutionCompleted
    | WorkflowExecutionFailed
    | WorkflowExecutionCanceled
    | WorkflowExecutionContinuedAsNew
)

CLOSING_COMMANDS = (
    WorkflowExecutionCompleted,
    WorkflowExecutionFailed,
    WorkflowExecutionCanceled,
    WorkflowExecutionContinuedAsNew,
)


class Delta(msgspec.Struct, array_like=True):
    """What one workflow task added to a run.

    Attributes:
        format: Always ``FORMAT`` when written; see ``NOT_WRITTEN``.
        time: The activation's time: what ``workflow.now()`` answered.
        inputs: What the task consumed.
        commands: What it decided.
        build: Build id of the code that decided.
        identity: Who wrote the delta: function, process and invocation.
        python: Minor version of the interpreter, as ``"3.12"``; asyncio's own behaviour differs between them.
        supersedes: The delta before this one closed the run, but a message had been accepted in the meantime: that
            delta never took effect and this one, which consumes its inputs again and the message, stands in its
            place (Temporal: a workflow task that failed with "unhandled command").
        refers: Whether any payload in it is a reference to one that is kept outside of the table.
        suggests_continue_as_new: Whether the workflow was told that its history has grown long.
    """

    format: int
    time: int
    inputs: list[Input]
    commands: list[Command]
    build: str = ""
    identity: str = ""
    python: str = ""
    supersedes: bool = False
    refers: bool = False
    suggests_continue_as_new: bool = False


def closes(delta: Delta) -> bool:
    """Whether a delta ends its run."""
    return any(isinstance(command, CLOSING_COMMANDS) for command in delta.commands) or any(
        isinstance(message, WorkflowExecutionTerminated | WorkflowExecutionTimedOut) for message in delta.inputs
    )


def standing(deltas: Iterable[Delta]) -> Iterator[Delta]:
    """Leave out deltas that the next one supersedes; deltas that were left out already make no difference."""
    held: Delta | None = None
    for delta in deltas:
        if held is not None and not (delta.supersedes and closes(held)):
            yield held
        held = delta
    if held is not None:
        yield held
