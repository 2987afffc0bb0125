"""The scenarios once more, on the local cloud with a worker attached: what can be seen is what is seen in memory."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from durability.testing import WorkflowEnvironment
from tests.differential import stage

RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SCENARIOS = stage.load("durability", "activities", "ends", "messages")
"""What touches every service; all of them would take ten minutes."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cloud() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_local_cloud() as environment:
        yield environment


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("name", SCENARIOS)
async def test_same_behaviour(name: str, cloud: WorkflowEnvironment) -> None:
    async with asyncio.timeout(60), await WorkflowEnvironment.start_local() as memory:
        expected, seen = await asyncio.gather(
            stage.play("durability", SCENARIOS[name], memory.client, []),
            stage.play("durability", SCENARIOS[name], cloud.client, []),
        )
    assert stage.differences(_without_run_ids(seen), _without_run_ids(expected)) == []


def _without_run_ids(seen: Any) -> Any:
    return json.loads(RUN_ID.sub("(run id)", json.dumps(seen, default=repr)))
