"""Signals to workflow ids that start a workflow there if none is open."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from durability._core import history
from durability._core.conversion import Converters
from durability._core.failure import CanceledFailureInfo, Failure
from durability._core.interceptors import SignalWithStartWorkflowRequest, SignalWithStartWorkflowResponse
from durability._core.operations import await_operation, check_late
from durability._core.options import milliseconds, priority_record
from durability._core.payload import Payload
from durability._core.system_operation import failure, operation_failure
from durability.converter._search_attributes import search_attributes_to_payloads
from durability.workflow._definition import _Definition
from durability.workflow._event_groups import _captured
from durability.workflow._handlers import _SignalDefinition

if TYPE_CHECKING:
    from durability._core.instance import Instance

_NEVER_SCHEDULED = "Nexus Operation cancelled before scheduled"
"""The text of Temporal's core."""


class SignalWithStartHandle:
    """A signal-with-start under way; awaited, it gives what the signal reached."""

    def __init__(self, task: asyncio.Task[SignalWithStartWorkflowResponse]) -> None:
        self._task = task

    @property
    def operation_token(self) -> str | None:
        """None: the operation ends with the call that starts it."""
        return None

    def __await__(self) -> Generator[object, None, SignalWithStartWorkflowResponse]:
        """Wait for the outcome."""
        return self._task.__await__()

    def cancel(self) -> bool:
        """Cancel the wait; see ``asyncio.Task.cancel``."""
        return self._task.cancel()


class _Operation:
    """What is waited for, in the two steps of the reference: that it begins, and how it ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, converters: Converters) -> None:
        self.converters = converters
        self.event_id = 0
        self.started: asyncio.Future[None] = asyncio.Future(loop=loop)
        self.ended: asyncio.Future[SignalWithStartWorkflowResponse] = asyncio.Future(loop=loop)

    def succeed(self, response: SignalWithStartWorkflowResponse) -> None:
        self.started.set_result(None)
        self.ended.set_result(response)

    def fail(self, error: BaseException) -> None:
        self.started.set_exception(error)
        # Looked at, as the starter has given up waiting if it was the workflow that was cancelled.
        self.started.exception()
        # Nobody has the handle, so nobody would retrieve the exception from its task.
        self.ended.set_result(SignalWithStartWorkflowResponse())


class SignalsWithStart:
    """All signals-with-start of a run."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._pending: dict[int, _Operation] = {}
        self._sequence = 0

    async def start(self, request: SignalWithStartWorkflowRequest) -> SignalWithStartHandle:
        """Send a signal-with-start, and wait until it has been carried out.

        Raises:
            NexusOperationError: The id policies refuse it, or it was cancelled before it was sent.
        """
        instance = self._instance
        instance.loop.refuse_changes("signal with start workflow")
        if request.namespace not in ("", instance.namespace):
            raise ValueError(
                f"a workflow of namespace {instance.namespace!r} cannot start one in {request.namespace!r}: "
                "leave out namespace"
            )
        converters = instance.converters.of_workflow(request.id)
        record = _record(request, self._sequence + 1, converters)
        self._sequence += 1
        operation = _Operation(instance.loop, converters)
        ticket = -1

        def withdraw(_: asyncio.CancelledError) -> None:
            # What has gone out cannot be called back: its outcome is waited for.
            if record.sequence in self._pending and instance.commands.withdraw(ticket):
                instance.defer(lambda: self._never_sent(record.sequence))

        async def outcome() -> SignalWithStartWorkflowResponse:
            return await await_operation(instance, operation.ended, withdraw)

        handle = SignalWithStartHandle(instance.loop.create_task(outcome()))
        ticket = instance.commands.add(record, _captured())
        self._pending[record.sequence] = operation
        await await_operation(instance, operation.started, withdraw, is_start=True)
        return handle

    def scheduled(self, sequence: int, event_id: int) -> None:
        """Note which event a signal-with-start began with."""
        operation = self._pending.get(sequence)
        if operation is not None:
            operation.event_id = event_id

    def resolve(self, outcome: history.SignalWithStartCompleted | history.SignalWithStartFailed) -> None:
        """Hand an outcome to whoever waits for it.

        Raises:
            NondeterminismError: The workflow never sent it.
        """
        check_late("signal-with-start", outcome.sequence, self._sequence)
        operation = self._pending.pop(outcome.sequence, None)
        if operation is None:
            return
        if isinstance(outcome, history.SignalWithStartCompleted):
            operation.succeed(SignalWithStartWorkflowResponse(outcome.run_id, outcome.started or None))
        else:
            operation.fail(operation.converters.from_failure(failure(outcome.message, operation.event_id)))

    def _never_sent(self, sequence: int) -> None:
        operation = self._pending.pop(sequence, None)
        if operation is not None:
            cancelled = Failure(info=CanceledFailureInfo())
            operation.fail(operation.converters.from_failure(operation_failure(_NEVER_SCHEDULED, cancelled, 0)))


def _record(
    request: SignalWithStartWorkflowRequest, sequence: int, converters: Converters
) -> history.SignalWithStartScheduled:
    workflow = request.workflow
    about = request.user_metadata
    return history.SignalWithStartScheduled(
        sequence=sequence,
        workflow_id=request.id,
        workflow_type=_Definition.get_name_and_result_type(workflow)[0],
        task_queue=request.task_queue,
        arguments=converters.encode(request.args or ()),
        signal_name=_SignalDefinition.must_name_from_fn_or_str(request.signal),
        signal_arguments=converters.encode(request.signal_args or ()),
        headers=_payloads(request.headers or {}, converters),
        memo=_payloads(request.memo or {}, converters),
        search_attributes=search_attributes_to_payloads(request.search_attributes),
        execution_timeout=milliseconds(request.execution_timeout),
        run_timeout=milliseconds(request.run_timeout),
        task_timeout=milliseconds(request.task_timeout),
        id_reuse_policy=int(request.id_reuse_policy),
        id_conflict_policy=int(request.id_conflict_policy or 0),
        retry_policy=request.retry_policy._to_record() if request.retry_policy is not None else None,
        cron_schedule=request.cron_schedule or "",
        start_delay=milliseconds(request.start_delay),
        priority=priority_record(request.priority),
        static_summary=converters.summary(about.static_summary) if about else None,
        static_details=converters.summary(about.static_details) if about else None,
    )


def _payloads(values: Mapping[str, Any], converters: Converters) -> dict[str, Payload]:
    """Values by name as payloads; what is a payload already stays as it is."""
    return {
        name: value if isinstance(value, Payload) else converters.encode_one(value) for name, value in values.items()
    }
