"""Payloads too large for the table, through function processes and a bucket."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from durability._core.encoding import decode_delta
from durability._core.payload_fields import payloads_in
from durability._runtime.large_payloads import is_reference

from .application.workflows import Bulky
from .stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGE = "x" * 300_000
MORE = "y" * 200_000


def objects(stage: Stage) -> list[str]:
    listed = stage.aws("s3").list_objects_v2(Bucket=stage.variable("DURABILITY_BUCKET"))
    return [entry["Key"] for entry in listed.get("Contents", [])]


async def test_large_values_go_everywhere_and_the_table_stays_small(stage: Stage) -> None:
    handle = await stage.client.start_workflow(Bulky.run, args=[LARGE, 1], id="bulky", task_queue="e2e")
    await handle.signal(Bulky.tell, MORE)
    assert await handle.result() == LARGE + MORE
    assert await handle.query(Bulky.what) == MORE
    await stage.idle()
    runs = {key.split("/")[1] for key in objects(stage)}
    deltas = [item for item in stage.items() if item["sk"]["S"].rpartition("#")[2].isdigit() and "body" in item]
    assert max(len(item["body"]["B"]) for item in deltas) < 10_000
    references = 0
    for item in deltas:
        delta = decode_delta(bytes(item["body"]["B"]))
        mine = sum(map(is_reference, payloads_in(delta)))
        assert delta.refers == (mine > 0)
        assert not mine or item["sk"]["S"].split("#")[0] in runs
        references += mine
    assert references > 8
    # Two runs of the parent, and the child: nobody refers to what is another's.
    assert len(runs) == 3


async def test_whoever_reads_gets_the_values_back(stage: Stage) -> None:
    handle = stage.client.get_workflow_handle("bulky")
    first = (await handle.fetch_history()).events[0]
    assert len(str(first.attributes["input"])) > len(LARGE)
    async with httpx.AsyncClient(base_url=str(stage.cloud.outputs["HttpUrl"]), trust_env=False, timeout=60) as http:
        answer: dict[str, Any] = (await http.get("/workflows/bulky/result")).json()
        assert answer["result"] == LARGE + MORE


async def test_an_update_may_be_large(stage: Stage) -> None:
    handle = await stage.client.start_workflow(Bulky.run, args=["", 0], id="updated", task_queue="e2e")
    assert await handle.execute_update(Bulky.told, LARGE) == LARGE
    assert await handle.result() == LARGE


async def test_a_run_goes_with_all_that_belongs_to_it(stage: Stage) -> None:
    described = await stage.client.get_workflow_handle("bulky").describe()
    await stage.idle()
    await stage.client.delete_workflow("bulky")
    assert not [key for key in objects(stage) if described.run_id in key]
    assert not [item for item in stage.items() if described.run_id in item["sk"]["S"]]
    first = (await stage.client.get_workflow_handle("bulky-child").fetch_history()).events[0]
    assert len(str(first.attributes["input"])) > len(LARGE)  # what came from the deleted run is the child's own
    async with httpx.AsyncClient(base_url=str(stage.cloud.outputs["HttpUrl"]), trust_env=False, timeout=60) as http:
        assert (await http.delete("/workflows/bulky-child")).json() == {"accepted": True}
    assert not [item for item in stage.items() if item["pk"]["S"] == "default#bulky-child"]
