"""The end of a run.

The closing delta is appended like any other, but takes effect only when the head is closed, on the condition that no
message was accepted in between. If one was, the delta is superseded: its inputs are consumed again together with the
message (Temporal's server does the same when it answers "unhandled command"). So a sender who was told "accepted"
finds its message in the history, and nothing that a superseded delta decided was ever visible.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from durability._core import history
from durability._core.encoding import decode_deltas
from durability._core.history import Delta, Input, closes
from durability._core.run import Run, acceptable, effective
from durability._runtime.dispatch import Decision, undispatched
from durability._runtime.identifiers import successor_run_id
from durability._runtime.inbox import waiting_messages
from durability._runtime.outcomes import status_of, stored_outcome
from durability._runtime.ports import FencedError, Head, Settlement
from durability._runtime.starting import first_head
from durability._runtime.succession import successor_of
from durability._runtime.workflow_payloads import WorkflowPayloads

if TYPE_CHECKING:
    from durability._runtime.workflow_task import WorkflowTask

HEAD_OUTCOME_LIMIT: Final = 2_000
"""Bytes: a larger result is not copied into the head but read from the last delta."""


def identity(message: Input) -> tuple[Any, ...]:
    """What makes two messages the same."""
    match message:
        case history.ActivityOutcome():
            return ("activity", message.sequence)
        case history.ActivityRetryScheduled():
            return ("retry", message.sequence)
        case history.TimerFired():
            return ("timer", message.sequence)
        case history.WorkflowExecutionStarted():
            return ("start",)
        case history.ChildWorkflowExecutionStarted() | history.StartChildWorkflowExecutionFailed():
            return ("child-start", message.sequence)
        case history.WorkflowExecutionTimedOut():
            return ("timeout",)
        case _:
            return (message.key,)


def add_news(run: Run, inputs: list[Input], candidates: Iterable[Input]) -> None:
    """Add to ``inputs`` those candidates that the run has not consumed, each once."""
    known = set(map(identity, inputs))
    for message in candidates:
        if isinstance(message, history.WorkflowExecutionStarted):
            known.update((key,) for key in message.recent_keys)
        name = identity(message)
        if name not in known and run.accepts(message):
            known.add(name)
            inputs.append(message)


async def replay(
    payloads: WorkflowPayloads, run: Run, head: Head, deltas: Iterable[tuple[int, Delta, int]]
) -> list[Input] | None:
    """Replay what was read, but for a closing delta that is superseded, as a message was accepted after it.

    Returns:
        The inputs of that delta, to be consumed again together with the message; None if there is none.

    Raises:
        Exception: See ``WorkflowPayloads.replay``.
    """
    recorded = list(effective(deltas))
    await payloads.replay(run, recorded[:-1])
    inputs = superseded(run, head, recorded)
    if inputs is None:
        await payloads.replay(run, recorded[-1:])
    return inputs


def superseded(run: Run, head: Head, recorded: list[tuple[int, Delta, int]]) -> list[Input] | None:
    """The inputs of the last delta, if it is a closing one that never took effect, as a message was accepted after it.

    Args:
        run: As it was before that delta. If it is superseded, its number and time are noted here.
        head: As it was when all deltas had been read, or later.
        recorded: The effective deltas.
    """
    last = recorded[-1] if recorded else None
    if last is None or not head.open or head.run_id != run.run_id or not closes(last[1]):
        return None
    known = set(map(identity, last[1].inputs))
    come = [m for _, m in waiting_messages(head) if identity(m) not in known and run.accepts(m)]
    if len(acceptable([*last[1].inputs, *come])) == len(last[1].inputs):
        return None
    run.last = last[0]
    run.time = max(run.time, last[1].time)  # its timers have fired: time does not go back
    return last[1].inputs


async def close(task: WorkflowTask, commands: list[Decision]) -> str:
    """Give effect to a closing delta. Returns the id of the run that follows, or nothing.

    Raises:
        FencedError: A message had come; on reloading, the closing delta is superseded.
    """
    run, head, engine = task.run, task.head, task.engine
    ending = run.closing
    assert ending is not None
    started = successor_of(run, max(run.time, engine.clock())) if head.open else None
    if started is not None:
        return await _go_on_as(task, started, commands)
    leaves = task.dispatcher.has_work_at_close(run, commands, successor=False)
    if head.open:
        settlement = Settlement(
            dispatched=head.dispatched if leaves else run.last,
            wake_up=0,
            history_length=run.history_length,
            status=status_of(ending),
            close_time=run.time,
            outcome=stored_outcome(ending, HEAD_OUTCOME_LIMIT),
            record=task.changed_record(),
            attention=engine.clock() if leaves else 0,
            awake=engine.clock() if leaves else 0,
        )
        if await engine.store.settle(head, settlement, drop=list(head.inbox)) is not None:
            raise FencedError
    if leaves or not head.open:
        await task.dispatcher.dispatch_close(run, commands, successor=False)
        await engine.store.finish(task.key, run.run_id, run.last)
    engine.code.close(run)
    return ""


async def _go_on_as(task: WorkflowTask, started: history.WorkflowExecutionStarted, commands: list[Decision]) -> str:
    run, head, engine = task.run, task.head, task.engine
    leaves = task.dispatcher.has_work_at_close(run, commands, successor=True)
    run_id = successor_run_id(run.run_id, run.last, run.time)
    assert run.closing is not None
    started = await engine.large.put_away(started, task.key.namespace, run_id)
    successor = first_head(task.key, run_id, started, {"start": started}, started.time)
    summary = dataclasses.replace(
        head,
        status=status_of(run.closing),
        close_time=run.time,
        dispatched=head.dispatched if leaves else run.last,
        outcome=stored_outcome(run.closing, HEAD_OUTCOME_LIMIT),
        next_run_id=run_id,
        history_length=run.history_length,
        inbox={},
        awake=0,
        attention=0,
        wake_up=0,
    )
    existing = await engine.store.replace(successor, head, summary)
    if existing is not None and existing.run_id != run_id:
        raise FencedError
    if leaves or existing is not None:  # by an executor that may have left what this one has done, and died
        await _dispatch_predecessor(task, run, commands)
    engine.code.close(run)
    return run_id


async def _dispatch_predecessor(task: WorkflowTask, run: Run, commands: list[Decision]) -> None:
    await task.dispatcher.dispatch_close(run, commands, successor=True)
    await task.engine.store.finish_closed(task.key, run.run_id, run.last)


async def finish_predecessor(task: WorkflowTask) -> None:
    """Before a run's first release: dispatch what the run before it left, if its executor died after being replaced."""
    started = task.run.started
    if started is None:
        waiting = [message for _, message in waiting_messages(task.head)]
        started = next(message for message in waiting if isinstance(message, history.WorkflowExecutionStarted))
    run_id = started.continued_run_id
    summary = await task.engine.store.closed_run(task.key, run_id) if run_id else None
    if summary is None or not summary.next_run_id:
        return
    bodies = await task.engine.store.deltas(task.key, run_id)
    if not bodies or summary.dispatched >= bodies[-1][0]:
        return
    run = task.engine.new_run(task.key.workflow_id, run_id)
    deltas = decode_deltas(bodies)
    await task.engine.payloads.replay(run, deltas)
    await _dispatch_predecessor(task, run, undispatched(deltas, summary.dispatched))
    task.engine.code.close(run)
