"""The other companies of the example: stock, payments, warehouse and carrier, as one small HTTP server.

    python -m examples.orders.services --port 8200

Every ``POST`` carries an ``Idempotency-Key``: the first request with a key has the effect, each later one gets the same
answer. ``GET /ledger`` shows what took effect and how often it was asked for. The server fails when it is told to::

    POST /faults {"kind": "charges", "errors": 2}                  the next two charges answer 503 and do nothing
    POST /faults {"kind": "charges", "slow": 1, "seconds": 5}      the next charge is made, but answers 5 s later

    POST /webhook {"url": "http://…/webhooks/warehouse"}           registers the endpoint for the warehouse's webhooks
    POST /pickings/{id}/report {"status": "picked", "parcels": 1}  the warehouse sends its signed webhook
    POST /pickings/{id}/redeliver                                  it sends the same delivery once more

Webhooks are signed with the secret in ``WAREHOUSE_WEBHOOK_SECRET``.

The books are in memory: they last as long as the process. Binds to the loopback interface only.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

STOCK = {"kettle": 10, "teapot": 10, "cup": 100}
CARD_LIMIT = 100_000
UNDOES = {"releases": "reservations", "refunds": "charges", "cancellations": "pickings", "recalls": "shipments"}
KINDS = (*UNDOES, *UNDOES.values())


class Refused(Exception):
    """The request is understood and will never succeed."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


@dataclass
class Entry:
    """One effect in the ledger; ``requests`` counts how often it was asked for."""

    kind: str
    key: str
    id: str
    request: dict[str, Any]
    requests: int = 1


@dataclass
class Faults:
    """What goes wrong next with one kind of request."""

    errors: int = 0
    slow: int = 0
    seconds: float = 0


@dataclass
class Books:
    """The state of all services."""

    stock: dict[str, int] = field(default_factory=lambda: dict(STOCK))
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    faults: dict[str, Faults] = field(default_factory=dict)
    in_flight: Counter[str] = field(default_factory=Counter)

    def record(self, kind: str, key: str, request: dict[str, Any]) -> Entry:
        """Carry out a request, or find that it has been carried out."""
        known = self.entries.get((kind, key))
        if known is not None:
            if known.request != request:
                raise Refused(422, f"{key} was used for another request")
            known.requests += 1
            return known
        undone_by = next((undo for undo, undone in UNDOES.items() if undone == kind), None)
        if (undone_by, key) in self.entries:
            raise Refused(409, f"{key} has been undone")
        self._apply(kind, key, request)
        entry = Entry(kind, key, f"{kind[:2].upper()}-{len(self.entries) + 1:04}", request)
        self.entries[kind, key] = entry
        return entry

    def _apply(self, kind: str, key: str, request: dict[str, Any]) -> None:
        if kind == "reservations":
            sku, quantity = request["sku"], request["quantity"]
            if self.stock.get(sku, 0) < quantity:
                raise Refused(409, f"out of stock: {sku}")
            self.stock[sku] -= quantity
        elif kind == "releases" and (reserved := self.entries.get(("reservations", key))):
            self.stock[reserved.request["sku"]] += reserved.request["quantity"]
        elif kind == "charges" and request["amount"] > CARD_LIMIT:
            raise Refused(402, "card declined")

    def balance(self) -> int:
        """What was charged and not refunded."""
        charges = {key: entry for (kind, key), entry in self.entries.items() if kind == "charges"}
        return sum(e.request["amount"] for key, e in charges.items() if ("refunds", key) not in self.entries)

    def picking(self, id: str) -> Entry:
        """The picking of that id."""
        for entry in self.entries.values():
            if entry.kind == "pickings" and entry.id == id:
                return entry
        raise Refused(404, f"no picking {id}")


def sign(secret: str, delivery_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Headers of a signed delivery, after the Standard Webhooks specification (standardwebhooks.com)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{delivery_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "content-type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def create_app(secret: str, books: Books | None = None) -> Starlette:
    """The server, with new books if it is not given any; ``secret`` signs the warehouse's webhooks."""
    books = books or Books()
    endpoint = ""
    deliveries: dict[str, tuple[str, bytes]] = {}

    async def record(request: Request) -> JSONResponse:
        kind = request.path_params["kind"]
        key = request.headers.get("idempotency-key", "")
        if kind not in KINDS or not key:
            raise Refused(400, "a known kind of request and an Idempotency-Key are needed")
        body = await request.json()
        faults = books.faults.setdefault(kind, Faults())
        if faults.errors:
            faults.errors -= 1
            return JSONResponse({"error": "service unavailable"}, 503)
        entry = books.record(kind, key, body)
        if faults.slow:
            faults.slow -= 1
            books.in_flight[kind] += 1
            await asyncio.sleep(faults.seconds)
            books.in_flight[kind] -= 1
        return JSONResponse({"id": entry.id})

    async def ledger(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "entries": [asdict(entry) for entry in books.entries.values()],
                "balance": books.balance(),
                "stock": books.stock,
                "in_flight": +books.in_flight,
            }
        )

    async def faults(request: Request) -> JSONResponse:
        wanted = await request.json()
        kind = wanted.pop("kind")
        books.faults[kind] = Faults(**wanted)
        return JSONResponse({})

    async def register(request: Request) -> JSONResponse:
        nonlocal endpoint
        endpoint = (await request.json())["url"]
        return JSONResponse({})

    async def report(request: Request) -> JSONResponse:
        picking = books.picking(request.path_params["id"])
        body = {"reference": picking.request["reference"], **await request.json()}
        deliveries[picking.id] = (f"msg_{picking.id}", json.dumps(body).encode())
        return await deliver(picking)

    async def redeliver(request: Request) -> JSONResponse:
        return await deliver(books.picking(request.path_params["id"]))

    async def deliver(picking: Entry) -> JSONResponse:
        if not endpoint or picking.id not in deliveries:
            raise Refused(409, "no webhook endpoint is registered, or nothing was reported")
        delivery_id, body = deliveries[picking.id]
        headers = sign(secret, delivery_id, int(time.time()), body)
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                response = await http.post(endpoint, content=body, headers=headers, timeout=30)
        except httpx.HTTPError as error:
            return JSONResponse({"error": f"{endpoint} did not answer: {error!r}"}, 504)
        return JSONResponse({"delivery": delivery_id, "status": response.status_code})

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refused)
        return JSONResponse({"error": str(error)}, error.status)

    return Starlette(
        routes=[
            Route("/ledger", ledger),
            Route("/faults", faults, methods=["POST"]),
            Route("/webhook", register, methods=["POST"]),
            Route("/pickings/{id}/report", report, methods=["POST"]),
            Route("/pickings/{id}/redeliver", redeliver, methods=["POST"]),
            Route("/{kind}", record, methods=["POST"]),
        ],
        exception_handlers={Refused: refused},
    )


@contextmanager
def running(secret: str, books: Books | None = None) -> Iterator[str]:
    """Serve in a thread, so that it ends with the process, however that ends; gives the URL.

    Args:
        secret: signs the warehouse's webhooks.
        books: what to begin with; new ones if None.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(_configuration(secret, books))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="The services that the order example talks to.")
    parser.add_argument("--port", type=int, default=8200)
    port = parser.parse_args().port
    secret = os.environ.get("WAREHOUSE_WEBHOOK_SECRET")
    if not secret:
        parser.error("WAREHOUSE_WEBHOOK_SECRET is not set: 'whsec_' and base64, what the warehouse signs with")
    with socket.create_server(("127.0.0.1", port)) as listener:
        uvicorn.Server(_configuration(secret)).run(sockets=[listener])


def _configuration(secret: str, books: Books | None = None) -> uvicorn.Config:
    return uvicorn.Config(create_app(secret, books), log_level="warning", lifespan="off", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
