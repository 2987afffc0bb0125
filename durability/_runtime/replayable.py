"""Recorded histories as workflows are shown them: with their payloads decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn, cast

import msgspec

from durability._core import history
from durability._core.activation import RunDetails
from durability._core.history import ActivityTaskScheduled, Input
from durability._core.recorded_task import LocalOutcome, RecordedTask
from durability._core.run import Run
from durability._runtime.workflow_payloads import WorkflowPayloads


async def decoded_tasks(
    payloads: WorkflowPayloads, tasks: Sequence[RecordedTask], namespace: str, workflow_id: str, run_id: str
) -> tuple[Sequence[RecordedTask], Exception | None]:
    """The workflow tasks of a history, ready for being replayed.

    If codec or storages fail with one, the list ends before it, and there is their error.
    """
    run = Run(namespace, workflow_id, run_id, _no_instance)
    decoded: list[RecordedTask] = []
    for task in tasks:
        delta = task.delta
        try:
            inputs = await payloads.decoded(run, delta.inputs, thorough=True)
            run.absorb_inputs(delta.inputs, delta.time)
            run.record(delta.inputs, delta.commands, delta.time)
            outcomes = [await _local_outcome(payloads, run, local, delta.time) for local in task.local_outcomes]
        except Exception as error:
            return decoded, error
        decoded.append(replace(task, delta=msgspec.structs.replace(delta, inputs=inputs), local_outcomes=outcomes))
    return decoded, None


async def _local_outcome(payloads: WorkflowPayloads, run: Run, local: LocalOutcome, time: int) -> LocalOutcome:
    """Histories of events have no command that scheduled a local activity; the context of its payloads needs one."""
    scheduled = ActivityTaskScheduled(
        local.outcome.sequence, local.activity_id, local.activity_type, "", [], local=True
    )
    run.record([], [scheduled], time)
    [outcome] = await payloads.decoded(run, [cast(Input, local.outcome)], thorough=True)
    run.absorb_inputs([outcome], time)
    return replace(local, outcome=cast(history.ActivityOutcome, outcome))


def _no_instance(details: RunDetails) -> NoReturn:
    raise AssertionError(f"run {details.run_id} is only kept account of")
