"""Replaying a recorded history: does the code still decide what the history says?"""

from __future__ import annotations

from collections.abc import Sequence

from durability._core import history
from durability._core.activation import Activation, RunDetails, WorkflowInstance
from durability._core.errors import NONDETERMINISM, NondeterminismError
from durability._core.event_count import CLOSING_INPUTS, count_inputs, count_task, has_event
from durability._core.history import Command, Input
from durability._core.matching import match_commands
from durability._core.recorded_task import LocalOutcome, RecordedTask
from durability._core.run import InstanceFactory


def replay_tasks(
    tasks: Sequence[RecordedTask], namespace: str, workflow_id: str, run_id: str, factory: InstanceFactory
) -> None:
    """Run the workflow's code through the tasks of its history.

    Raises:
        NondeterminismError: The code does not decide what the history says it decided.
        Exception: What user code raised that fails a workflow task.
    """
    started = tasks[0].delta.inputs[0] if tasks and tasks[0].delta.inputs else None
    if not isinstance(started, history.WorkflowExecutionStarted):
        raise ValueError("the history has no start of a workflow")
    instance = factory(RunDetails(namespace, workflow_id, run_id, started))
    try:
        replay = _Replay(instance)
        for number, task in enumerate(tasks, 1):
            replay.task(number, task)
    finally:
        instance.close()


class _Replay:
    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance
        self._local: dict[int, str] = {}
        self._events = 0

    def task(self, number: int, task: RecordedTask) -> None:
        delta = task.delta
        if any(isinstance(message, CLOSING_INPUTS) for message in delta.inputs):
            return
        patches = tuple(c.patch_id for c in delta.commands if isinstance(c, history.PatchMarkerRecorded))
        self._events = task.history_length - 2 - count_inputs(delta.inputs, self._local)
        decided = self._activate(task, delta.inputs, patches) if delta.inputs else []
        for local in task.local_outcomes:
            self._check_local(number, local)
            if any(isinstance(command, history.CLOSING_COMMANDS) for command in decided):
                break  # the marker of one that the end left behind
            decided += self._activate(task, [local.outcome], patches)  # type: ignore[list-item]
        if task.completed:
            match_commands(decided, delta.commands, number)

    def _activate(self, task: RecordedTask, inputs: list[Input], patches: tuple[str, ...]) -> list[Command]:
        before = self._events
        self._events += count_inputs(inputs, self._local) + count_task(inputs, self._local)
        commands = self._instance.activate(
            Activation(
                time=task.delta.time,
                inputs=inputs,
                is_replaying=task.completed,
                patches=patches,
                events_before=before,
                events_until_commands=self._events,
                history_length=task.history_length,
                history_size=task.history_size,
                continue_as_new_suggested=task.delta.suggests_continue_as_new,
                build=task.delta.build,
                drop_after_end=task.drop_after_end,
                outcomes_win=task.outcomes_win,
            )
        )
        for command in commands:
            if isinstance(command, history.ActivityTaskScheduled) and command.local:
                self._local[command.sequence] = command.activity_type
        visible = [command for command in commands if has_event(command, self._local)]
        self._events += len(visible)
        return visible

    def _check_local(self, number: int, local: LocalOutcome) -> None:
        requested = self._local.get(local.outcome.sequence)
        if requested is None or (local.activity_type and requested != local.activity_type):
            raise NondeterminismError(
                NONDETERMINISM
                + f"the workflow code is not the code that wrote this history: in workflow task {number}, the history "
                f"has the outcome of local activity {local.activity_type!r}, number {local.outcome.sequence}, but the "
                f"code asked for {requested or 'none'}"
            )
