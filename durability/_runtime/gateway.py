"""The clients' side of the protocol: everything that puts something into a run's inbox, or reads what became of it.

Whoever delivers a message and finds the awake mark clear owes the run a wake-up and sends it. Dying between the two is
covered by the reconciler: the mark is set, and a run that stays awake for too long is woken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from durability._core import history
from durability._core.encoding import decode_command, decode_delta, decode_deltas
from durability._core.history import Delta, Input, closes
from durability._core.payload import Payload
from durability._core.run import effective
from durability._runtime import queries, updates
from durability._runtime.deliveries import Parcel
from durability._runtime.describe import complete, describe_head
from durability._runtime.frontend import (
    ActivityReport,
    Description,
    ListFilter,
    Outcome,
    Page,
    Started,
    StartRequest,
    UpdateRequest,
    UpdateStage,
    UpdateState,
)
from durability._runtime.health import HealthCheck
from durability._runtime.identifiers import new_run_id, successor_run_id
from durability._runtime.inbox import inbox_name, waiting_messages
from durability._runtime.large_payloads import IN_THE_TABLE, LargePayloads, refuse_references
from durability._runtime.outcomes import outcome_of
from durability._runtime.ports import (
    Clock,
    Head,
    HistoryStore,
    ItemTooLargeError,
    Sleep,
    TaskQueue,
    WorkflowInvoker,
    WorkflowKey,
)
from durability._runtime.starting import Start, check_policies
from durability._runtime.together import together
from durability._runtime.validation import (
    check_identifier,
    check_memo,
    check_message,
    check_metadata,
    check_payloads,
    check_run_id,
    workflow_closed,
    workflow_not_found,
)
from durability.exceptions import WorkflowAlreadyStartedError
from durability.service import RPCError, RPCStatusCode

_NO_REASON: Final = "terminated by user via frontend"
"""What Temporal's server notes as the reason of a termination that was given none."""
_ANSWERS_AT_ONCE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_LONGEST_PAUSE_OF_UPDATES: Final = 5.0
_ENDS_WITHIN: Final = 10.0


@dataclass(frozen=True, slots=True)
class Gateway(HealthCheck):
    """Implements ``Frontend`` over the ports.

    Attributes:
        told: Called with the id of a workflow that has a message now, for an executor in this process that has the run
            and waits; None if there is none.
    """

    namespace: str
    store: HistoryStore
    queue: TaskQueue
    invoker: WorkflowInvoker
    clock: Clock
    sleep: Sleep = asyncio.sleep
    large: LargePayloads = IN_THE_TABLE
    told: Callable[[str], None] | None = None

    async def reach(self) -> None:
        """See ``HealthCheck.reach``."""
        await self.store.head(WorkflowKey(self.namespace, "durability-health-check"))

    # --- starting ---------------------------------------------------------------------------------------------------

    async def start(self, request: StartRequest, *, wake: bool = True, update_id: str = "") -> Started:
        """See ``Frontend.start``. Without ``wake``, the caller executes the first workflow task itself.

        ``update_id`` names the update that comes with the start: a run that has it is found, whatever the policies say.
        """
        check_identifier("workflow id", request.workflow_id)
        check_identifier("workflow type", request.workflow_type)
        check_identifier("task queue", request.task_queue)
        check_identifier("request id", request.request_id)
        if request.signal_name:
            check_identifier("signal name", request.signal_name)
        check_payloads("the arguments", request.arguments)
        check_payloads("the signal's arguments", request.signal_arguments)
        check_metadata(request.search_attributes, request.priority)
        check_memo(request.memo)
        refuse_references(request)
        check_policies(request)
        return await self.start_as(request, parent=None, root=None, wake=wake, update_id=update_id)

    async def start_as(
        self,
        request: StartRequest,
        *,
        parent: history.ExecutionReference | None,
        root: history.ExecutionReference | None,
        wake: bool = True,
        decided: int = 0,
        update_id: str = "",
    ) -> Started:
        """Start a run, as a child of ``parent`` if that is given; for ``decided`` and ``update_id`` see ``Start``."""
        # A decision that is carried out again must find the run that it has started before.
        run_id = successor_run_id(request.request_id, 0, decided) if decided else new_run_id(self.clock())
        start = Start(self, request, run_id, parent, root, decided, update_id)
        if decided or not self.large.must_move(request, self.namespace, run_id):
            return await start.carry_out(wake=wake)
        try:
            started = await start.carry_out(wake=wake)
        except WorkflowAlreadyStartedError:
            await self._forget_quietly(run_id)
            raise
        # After any other error the run may be there.
        if started.run_id != run_id:
            await self._forget_quietly(run_id)
        return started

    async def _forget_quietly(self, run_id: str) -> None:
        """Delete what was stored for a run that was not started; what is left behind does no harm."""
        with suppress(Exception):
            await self.large.forget(self.namespace, run_id)

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
        check_message("the details", details or [])
        message = self._termination(reason or _NO_REASON, details, identity)
        await self._deliver_or_explain(workflow_id, run_id, message.key, message)

    async def end(self, head: Head, reason: str, details: list[Payload] | None = None) -> None:
        """Terminate a run that was open when its head was read; it may have ended since."""
        message = self._termination(reason, details)
        await self.deliver(head.key, head.run_id, message.key, message)

    def _termination(
        self, reason: str, details: list[Payload] | None, identity: str = ""
    ) -> history.WorkflowExecutionTerminated:
        return history.WorkflowExecutionTerminated(
            time=self.clock(), key="terminate", reason=reason, details=details, identity=identity
        )

    async def delete(self, workflow_id: str, run_id: str | None) -> None:
        """See ``Frontend.delete``."""
        head = await self._head(workflow_id, run_id or None)
        run_id = head.run_id
        if head.open:
            await self.end(head, "deleted")
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
        self,
        key: WorkflowKey,
        run_id: str | None,
        name: str,
        message: Input,
        *,
        chain: bool = False,
        apart: bool = False,
    ) -> bool:
        """Put a message into a run's inbox and wake it if that is owed. False if there is no such open run.

        With ``chain``, ``run_id`` stands for whichever run its chain has come to by continuing as new. For ``apart``
        see ``HistoryStore.deliver``.
        """
        return await Parcel(self, key, name, message, chain, apart).deliver(run_id)

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

    async def wake(self, head: Head) -> None:
        """Send the wake-up that is owed to a run."""
        await self.queue.send_wake_up(head.wake_up_at(0))

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
        first = answer = await self._ask_for_update(request, event)
        while True:
            state = answer.state if answer is not None else None
            left = (deadline - self.clock()) / 1000
            if state is not None or left <= 0 or (first is not None and updates.is_hopeless(first)):
                break
            await self.sleep(min(pause, left))
            pause = min(pause * 2, _LONGEST_PAUSE_OF_UPDATES)
            answer = await self._ask_for_update(request, event)
        if answer is not None and answer.failed_attempts and state is None:
            raise updates.task_fails()
        if state is None:
            return UpdateState(workflow_id=request.workflow_id, run_id="", update_id=request.update_id)
        if state.stage >= request.stage:
            return await self.large.bring_back(state)
        found = await self.update_outcome(
            request.workflow_id, state.run_id, request.update_id, stage=request.stage, wait=max(0.0, left)
        )
        found.existing, found.first_run_id = state.existing, state.first_run_id
        return found

    async def _ask_for_update(self, request: UpdateRequest, event: bytes) -> updates.UpdateAnswer | None:
        """What a workflow function answers to an update; None while none is there that serves the run."""
        try:
            answer = await self.invoker.invoke(event, request.workflow_id)
        except RPCError as error:
            if error.status != RPCStatusCode.DEADLINE_EXCEEDED:
                raise
            return None  # no worker is there; one may come
        return updates.read_answer(request, answer)

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
            deltas = decode_deltas(loaded.deltas)
            if is_open and deltas and closes(deltas[-1][1]):
                deltas.pop()  # takes effect when the head is closed, or is superseded
            found = updates.read_state(state, deltas) or found
            after = deltas[-1][0] if deltas else after
            if not is_open and found:
                updates.end_unfinished(state)
            left = (deadline - self.clock()) / 1000
            if not found and (not is_open or left <= 0):
                if is_open and await self.invoker.is_asked(head.key, head.run_id, update_id):
                    return state
                raise updates.not_found(update_id)
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
            since = max(0, head.open_since - 1)
            await complete(description, self.store, head, [delta async for delta in self._deltas(head, since)])
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
        async for _, delta in self._deltas(await self._head(workflow_id, run_id)):
            if delta.refers or delta.format == history.NOT_WRITTEN:
                delta = await self.large.bring_back(delta)
                delta.refers = False
            yield delta

    async def _deltas(self, head: Head, after: int = 0) -> AsyncIterator[tuple[int, Delta]]:
        """The history of a run as it is stored, of an open one above a number; and what waits for it, numbered 0."""
        if head.open:
            loaded = await self.store.load(head.key, head.run_id, after)
            current, bodies = loaded.head, loaded.deltas
        else:
            current, bodies = None, await self.store.deltas(head.key, head.run_id)
        consumed: set[str] = set()
        for number, delta, _ in effective(decode_deltas(bodies)):
            consumed.update(map(inbox_name, delta.inputs))
            yield number, delta
        if current is None or current.run_id != head.run_id or not current.open:
            return
        waiting = [message for _, message in waiting_messages(current) if inbox_name(message) not in consumed]
        if waiting:
            yield 0, Delta(history.NOT_WRITTEN, current.awake, waiting, [])

    async def list(self, filter: ListFilter) -> Page:
        """A page of runs, newest start first; eventually consistent."""
        if filter.workflow_id:
            check_identifier("workflow id", filter.workflow_id)
        if filter.workflow_type:
            check_identifier("workflow type", filter.workflow_type)
        heads, token = await self.store.list_runs(self.namespace, filter)
        executions = await together(self.large.bring_back(describe_head(head)) for head in heads)
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
