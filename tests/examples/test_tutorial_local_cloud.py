"""The examples on the local cloud: deployed by the template, and run by functions in processes of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from durability._local import LocalCloud
from durability.client import Client
from durability.converter import DataConverter
from tests.examples.tutorial import PRINTED, load, subscribe_and_cancel

ROOT = Path(__file__).parents[2]
OF_ITS_OWN = {
    "custom_converter.shelving": "examples.custom_converter.app:app",
    "pydantic_models.lending": "examples.pydantic_models.app:app",
}
A_YEAR_LONG = {"sleep_for_days"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def deployed(application: str, data_converter: DataConverter = DataConverter.default) -> AsyncIterator[Client]:
    """A client of an application of the examples, deployed."""
    cloud = LocalCloud(
        ROOT / "template.yaml",
        parameters={"Application": application, "HttpAuthorization": "NONE"},
        rate_schedules=False,
    )
    await asyncio.to_thread(cloud.start)
    try:
        async with await Client.connect(cloud.http_url, data_converter=data_converter) as client:
            yield client
    finally:
        await asyncio.to_thread(cloud.stop)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tutorial() -> AsyncIterator[Client]:
    async with deployed("examples.tutorial:app") as client:
        yield client


@pytest.mark.parametrize("name", sorted(set(PRINTED) - set(OF_ITS_OWN) - A_YEAR_LONG))
async def test_functions_do_the_same(name: str, tutorial: Client, capsys: pytest.CaptureFixture[str]) -> None:
    await load(name).main(tutorial)
    assert capsys.readouterr().out.splitlines() == PRINTED[name]


@pytest.mark.parametrize("name", OF_ITS_OWN)
async def test_functions_convert_as_clients_do(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    example = load(name)
    async with deployed(OF_ITS_OWN[name], example.data_converter) as client:
        await example.main(client)
    assert capsys.readouterr().out.splitlines() == PRINTED[name]


async def test_a_subscription_sleeps_until_it_is_cancelled(tutorial: Client) -> None:
    await subscribe_and_cancel(tutorial)
