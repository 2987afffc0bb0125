"""The examples on the local cloud: deployed by the template, and run by functions in processes of their own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from durability._local import LocalCloud
from durability.client import Client
from tests.examples.tutorial import PRINTED, WITH_AN_APPLICATION_OF_ITS_OWN, load, subscribe_and_cancel

ROOT = Path(__file__).parents[2]
A_YEAR_LONG = {"sleep_for_days"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def deployed(application: str) -> AsyncIterator[LocalCloud]:
    """An application of the examples."""
    cloud = LocalCloud(
        ROOT / "template.yaml",
        parameters={"Application": application, "HttpAuthorization": "NONE"},
        rate_schedules=False,
    )
    await asyncio.to_thread(cloud.start)
    try:
        yield cloud
    finally:
        await asyncio.to_thread(cloud.stop)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cloud() -> AsyncIterator[LocalCloud]:
    async with deployed("examples.tutorial:app") as cloud:
        yield cloud


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tutorial(cloud: LocalCloud) -> AsyncIterator[Client]:
    async with await Client.connect(cloud.http_url) as client:
        yield client


@pytest.mark.parametrize("name", sorted(set(PRINTED) - set(WITH_AN_APPLICATION_OF_ITS_OWN) - A_YEAR_LONG))
async def test_functions_do_the_same(name: str, tutorial: Client, capsys: pytest.CaptureFixture[str]) -> None:
    await load(name).main(tutorial)
    assert capsys.readouterr().out.splitlines() == PRINTED[name]


@pytest.mark.parametrize("name", WITH_AN_APPLICATION_OF_ITS_OWN)
async def test_an_application_of_its_own_does_the_same(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    example = load(name)
    async with (
        deployed(WITH_AN_APPLICATION_OF_ITS_OWN[name]) as cloud,
        await example.connect(cloud.http_url) as client,
    ):
        await example.main(client)
    assert capsys.readouterr().out.splitlines() == PRINTED[name]


@pytest.mark.parametrize("by", ["url", "environment"])
async def test_the_command_line_names_a_deployment(cloud: LocalCloud, by: str) -> None:
    function = cloud.functions["WorkflowFunction"].spec
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "examples.hello.activity", cloud.http_url if by == "url" else ""),
        cwd=ROOT,
        env={**os.environ, **cloud.environment, **function.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await process.communicate()
    # The client is left open, as Temporal's may be.
    assert (process.returncode, complaints) == (0, b"")
    assert printed.decode().splitlines() == PRINTED["hello.activity"]


async def test_a_subscription_sleeps_until_it_is_cancelled(tutorial: Client) -> None:
    await subscribe_and_cancel(tutorial)
