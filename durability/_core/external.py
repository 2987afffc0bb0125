"""Signals and cancellation requests to other workflows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from durability._core import history
from durability._core.conversion import Converters
from durability._core.failure import ApplicationFailureInfo, CanceledFailureInfo, Failure
from durability._core.interceptors import SignalChildWorkflowInput, SignalExternalWorkflowInput
from durability._core.operations import await_operation, check_late
from durability.workflow._event_groups import EventGroup, _captured

if TYPE_CHECKING:
    from durability._core.instance import Instance

_NOT_FOUND = 1
_NOT_FOUND_TYPE = "ExternalWorkflowExecutionNotFound"
# The texts of Temporal's core, the difference between them included (cancel_external_state_machine.rs).
_NOT_FOUND_MESSAGES = {
    "signal": "Unable to signal external workflow because it was not found",
    "cancel": "Unable to cancel external workflow because not found",
}


class ExternalWorkflows:
    """Everything a run sends to other workflows, its children included."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._signals: dict[int, tuple[asyncio.Future[None], Converters]] = {}
        self._signal_sequence = 0
        self._cancels: dict[int, tuple[asyncio.Future[None], Converters]] = {}
        self._cancel_sequence = 0

    async def signal_child(self, input: SignalChildWorkflowInput) -> None:
        """Signal one of the run's own children and wait until the signal is delivered."""
        instance = self._instance
        converters = instance.converters.of_workflow(input.child_workflow_id)
        arguments = converters.encode(input.args)
        groups = _captured(input.event_groups)
        self._signal_sequence += 1
        await self._send(
            history.SignalExternalWorkflowExecutionInitiated(
                sequence=self._signal_sequence,
                namespace=instance.namespace,
                workflow_id=input.child_workflow_id,
                run_id="",
                name=input.signal,
                arguments=arguments,
                headers=dict(input.headers),
                child_sequence=instance.children.sequence_of(input.child_workflow_id),
            ),
            converters,
            groups,
        )

    async def signal(self, input: SignalExternalWorkflowInput) -> None:
        """Signal a workflow and wait until the signal is delivered."""
        converters = self._instance.converters.of_workflow(input.workflow_id)
        arguments = converters.encode(input.args)
        groups = _captured(input.event_groups)
        self._signal_sequence += 1
        await self._send(
            history.SignalExternalWorkflowExecutionInitiated(
                sequence=self._signal_sequence,
                namespace=input.namespace,
                workflow_id=input.workflow_id,
                run_id=input.workflow_run_id or "",
                name=input.signal,
                arguments=arguments,
                headers=dict(input.headers),
            ),
            converters,
            groups,
        )

    async def _send(
        self,
        record: history.SignalExternalWorkflowExecutionInitiated,
        converters: Converters,
        groups: tuple[history.EventGroupMarker, ...],
    ) -> None:
        instance = self._instance
        instance.loop.refuse_changes("signal workflow")
        ticket = instance.commands.add(record, groups)
        outcome: asyncio.Future[None] = asyncio.Future(loop=instance.loop)
        self._signals[record.sequence] = (outcome, converters)

        def withdraw(_: asyncio.CancelledError) -> None:
            # A signal that is on its way cannot be called back: its outcome is waited for.
            if instance.commands.withdraw(ticket):
                failure = Failure(message="Signal was cancelled before being sent", info=CanceledFailureInfo())
                instance.defer(lambda: self._fail(self._signals, record.sequence, failure))

        await await_operation(instance, outcome, withdraw)

    async def cancel(
        self, workflow_id: str, run_id: str | None, reason: str, event_groups: Sequence[EventGroup] | None
    ) -> None:
        """Ask for cancellation of a workflow and wait until the request is delivered; there is no way back."""
        instance = self._instance
        instance.loop.refuse_changes("cancel external handle")
        groups = _captured(event_groups)
        self._cancel_sequence += 1
        instance.commands.add(
            history.RequestCancelExternalWorkflowExecutionInitiated(
                sequence=self._cancel_sequence,
                namespace=instance.namespace,
                workflow_id=workflow_id,
                run_id=run_id or "",
                reason=reason,
            ),
            groups,
        )
        outcome: asyncio.Future[None] = asyncio.Future(loop=instance.loop)
        self._cancels[self._cancel_sequence] = (outcome, instance.converters.of_workflow(workflow_id))
        await outcome

    def resolve(
        self,
        outcome: history.ExternalWorkflowExecutionSignaled
        | history.SignalExternalWorkflowExecutionFailed
        | history.ExternalWorkflowExecutionCancelRequested
        | history.RequestCancelExternalWorkflowExecutionFailed,
    ) -> None:
        """Hand the outcome of a signal or cancellation request to whoever waits for it.

        Raises:
            NondeterminismError: The workflow never sent it.
        """
        sequence = outcome.sequence
        match outcome:
            case history.ExternalWorkflowExecutionSignaled():
                check_late("signal to another workflow", sequence, self._signal_sequence)
                self._succeed(self._signals, sequence)
            case history.SignalExternalWorkflowExecutionFailed(cause=cause):
                check_late("signal to another workflow", sequence, self._signal_sequence)
                self._fail(self._signals, sequence, _refused("signal", cause))
            case history.ExternalWorkflowExecutionCancelRequested():
                check_late("cancellation of another workflow", sequence, self._cancel_sequence)
                self._succeed(self._cancels, sequence)
            case history.RequestCancelExternalWorkflowExecutionFailed(cause=cause):
                check_late("cancellation of another workflow", sequence, self._cancel_sequence)
                self._fail(self._cancels, sequence, _refused("cancel", cause))

    @staticmethod
    def _succeed(pending: dict[int, tuple[asyncio.Future[None], Converters]], sequence: int) -> None:
        outcome, _ = pending.pop(sequence, (None, None))
        if outcome is not None and not outcome.done():
            outcome.set_result(None)

    @staticmethod
    def _fail(pending: dict[int, tuple[asyncio.Future[None], Converters]], sequence: int, failure: Failure) -> None:
        entry = pending.pop(sequence, None)
        if entry is not None and not entry[0].done():
            outcome, converters = entry
            outcome.set_exception(converters.from_failure(failure))


def _refused(action: str, cause: int) -> Failure:
    if cause == _NOT_FOUND:
        return Failure(message=_NOT_FOUND_MESSAGES[action], info=ApplicationFailureInfo(type=_NOT_FOUND_TYPE))
    return Failure(
        message=f"Unable to {action} external workflow because of cause {cause}", info=ApplicationFailureInfo()
    )
