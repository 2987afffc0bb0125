"""Workflows that time out although their code cannot be run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from durability import workflow
from tests.differential.stage import Stage, attempt, scenario


@workflow.defn
class NeverBegins:
    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("a bug")


@scenario(NeverBegins, histories=False, cases=["run_timeout", "execution_timeout"])
async def first_task_fails_until(stage: Stage, kind: str) -> Any:
    handle = await stage.start(NeverBegins.run, **{kind: timedelta(seconds=1)})
    outcome = await attempt(handle.result())
    events = [int(event.event_type) async for event in handle.fetch_history_events()]
    return [outcome, events]
