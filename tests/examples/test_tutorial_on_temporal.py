"""The examples run on Temporal's SDK and development server, in its sandbox, when only their imports are changed."""

from __future__ import annotations

import importlib
import logging
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from tests.examples.tutorial import EXAMPLES, PRINTED, subscribe_and_cancel

OURS_ALONE = {"app.py", "tutorial.py"}
A_YEAR_LONG = "sleep_for_days"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Gives an example's module by its name, with Temporal's imports."""
    folder = tmp_path_factory.mktemp("ported")
    for path in EXAMPLES.rglob("*"):
        relative = path.relative_to(EXAMPLES)
        if path.is_dir() or path.name in OURS_ALONE or relative.parts[0] in ("orders", "__pycache__"):
            continue
        copy = folder / "ported_examples" / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        source = path.read_bytes()
        if path.suffix == ".py":
            source = source.replace(b"durability", b"temporalio").replace(b"examples.", b"ported_examples.")
        copy.write_bytes(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield lambda name: importlib.import_module(f"ported_examples.{name}")
    for name in [name for name in sys.modules if name.startswith("ported_examples")]:
        del sys.modules[name]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    binary = shutil.which("temporal", path=str(Path(sys.executable).parent))
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=binary,
        dev_server_log_level="never",
        search_attributes=[SearchAttributeKey.for_keyword("Branch"), SearchAttributeKey.for_int("Copies")],
    ) as environment:
        yield environment


@pytest.mark.parametrize("name", sorted(set(PRINTED) - {A_YEAR_LONG}))
async def test_temporal_does_the_same(
    name: str, load: Callable[[str], Any], server: WorkflowEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    example = load(name).example
    client = await example.connect(server.client.service_client.config.target_host)
    async with example.worker(client):
        await example.main(client)
    assert capsys.readouterr().out.splitlines() == PRINTED[name]


async def test_a_subscription_sleeps_until_it_is_cancelled_there_too(
    load: Callable[[str], Any], server: WorkflowEnvironment
) -> None:
    module = load(A_YEAR_LONG)
    client: Any = server.client
    async with module.example.worker(client):
        await subscribe_and_cancel(client, module.Subscription)
