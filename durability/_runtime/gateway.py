"""The clients' side of the protocol: everything that puts something into a run's inbox, or reads what became of it.

Whoever delivers a message and finds the awake mark clear owes the run a wake-up and sends it. Dying between the two is
covered by the reconciler: the mark is set, and a run that stays awake for too long is woken.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from durability._core import history
from durability._core.encoding import decode_command, decode_delta, decode_input, encode_input
from durability._core.event_count import EventCounter
from durability._core.history import Delta, Input, closes
from durability._core.payload import Payload
from durability._core.run import effective
from durability._runtime import queries, updates
from durability._runtime.describe import describe_head, note_changes, pending_activities
from durability._runtime.frontend import (
    ActivityReport,
    Description,
    ListFilter,
    Outcome,
    Page,
    Started,
    StartRequest,
    Status,
    UpdateRequest,
    UpdateStage,
    UpdateState,
)
from durability._runtime.identifiers import new_run_id
from durability._runtime.large_payloads import IN_THE_TABLE, LargePayloads, refuse_references
from durability._runtime.outcomes import outcome_of
from durability._runtime.ports import (
    Clock,
    Head,
    HeadRecord,
    HistoryStore,
    ItemTooLargeError,
    Sleep,
    TaskQueue,
    WorkflowInvoker,
    WorkflowKey,
)
from durability._runtime.validation import (
    check_identifier,
    check_memo,
    check_payloads,
    check_run_id,
    workflow_closed,
    workflow_not_found,
)
from durability.exceptions import WorkflowAlreadyStartedError
from durability.service import RPCError, RPCStatusCode

ALLOW_DUPLICATE_FAILED_ONLY: Final = 2
REJECT_DUPLICATE: Final = 3
TERMINATE_IF_RUNNING: Final = 4
CONFLICT_USE_EXISTING: Final = 2
CONFLICT_TERMINATE_EXISTING: Final = 3

_NO_REASON: Final = "terminated by user via frontend"
"""What Temporal's server notes as the reason of a termination that was given none."""
_ANSWERS_AT_ONCE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_LONGEST_PAUSE_OF_UPDATES: Final = 5.0
_BUSY_ATTEMPTS: Final = 40
_ENDS_WITHIN: Final = 10.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """Implements ``Frontend`` over the ports."""

    namespace: str
    store: HistoryStore
    queue: TaskQueue
    invoker: WorkflowInvoker
    clock: Clock
    sleep: Sleep = asyncio.sleep
    large: LargePayloads = IN_THE_TABLE

    # --- starting ---------------------------------------------------------------------------------------------------

    async def start(self, request: StartRequest, *, wake: bool = True) -> Started:
        """See ``Frontend.start``. Without ``wake``, the caller executes the first workflow task itself."""
        check_identifier("workflow id", request.workflow_id)
        check_identifier("workflow type", request.workflow_type)
        check_identifier("request id", request.request_id)
        check_payloads("the arguments", request.arguments)
        check_payloads("the signal's arguments", request.signal_arguments)
        check_memo(request.memo)
        refuse_references(request)
        _check_policies(request)
        return await self.start_as(request, parent=None, root=None, wake=wake)

    async def start_as(
        self,
        request: StartRequest,
        *,
        parent: history.ExecutionReference | None,
        root: history.ExecutionReference | None,
        wake: bool = True,
    ) -> Started:
        """Start a run, as a child of ``parent`` if that is given."""
        run_id = new_run_id(self.clock())
        if not self.large.must_move(request, self.namespace, run_id):
            return await self._start(request, run_id, parent, root, wake)
        started: Started | None = None
        try:
            started = await self._start(request, run_id, parent, root, wake)
        finally:
            if started is None or started.run_id != run_id:
                with suppress(Exception):  # what is left behind does no harm; the outcome of the start counts
                    await self.large.forget(self.namespace, run_id)
        return started

    async def _start(
        self,
        request: StartRequest,
        run_id: str,
        parent: history.ExecutionReference | None,
        root: history.ExecutionReference | None,
        wake: bool,
    ) -> Started:
        start_delay = self._start_delay(request)
        run_id = new_run_id(self.clock())
        for attempt in range(_BUSY_ATTEMPTS):
            head = await self._first_head(request, run_id, parent, root, start_delay)
            try:
                existing = await self.store.create(head)
            except ItemTooLargeError as error:
                raise RPCError(
                    f"the arguments of workflow {request.workflow_id!r} are too large to be stored: {error}",
                    RPCStatusCode.INVALID_ARGUMENT,
                    b"",
                ) from error
            if existing is not None:
                if existing.request_id == request.request_id:
                    await self._wake_again(existing)
                    first_run_id = existing.record.first_run_id or existing.run_id
                    return Started(
                        workflow_id=request.workflow_id, run_id=first_run_id, existing=True, first_run_id=first_run_id
                    )
                decision = await self._resolve_conflict(request, existing, run_id)
                if decision is not None:
                    return decision
                if not existing.open and not existing.awake:
                    existing = await self.store.replace(head, existing, existing)
                if existing is not None:
                    await self.sleep(min(_LONGEST_PAUSE, _ANSWERS_AT_ONCE * 2**attempt))
                    continue
            if wake:
                await self._wake(head)
            return Started(workflow_id=request.workflow_id, run_id=head.run_id)
        raise RPCError(
            f"workflow {request.workflow_id!r} kept changing while it was to be started: try again",
            RPCStatusCode.UNAVAILABLE,
            b"",
        )

    def _start_delay(self, request: StartRequest) -> int:
        """How long the first workflow task is to wait: a cron schedule's first time is waited for as any other."""
        if not request.cron_schedule:
            return request.start_delay
        if request.start_delay:
            raise RPCError(
                "start_delay and cron_schedule cannot be combined: use only one", RPCStatusCode.INVALID_ARGUMENT, b""
            )
        from durability._runtime.cron import delay_until_next  # not needed by those who have no schedule

        now = self.clock()
        return delay_until_next(request.cron_schedule, now, now)

    async def _first_head(
        self,
        request: StartRequest,
        run_id: str,
        parent: history.ExecutionReference | None,
        root: history.ExecutionReference | None,
        start_delay: int,
    ) -> Head:
        now = self.clock()
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
            parent=parent,
            root=root,
            first_run_id=run_id,
            identity=request.identity,
            priority=request.priority,
            static_summary=request.static_summary,
            static_details=request.static_details,
            execution_deadline=now + start_delay + request.execution_timeout if request.execution_timeout else 0,
        )
        started = await self.large.put_away(started, self.namespace, run_id)
        messages: dict[str, Input] = {"start": started}
        if request.signal_name:
            signal = history.WorkflowExecutionSignaled(
                time=now,
                key=f"s:{request.request_id}",
                name=request.signal_name,
                arguments=request.signal_arguments,
                headers=request.headers,
                identity=request.identity,
            )
            messages[signal.key] = await self.large.put_away(signal, self.namespace, run_id)
        return first_head(WorkflowKey(self.namespace, request.workflow_id), run_id, started, messages, now)

    async def _resolve_conflict(self, request: StartRequest, existing: Head, run_id: str) -> Started | None:
        """Apply the id policies to a head that is there. None: the way is clear, or will be in a moment."""
        if existing.open:
            terminate = (
                request.id_conflict_policy == CONFLICT_TERMINATE_EXISTING
                or request.id_reuse_policy == TERMINATE_IF_RUNNING
            )
            if terminate:
                told = json.dumps(f"terminated by new runID: {run_id}").encode()
                await self.terminate(
                    request.workflow_id,
                    existing.run_id,
                    reason="TerminateIfRunning WorkflowIdReusePolicy",
                    details=[Payload({"encoding": b"json/plain"}, told)],
                )
                return None
            if request.id_conflict_policy == CONFLICT_USE_EXISTING:
                if request.signal_name:
                    await self.signal(
                        request.workflow_id,
                        existing.run_id,
                        request.signal_name,
                        request.signal_arguments,
                        request_id=request.request_id,
                        headers=request.headers,
                        identity=request.identity,
                    )
                return Started(
                    workflow_id=request.workflow_id,
                    run_id=existing.run_id,
                    existing=True,
                    first_run_id=existing.record.first_run_id or existing.run_id,
                )
            raise WorkflowAlreadyStartedError(request.workflow_id, request.workflow_type, run_id=existing.run_id)
        refused = request.id_reuse_policy == REJECT_DUPLICATE or (
            request.id_reuse_policy == ALLOW_DUPLICATE_FAILED_ONLY and existing.status == Status.COMPLETED
        )
        if refused:
            raise WorkflowAlreadyStartedError(request.workflow_id, request.workflow_type, run_id=existing.run_id)
        return None

    # --- messages ---------------------------------------------------------------------------------------------------

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
        """See ``Frontend.signal``."""
        check_identifier("signal name", name)
        check_identifier("request id", request_id)
        check_payloads("the signal's arguments", arguments)
        message = history.WorkflowExecutionSignaled(
            time=self.clock(),
            key=f"s:{request_id}",
            name=name,
            arguments=arguments,
            headers=headers or {},
            identity=identity,
        )
        await self._deliver_or_explain(workflow_id, run_id, message.key, message)

    async def cancel(
        self, workflow_id: str, run_id: str | None, *, request_id: str, reason: str = "", identity: str = ""
    ) -> bool:
        """See ``Frontend.cancel``."""
        check_identifier("request id", request_id)
        message = history.WorkflowExecutionCancelRequested(
            time=self.clock(), key=f"cancel:{request_id}", reason=reason, identity=identity
        )
        return await self._deliver_or_explain(workflow_id, run_id, message.key, message, needs_open=False)

    async def terminate(
        self,
        workflow_id: str,
        run_id: str | None,
        *,
        reason: str = "",
        details: list[Payload] | None = None,
        identity: str = "",
    ) -> None:
        """End a workflow without asking it. Raises RPCError(NOT_FOUND)."""
        check_payloads("the details", details or [])
        message = history.WorkflowExecutionTerminated(
            time=self.clock(), key="terminate", reason=reason or _NO_REASON, details=details, identity=identity
        )
        await self._deliver_or_explain(workflow_id, run_id, message.key, message)

    async def delete(self, workflow_id: str, run_id: str | None) -> None:
        """See ``Frontend.delete``."""
        head = await self._head(workflow_id, run_id or None)
        run_id = head.run_id
        if head.open:
            await self.terminate(workflow_id, run_id, reason="deleted")
            await self.outcome(workflow_id, run_id, wait=_ENDS_WITHIN)
        pause = _ANSWERS_AT_ONCE
        while not await self.store.delete(head.key, run_id, lambda: self.large.forget(self.namespace, run_id)):
            if pause > _LONGEST_PAUSE_OF_UPDATES:
                raise RPCError(
                    f"run {run_id} of workflow {workflow_id!r} has not come to its end yet: try again",
                    RPCStatusCode.UNAVAILABLE,
                    b"",
                )
            await self.sleep(pause)
            pause *= 2

    async def deliver(
        self, key: WorkflowKey, run_id: str | None, name: str, message: Input, *, chain: bool = False
    ) -> bool:
        """Put a message into a run's inbox and wake it if that is owed. False if there is no such open run.

        With ``chain``, ``run_id`` stands for whichever run its chain has come to by continuing as new.
        """
        if self.large.must_move(message, key.namespace, run_id or ""):
            return await self._deliver_large(key, run_id, name, message, chain=chain)
        return await self._deliver_small(key, run_id, name, message, chain=chain)

    async def _deliver_large(
        self, key: WorkflowKey, run_id: str | None, name: str, message: Input, *, chain: bool
    ) -> bool:
        """Large payloads belong to a run, so it has to be known which."""
        head = await self.store.head(key)
        to = run_id or (head.run_id if head is not None else "")
        if head is None or not head.open or head.run_id != to:
            return await self._deliver_small(key, run_id, name, message, chain=chain)  # refused, or another run's
        kept = await self.large.put_away(message, key.namespace, to)
        if await self._deliver_small(key, to, name, kept, chain=False):
            return True
        # The run has ended meanwhile. Without a run of its own the message is for the next one, if there is one.
        after = await self.store.head(key) if run_id is None or chain else None
        moved_on = after is not None and after.open and after.run_id != to
        return moved_on and await self.deliver(key, run_id, name, message, chain=chain)

    async def _deliver_small(
        self, key: WorkflowKey, run_id: str | None, name: str, message: Input, *, chain: bool
    ) -> bool:
        now = self.clock()
        delivery = await self.store.deliver(key, run_id, name, encode_input(message), now)
        before = delivery.before
        if before is None:
            return False
        if delivery.accepted:
            # Who finds the message there already may have brought it and died, or not have heard the answer, before
            # the wake-up was sent.
            if not before.awake or name in before.inbox:
                await self._wake(before)
            return True
        if await self._was_consumed(key, run_id or before.run_id, message):
            return True
        moved_on = before.open and before.run_id != run_id and before.record.first_run_id == run_id
        return chain and moved_on and await self.deliver(key, before.run_id, name, message, chain=True)

    async def _was_consumed(self, key: WorkflowKey, run_id: str, message: Input) -> bool:
        """Whether a closed run has the message: its sender died, or did not hear the answer, and tries again."""
        if not isinstance(message, history.WorkflowExecutionSignaled | history.WorkflowExecutionCancelRequested):
            return False
        deltas = [(sequence, decode_delta(body), len(body)) for sequence, body in await self.store.deltas(key, run_id)]
        return any(
            isinstance(recorded, type(message)) and recorded.key == message.key
            for _, delta, _ in effective(deltas)
            for recorded in delta.inputs
        )

    async def _deliver_or_explain(
        self, workflow_id: str, run_id: str | None, name: str, message: Input, *, needs_open: bool = True
    ) -> bool:
        check_identifier("workflow id", workflow_id)
        refuse_references(message)
        check_run_id(run_id)
        key = WorkflowKey(self.namespace, workflow_id)
        try:
            accepted = await self.deliver(key, run_id or None, name, message)
        except ItemTooLargeError as error:
            raise RPCError(
                f"the message for workflow {workflow_id!r} does not fit into its inbox: {error}",
                RPCStatusCode.RESOURCE_EXHAUSTED,
                b"",
            ) from error
        if not accepted:
            await self._head(workflow_id, run_id)
            if needs_open:
                raise workflow_closed()
        return accepted

    async def _wake(self, head: Head) -> None:
        await self.queue.send_wake_up(head.wake_up_at(0))

    async def _wake_again(self, head: Head) -> None:
        """A repeated start may be the retry of one that died before its wake-up was sent."""
        if head.open and head.dispatched == 0 and head.awake:
            await self._wake(head)

    # --- reading ----------------------------------------------------------------------------------------------------

    async def query(
        self,
        workflow_id: str,
        run_id: str | None,
        name: str,
        arguments: list[Payload],
        *,
        headers: dict[str, Payload] | None = None,
    ) -> Payload | None:
        """See ``Frontend.query``."""
        check_identifier("workflow id", workflow_id)
        check_run_id(run_id)
        check_identifier("query name", name)
        check_payloads("the query's arguments", arguments)
        request = queries.WorkflowQuery(workflow_id, run_id or "", name, arguments, headers or {})
        return queries.read_answer(await self.invoker.invoke(queries.encode(request), workflow_id))

    async def update(self, request: UpdateRequest, *, wait: float) -> UpdateState:
        """See ``Frontend.update``."""
        check_identifier("workflow id", request.workflow_id)
        check_run_id(request.run_id)
        check_identifier("update name", request.name)
        check_identifier("update id", request.update_id)
        check_payloads("the update's arguments", request.arguments)
        refuse_references(request)
        if request.start is not None:
            check_payloads("the arguments", request.start.arguments)
        deadline = self.clock() + int(wait * 1000)
        event = updates.encode(request)
        pause = _ANSWERS_AT_ONCE
        while True:
            state = await self._ask_for_update(request, event)
            left = (deadline - self.clock()) / 1000
            if state is not None or left <= 0:
                break
            await self.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_PAUSE_OF_UPDATES)
        if state is None:
            return UpdateState(workflow_id=request.workflow_id, run_id="", update_id=request.update_id)
        if state.stage >= request.stage:
            return await self.large.bring_back(state)
        found = await self.update_outcome(
            request.workflow_id, state.run_id, request.update_id, stage=request.stage, wait=max(0.0, left)
        )
        found.existing, found.first_run_id = state.existing, state.first_run_id
        return found

    async def _ask_for_update(self, request: UpdateRequest, event: bytes) -> UpdateState | None:
        """What has become of an update; None while no run has taken it."""
        try:
            answer = await self.invoker.invoke(event, request.workflow_id)
        except RPCError as error:
            if error.status != RPCStatusCode.DEADLINE_EXCEEDED:
                raise
            return None  # no worker is there; one may come
        return updates.read_answer(request, answer).state

    async def update_outcome(
        self, workflow_id: str, run_id: str | None, update_id: str, *, stage: UpdateStage, wait: float
    ) -> UpdateState:
        """See ``Frontend.update_outcome``. While somebody waits, the history is read on at growing intervals."""
        deadline = self.clock() + int(wait * 1000)
        head = await self._head(workflow_id, run_id or None)
        state = UpdateState(workflow_id=workflow_id, run_id=head.run_id, update_id=update_id)
        pause = _ANSWERS_AT_ONCE
        after, found = 0, False
        while True:
            loaded = await self.store.load(head.key, head.run_id, after)
            is_open = loaded.head is not None and loaded.head.open and loaded.head.run_id == head.run_id
            deltas = [(sequence, decode_delta(body), len(body)) for sequence, body in loaded.deltas]
            if is_open and deltas and closes(deltas[-1][1]):
                deltas.pop()  # takes effect when the head is closed, or is superseded
            found = updates.read_state(state, deltas) or found
            after = deltas[-1][0] if deltas else after
            if not is_open and found:
                updates.end_unfinished(state)
            left = (deadline - self.clock()) / 1000
            if not found and (not is_open or left <= 0):
                raise updates.not_found(workflow_id, update_id)
            if state.stage >= stage or left <= 0:
                return await self.large.bring_back(state)
            await self.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    async def report_activity(self, report: ActivityReport) -> bool:
        """See ``Frontend.report_activity``."""
        from durability._runtime import reports  # not needed by those who only start and signal

        refuse_references(report)
        return await reports.report(self, report)

    async def head_of(self, workflow_id: str, run_id: str | None) -> Head:
        """The head of a run, current or not. Raises RPCError(NOT_FOUND)."""
        return await self._head(workflow_id, run_id)

    async def describe(self, workflow_id: str, run_id: str | None) -> Description:
        """A run as it stands. Raises RPCError(NOT_FOUND)."""
        head = await self._head(workflow_id, run_id)
        description = describe_head(head)
        if head.open:
            deltas = [delta async for delta in self._deltas(head)]
            # Updates that only change the workflow's state leave the head as it is.
            written = [delta for delta in deltas if delta.format != history.NOT_WRITTEN]
            events = EventCounter()
            for delta in written:
                events.add(delta)
            description.history_length = events.length
            note_changes(description, written)
            description.pending_activities = await pending_activities(self.store, head, deltas)
        return await self.large.bring_back(description)

    async def outcome(self, workflow_id: str, run_id: str | None, *, wait: float) -> Outcome | None:
        """See ``Frontend.outcome``. While somebody waits, the head is read at growing intervals, up to a second."""
        deadline = self.clock() + int(wait * 1000)
        pause = _ANSWERS_AT_ONCE
        run_id = run_id or None
        while True:
            head = await self._head(workflow_id, run_id)
            run_id = run_id or head.run_id
            if not head.open:
                return await self._outcome(head)
            left = (deadline - self.clock()) / 1000
            if left <= 0:
                return None
            await self.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    async def _outcome(self, head: Head) -> Outcome:
        if head.outcome:
            return await self.large.bring_back(outcome_of(head, decode_command(head.outcome), None))
        delta = decode_delta((await self.store.deltas(head.key, head.run_id))[-1][1])
        closing = [command for command in delta.commands if isinstance(command, history.CLOSING_COMMANDS)]
        return await self.large.bring_back(outcome_of(head, closing[-1] if closing else None, delta))

    async def history(self, workflow_id: str, run_id: str | None) -> AsyncIterator[Delta]:
        """See ``Frontend.history``."""
        async for delta in self._deltas(await self._head(workflow_id, run_id)):
            if delta.refers or delta.format == history.NOT_WRITTEN:
                delta = await self.large.bring_back(delta)
                delta.refers = False
            yield delta

    async def _deltas(self, head: Head) -> AsyncIterator[Delta]:
        """The history of a run as it is stored, and what waits for it."""
        if head.open:
            loaded = await self.store.load(head.key, head.run_id, 0)
            current, bodies = loaded.head, loaded.deltas
        else:
            current, bodies = None, await self.store.deltas(head.key, head.run_id)
        consumed: set[str] = set()
        for _, delta, _ in effective((sequence, decode_delta(body), len(body)) for sequence, body in bodies):
            consumed.update(map(inbox_name, delta.inputs))
            yield delta
        if current is None or current.run_id != head.run_id or not current.open:
            return
        waiting = [message for _, message in waiting_messages(current) if inbox_name(message) not in consumed]
        if waiting:
            yield Delta(history.NOT_WRITTEN, current.awake, waiting, [])

    async def list(self, filter: ListFilter) -> Page:
        """A page of runs, newest start first; eventually consistent."""
        heads, token = await self.store.list_runs(self.namespace, filter)
        executions = await asyncio.gather(*(self.large.bring_back(describe_head(head)) for head in heads))
        return Page(executions=executions, next_page_token=token)

    async def close(self) -> None:
        """Nothing is held."""

    async def exists(self, key: WorkflowKey, run_id: str | None) -> bool:
        """Whether there is or was a run with this workflow id, or this very run."""
        return await self._find(key, run_id) is not None

    async def _find(self, key: WorkflowKey, run_id: str | None) -> Head | None:
        head = await self.store.head(key)
        if head is not None and run_id and head.run_id != run_id:
            head = await self.store.closed_run(key, run_id)
        return head

    async def _head(self, workflow_id: str, run_id: str | None) -> Head:
        check_identifier("workflow id", workflow_id)
        check_run_id(run_id)
        head = await self._find(WorkflowKey(self.namespace, workflow_id), run_id)
        if head is None:
            raise workflow_not_found(workflow_id, run_id)
        return head


def _is_null(payload: Payload) -> bool:
    """Whether a value is None: a memo does not keep it."""
    return payload.metadata.get("encoding") == b"binary/null"


def _check_policies(request: StartRequest) -> None:
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


def waiting_messages(head: Head, *, seen: Collection[str] = ()) -> list[tuple[str, Input]]:
    """The inbox of a head without the messages already seen, decoded, in the order of arrival."""
    return [(name, decode_input(body)) for name, body in head.inbox.items() if name not in seen]


def inbox_name(message: Input) -> str:
    """The key under which an input stands in an inbox; it tells the input from all others of its run."""
    if isinstance(message, history.ActivityRetryScheduled):
        return f"retry:{message.sequence}:{message.attempt}"
    return getattr(message, "key", "")
