"""Child workflows as their parent sees them: initiated, started, perhaps cancelled, resolved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from durability._core import history
from durability._core.conversion import Converters
from durability._core.failure import (
    CanceledFailureInfo,
    ChildWorkflowFailureInfo,
    Failure,
    TerminatedFailureInfo,
    TimeoutFailureInfo,
)
from durability._core.interceptors import SignalChildWorkflowInput, StartChildWorkflowInput
from durability._core.operations import await_operation, check_late
from durability._core.options import milliseconds, priority_record
from durability.common._arguments import _arg_or_args, _arg_unset
from durability.converter._search_attributes import search_attributes_to_payloads
from durability.exceptions import RetryState, TimeoutType, WorkflowAlreadyStartedError
from durability.workflow._children import ChildWorkflowCancellationType, ChildWorkflowHandle
from durability.workflow._event_groups import EventGroup, _captured
from durability.workflow._handlers import _SignalDefinition

if TYPE_CHECKING:
    from durability._core.instance import Instance

# The texts of Temporal's core (child_workflow_state_machine.rs).
_FAILED: Final = "Child Workflow execution failed"
_TIMED_OUT: Final = "Child Workflow execution timed out"
_TIMED_OUT_CAUSE: Final = "Timed out"
_TERMINATED: Final = "Child Workflow execution terminated"
_CANCELLED: Final = "Child Workflow execution cancelled"
_NEVER_SCHEDULED: Final = "Child Workflow Execution cancelled before scheduled: "

_ALREADY_EXISTS: Final = 1
# Temporal's core waits for the child's end with both.
_WAITING: Final = (
    ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    ChildWorkflowCancellationType.WAIT_CANCELLATION_REQUESTED,
)


class Handle(ChildWorkflowHandle[Any, Any]):
    """The task that waits for a child's result."""

    def __init__(
        self,
        children: Children,
        input: StartChildWorkflowInput,
        sequence: int,
        converters: Converters,
        groups: tuple[history.EventGroupMarker, ...],
    ) -> None:
        self.input = input
        self.sequence = sequence
        self.converters = converters
        self.groups = groups
        self.ticket = -1
        self.initiated_event_id = 0
        self.started_event_id = 0
        self.run_id = "<unknown>"
        self._children = children
        self.is_given_up = False
        self._cancel_requests = 0
        loop = children.instance.loop
        self.started: asyncio.Future[None] = asyncio.Future(loop=loop)
        self.outcome: asyncio.Future[Any] = asyncio.Future(loop=loop)
        self._number = loop.next_number()
        super().__init__(self._wait(), loop=loop, name=input.workflow)
        loop.adopt(self)

    def __hash__(self) -> int:
        # See ``durability._core.loop.WorkflowFuture``.
        return self._number

    async def _wait(self) -> Any:
        return await await_operation(self._children.instance, self.outcome, self.request_cancel)

    @property
    def id(self) -> str:
        """Workflow id of the child."""
        return self.input.id

    @property
    def first_execution_run_id(self) -> str | None:
        """The child's run."""
        return self.run_id

    async def signal(
        self,
        signal: str | Callable[..., Any],
        arg: Any = _arg_unset,
        *,
        args: Sequence[Any] = [],
        event_groups: Sequence[EventGroup] | None = None,
    ) -> None:
        """Signal the child."""
        instance = self._children.instance
        instance.loop.refuse_changes("signal child handle")
        await instance.outbound.signal_child_workflow(
            SignalChildWorkflowInput(
                signal=_SignalDefinition.must_name_from_fn_or_str(signal),
                args=_arg_or_args(arg, args),
                child_workflow_id=self.input.id,
                headers={},
                event_groups=event_groups,
            )
        )

    def request_cancel(self, error: asyncio.CancelledError) -> None:
        """Ask for cancellation; the message given to ``Task.cancel`` is the reason."""
        reason = error.args[0] if error.args and isinstance(error.args[0], str) else ""
        self._children.cancel(self, reason)

    def next_cancel_request(self) -> int:
        """Number of the next request to cancel the child."""
        self._cancel_requests += 1
        return self._cancel_requests

    def fail(self, error: BaseException) -> None:
        """Resolve the start if it is open, else the result, with an exception."""
        if self.started.done():
            self.outcome.set_exception(error)
        else:
            self.started.set_exception(error)
            # Looked at, as the starter has given up waiting if it was the workflow that was cancelled.
            self.started.exception()
            # Nobody has the handle, so nobody would retrieve the exception from its task.
            self.outcome.set_result(None)


class Children:
    """All child workflows of a run."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._pending: dict[int, Handle] = {}
        self._by_id: dict[str, int] = {}
        self._sequence = 0

    def sequence_of(self, workflow_id: str) -> int:
        """Number of the child last started with this workflow id; 0 if there is none."""
        return self._by_id.get(workflow_id, 0)

    async def start(self, input: StartChildWorkflowInput) -> Handle:
        """Start a child and wait until it has started.

        Raises:
            WorkflowAlreadyStartedError: The workflow id is taken.
            ChildWorkflowError: It was cancelled before it started.
        """
        instance = self.instance
        instance.loop.refuse_changes("start child workflow")
        converters = instance.converters.of_workflow(input.id)
        record = _record(input, self._sequence + 1, converters)
        groups = _captured(input.event_groups)
        self._sequence += 1
        handle = Handle(self, input, self._sequence, converters, groups)
        handle.ticket = instance.commands.add(record, groups)
        self._pending[handle.sequence] = handle
        self._by_id[input.id] = handle.sequence
        await await_operation(instance, handle.started, handle.request_cancel, is_start=True)
        return handle

    def initiated(self, sequence: int, event_id: int) -> None:
        """Note which event initiated a child."""
        handle = self._pending.get(sequence)
        if handle is not None:
            handle.initiated_event_id = event_id

    def cancel(self, handle: Handle, reason: str) -> None:
        """Ask for cancellation of a child, and resolve it at once unless its type is to wait."""
        instance = self.instance
        kind = handle.input.cancellation_type
        message = _CANCELLED
        settled = handle.is_given_up or handle.sequence not in self._pending
        if settled or instance.is_over(history.CHILD_ENDS, handle.sequence):
            return
        if instance.commands.withdraw(handle.ticket):
            message = _NEVER_SCHEDULED
        else:
            if kind != ChildWorkflowCancellationType.ABANDON:
                number = handle.next_cancel_request()
                request = history.CancelChildWorkflowExecutionRequested(handle.sequence, reason, number)
                instance.commands.add(request, handle.groups)
            if kind in _WAITING:
                return
        handle.is_given_up = True
        cancelled = Failure(info=CanceledFailureInfo())
        instance.defer(lambda: self._fail(handle.sequence, message, cancelled, RetryState.NON_RETRYABLE_FAILURE))

    def resolve(self, outcome: Any) -> None:
        """Hand what became of a child to whoever waits for it; too late, it is dropped.

        Raises:
            NondeterminismError: There never was such a child.
            RuntimeError: The result does not decode.
        """
        sequence: int = outcome.sequence
        handle = self._pending.get(sequence)
        if handle is None:
            check_late("child workflow", sequence, self._sequence)
            return
        match outcome:
            case history.ChildWorkflowExecutionStarted(run_id=run_id):
                handle.run_id = run_id
                handle.started_event_id = self.instance.event_id_of(outcome)
                handle.started.set_result(None)
            case history.StartChildWorkflowExecutionFailed(cause=cause):
                del self._pending[sequence]
                handle.fail(_start_error(handle.input, cause))
            case history.ChildWorkflowExecutionCompleted(result=result):
                del self._pending[sequence]
                handle.outcome.set_result(handle.converters.decode_one(result, handle.input.ret_type))
            case history.ChildWorkflowExecutionFailed(failure=failure, retry_state=retry_state):
                self._fail(sequence, _FAILED, failure, retry_state)
            case history.ChildWorkflowExecutionCanceled(failure=failure):
                self._fail(sequence, _CANCELLED, failure, RetryState.NON_RETRYABLE_FAILURE)
            case history.ChildWorkflowExecutionTimedOut(retry_state=retry_state):
                timeout = TimeoutFailureInfo(timeout_type=int(TimeoutType.START_TO_CLOSE))
                self._fail(sequence, _TIMED_OUT, Failure(message=_TIMED_OUT_CAUSE, info=timeout), retry_state)
            case history.ChildWorkflowExecutionTerminated():
                terminated = Failure(message="Terminated", info=TerminatedFailureInfo())
                self._fail(sequence, _TERMINATED, terminated, RetryState.NON_RETRYABLE_FAILURE)

    def _fail(self, sequence: int, message: str, cause: Failure, retry_state: int = 0) -> None:
        handle = self._pending.pop(sequence, None)
        if handle is None:
            return
        failure = Failure(
            message=message,
            cause=cause,
            info=ChildWorkflowFailureInfo(
                namespace=self.instance.namespace,
                workflow_id=handle.input.id,
                run_id=handle.run_id if handle.started.done() else "",
                workflow_type=handle.input.workflow,
                initiated_event_id=handle.initiated_event_id,
                started_event_id=handle.started_event_id,
                retry_state=int(retry_state),
            ),
        )
        handle.fail(handle.converters.from_failure(failure))


def _start_error(input: StartChildWorkflowInput, cause: int) -> BaseException:
    if cause == _ALREADY_EXISTS:
        return WorkflowAlreadyStartedError(input.id, input.workflow)
    return RuntimeError(f"child workflow {input.id!r} did not start, for an unknown cause: {cause}")


def _record(
    input: StartChildWorkflowInput, sequence: int, converters: Converters
) -> history.StartChildWorkflowExecutionInitiated:
    return history.StartChildWorkflowExecutionInitiated(
        sequence=sequence,
        workflow_id=input.id,
        workflow_type=input.workflow,
        task_queue=input.task_queue or "",
        arguments=converters.encode(input.args),
        headers=dict(input.headers),
        memo=converters.encode_mapping(input.memo),
        search_attributes=search_attributes_to_payloads(input.search_attributes),
        execution_timeout=milliseconds(input.execution_timeout),
        run_timeout=milliseconds(input.run_timeout),
        task_timeout=milliseconds(input.task_timeout),
        parent_close_policy=int(input.parent_close_policy),
        cancellation_type=int(input.cancellation_type),
        id_reuse_policy=int(input.id_reuse_policy),
        retry_policy=input.retry_policy._to_record() if input.retry_policy is not None else None,
        cron_schedule=input.cron_schedule,
        priority=priority_record(input.priority),
        static_summary=converters.summary(input.static_summary),
        static_details=converters.summary(input.static_details),
    )
