"""One workflow task: load, replay, advance, append, dispatch, release — and again, as long as there is something to do.

What may crash, and why nothing is lost: the message that started the task is acknowledged only when ``execute``
returns; until then it comes again. Deltas above the head's ``dispatched`` number are dispatched again, idempotently.
Appending is the only fence: an executor that lost the race knows nothing and has done nothing, reloads, and starts
over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from durability._core import history
from durability._core.encoding import decode_deltas, encode_delta, encode_input
from durability._core.event_count import activates
from durability._core.history import Command, Delta, Input
from durability._core.run import Run, is_self_contained
from durability._runtime import closing, without_code
from durability._runtime.dispatch import Decision, Dispatcher, decisions, undispatched
from durability._runtime.dispatched import DispatchedActivities
from durability._runtime.eager import EagerActivities
from durability._runtime.engine import Engine
from durability._runtime.inbox import deadline_in, inbox_name, waiting_messages
from durability._runtime.large_payloads import refers
from durability._runtime.ports import FencedError, Head, HeadRecord, Settlement, WakeUp, WorkflowKey
from durability._runtime.starting import check_starts
from durability._runtime.succession import held_until, note_retry_state
from durability._runtime.task_failures import fail_task
from durability._runtime.turns import Turn
from durability._runtime.updates import PendingUpdate
from durability._runtime.validation import check_decisions
from durability._runtime.wakeups import CLOCKS_DIFFER_BY, is_needed
from durability.exceptions import ApplicationError


class _WorkflowTaskFailed(Exception):
    """User code, or its history, failed the workflow task; the cause says how."""


async def execute(engine: Engine, wake_up: WakeUp, *, deadline: int) -> None:
    """Do what a run needs now, until it is released.

    Args:
        engine: Ports and user code.
        wake_up: Which run, and for when it was to be woken.
        deadline: When this invocation ends, in milliseconds since the epoch.

    Raises:
        Exception: A port failed. The message must not be acknowledged.
    """
    if await engine.wake_ups.put_back(wake_up, engine.clock()):
        return
    await WorkflowTask(engine, wake_up, deadline).run_to_release()


async def catch_up(engine: Engine, wake_up: WakeUp, *, deadline: int) -> None:
    """Let a run consume what it has been sent; what follows is left to another invocation, as a caller waits.

    Raises:
        Exception: A port failed.
    """
    await WorkflowTask(engine, wake_up, deadline, hurried=True).run_to_release()


async def deliver_update(engine: Engine, wake_up: WakeUp, update: PendingUpdate, *, deadline: int) -> None:
    """Do what a run needs now, an update included, and note in ``update`` what became of it.

    Raises:
        Exception: A port failed.
    """
    await WorkflowTask(engine, wake_up, deadline, update, hurried=True).run_to_release()


@dataclass(slots=True)
class WorkflowTask:
    """One executor at work on one run. If it is ``hurried`` it begins no eager activities: somebody waits for it."""

    engine: Engine
    wake_up: WakeUp
    deadline: int
    update: PendingUpdate | None = None
    hurried: bool = False
    key: WorkflowKey = field(init=False)
    eager: EagerActivities = field(init=False)
    dispatched: DispatchedActivities = field(init=False)
    dispatcher: Dispatcher = field(init=False)
    head: Head = field(init=False)
    run: Run = field(init=False)
    news: list[Input] = field(default_factory=list)
    superseded: list[Input] | None = None
    undispatched: list[Decision] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _strays: set[str] = field(default_factory=set)
    _unrecorded: list[Input] = field(default_factory=list)
    _collected: int = 0
    _looked: int = 0
    _continued_here: str = ""
    _advanced: bool = False
    _turn: Turn = field(default_factory=Turn)

    def __post_init__(self) -> None:
        engine = self.engine
        self.key = WorkflowKey(engine.namespace, self.wake_up.workflow_id)
        capacity = self.deadline - engine.settings.reserve - engine.clock()
        self.eager = EagerActivities(engine, 0 if self.hurried else self.deadline, capacity)
        self.dispatched = DispatchedActivities(engine)
        self.dispatcher = Dispatcher(engine, self.eager, self.dispatched)

    async def run_to_release(self) -> None:
        """Work until nothing is left to do, here or in this executor's eager activities; or end them as well."""
        if self.wake_up.due and not await is_needed(self.engine, self.wake_up):
            return
        run_id = self.wake_up.run_id
        try:
            while run_id:
                run_id = await self._work_on(run_id)
        finally:
            await self.eager.stop()

    async def _work_on(self, run_id: str) -> str:
        """Work on one run until it is released. Returns the id of the run that follows it here, or nothing."""
        while True:
            async with self.engine.turns.of(self.key.workflow_id) as turn:
                self._turn = turn
                turn.on_wanted = self.eager.changed.set
                async with self.engine.workflow_slot() as use_slot:
                    needed, successor = await self._take_turn(run_id, use_slot)
            if successor or not needed or not await self._report_as_anybody(run_id):
                return successor

    async def _take_turn(self, run_id: str, use_slot: Callable[[str], None]) -> tuple[bool, str]:
        """Work on one run until it is released.

        Returns whether it needed anything, and the id of the run that follows it here, or nothing.
        """
        held = self.engine.sessions.take(self.key.workflow_id, run_id)
        while True:
            try:
                if not await self._load(run_id, held):
                    self._drop(held)
                    return False, ""
                use_slot(self.head.workflow_type)
                successor = await self._progress()
                if successor and await self._go_on_in(successor):
                    return True, successor
                if not self.run.closed:
                    self.run.dispatched = self.run.last
                    self.engine.sessions.put(self.run)
                return True, ""
            except FencedError:
                self.engine.code.close(self.run)
                if self.update is not None:
                    self.update.forget()
                held = None
            except _WorkflowTaskFailed as failed:
                self.engine.code.close(self.run)
                await self._fail(failed.__cause__)
                return True, ""
            except BaseException:  # of a port, or the end of this process
                self._drop(held)
                raise

    def _drop(self, held: Run | None) -> None:
        """Close what is not kept: the garbage collector might run its code in the middle of another run's."""
        for run in (held, getattr(self, "run", None)):
            if run is not None:
                self.engine.code.close(run)

    async def _fail(self, error: BaseException | None) -> None:
        """Leave what eager activities have brought in the inbox, and show the error."""
        assert error is not None
        for message in self._unrecorded:
            if isinstance(message, history.ActivityOutcome | history.ActivityRetryScheduled):
                await self._report(self.head.run_id, message)
        self._unrecorded = []
        await fail_task(self.engine, self.head, self.run, error)

    async def _go_on_in(self, successor: str) -> bool:
        """Whether the next run can be worked on here.

        Not while attempts of this one, numbered alike, are under way, nor if it continues on somebody else's queue.
        """
        for outcomes in (self.news, self._unrecorded, self.eager.news):
            outcomes.clear()
        task_queue = getattr(self.run.closing, "task_queue", "") or self.head.task_queue
        if self.eager.busy or await self.engine.routes.elsewhere(task_queue, "workflow"):
            await self.engine.queue.send_wake_up(WakeUp(self.key.workflow_id, successor, task_queue=task_queue))
            return False
        self._continued_here = successor
        return True

    # --- load and replay --------------------------------------------------------------------------------------------

    async def _load(self, run_id: str, held: Run | None) -> bool:
        """Read what this process does not hold. False if the run needs nothing from anybody."""
        self._looked = self.engine.clock()
        loaded = await self.engine.store.load(self.key, run_id, held.last if held else 0)
        head = loaded.head
        if head is None or head.run_id != run_id:
            return False
        if held is not None and max(head.dispatched, held.dispatched) < held.last_effect:
            # Whoever appended what is held may have died before dispatching it: its commands are needed.
            self.engine.code.close(held)
            return await self._load(run_id, None)
        self.head = head
        self._seen, self._strays = set(), set()
        self._advanced = False
        self.eager.elsewhere = await self.engine.routes.elsewhere(head.task_queue, "activity")
        self.run = held or self.engine.new_run(self.key.workflow_id, run_id)
        if not head.open and head.dispatched >= self.run.last + len(loaded.deltas) and not head.awake:
            return False
        try:
            deltas = decode_deltas(loaded.deltas)
            self.superseded = await closing.replay(self.engine.payloads, self.run, head, deltas)
        except Exception as error:
            if await without_code.end(self):
                return True
            if self.run.is_failure_exception(error) and await without_code.fail(self, error):
                return True
            raise _WorkflowTaskFailed from error
        if self.superseded is not None and head.apart:
            if not await self.engine.store.count_again(head):
                raise FencedError
            head.counter += 1
        self.undispatched = undispatched(deltas, head.dispatched)
        return True

    async def _replay_afresh(self, inputs: list[Input]) -> bool:
        """Where no run is held from one task to the next, this executor's tasks are no exception.

        False if the run has failed, as its code does not fit its history; it has consumed ``inputs`` then.
        """
        if self.superseded is not None:
            return True
        run = self.run
        deltas = await self.engine.store.deltas(self.key, run.run_id)
        if len(deltas) != run.last:
            raise FencedError
        self.run = self.engine.new_run(run.workflow_id, run.run_id)
        self.run.dispatched = run.dispatched
        self.engine.code.close(run)
        self._advanced = False
        try:
            await self.engine.payloads.replay(self.run, decode_deltas(deltas))
        except Exception as error:
            if self.run.is_failure_exception(error):
                inputs = await self.engine.payloads.stored(self.run, inputs)
                if await without_code.fail(self, error, inputs):
                    return False
            raise _WorkflowTaskFailed from error
        return True

    # --- advance ----------------------------------------------------------------------------------------------------

    async def _progress(self) -> str:
        """Advance until the run is released. Returns the id of the run that follows a closed one here, or nothing."""
        if self.head.dispatched == 0 and self.run.run_id != self._continued_here:
            await closing.finish_predecessor(self)
        if self.run.last == 0 and await self._postponed():
            return ""
        if self.undispatched and not self.run.closed:
            self.news += await self.dispatcher.dispatch(self.run, self.undispatched)
        while True:
            if self.run.closed:
                return await closing.close(self, self.undispatched)
            inputs = await self._collect()
            if inputs:
                afresh = self._advanced and not self.engine.sessions.limit and self.run.begins_task(inputs)
                if afresh and not await self._replay_afresh(inputs):
                    continue
                await self._advance(inputs)
                continue
            if self.eager.handed_over and not self.eager.busy:
                await self.engine.queue.send_wake_up(self.head.wake_up_at(0))
                return ""
            if await self._wait_here():
                continue
            if await self._release():
                return ""

    async def _postponed(self) -> bool:
        """Leave a run whose first workflow task is not due yet. Raises FencedError to have the run looked at again."""
        engine, head = self.engine, self.head
        now = engine.clock()
        if head.record.execution_time <= now:
            return False
        waiting = [message for _, message in waiting_messages(head)]
        until = held_until(head, waiting, updated=self.update is not None)
        if until <= now:
            return False
        if until - now <= engine.settings.linger:
            await engine.sleep((until - now) / 1000)
            raise FencedError
        await engine.wake_ups.at(head.wake_up_at(until), now)
        if not await engine.store.postpone(head, until):
            raise FencedError
        return True

    async def _collect(self) -> list[Input]:
        """Everything that has come and that the run has not consumed."""
        now = self._collected = self.engine.clock()
        given_up = 0 < self.dispatched.next_due(self.run) <= now  # unless its outcome is waiting
        in_time = now < self.deadline - self.engine.settings.reserve
        if given_up or (in_time and now - self._looked > self.engine.settings.look_after):
            await self._read_head_again()
        inputs = list(self.superseded or ())
        self._unrecorded = [*self._unrecorded, *self.news, *self.eager.news]
        self.news.clear()
        self.eager.news.clear()
        # What was dispatched comes first: the start of a child before its end, which may be waiting already.
        candidates = [*self._unrecorded, *await self._waiting()]
        if self.update is not None and self.update.is_for(self.run.run_id):
            if self.run.accepts(self.update.message):
                candidates.append(self.update.message)
            else:
                self.update.found(self.key.workflow_id, self.run.run_id)
        if self.run.started is not None:
            ended = {message.sequence for message in candidates if isinstance(message, history.ActivityOutcome)}
            candidates += self.run.due_inputs(now)
            candidates += self.eager.begin_due(self.run, now, ended)
            candidates += await self.dispatched.overdue(self.run, now, ended)
        elif 0 < deadline_in(candidates) <= now:  # all that time it could not begin, or nobody was there
            candidates.append(history.WorkflowExecutionTimedOut(time=now))
        closing.add_news(self.run, inputs, candidates)
        return inputs

    async def _waiting(self) -> list[Input]:
        """What waits in the inbox and has not been seen. Raises FencedError if somebody else advanced.

        A message that the run does not take may be about what somebody else has decided since the history was read:
        only once it is certain that nobody has may it be dropped.
        """
        while True:
            waiting = waiting_messages(self.head, seen=self._seen)
            strays = {name for name, message in waiting if not self.run.places(message)} - self._strays
            if not strays:
                self._seen.update(name for name, _ in waiting)
                return [message for _, message in waiting]
            self._strays |= strays
            await self._read_head_again()

    async def _read_head_again(self) -> None:
        """See what has come to the inbox. Raises FencedError if somebody else advanced."""
        self._looked = self.engine.clock()
        loaded = await self.engine.store.load(self.key, self.run.run_id, self.run.last)
        if loaded.head is None or loaded.deltas:
            raise FencedError
        await self.go_on_with(loaded.head)

    async def _advance(self, inputs: list[Input]) -> None:
        """Let the workflow consume the inputs, make what it decided durable, and only then act on it."""
        engine = self.engine
        inputs = await engine.payloads.stored(self.run, inputs)
        try:
            delta = await self._decide(inputs, engine.clock())
            check_starts(delta)
            check_decisions(delta, self.changed_record())
        except Exception as error:
            raise _WorkflowTaskFailed from error
        assert self.run.started is not None
        delta.supersedes = self.superseded is not None
        if not self.run.closed:
            self.eager.planned = 0
            for command in delta.commands:
                if isinstance(command, history.ActivityTaskScheduled):
                    command.eager_deadline = self.eager.plan(command, self.run.started.task_queue, delta.time)
                    self.run.note_eager(command)
        if self.run.closed:
            note_retry_state(self.run)
        if not (delta.inputs or delta.commands or delta.supersedes):
            self._note_update(delta)  # rejected, and nothing to record
            return
        if self.update is not None and not is_self_contained(delta):
            await self._announce_update(delta)
        body = encode_delta(delta)
        sequence = self.run.last + 1
        await engine.store.append(self.key, self.run.run_id, sequence, body)
        self.superseded = None
        self._unrecorded = []
        self.run.committed(sequence, delta, len(body))
        self._advanced = True
        self._note_update(delta)
        if self.run.closed:
            self.undispatched = decisions(delta)
            return
        self._start_eager(delta)
        self.news += await self.dispatcher.dispatch(self.run, decisions(delta))

    async def _decide(self, inputs: list[Input], now: int) -> Delta:
        """The delta of inputs and of what the workflow decides when it is shown them."""
        engine, run, payloads = self.engine, self.run, self.engine.payloads
        try:
            # A codec that fails is no reason for a run to go on that has been terminated, or has timed out.
            seen = await payloads.seen(run, inputs) if activates(inputs) else inputs
        except ApplicationError as error:
            if not error.non_retryable:
                raise
            run.absorb_inputs(inputs, now)  # as in the reference: a codec may fail the workflow for good
            commands: list[Command] = [history.WorkflowExecutionFailed(engine.to_failure(error))]
        else:
            commands = await engine.code.call(run, lambda: run.decide(inputs, now, seen, build=engine.build))
        commands = await payloads.stored(run, await payloads.recorded(run, commands))
        delta = run.record(inputs, commands, now, build=engine.build, identity=engine.identity)
        delta.refers = refers((*inputs, *commands))
        return delta

    def _note_update(self, delta: Delta) -> None:
        if self.update is not None:
            self.update.note(self.key.workflow_id, self.run.run_id, delta, self.run.rejections)

    async def _announce_update(self, delta: Delta) -> None:
        """Before an update has effects: put it into the inbox, so that the run is found if this executor dies.

        Not if the delta consumes anything else from the inbox: then the run is awake for that.
        """
        assert self.update is not None
        message = self.update.message
        consumed = set(map(closing.identity, delta.inputs))
        waiting = {closing.identity(other) for _, other in waiting_messages(self.head)}
        if closing.identity(message) not in consumed or consumed & waiting:
            return
        name, now = f"u:{message.key}", self.engine.clock()
        recorded = next(one for one in delta.inputs if closing.identity(one) == closing.identity(message))
        delivery = await self.engine.store.deliver(self.key, self.run.run_id, name, encode_input(recorded), now)
        if not delivery.accepted or delivery.before is None:
            raise FencedError
        self.head.awake = self.head.awake or now
        if delivery.before.counter == self.head.counter:
            self.head.counter += 1
            self._seen.add(name)

    def _start_eager(self, delta: Delta) -> None:
        for record in (*delta.inputs, *delta.commands):
            if isinstance(record, history.ActivityTaskScheduled | history.ActivityRetryScheduled):
                activity = self.run.activities.get(record.sequence)
                if activity is not None and activity.eager and activity.deadline > 0:
                    self.eager.start(self.run, activity)

    # --- wait and release -------------------------------------------------------------------------------------------

    def next_due(self, *, released: bool = False) -> int:
        """When time alone will next bring the run something, here or, once it is released, anywhere; 0 for never."""
        times = [
            *self.run.timers.values(),
            self.run.run_deadline,
            self.eager.next_due(self.run, released=released),
            self.dispatched.next_due(self.run),
        ]
        return min((time for time in times if time > 0), default=0)

    async def _wait_here(self) -> bool:
        """Wait for what will come in a moment. True if something may have come."""
        if self.hurried and (self.update is None or self.update.answered):
            return False
        engine = self.engine
        now = engine.clock()
        due = self.next_due()
        if due <= self._collected:
            due = 0  # looked at, and left to another invocation
        patience = engine.settings.detach_after if self.eager.busy else 0
        near = max(engine.settings.linger, patience)  # what comes while eager activities are waited for anyway
        if due and due - now <= near and due < self.deadline - engine.settings.reserve:
            patience = max(0, due - now) if not patience else min(patience, max(0, due - now))
        elif not patience:
            return False
        if self._turn.waiting:
            return False
        return await self.eager.wait_for_news(patience) or (due != 0 and engine.clock() >= due)

    async def _release(self) -> bool:
        """Let go of the run, unless something new has come. True if it is released."""
        head, engine = self.head, self.engine
        now = engine.clock()
        due = self.next_due(released=True)
        spent = head.wake_up <= now or head.wake_up == self.wake_up.due
        wake_up = 0 if spent else head.wake_up
        # Whose clock is ahead may have had one for an earlier time, found nothing due, and left it at that.
        if due and not (wake_up == due or now + CLOCKS_DIFFER_BY < wake_up < due):
            await engine.wake_ups.at(head.wake_up_at(due), now)
            wake_up = due
        recorded = head.dispatched >= self.run.last_effect and self.changed_record() is None
        unchanged = recorded and not head.awake and not head.inbox
        if unchanged and wake_up == head.wake_up and not head.task_attempts:
            return True
        settlement = Settlement(
            dispatched=self.run.last,
            wake_up=wake_up,
            history_length=self.run.history_length,
            open_since=self.run.open_since,
            attention=due,
            record=self.changed_record(),
        )
        conflict = await engine.store.settle(head, settlement, drop=list(self._seen))
        if conflict is None:
            return True
        await self.go_on_with(conflict)
        return False

    async def go_on_with(self, head: Head) -> None:
        """Take over a head that has news. Raises FencedError if the run is not where this executor thinks it is."""
        if head.run_id != self.run.run_id or head.dispatched != self.head.dispatched or not head.open:
            raise FencedError
        if len(self._seen) >= self.engine.settings.drop_messages:
            dropped = await self.engine.store.drop(head, self.head.dispatched, sorted(self._seen))
            if dropped is None:
                raise FencedError
            head = dropped
            self._seen.clear()
        self.head = head

    def changed_record(self) -> HeadRecord | None:
        """What the head is to say of memo and search attributes, if the workflow changed them."""
        record = self.head.record
        if record.memo == self.run.memo and record.search_attributes == self.run.search_attributes:
            return None
        return msgspec.structs.replace(record, memo=self.run.memo, search_attributes=self.run.search_attributes)

    async def _report(self, run_id: str, message: Input) -> bool:
        """Put an eager outcome into the inbox. True if that makes the run this executor's business."""
        [message] = await self.engine.payloads.stored(self.run, [message])
        name, body = inbox_name(message), encode_input(message)
        delivery = await self.engine.store.deliver(self.key, run_id, name, body, self.engine.clock())
        before = delivery.before
        if not delivery.accepted or before is None:
            return False
        # What is there already was put there by a request of this executor whose answer was lost.
        return not before.awake or name in before.inbox

    async def _report_as_anybody(self, run_id: str) -> bool:
        """After the release: deliver eager outcomes through the inbox. True if that makes the run ours again."""
        self.eager.released = True
        if self.eager.busy and not self.run.closed:
            await self.eager.keep_details(self.run)
        while self.eager.busy or self.eager.news:
            await self.eager.wait_for_news(None)
            mine = False
            while self.eager.news:
                message = self.eager.news.popleft()
                mine = await self._report(run_id, message) or mine
            if mine:
                return True
        return False
