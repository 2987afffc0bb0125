"""Starting a run: its first head, and what the id policies say if there is one already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from durability._core import history
from durability._core.encoding import decode_deltas, encode_input
from durability._core.history import Delta, Input
from durability._core.payload import Payload
from durability._runtime.deliveries import was_consumed
from durability._runtime.frontend import Started, StartRequest, Status, UpdateStage, UpdateState
from durability._runtime.ports import Head, HeadRecord, ItemTooLargeError, WorkflowKey
from durability._runtime.updates import read_state
from durability._runtime.validation import check_identifier
from durability.exceptions import WorkflowAlreadyStartedError
from durability.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durability._runtime.gateway import Gateway

ALLOW_DUPLICATE_FAILED_ONLY: Final = 2
REJECT_DUPLICATE: Final = 3
TERMINATE_IF_RUNNING: Final = 4
CONFLICT_FAIL: Final = 1
CONFLICT_USE_EXISTING: Final = 2
CONFLICT_TERMINATE_EXISTING: Final = 3

_BUSY_ATTEMPTS: Final = 40
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_CLOCKS_DIFFER_BY: Final = 60_000
"""Milliseconds that the clocks of two executors may differ by."""


@dataclass(frozen=True, slots=True)
class Start:
    """A start under way, as a child of ``parent`` if that is given."""

    gateway: Gateway
    request: StartRequest
    run_id: str
    parent: history.ExecutionReference | None
    root: history.ExecutionReference | None
    decided: int = 0
    """When a workflow decided to start it, in milliseconds since the epoch; 0 if no workflow did.

    A workflow's decision is carried out again after a crash, perhaps much later, so it is first looked for what may
    have become of it, among the runs that were there since.
    """
    update_id: str = ""
    """The update that comes with the start, if one does."""

    async def carry_out(self, *, wake: bool) -> Started:
        """Put the run's first head in its place, unless the id policies say otherwise; ``wake`` sends its wake-up."""
        gateway, workflow_id = self.gateway, self.request.workflow_id
        start_delay = self._start_delay()
        for attempt in range(_BUSY_ATTEMPTS):
            head = await self._first_head(start_delay)
            existing = await self._create(head)
            if existing is not None:
                answer = await self._resolve_conflict(existing, wake=wake)
                if answer is not None:
                    return answer
                if not existing.open and not existing.awake:
                    existing = await gateway.store.replace(head, existing, existing)
            if existing is None or existing.run_id == head.run_id:
                if wake:
                    await gateway.wake(head)
                return Started(workflow_id=workflow_id, run_id=head.run_id)
            await gateway.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))
        raise RPCError(
            f"workflow {workflow_id!r} kept changing while it was to be started: try again",
            RPCStatusCode.UNAVAILABLE,
            b"",
        )

    async def _create(self, head: Head) -> Head | None:
        try:
            return await self.gateway.store.create(head)
        except ItemTooLargeError as error:
            raise RPCError(
                f"the arguments of workflow {self.request.workflow_id!r} are too large to be stored: {error}",
                RPCStatusCode.INVALID_ARGUMENT,
                b"",
            ) from error

    def _start_delay(self) -> int:
        """How long the first workflow task is to wait: a cron schedule's first time is waited for as any other."""
        request = self.request
        if not request.cron_schedule:
            return request.start_delay
        if request.start_delay:
            raise _cron_with_delay()
        from durability._runtime.cron import delay_until_next  # not needed by those who have no schedule

        now = self.gateway.clock()
        return delay_until_next(request.cron_schedule, now, now)

    async def _first_head(self, start_delay: int) -> Head:
        gateway, request, run_id = self.gateway, self.request, self.run_id
        now = gateway.clock()
        started = history.WorkflowExecutionStarted(
            time=now,
            key=request.request_id,
            workflow_type=request.workflow_type,
            task_queue=request.task_queue,
            arguments=request.arguments,
            headers=request.headers,
            memo={key: value for key, value in request.memo.items() if not _is_null(value)},
            search_attributes=request.search_attributes,
            execution_timeout=request.execution_timeout,
            run_timeout=request.run_timeout,
            task_timeout=request.task_timeout,
            retry_policy=request.retry_policy,
            cron_schedule=request.cron_schedule,
            start_delay=start_delay,
            parent=self.parent,
            root=self.root,
            first_run_id=run_id,
            identity=request.identity,
            priority=request.priority,
            static_summary=request.static_summary,
            static_details=request.static_details,
            execution_deadline=now + start_delay + request.execution_timeout if request.execution_timeout else 0,
        )
        started = await gateway.large.put_away(started, gateway.namespace, run_id)
        messages: dict[str, Input] = {"start": started}
        if request.signal_name:
            signal = self._signal()
            messages[signal.key] = await gateway.large.put_away(signal, gateway.namespace, run_id)
        return first_head(WorkflowKey(gateway.namespace, request.workflow_id), run_id, started, messages, now)

    async def _resolve_conflict(self, existing: Head, *, wake: bool) -> Started | None:
        """What to answer about a head that is there already. None: the way is clear, or will be in a moment."""
        request = self.request
        if existing.request_id == request.request_id:
            return await self._repeated(existing, wake=wake)
        if self.decided:
            done = await self._carried_out_before(existing)
            if done is not None:
                return done
        if self.update_id and await self._has_update(existing):
            return self._found(existing, attached=True)
        if existing.open:
            return await self._resolve_open(existing)
        refused = request.id_reuse_policy == REJECT_DUPLICATE or (
            request.id_reuse_policy == ALLOW_DUPLICATE_FAILED_ONLY and existing.status == Status.COMPLETED
        )
        if refused:
            raise WorkflowAlreadyStartedError(request.workflow_id, request.workflow_type, run_id=existing.run_id)
        return None

    async def _carried_out_before(self, existing: Head) -> Started | None:
        """What a workflow's decision led to, if that is not to be seen at the head any more."""
        gateway, key, since = self.gateway, existing.key, self.decided - _CLOCKS_DIFFER_BY
        if existing.start_time >= since and await gateway.store.closed_run(key, self.run_id) is not None:
            reached, own = self.run_id, True
        elif (
            self.request.signal_name
            and not existing.open
            and existing.close_time >= since
            and await was_consumed(gateway, key, existing.run_id, self._signal())
        ):
            reached, own = existing.run_id, False
        else:
            return None
        return Started(workflow_id=key.workflow_id, run_id=reached, existing=not own, first_run_id=reached)

    def _signal(self) -> history.WorkflowExecutionSignaled:
        request = self.request
        return history.WorkflowExecutionSignaled(
            time=self.gateway.clock(),
            key=f"s:{request.request_id}",
            name=request.signal_name,
            arguments=request.signal_arguments,
            headers=request.headers,
            identity=request.identity,
        )

    async def _repeated(self, existing: Head, *, wake: bool) -> Started:
        """The start has been carried out before: perhaps by one that died before it sent the wake-up.

        None is sent for a caller that does the first workflow task itself, with an update in it: whoever were woken
        might do it first, without the update.
        """
        if wake and existing.open and existing.dispatched == 0 and existing.awake:
            await self.gateway.wake(existing)
        first_run_id = existing.record.first_run_id or existing.run_id
        return Started(
            workflow_id=self.request.workflow_id, run_id=first_run_id, existing=True, first_run_id=first_run_id
        )

    async def _resolve_open(self, existing: Head) -> Started | None:
        gateway, request = self.gateway, self.request
        if request.id_conflict_policy == CONFLICT_TERMINATE_EXISTING or request.id_reuse_policy == TERMINATE_IF_RUNNING:
            told = json.dumps(f"terminated by new runID: {self.run_id}").encode()
            details = [Payload({"encoding": b"json/plain"}, told)]
            await gateway.end(existing, "TerminateIfRunning WorkflowIdReusePolicy", details)
            return None
        # A signal that comes with a start is for the run that is open, unless a policy says otherwise.
        if request.id_conflict_policy != CONFLICT_USE_EXISTING and (
            request.id_conflict_policy or not request.signal_name
        ):
            raise WorkflowAlreadyStartedError(request.workflow_id, request.workflow_type, run_id=existing.run_id)
        if request.signal_name and not await self._signal_existing(existing):
            return None
        return self._found(existing)

    async def _has_update(self, existing: Head) -> bool:
        """Whether the run took the update, and has completed it if it has ended.

        Who asks again with the update's id wants to know what became of it: no policy is asked then, as by Temporal.
        """
        if existing.open and self.request.id_conflict_policy == CONFLICT_USE_EXISTING:
            return False  # it gets there anyway
        deltas = decode_deltas(await self.gateway.store.deltas(existing.key, existing.run_id))
        state = UpdateState(workflow_id=existing.key.workflow_id, run_id=existing.run_id, update_id=self.update_id)
        return read_state(state, deltas) and (existing.open or state.stage == UpdateStage.COMPLETED)

    @staticmethod
    def _found(existing: Head, *, attached: bool = False) -> Started:
        return Started(
            workflow_id=existing.key.workflow_id,
            run_id=existing.run_id,
            existing=True,
            first_run_id=existing.record.first_run_id or existing.run_id,
            attached=attached,
        )

    async def _signal_existing(self, existing: Head) -> bool:
        """Whether the open run took the signal. It may have ended since it was looked at."""
        message = self._signal()
        try:
            return await self.gateway.deliver(existing.key, existing.run_id, message.key, message)
        except ItemTooLargeError as error:
            raise RPCError(
                f"the signal to workflow {existing.key.workflow_id!r} does not fit into its inbox: {error}",
                RPCStatusCode.RESOURCE_EXHAUSTED,
                b"",
            ) from error


def _is_null(payload: Payload) -> bool:
    """Whether a value is None: a memo does not keep it."""
    return payload.metadata.get("encoding") == b"binary/null"


def check_starts(delta: Delta) -> None:
    """Refuse what a workflow decided to start and never can be, before anything is recorded.

    Raises:
        RPCError: INVALID_ARGUMENT, saying what is wrong.
    """
    for command in delta.commands:
        match command:
            case history.StartChildWorkflowExecutionInitiated():
                _check_schedule(command.cron_schedule, delta.time)
            case history.SignalWithStartScheduled():
                _check_signal_with_start(command)
                _check_schedule(command.cron_schedule, delta.time)


def _check_schedule(cron_schedule: str, now: int) -> None:
    if cron_schedule:
        from durability._runtime.cron import delay_until_next  # not needed by those who have no schedule

        delay_until_next(cron_schedule, now, now)


def _check_signal_with_start(command: history.SignalWithStartScheduled) -> None:
    check_identifier("workflow id", command.workflow_id)
    check_identifier("workflow type", command.workflow_type)
    check_identifier("signal name", command.signal_name)
    check_identifier("task queue", command.task_queue)
    check_policies(command)
    if command.cron_schedule and command.start_delay:
        raise _cron_with_delay()
    if command.id_conflict_policy == CONFLICT_FAIL:
        raise RPCError(
            "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.",
            RPCStatusCode.INVALID_ARGUMENT,
            b"",
        )


def _cron_with_delay() -> RPCError:
    return RPCError(
        "start_delay and cron_schedule cannot be combined: use only one", RPCStatusCode.INVALID_ARGUMENT, b""
    )


def already_started_text(workflow_id: str, run_id: str, id_reuse_policy: int) -> str:
    """Why a policy for reused ids refuses a start, in the words of Temporal's server."""
    how, policy = {
        REJECT_DUPLICATE: ("finished", "reject duplicate workflow Id"),
        ALLOW_DUPLICATE_FAILED_ONLY: ("finished successfully", "allow duplicate workflow Id if last run failed"),
    }[id_reuse_policy]
    return (
        f"Workflow execution already {how}. WorkflowId: {workflow_id}, RunId: {run_id}. "
        f"Workflow Id reuse policy: {policy}."
    )


def check_policies(request: StartRequest | history.SignalWithStartScheduled) -> None:
    """Refuse policies that contradict each other; the texts are those of Temporal's server."""
    text = ""
    if request.id_reuse_policy == TERMINATE_IF_RUNNING and request.id_conflict_policy:
        text = "WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a WorkflowIDConflictPolicy"
    elif request.id_reuse_policy == REJECT_DUPLICATE and request.id_conflict_policy == CONFLICT_TERMINATE_EXISTING:
        text = (
            "WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with "
            "WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"
        )
    if text:
        raise RPCError(f"Invalid WorkflowIDReusePolicy: {text}", RPCStatusCode.INVALID_ARGUMENT, b"")


def first_head(
    key: WorkflowKey,
    run_id: str,
    started: history.WorkflowExecutionStarted,
    messages: dict[str, Input],
    now: int,
) -> Head:
    """The head of a run that has not had a workflow task, with what is waiting for it."""
    parent, root = started.parent, started.root
    return Head(
        key=key,
        run_id=run_id,
        workflow_type=started.workflow_type,
        task_queue=started.task_queue,
        status=Status.RUNNING,
        request_id=started.key,
        start_time=started.time,
        record=HeadRecord(
            memo=started.memo,
            search_attributes=started.search_attributes,
            parent_workflow_id=parent.workflow_id if parent else "",
            parent_run_id=parent.run_id if parent else "",
            parent_sequence=parent.sequence if parent else 0,
            first_run_id=started.first_run_id,
            execution_time=started.time + started.start_delay,
            root_workflow_id=root.workflow_id if root else key.workflow_id,
            root_run_id=root.run_id if root else run_id,
            static_summary=started.static_summary,
            static_details=started.static_details,
        ),
        counter=len(messages),
        inbox={name: encode_input(message) for name, message in messages.items()},
        awake=now,
        attention=now,
    )
