"""The orders example runs on Temporal's SDK and test server when only its imports are changed."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from temporalio.client import WorkflowFailureError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from examples.orders.app import app

EXAMPLE = Path(__file__).parents[2] / "examples/orders"
SERVER = Path(sys.executable).with_name("temporal-test-server")
MODULES = ("model", "activities", "workflows")


@pytest.fixture
def ported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    package = tmp_path / "ported_orders"
    package.mkdir()
    (package / "__init__.py").touch()
    for name in MODULES:
        source = (EXAMPLE / f"{name}.py").read_text().replace("examples.orders", "ported_orders")
        (package / f"{name}.py").write_text(source.replace("from durability", "from temporalio"))
    monkeypatch.syspath_prepend(tmp_path)
    for name in MODULES:
        monkeypatch.delitem(sys.modules, f"ported_orders.{name}", raising=False)
    return SimpleNamespace(**{name: importlib.import_module(f"ported_orders.{name}") for name in MODULES})


async def test_it_runs_on_temporal(ported: SimpleNamespace, shop: httpx.Client) -> None:
    order: dict[str, Any] = json.loads((EXAMPLE / "order.json").read_text())
    activities = [getattr(ported.activities, activity.__name__) for activity in app.activities]
    workflow = ported.workflows.OrderWorkflow
    async with (
        await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(SERVER)) as environment,
        Worker(environment.client, task_queue="orders", workflows=[workflow], activities=activities),
    ):
        picked = await environment.client.start_workflow(workflow.run, order, id="picked", task_queue="orders")
        await picked.signal("picking_reported", {"reference": "picked", "status": "picked", "parcels": 1})
        assert (await picked.result()).order_id == order["id"]
        assert (await picked.query("status"))["stage"] == "shipped"

        silent = await environment.client.start_workflow(workflow.run, order, id="silent", task_queue="orders")
        with pytest.raises(WorkflowFailureError) as raised:
            await silent.result()
        assert getattr(raised.value.cause, "type", None) == "WarehouseSilent"

    ledger = (await asyncio.to_thread(shop.get, "/ledger")).json()
    assert ledger["balance"] == sum(line["quantity"] * line["unit_price"] for line in order["lines"])
