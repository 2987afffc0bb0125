"""Workflows whose steps leave a trace outside of the engine, so that a step that ran twice shows."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

from durability import Application, activity, workflow

TIMEOUT = timedelta(seconds=20)


@activity.defn
async def trace(path: str, step: str) -> None:
    """Append a line to a file, in one write."""
    descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        os.write(descriptor, f"{activity.info().workflow_id} {step}\n".encode())
    finally:
        os.close(descriptor)


@workflow.defn
class Steps:
    """Steps one after the other."""

    @workflow.run
    async def run(self, path: str, steps: int) -> int:
        for step in range(steps):
            await workflow.execute_activity(trace, args=[path, str(step)], start_to_close_timeout=TIMEOUT)
        return steps


@workflow.defn
class SideBySide:
    """Steps all at once."""

    @workflow.run
    async def run(self, path: str, steps: int) -> int:
        works = [
            workflow.execute_activity(trace, args=[path, str(step)], start_to_close_timeout=TIMEOUT)
            for step in range(steps)
        ]
        return len(await asyncio.gather(*works))


app = Application(workflows=[Steps, SideBySide], activities=[trace])
