"""Load in numbers that fit into a test run; ``python -m benchmarks.scale`` has the large ones."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from benchmarks.scale import Bench, Load, deployed

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench() -> AsyncIterator[Bench]:
    async with deployed() as running:
        yield running


def check(load: Load, *, workflows: int) -> None:
    assert load.completed == workflows
    assert load.ran == load.steps
    assert load.repeated == 0


async def test_many_workflows(bench: Bench) -> None:
    load = await bench.many(60, 50, 3)
    check(load, workflows=60)
    # A delta for the start and one for every step, one read, one release; and while it is under way a look a second.
    assert load.requests["dynamodb.PutItem"] == 240
    looks = 60 * load.seconds
    assert sum(load.requests.values()) <= 60 * (3 + 4) + looks


async def test_a_long_workflow_grows_linearly(bench: Bench) -> None:
    short, long = await bench.sequential(100), await bench.sequential(500)
    check(short, workflows=1)
    check(long, workflows=1)
    looks = 1 + long.seconds  # one a second
    assert sum(long.requests.values()) <= 500 + 10 + looks
    assert long.written / 500 <= 1.1 * short.written / 100
    assert long.read - looks * short.read <= 5 * 1.1 * short.read


async def test_a_wide_workflow(bench: Bench) -> None:
    load = await bench.parallel(300)
    check(load, workflows=1)
    assert sum(load.requests.values()) <= 300 / 10 + 5
