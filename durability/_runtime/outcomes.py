"""How a run ended, in the forms in which others need it."""

from __future__ import annotations

from durability._core import history
from durability._core.failure import CanceledFailureInfo, Failure, TerminatedFailureInfo, TimeoutFailureInfo
from durability._core.history import Command, Delta, Input
from durability._runtime.frontend import Outcome, Status
from durability._runtime.ports import Head

START_TO_CLOSE = 1
"""``durability.exceptions.TimeoutType.START_TO_CLOSE``."""


def status_of(closing: Command | Input) -> Status:
    """The status that a closing record gives its run."""
    match closing:
        case history.WorkflowExecutionCompleted():
            return Status.COMPLETED
        case history.WorkflowExecutionFailed():
            return Status.FAILED
        case history.WorkflowExecutionCanceled():
            return Status.CANCELED
        case history.WorkflowExecutionContinuedAsNew():
            return Status.CONTINUED_AS_NEW
        case history.WorkflowExecutionTerminated():
            return Status.TERMINATED
        case history.WorkflowExecutionTimedOut():
            return Status.TIMED_OUT
        case _:
            raise ValueError(f"{type(closing).__name__} does not close a run")


def outcome_of(head: Head, closing: Command | None, last: Delta | None) -> Outcome:
    """The outcome of a closed run from its closing command, or from the inputs of its last delta."""
    outcome = Outcome(run_id=head.run_id, status=head.status, new_run_id=head.next_run_id)
    match closing:
        case history.WorkflowExecutionCompleted():
            outcome.result = closing.result
        case history.WorkflowExecutionFailed():
            outcome.failure = closing.failure
        case history.WorkflowExecutionCanceled():
            outcome.failure = Failure(
                message="Workflow execution canceled", info=CanceledFailureInfo(details=closing.details)
            )
    for message in last.inputs if last else ():
        match message:
            case history.WorkflowExecutionTerminated():
                outcome.failure = Failure(message=message.reason, info=TerminatedFailureInfo())
                outcome.details = message.details or []
            case history.WorkflowExecutionTimedOut():
                outcome.failure = timed_out_failure()
    return outcome


def timed_out_failure() -> Failure:
    """What a caller sees of a run that took longer than its timeout."""
    return Failure(message="Workflow execution timed out", info=TimeoutFailureInfo(timeout_type=START_TO_CLOSE))


ChildEnd = (
    history.ChildWorkflowExecutionCompleted
    | history.ChildWorkflowExecutionFailed
    | history.ChildWorkflowExecutionCanceled
    | history.ChildWorkflowExecutionTimedOut
    | history.ChildWorkflowExecutionTerminated
)


def report_to_parent(closing: Command | Input, sequence: int, now: int) -> ChildEnd:
    """The message with which a closed child tells its parent; ``sequence`` is the child's number there."""
    key = f"child:{sequence}"
    match closing:
        case history.WorkflowExecutionCompleted():
            return history.ChildWorkflowExecutionCompleted(now, key, sequence, closing.result)
        case history.WorkflowExecutionFailed():
            return history.ChildWorkflowExecutionFailed(now, key, sequence, closing.failure, closing.retry_state)
        case history.WorkflowExecutionCanceled():
            failure = Failure(info=CanceledFailureInfo(details=closing.details))
            return history.ChildWorkflowExecutionCanceled(now, key, sequence, failure)
        case history.WorkflowExecutionTimedOut():
            return history.ChildWorkflowExecutionTimedOut(now, key, sequence, closing.retry_state)
        case history.WorkflowExecutionTerminated():
            return history.ChildWorkflowExecutionTerminated(now, key, sequence)
        case _:
            raise ValueError(f"{type(closing).__name__} does not end a chain of runs")


def stored_outcome(closing: Command | Input, limit: int) -> bytes:
    """A closing command as it is kept in the head, or nothing if it is not one or larger than ``limit`` bytes."""
    from durability._core.encoding import encode_command

    if isinstance(closing, history.CLOSING_COMMANDS):
        body = encode_command(closing)
        if len(body) <= limit:
            return body
    return b""
