"""The services of the orders example keep honest books."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import httpx
import pytest

from examples.orders.services import STOCK, create_app, sign

SECRET = "whsec_" + base64.b64encode(b"tested").decode()


@pytest.fixture
def shop() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(SECRET)), base_url="http://shop")


async def post(shop: httpx.AsyncClient, kind: str, key: str, **request: Any) -> tuple[int, dict[str, Any]]:
    response = await shop.post(f"/{kind}", json=request, headers={"Idempotency-Key": key})
    return response.status_code, response.json()


async def test_a_repeated_request_has_its_effect_once(shop: httpx.AsyncClient) -> None:
    first = await post(shop, "charges", "order/charge", amount=500)
    again = await post(shop, "charges", "order/charge", amount=500)
    assert first == again
    assert first[0] == 200
    ledger = (await shop.get("/ledger")).json()
    assert ledger["balance"] == 500
    assert [(entry["kind"], entry["requests"]) for entry in ledger["entries"]] == [("charges", 2)]


async def test_a_key_belongs_to_one_request(shop: httpx.AsyncClient) -> None:
    await post(shop, "charges", "order/charge", amount=500)
    assert (await post(shop, "charges", "order/charge", amount=501))[0] == 422


async def test_stock_is_taken_and_given_back_once(shop: httpx.AsyncClient) -> None:
    await post(shop, "reservations", "order/stock/1", sku="kettle", quantity=3)
    assert (await shop.get("/ledger")).json()["stock"]["kettle"] == STOCK["kettle"] - 3
    await post(shop, "releases", "order/stock/1")
    await post(shop, "releases", "order/stock/1")
    assert (await shop.get("/ledger")).json()["stock"] == STOCK


async def test_what_was_undone_cannot_happen_afterwards(shop: httpx.AsyncClient) -> None:
    await post(shop, "refunds", "order/charge")
    assert (await post(shop, "charges", "order/charge", amount=500))[0] == 409
    assert (await shop.get("/ledger")).json()["balance"] == 0


@pytest.mark.parametrize(
    ("kind", "key", "request_", "status"),
    [
        ("reservations", "k", {"sku": "kettle", "quantity": 1_000}, 409),
        ("charges", "k", {"amount": 10_000_000}, 402),
        ("charges", "", {"amount": 1}, 400),
        ("bribes", "k", {"amount": 1}, 400),
    ],
)
async def test_refusals_change_nothing(
    shop: httpx.AsyncClient, kind: str, key: str, request_: dict[str, Any], status: int
) -> None:
    assert (await post(shop, kind, key, **request_))[0] == status
    ledger = (await shop.get("/ledger")).json()
    assert (ledger["entries"], ledger["stock"]) == ([], STOCK)


async def test_errors_come_on_request_and_do_nothing(shop: httpx.AsyncClient) -> None:
    await shop.post("/faults", json={"kind": "charges", "errors": 1})
    assert (await post(shop, "charges", "k", amount=1))[0] == 503
    assert (await shop.get("/ledger")).json()["entries"] == []
    assert (await post(shop, "charges", "k", amount=1))[0] == 200


def test_signatures_follow_the_standard() -> None:
    headers = sign(SECRET, "msg_1", 1_700_000_000, b"{}")
    digest = hmac.new(b"tested", b"msg_1.1700000000.{}", hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert headers["webhook-id"] == "msg_1"
