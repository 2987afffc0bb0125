"""Making decisions visible: what a delta's commands cause outside of the run.

Only called for deltas that are durable. Everything here may happen twice, after a crash, and then changes nothing:
attempts are claimed, starts carry a request id, messages carry a key, all of them computed from run id and sequence
number.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

from durability._core import history
from durability._core.history import Command, Delta, Input
from durability._core.run import OpenActivity, Run, effective
from durability._core.system_operation import request_id
from durability._runtime.attempts import cancelled
from durability._runtime.dispatched import DispatchedActivities
from durability._runtime.eager import EagerActivities
from durability._runtime.engine import Engine
from durability._runtime.frontend import StartRequest
from durability._runtime.outcomes import report_to_parent
from durability._runtime.ports import WorkflowKey
from durability._runtime.starting import CONFLICT_USE_EXISTING, TERMINATE_IF_RUNNING, already_started_text
from durability._runtime.together import together
from durability.exceptions import WorkflowAlreadyStartedError

ALREADY_EXISTS = 1
NOT_FOUND = 1
TERMINATE, ABANDON, REQUEST_CANCEL = 1, 2, 3
"""``durability.workflow.ParentClosePolicy``."""


Decision = Command | history.ActivityRetryScheduled
"""What a delta decided that may have to be carried out."""


def decisions(delta: Delta) -> list[Decision]:
    """What a delta decided: the runtime's attempts and the workflow's commands."""
    return [*(m for m in delta.inputs if isinstance(m, history.ActivityRetryScheduled)), *delta.commands]


def undispatched(deltas: Iterable[tuple[int, Delta, int]], dispatched: int) -> list[Decision]:
    """What those of a run's deltas decided that are above the number up to which all is known to be dispatched."""
    return [
        decision for sequence, delta, _ in effective(deltas) if dispatched < sequence for decision in decisions(delta)
    ]


@dataclass(slots=True)
class Dispatcher:
    """Dispatches the commands of one run."""

    engine: Engine
    eager: EagerActivities
    dispatched: DispatchedActivities

    async def dispatch(self, run: Run, decided: Iterable[Decision]) -> list[Input]:
        """Carry out those decisions that are still open; what that brings the run at once."""
        activities: list[OpenActivity] = []
        calls: list[Awaitable[Input | None]] = []
        for command in decided:
            match command:
                case history.ActivityRetryScheduled():
                    # At once: a cancellation decided with it looks at which attempt is next.
                    await self.dispatched.try_again(run, command)
                case history.ActivityTaskScheduled():
                    activity = run.activities.get(command.sequence)
                    if activity is not None and not activity.eager:
                        activities.append(activity)
                case history.ActivityTaskCancelRequested():
                    if command.sequence in run.activities:
                        calls.append(self._cancel_activity(run, command.sequence))
                case history.StartChildWorkflowExecutionInitiated():
                    if command.sequence in run.children and command.sequence not in run.child_runs:
                        calls.append(self._start_child(run, command))
                case history.CancelChildWorkflowExecutionRequested():
                    if command.sequence in run.children and (command.sequence, command.number) in run.child_cancels:
                        calls.append(self._cancel_child(run, command))
                case history.SignalExternalWorkflowExecutionInitiated():
                    if command.sequence in run.signals_out:
                        calls.append(self._signal(run, command))
                case history.SignalWithStartScheduled():
                    if command.sequence in run.signals_with_start:
                        calls.append(self._signal_with_start(run, command))
                case history.RequestCancelExternalWorkflowExecutionInitiated():
                    if command.sequence in run.cancels_out:
                        calls.append(self._request_cancel(run, command))
        if activities:
            await self.engine.queue.send_activities(self.dispatched.first_attempts(run, activities))
        news = await together(calls)
        return [message for message in news if message is not None]

    def has_work_at_close(self, run: Run, commands: Iterable[Decision], *, successor: bool) -> bool:
        """Whether anything is to be dispatched when the run has closed; its parent hears of the last of a chain."""
        assert run.started is not None
        if run.children and any(child.parent_close_policy != ABANDON for child in run.children.values()):
            return True
        if run.started.parent is not None and not successor:
            return True
        return any(isinstance(command, _LEFT_BEHIND) for command in commands)

    async def dispatch_close(self, run: Run, commands: Iterable[Decision], *, successor: bool) -> None:
        """Carry out what a closed run leaves behind: last messages, the children's fate, the report to the parent."""
        for news in await self.dispatch(run, [command for command in commands if isinstance(command, _LEFT_BEHIND)]):
            match news:
                case history.ChildWorkflowExecutionStarted(sequence=sequence, run_id=run_id):
                    run.child_runs[sequence] = run_id
                case history.StartChildWorkflowExecutionFailed(sequence=sequence):
                    del run.children[sequence]
        await together(self._close_child(run, child) for child in run.children.values())
        if successor:
            return
        assert run.started is not None
        assert run.closing is not None
        parent = run.started.parent
        if parent is not None:
            report = report_to_parent(run.closing, parent.sequence, self.engine.clock())
            key = WorkflowKey(parent.namespace, parent.workflow_id)
            await self.engine.gateway.deliver(key, parent.run_id, report.key, report)

    async def _cancel_activity(self, run: Run, sequence: int) -> Input | None:
        if self.eager.owns(sequence):
            self.eager.cancel(sequence)
            return None
        activity = run.activities[sequence]
        if activity.eager and not activity.deadline > 0:
            return None
        here = self.engine.local_attempts.get((run.run_id, sequence))
        if here is not None:
            here.request()
            return None
        key = WorkflowKey(run.namespace, run.workflow_id)
        state = await self.engine.store.request_cancel(key, run.run_id, sequence)
        begun = activity.eager or (state.attempt and state.next_attempt <= state.attempt)
        return None if begun else cancelled(sequence, max(state.attempt, activity.attempt), self.engine.clock())

    async def _start_child(self, run: Run, command: history.StartChildWorkflowExecutionInitiated) -> Input | None:
        assert run.started is not None
        now = self.engine.clock()
        key = f"child-start:{command.sequence}"
        me = history.ExecutionReference(run.namespace, run.workflow_id, run.run_id, command.sequence)
        request = _start_request(command, f"{run.run_id}:{command.sequence}", run.started.task_queue)
        try:
            started = await self.engine.gateway.start_as(request, parent=me, root=run.started.root or me)
        except WorkflowAlreadyStartedError:
            return history.StartChildWorkflowExecutionFailed(now, key, command.sequence, ALREADY_EXISTS)
        return history.ChildWorkflowExecutionStarted(now, key, command.sequence, started.run_id)

    async def _cancel_child(self, run: Run, command: history.CancelChildWorkflowExecutionRequested) -> Input:
        child = run.children[command.sequence]
        done = await self._deliver_cancel(
            run,
            WorkflowKey(run.namespace, child.workflow_id),
            run.child_runs.get(command.sequence),
            command.sequence,
            command.reason,
            chain=True,
        )
        now, number = self.engine.clock(), command.number
        name = f"cancel-child:{command.sequence}:{number}"
        return history.ChildWorkflowCancelDelivered(now, name, command.sequence, 0 if done else NOT_FOUND, number)

    async def _deliver_cancel(
        self, run: Run, key: WorkflowKey, run_id: str | None, sequence: int, reason: str, *, chain: bool = False
    ) -> bool:
        name = f"cancel:{run.run_id}:{sequence}"
        request = history.WorkflowExecutionCancelRequested(self.engine.clock(), name, reason)
        return await self.engine.gateway.deliver(key, run_id, name, request, chain=chain)

    async def _signal(self, run: Run, command: history.SignalExternalWorkflowExecutionInitiated) -> Input:
        now = self.engine.clock()
        if command.child_sequence:
            child = run.children.get(command.child_sequence)
            workflow_id = child.workflow_id if child else command.workflow_id
            run_id = run.child_runs.get(command.child_sequence)
        else:
            workflow_id, run_id = command.workflow_id, command.run_id or None
        name = f"signal:{run.run_id}:{command.sequence}"
        message = history.WorkflowExecutionSignaled(now, name, command.name, command.arguments, command.headers)
        key = WorkflowKey(command.namespace or run.namespace, workflow_id)
        if not _is_oneself(run, key, run_id or "") and await self.engine.gateway.deliver(
            key, run_id, name, message, chain=command.child_sequence > 0
        ):
            return history.ExternalWorkflowExecutionSignaled(now, name, command.sequence)
        return history.SignalExternalWorkflowExecutionFailed(now, name, command.sequence, NOT_FOUND)

    async def _signal_with_start(self, run: Run, command: history.SignalWithStartScheduled) -> Input:
        _, decided = run.signals_with_start[command.sequence]
        key = request_id(run.run_id, command.sequence)
        request = _start_request(command, key, command.task_queue)
        request.start_delay = command.start_delay
        request.id_conflict_policy = command.id_conflict_policy or (
            0 if command.id_reuse_policy == TERMINATE_IF_RUNNING else CONFLICT_USE_EXISTING
        )
        request.signal_name, request.signal_arguments = command.signal_name, command.signal_arguments
        sequence = command.sequence
        try:
            started = await self.engine.gateway.start_as(request, parent=None, root=None, decided=decided)
        except WorkflowAlreadyStartedError as error:
            text = already_started_text(command.workflow_id, error.run_id or "", command.id_reuse_policy)
            told = f"WorkflowExecutionAlreadyStarted: {text}"
            return history.SignalWithStartFailed(self.engine.clock(), key, sequence, told)
        return history.SignalWithStartCompleted(
            self.engine.clock(), key, sequence, started.run_id, not started.existing
        )

    async def _request_cancel(
        self, run: Run, command: history.RequestCancelExternalWorkflowExecutionInitiated
    ) -> Input:
        key = WorkflowKey(command.namespace or run.namespace, command.workflow_id)
        # The text is that of Temporal's core, which puts the caller's reason into it.
        reason = f"Cancel requested by workflow with run id {run.run_id} with reason: {command.reason}"
        done = not _is_oneself(run, key, command.run_id) and (
            await self._deliver_cancel(run, key, command.run_id or None, command.sequence, reason)
            or await self.engine.gateway.exists(key, command.run_id or None)
        )
        now = self.engine.clock()
        name = f"cancel-external:{command.sequence}"
        if done:
            return history.ExternalWorkflowExecutionCancelRequested(now, name, command.sequence)
        return history.RequestCancelExternalWorkflowExecutionFailed(now, name, command.sequence, NOT_FOUND)

    async def _close_child(self, run: Run, child: history.StartChildWorkflowExecutionInitiated) -> None:
        key = WorkflowKey(run.namespace, child.workflow_id)
        run_id = run.child_runs.get(child.sequence)
        if child.parent_close_policy == REQUEST_CANCEL:
            await self._deliver_cancel(run, key, run_id, child.sequence, "", chain=True)
        elif child.parent_close_policy != ABANDON:
            message = history.WorkflowExecutionTerminated(self.engine.clock(), "terminate", "by parent close policy")
            await self.engine.gateway.deliver(key, run_id, message.key, message, chain=True)


def _start_request(
    command: history.StartChildWorkflowExecutionInitiated | history.SignalWithStartScheduled, key: str, task_queue: str
) -> StartRequest:
    return StartRequest(
        workflow_id=command.workflow_id,
        workflow_type=command.workflow_type,
        task_queue=command.task_queue or task_queue,
        arguments=command.arguments,
        request_id=key,
        headers=command.headers,
        memo=command.memo,
        search_attributes=command.search_attributes,
        execution_timeout=command.execution_timeout,
        run_timeout=command.run_timeout,
        task_timeout=command.task_timeout,
        id_reuse_policy=command.id_reuse_policy,
        retry_policy=command.retry_policy,
        cron_schedule=command.cron_schedule,
        static_summary=command.static_summary,
        static_details=command.static_details,
        priority=command.priority,
    )


def _is_oneself(run: Run, key: WorkflowKey, run_id: str) -> bool:
    """Whether a run sends something to itself: Temporal refuses that as "not found"."""
    return key == WorkflowKey(run.namespace, run.workflow_id) and run_id in ("", run.run_id)


_LEFT_BEHIND = (
    history.SignalExternalWorkflowExecutionInitiated,
    history.SignalWithStartScheduled,
    history.RequestCancelExternalWorkflowExecutionInitiated,
    history.StartChildWorkflowExecutionInitiated,
    history.CancelChildWorkflowExecutionRequested,
    history.ActivityTaskCancelRequested,
)
