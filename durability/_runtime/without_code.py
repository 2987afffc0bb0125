"""Ending a run whose code, or history, fails, or that nobody serves: told from what is recorded alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from durability._core import history
from durability._core.encoding import decode_deltas, encode_delta
from durability._core.history import Command, Delta, Input
from durability._core.run import Run, effective
from durability._runtime.closing import add_news, superseded
from durability._runtime.dispatch import undispatched
from durability._runtime.inbox import waiting_messages
from durability._runtime.large_payloads import refers
from durability._runtime.ports import FencedError, Head
from durability._runtime.succession import note_retry_state

if TYPE_CHECKING:
    from durability._runtime.workflow_task import WorkflowTask


async def end(task: WorkflowTask) -> bool:
    """End a run that somebody has terminated, or that has timed out: it must always be possible. False if it has not.

    The task is at its beginning, and could not replay the run.
    """
    if not task.head.open or not (_is_terminated(task.head) or _may_be_over(task)):
        return False
    ending = await _Ending.of(task)
    if not ending.run.closed:
        ends: list[Input] = []
        if not _is_terminated(task.head):
            now = task.engine.clock()
            if not 0 < ending.run.run_deadline <= now:
                return False
            ends.append(history.WorkflowExecutionTimedOut(time=now))
        await ending.append(None, (), ends)
    return ending.take_over()


async def fail(task: WorkflowTask, error: Exception, brought: Sequence[Input] = ()) -> bool:
    """Fail a run whose code does not fit its history, as its workflow asks for. False if it is at its end already.

    The end is recorded together with what waits for the run, and with what was ``brought`` to it.
    """
    if not task.head.open:
        return False
    ending = await _Ending.of(task)
    if ending.run.closed:
        return False
    command = history.WorkflowExecutionFailed(task.engine.to_failure(error))
    await task.engine.payloads.encode_failure(ending.run, command.failure)
    await ending.append(command, brought)
    return ending.take_over()


def _is_terminated(head: Head) -> bool:
    return any(isinstance(message, history.WorkflowExecutionTerminated) for _, message in waiting_messages(head))


def _may_be_over(task: WorkflowTask) -> bool:
    """Whether the time of a run may be over; it is not known of one whose first delta was not read."""
    return task.run.started is None or 0 < task.run.run_deadline <= task.engine.clock()


class _Ending:
    """A run as its history says, read again, as what failed may have been read long ago."""

    def __init__(
        self, task: WorkflowTask, run: Run, deltas: list[tuple[int, Delta, int]], again: list[Input] | None
    ) -> None:
        self.task = task
        self.run = run
        self._deltas = deltas
        self._again = again

    @classmethod
    async def of(cls, task: WorkflowTask) -> _Ending:
        """Read the run. Raises FencedError if it is not open any more."""
        loaded = await task.engine.store.load(task.key, task.head.run_id, 0)
        head = loaded.head
        if head is None or head.run_id != task.head.run_id or not head.open:
            raise FencedError
        task.head = head
        run = task.engine.new_run(task.key.workflow_id, head.run_id)
        recorded = list(effective(decode_deltas(loaded.deltas)))
        run.absorb(recorded[:-1])
        again = superseded(run, head, recorded)
        if again is None:
            run.absorb(recorded[-1:])
        return cls(task, run, recorded, again)

    async def append(self, command: Command | None, brought: Sequence[Input], ends: Sequence[Input] = ()) -> None:
        """Record an end, by a command or an input, together with what was brought and what is waiting.

        The input is one that is waiting, or one of those that come last of all.
        """
        run, engine = self.run, self.task.engine
        inputs = list(self._again or ())
        waiting = (message for _, message in waiting_messages(self.task.head))
        add_news(run, inputs, (*brought, *waiting, *ends))
        delta = run.end(inputs, command, engine.clock(), build=engine.build, identity=engine.identity)
        delta.supersedes = self._again is not None
        delta.refers = refers((*delta.inputs, *delta.commands))
        note_retry_state(run)
        body = encode_delta(delta)
        sequence = run.last + 1
        await engine.store.append(self.task.key, run.run_id, sequence, body)
        run.committed(sequence, delta, len(body))
        self._deltas.append((sequence, delta, len(body)))

    def take_over(self) -> bool:
        """Let the workflow task give effect to the end."""
        task = self.task
        task.engine.code.close(task.run)
        task.run, task.superseded = self.run, None
        task.undispatched = undispatched(self._deltas, task.head.dispatched)
        return True
