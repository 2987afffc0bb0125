"""The order workflow against the example's real services, with time skipping."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from durability import Application
from durability.client import WorkflowFailureError, WorkflowHandle
from durability.exceptions import ActivityError, ApplicationError, CancelledError
from examples.orders import app
from examples.orders.model import Line, Order, OrderStatus, PickingReport, Receipt
from examples.orders.services import STOCK, sign
from examples.orders.workflows import OrderWorkflow
from tests.examples.deployment import Deployment, play

ORDER = Path(__file__).parents[2] / "examples/orders/order.json"
UNDONE = ["o/picking", "o/charge", "o/stock/3", "o/stock/2", "o/stock/1"]
Handle = WorkflowHandle[OrderWorkflow, Receipt]


@pytest.fixture
def order() -> Order:
    fields = json.loads(ORDER.read_text())
    return Order(**{**fields, "lines": [Line(**line) for line in fields["lines"]]})


def run(order: Order, scenario: Callable[[Handle, Deployment], Awaitable[None]]) -> None:
    async def started(deployment: Deployment) -> None:
        await scenario(
            await deployment.client.start_workflow(OrderWorkflow.run, order, id="o", task_queue="default"), deployment
        )

    application = Application(workflows=app.app.workflows, activities=app.app.activities, webhooks=app.webhooks())
    play(application, started)


async def failure(handle: Handle) -> BaseException | None:
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    return raised.value.cause


async def until(handle: Handle, stage: str) -> None:
    while (await handle.query(OrderWorkflow.status)).stage != stage:  # noqa: ASYNC110 - it is another process's
        await asyncio.sleep(1)


def ledger(shop: httpx.Client) -> dict[str, Any]:
    books: dict[str, Any] = shop.get("/ledger").json()
    return books


def test_an_order_is_fulfilled(shop: httpx.Client, order: Order) -> None:
    async def scenario(handle: Handle, _: Deployment) -> None:
        await handle.signal(OrderWorkflow.picking_reported, PickingReport("o", "picked", parcels=2))
        receipt = await handle.result()
        assert (receipt.order_id, receipt.amount) == (order.id, order.total)
        assert await handle.query(OrderWorkflow.status) == OrderStatus("shipped", reports=1, undone=[])

    run(order, scenario)
    books = ledger(shop)
    assert books["balance"] == order.total
    assert sorted(entry["kind"] for entry in books["entries"]) == [
        "charges",
        "pickings",
        *["reservations"] * 3,
        "shipments",
    ]


def test_only_the_warehouse_can_report_and_each_delivery_counts_once(
    shop: httpx.Client, order: Order, secret: str
) -> None:
    async def scenario(handle: Handle, deployment: Deployment) -> None:
        async def deliver(key: str, delivery_id: str, parcels: int) -> int:
            body = json.dumps(dataclasses.asdict(PickingReport("o", "picked", parcels))).encode()
            headers = sign(key, delivery_id, int(deployment.clock()), body)
            return (await deployment.http.post("/webhooks/warehouse", content=body, headers=headers)).status_code

        await until(handle, "picking")
        assert await deliver("whsec_Z3Vlc3NlZA==", "msg_0", 99) == 401
        assert (await handle.query(OrderWorkflow.status)).reports == 0
        assert await deliver(secret, "msg_1", 2) == 200
        assert await deliver(secret, "msg_1", 2) == 200
        await handle.result()
        assert (await handle.query(OrderWorkflow.status)).reports == 1

    run(order, scenario)
    (shipment,) = [entry for entry in ledger(shop)["entries"] if entry["kind"] == "shipments"]
    assert shipment["request"]["parcels"] == 2


def test_without_a_secret_there_is_no_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAREHOUSE_WEBHOOK_SECRET", raising=False)
    assert app.webhooks() == []


def test_a_service_that_is_down_is_tried_again(shop: httpx.Client, order: Order) -> None:
    shop.post("/faults", json={"kind": "charges", "errors": 2})

    async def scenario(handle: Handle, _: Deployment) -> None:
        await handle.signal(OrderWorkflow.picking_reported, PickingReport("o", "picked", parcels=1))
        await handle.result()

    run(order, scenario)
    assert ledger(shop)["balance"] == order.total


def test_a_declined_card_gives_the_stock_back(shop: httpx.Client, order: Order) -> None:
    order.lines[0].unit_price = 1_000_000

    async def scenario(handle: Handle, _: Deployment) -> None:
        error = await failure(handle)
        assert isinstance(error, ActivityError)
        assert isinstance(error.cause, ApplicationError)
        assert "card declined" in str(error.cause)
        assert (await handle.query(OrderWorkflow.status)).undone == UNDONE[1:]

    run(order, scenario)
    books = ledger(shop)
    assert (books["balance"], books["stock"]) == (0, STOCK)


def test_one_line_out_of_stock_gives_the_others_back(shop: httpx.Client, order: Order) -> None:
    order.lines[1].quantity = 1_000

    async def scenario(handle: Handle, _: Deployment) -> None:
        assert isinstance(await failure(handle), ActivityError)

    run(order, scenario)
    books = ledger(shop)
    assert (books["balance"], books["stock"]) == (0, STOCK)


def test_a_silent_warehouse_undoes_everything_after_three_days(shop: httpx.Client, order: Order) -> None:
    async def scenario(handle: Handle, deployment: Deployment) -> None:
        began = deployment.clock()
        await asyncio.sleep(3 * 86_400 - 60)  # skipped at once, which a client that looks every second is not
        assert (await handle.query(OrderWorkflow.status)).stage == "picking"
        error = await failure(handle)
        assert deployment.clock() - began >= 3 * 86_400
        assert isinstance(error, ApplicationError)
        assert error.type == "WarehouseSilent"
        assert (await handle.query(OrderWorkflow.status)).undone == UNDONE

    run(order, scenario)
    books = ledger(shop)
    assert (books["balance"], books["stock"]) == (0, STOCK)


def test_an_order_picked_short_is_undone(shop: httpx.Client, order: Order) -> None:
    async def scenario(handle: Handle, _: Deployment) -> None:
        await handle.signal(OrderWorkflow.picking_reported, PickingReport("o", "short"))
        error = await failure(handle)
        assert isinstance(error, ApplicationError)
        assert error.type == "PickedShort"

    run(order, scenario)
    assert ledger(shop)["balance"] == 0


def test_a_cancelled_order_is_undone_in_reverse_order(shop: httpx.Client, order: Order) -> None:
    async def scenario(handle: Handle, _: Deployment) -> None:
        await until(handle, "picking")
        await handle.cancel()
        assert isinstance(await failure(handle), CancelledError)
        assert (await handle.query(OrderWorkflow.status)).undone == UNDONE

    run(order, scenario)
    books = ledger(shop)
    assert (books["balance"], books["stock"]) == (0, STOCK)
    undos = [entry["kind"] for entry in books["entries"] if entry["kind"] in ("cancellations", "refunds", "releases")]
    assert undos == ["cancellations", "refunds", *["releases"] * 3]


def test_an_order_that_is_cancelled_while_it_is_shipped_recalls_its_parcels(shop: httpx.Client, order: Order) -> None:
    """An attempt whose answer was lost may have sent them, so it makes no difference that these attempts did not."""

    async def scenario(handle: Handle, _: Deployment) -> None:
        await handle.signal(OrderWorkflow.picking_reported, PickingReport("o", "picked", 2))
        await until(handle, "shipping")
        await handle.cancel()
        # Of the attempt under way, or as cancelled, if none was.
        assert isinstance(await failure(handle), ActivityError | CancelledError)
        assert (await handle.query(OrderWorkflow.status)).undone == ["o/shipment", *UNDONE]

    shop.post("/faults", json={"kind": "shipments", "errors": 9})
    run(order, scenario)
    books = ledger(shop)
    assert (books["balance"], books["stock"]) == (0, STOCK)
    assert [entry["kind"] for entry in books["entries"]].count("recalls") == 1
