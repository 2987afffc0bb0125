"""Runs that sleep, on a stack of their own: earlier runs' outstanding wake-ups must not blur the counts."""

from __future__ import annotations

import json

import pytest

from .application.workflows import Sequence, Sleeper
from .invariants import check
from .stage import Stage, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_sleeping_runs_cost_nothing(stage: Stage) -> None:
    """While another run works, nothing is asked or done for those that sleep."""
    sleepers = [f"sleeper-{number}" for number in range(5)]
    for number, workflow_id in enumerate(sleepers):
        await stage.client.start_workflow(Sleeper.run, 600 + 600 * number, id=workflow_id, task_queue="e2e")
    await eventually(lambda: all(stage.head(workflow_id).wake_up for workflow_id in sleepers))
    await stage.idle()
    check(stage)
    stage.cloud.reset_requests()
    invocations = sum(function.invocations for function in stage.cloud.functions.values())
    handle = await stage.client.start_workflow(Sequence.run, 5, id="bystander", task_queue="e2e")
    assert await handle.result() == 5
    await stage.idle()
    assert sum(function.invocations for function in stage.cloud.functions.values()) == invocations + 1
    asked = [json.dumps(record) for record in stage.cloud.records()]
    assert any("bystander" in record for record in asked)
    assert not any(workflow_id in record for record in asked for workflow_id in sleepers)
    functions = stage.cloud.requests_of(*stage.cloud.functions)
    assert functions == {"dynamodb.Query": 1, "dynamodb.PutItem": 6, "dynamodb.UpdateItem": 1}
    for workflow_id in sleepers:
        await stage.client.get_workflow_handle(workflow_id).terminate()
    await stage.idle()
    check(stage)
