"""Every scenario is played on Temporal's development server and here: what can be seen must be the same."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import temporalio.testing

from durability.testing import WorkflowEnvironment
from tests.differential import stage
from tests.differential.known_differences import KNOWN_DIFFERENCES, NOT_FOR_TEMPORALS_REPLAYER

SCENARIOS = {engine: stage.load(engine) for engine in stage.ENGINES}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Any]:
    """Temporal's development server, one for all scenarios."""
    binary = shutil.which("temporal", path=str(Path(sys.executable).parent))
    assert binary is not None
    async with await temporalio.testing.WorkflowEnvironment.start_local(
        dev_server_existing_path=binary, dev_server_log_level="never"
    ) as environment:
        yield environment


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("name", SCENARIOS["durability"])
async def test_same_behaviour(name: str, server: Any) -> None:
    their_documents: list[tuple[str, str]] = []
    my_documents: list[tuple[str, str]] = []
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    async with asyncio.timeout(20), await WorkflowEnvironment.start_local() as ours:
        theirs, mine = await asyncio.gather(
            stage.play("temporalio", SCENARIOS["temporalio"][name], server.client, their_documents),
            stage.play("durability", SCENARIOS["durability"][name], ours.client, my_documents),
        )
    found = stage.differences(mine, theirs)
    assert {line.partition(":")[0] for line in found} == KNOWN_DIFFERENCES.get(name, set()), "\n".join(found)
    for documents in (my_documents, their_documents):
        assert await stage.replay("durability", SCENARIOS["durability"][name], documents) == []
    failures = await stage.replay("temporalio", SCENARIOS["temporalio"][name], my_documents)
    assert bool(failures) == (name in NOT_FOR_TEMPORALS_REPLAYER), failures
