"""The order's side effects: HTTP calls to the stock, payment, warehouse and carrier services.

Every call carries an idempotency key made from the workflow id, so a call that is repeated after a crash has its
effect once. A refusal (4xx) fails for good; a service that is down or slow is an ordinary exception, which is retried.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from durability import activity
from durability.exceptions import ApplicationError
from examples.orders.model import Charge, Picking, Reservation, Shipment


@activity.defn
async def reserve_stock(reservation: Reservation) -> str:
    """Set stock aside."""
    return await _post("reservations", asdict(reservation))


@activity.defn
async def release_stock(reservation: Reservation) -> None:
    """Undo ``reserve_stock``."""
    await _post("releases", {"key": reservation.key})


@activity.defn
async def charge_customer(charge: Charge) -> str:
    """Take the money."""
    return await _post("charges", asdict(charge))


@activity.defn
async def refund_customer(charge: Charge) -> None:
    """Undo ``charge_customer``."""
    await _post("refunds", {"key": charge.key})


@activity.defn
async def request_picking(picking: Picking) -> str:
    """Ask the warehouse to pick the order; its webhook reports when it has done so."""
    return await _post("pickings", asdict(picking))


@activity.defn
async def cancel_picking(picking: Picking) -> None:
    """Undo ``request_picking``."""
    await _post("cancellations", {"key": picking.key})


@activity.defn
async def ship(shipment: Shipment) -> str:
    """Hand the parcels to the carrier; gives the tracking number."""
    return await _post("shipments", asdict(shipment))


@activity.defn
async def recall_shipment(shipment: Shipment) -> None:
    """Undo ``ship``."""
    await _post("recalls", {"key": shipment.key})


async def _post(kind: str, request: dict[str, Any]) -> str:
    return await asyncio.to_thread(_send, kind, request.pop("key"), request)


def _send(kind: str, key: str, request: dict[str, Any]) -> str:
    call = Request(
        f"{os.environ.get('SHOP_URL', 'http://127.0.0.1:8200')}/{kind}",
        json.dumps(request).encode(),
        {"Content-Type": "application/json", "Idempotency-Key": key},
    )
    try:
        with urlopen(call, timeout=5) as answer:
            return str(json.load(answer)["id"])
    except HTTPError as error:
        if error.code >= 500 or error.code == HTTPStatus.TOO_MANY_REQUESTS:
            raise
        raise ApplicationError(json.load(error)["error"], type="Refused", non_retryable=True) from None
