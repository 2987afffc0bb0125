"""Every scenario is played on Temporal's development server and here: what can be seen must be the same."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import temporalio.testing
from temporalio.common import SearchAttributeKey

from durability.testing import WorkflowEnvironment
from tests.differential import stage
from tests.differential.known_differences import KNOWN_DIFFERENCES, NOT_FOR_TEMPORALS_REPLAYER

# The workflows that end while a handler runs are told so, on both engines.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

AT_A_TIME = 8
ATTRIBUTES = [SearchAttributeKey.for_keyword("Word"), SearchAttributeKey.for_int("Number")]
SECONDS_PER_SCENARIO = 20

SCENARIOS = {engine: stage.load(engine) for engine in stage.ENGINES}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Any]:
    """Temporal's development server, one for all scenarios."""
    binary = shutil.which("temporal", path=str(Path(sys.executable).parent))
    assert binary is not None
    async with await temporalio.testing.WorkflowEnvironment.start_local(
        dev_server_existing_path=binary,
        dev_server_log_level="never",
        dev_server_extra_args=["--dynamic-config-value", "history.enableSignalWithStartFromWorkflow=true"],
        search_attributes=ATTRIBUTES,
    ) as environment:
        yield environment


@dataclass
class Performance:
    """What a scenario showed on both engines, and what their replayers say of the histories."""

    differences: list[str]
    replay_failures: list[str]
    temporals_replay_failures: list[str]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def performances(request: pytest.FixtureRequest, server: Any) -> AsyncIterator[dict[str, asyncio.Task[Any]]]:
    """All the scenarios that were asked for, several at a time: most of their time is waiting for the server."""
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    gate = asyncio.Semaphore(AT_A_TIME)
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    names = [parameter["scenario"] for parameter in parameters if "scenario" in parameter]
    tasks = {name: asyncio.create_task(_perform(name, server, gate)) for name in names}
    yield tasks
    left = set(tasks.values())
    while left:
        # More than once: an update that is waited for makes an error of the first, as its caller expects.
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1)


async def _perform(name: str, server: Any, gate: asyncio.Semaphore) -> Performance:
    mine, theirs = SCENARIOS["durability"][name], SCENARIOS["temporalio"][name]
    my_documents: list[tuple[str, str]] = []
    their_documents: list[tuple[str, str]] = []
    async with gate, asyncio.timeout(SECONDS_PER_SCENARIO), await WorkflowEnvironment.start_local() as ours:
        they_saw, i_saw = await asyncio.gather(
            stage.play("temporalio", theirs, server.client, their_documents),
            stage.play("durability", mine, ours.client, my_documents),
        )
    return Performance(
        stage.differences(i_saw, they_saw),
        await stage.replay("durability", mine, my_documents + their_documents),
        await stage.replay("temporalio", theirs, my_documents),
    )


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("scenario", SCENARIOS["durability"])
async def test_same_behaviour(scenario: str, performances: dict[str, asyncio.Task[Performance]]) -> None:
    performance = await performances[scenario]
    paths = {line.partition(":")[0] for line in performance.differences}
    assert paths == KNOWN_DIFFERENCES.get(scenario, set()), "\n".join(performance.differences)
    assert performance.replay_failures == []
    failures = performance.temporals_replay_failures
    assert bool(failures) == (scenario in NOT_FOR_TEMPORALS_REPLAYER), failures
