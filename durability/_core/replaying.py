"""Replaying a recorded history: does the code still decide what the history says?"""

from __future__ import annotations

from collections.abc import Sequence

from durability._core import history
from durability._core.activation import Activation, RunDetails, WorkflowInstance
from durability._core.errors import NONDETERMINISM, NondeterminismError
from durability._core.from_events import LocalOutcome, RecordedTask
from durability._core.history import Command, Input
from durability._core.matching import match_commands
from durability._core.run import InstanceFactory

_CLOSING_INPUTS = (history.WorkflowExecutionTerminated, history.WorkflowExecutionTimedOut)
_WITHOUT_EVENTS = (history.SignalExternalWorkflowExecutionCanceled, history.WorkflowExecutionUpdateRejected)


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
        self._requested: dict[int, history.ActivityTaskScheduled] = {}

    def task(self, number: int, task: RecordedTask) -> None:
        delta = task.delta
        if any(isinstance(message, _CLOSING_INPUTS) for message in delta.inputs):
            return
        patches = tuple(c.patch_id for c in delta.commands if isinstance(c, history.PatchMarkerRecorded))
        decided = self._activate(task, delta.inputs, patches) if delta.inputs else []
        for local in task.local_outcomes:
            self._check_local(number, local)
            decided += self._activate(task, [local.outcome], patches)  # type: ignore[list-item]
        if task.completed:
            match_commands(decided, delta.commands, number)

    def _activate(self, task: RecordedTask, inputs: list[Input], patches: tuple[str, ...]) -> list[Command]:
        commands = self._instance.activate(
            Activation(
                time=task.delta.time,
                inputs=inputs,
                is_replaying=task.completed,
                patches=patches,
                history_length=task.history_length,
                build=task.delta.build,
            )
        )
        visible: list[Command] = []
        for command in commands:
            if isinstance(command, history.ActivityTaskScheduled) and command.local:
                self._requested[command.sequence] = command
            elif isinstance(command, history.ActivityTaskCancelRequested) and command.sequence in self._requested:
                pass  # leaves no event
            elif not isinstance(command, _WITHOUT_EVENTS):
                visible.append(command)
        return visible

    def _check_local(self, number: int, local: LocalOutcome) -> None:
        requested = self._requested.get(local.outcome.sequence)
        if requested is None or (local.activity_type and requested.activity_type != local.activity_type):
            raise NondeterminismError(
                NONDETERMINISM
                + f"the workflow code is not the code that wrote this history: in workflow task {number}, the history "
                f"has the outcome of local activity {local.activity_type!r}, number {local.outcome.sequence}, but the "
                f"code asked for {requested.activity_type if requested else 'none'}"
            )
