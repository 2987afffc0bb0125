"""The HTTP API as a patient client uses it: what is not answered is sent again under the same key."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from .stories import Outcome

_AGAIN = frozenset({429, 500, 502, 503, 504})
_KINDS = {
    "reserve_stock": "reservations",
    "release_stock": "releases",
    "charge_customer": "charges",
    "refund_customer": "refunds",
    "request_picking": "pickings",
    "cancel_picking": "cancellations",
    "ship": "shipments",
    "recall_shipment": "recalls",
}


class Unanswered(Exception):
    """Nobody knows whether the request took effect."""


class Api:
    """Sends requests, and counts those that had to be sent again.

    Args:
        http: a client with the API's address.
        seed: of the pauses.
    """

    def __init__(self, http: httpx.AsyncClient, seed: int) -> None:
        self.repeated: Counter[str] = Counter()
        self._http = http
        self._random = random.Random(seed)

    async def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        patience: float = 900.0,
        timeout: float = 30.0,
    ) -> httpx.Response:
        """Send until it is answered.

        Args:
            method: HTTP method.
            path: below the API's address.
            body: JSON to send.
            key: idempotency key.
            patience: seconds after which it is not sent again.
            timeout: seconds to wait for each answer.

        Raises:
            Unanswered: it was not.
        """
        headers = {"Idempotency-Key": key} if key else {}
        gives_up = time.monotonic() + patience
        longest = 0.6
        while True:
            try:
                response = await self._http.request(method, path, json=body, headers=headers, timeout=timeout)
            except httpx.HTTPError as error:
                trouble = type(error).__name__
            else:
                if response.status_code not in _AGAIN:
                    return response
                trouble = f"HTTP {response.status_code}"
            if time.monotonic() > gives_up or not patience:
                raise Unanswered(f"{method} {path}: {trouble}")
            self.repeated[trouble] += 1
            await asyncio.sleep(self._random.uniform(0.1, longest))
            longest = min(2 * longest, 5.0)

    async def outcome(self, workflow_id: str) -> Outcome | None:
        """How a workflow ended; None if it has not, or is not there."""
        response = await self.send("GET", f"{workflow_path(workflow_id)}/result")
        if response.status_code != 200:
            return None
        answer = response.json()
        failure = answer.get("failure") or {}
        cause = failure.get("cause") or {}
        text = " / ".join(str(each["message"]) for each in (failure, cause) if each.get("message"))
        return Outcome(answer["status"], answer.get("result"), text)

    async def events(self, workflow_id: str, run_id: str = "") -> list[dict[str, Any]]:
        """The history of a run, by default the current one."""
        events: list[dict[str, Any]] = []
        token = ""
        while True:
            query = urlencode({name: value for name, value in (("run_id", run_id), ("page_token", token)) if value})
            answer = (await self.send("GET", f"{workflow_path(workflow_id)}/history?{query}")).json()
            events += answer.get("events", [])
            token = answer.get("next_page_token") or ""
            if not token:
                return events


def workflow_path(workflow_id: str) -> str:
    """Path of a workflow."""
    return f"/workflows/{quote(workflow_id, safe='')}"


def attempts(events: list[dict[str, Any]]) -> dict[str, int]:
    """The number of the last attempt of each activity with an effect, by kind of effect and idempotency key."""
    effects = {}
    numbers: dict[str, int] = {}
    for event in events:
        scheduled = event.get("activityTaskScheduledEventAttributes")
        started = event.get("activityTaskStartedEventAttributes")
        if scheduled is not None:
            kind = _KINDS.get(scheduled["activityType"]["name"])
            request = json.loads(base64.b64decode(scheduled["input"]["payloads"][0]["data"]))
            effects[event["eventId"]] = f"{kind} {request['key']}"
        elif started is not None:
            numbers[effects[started["scheduledEventId"]]] = int(started.get("attempt", 1))
    return numbers
