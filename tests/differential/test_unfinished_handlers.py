"""Handlers that the end of a workflow interrupts: who is warned of, on Temporal and here."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import temporalio.testing

from durability.testing import WorkflowEnvironment
from tests.differential import stage

SCENARIOS = {engine: stage.load(engine, "unfinished") for engine in stage.ENGINES}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", SCENARIOS["durability"])
async def test_the_same_is_warned_of(name: str) -> None:
    binary = shutil.which("temporal", path=str(Path(sys.executable).parent))
    assert binary is not None
    async with (
        await temporalio.testing.WorkflowEnvironment.start_local(
            dev_server_existing_path=binary, dev_server_log_level="never"
        ) as theirs,
        await WorkflowEnvironment.start_local() as ours,
    ):
        expected = await _warned("temporalio", name, theirs.client)
        assert await _warned("durability", name, ours.client) == expected


async def _warned(engine: str, name: str, client: Any) -> Any:
    """What a scenario gives, and its warnings: their class, and what their text lists at its end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        seen = await stage.play(engine, SCENARIOS[engine][name], client, [])
    texts = [(type(one.message).__name__, str(one.message)) for one in caught if "Unfinished" in one.category.__name__]
    return seen, sorted((kind, text.split()[0], json.loads(text[text.rindex("[") :])) for kind, text in texts)
