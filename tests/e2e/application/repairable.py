"""A workflow with a bug, which a test repairs on disk."""

from __future__ import annotations

import asyncio

from durability import workflow

from .activities import effect
from .workflows import EAGER


@workflow.defn
class Repairable:
    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity(effect, "before", **EAGER)
        await asyncio.sleep(0.01)
        raise RuntimeError("a bug in workflow code")
