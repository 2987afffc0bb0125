"""A deployment in virtual time behind the handler that ships: API Gateway's events in, its answers out.

Below the HTTP function are the engine and DynamoDB's adapter over a twin of the table, which writes down every change.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from unittest.mock import patch

from durability import callbacks
from durability._aws.dynamodb import DynamoDBStore
from durability._http.app import HttpApplication, create_app
from durability._http.handler import in_one_loop
from durability._memory import cloud
from durability._memory.cloud import MemoryCloud
from durability._memory.payloads import MemoryPayloadStore
from durability._memory.time import VirtualTimeLoop
from durability._simulation.table import Table, TableCaller
from durability.application import Application
from durability.webhooks import Delivery, Signal, Webhook
from tests.http.conftest import WEBHOOKS, WORKFLOWS, Secret, ask_somebody

T = TypeVar("T")


def note_of(delivery: Delivery) -> Signal | None:
    """A signal, if the body says which."""
    body = delivery.json()
    if not isinstance(body, dict) or not {"workflow", "text"} <= body.keys():
        return None
    return Signal(str(body["workflow"]), "note", [body["text"]])


APPLICATION = Application(workflows=WORKFLOWS, activities=[ask_somebody])
SETTLED = 5.0
"""Virtual seconds in which everything that was set off has been done."""


@dataclass
class Answer:
    """What the function answered."""

    status: int
    content: bytes
    headers: dict[str, str]
    changes: list[tuple[str, str]]
    """Items that had changed when it answered, and those that changed because of it."""

    @property
    def body(self) -> Any:
        """The JSON of the answer."""
        return json.loads(self.content)


class Deployment:
    """See the module. ``clock`` is what tokens and signatures are held against."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        from mangum import Mangum

        self.loop = loop
        self.changes: list[tuple[str, str]] = []
        self.errors: list[str] = []
        self.table = Table(loop.milliseconds)
        self.table.observers.append(self._note)
        self.secret = Secret()
        self.cloud = MemoryCloud(
            APPLICATION.registry.create,
            APPLICATION.runner,
            clock=loop.milliseconds,
            to_failure=APPLICATION.registry.to_failure,
            store=DynamoDBStore(TableCaller(self.table), "table"),
            payload_store=MemoryPayloadStore(),
        )
        self.app: HttpApplication = create_app(
            self._connect,
            task_queue="default",
            workflow_types=WORKFLOWS,
            webhooks=[Webhook(webhook.name, webhook.verifier, note_of) for webhook in WEBHOOKS],
            callback_secret=self.secret,
            clock=lambda: loop.milliseconds() / 1000,
        )
        asyncio.set_event_loop(loop)  # Mangum asks for one
        self._handler = in_one_loop(Mangum(self.app, lifespan="off"))

    async def _connect(self) -> Any:
        return self.cloud.gateway

    def _note(self, key: tuple[str, str], before: Any, after: Any) -> None:
        if before != after:
            self.changes.append(key)

    def run(self, work: Awaitable[T]) -> T:
        """Await something."""
        return self.loop.run_until_complete(work)

    def settle(self) -> None:
        """Let everything happen that has been set off."""
        self.run(asyncio.sleep(SETTLED))

    def request(
        self, method: str, path: str, *, query: str = "", headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Call the function as API Gateway does, and let what follows happen."""
        self.settle()
        self.changes.clear()
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"host": "abc.execute-api.us-east-1.amazonaws.com", **(headers or {})},
            "requestContext": {
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
                "stage": "$default",
            },
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        answer = self._handler(event, object())
        self.settle()
        text = answer.get("body") or ""
        content = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
        return Answer(answer["statusCode"], content, answer.get("headers") or {}, list(self.changes))

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """Post JSON."""
        return self.request("POST", path, body=json.dumps(body).encode(), headers=headers)

    def failing(self) -> list[str]:
        """The workflow tasks that fail, and invocations that ended in an error.

        A signal with more or fewer arguments than its handler takes fails the workflow task, as in Temporal.
        """
        heads = [item for items in self.table.partitions.values() for item in items.values() if "task_failure" in item]
        failures = [str(head["task_failure"]["S"]) for head in heads]
        return [text for text in failures if "positional argument" not in text] + self.errors

    def close(self) -> None:
        """Drop everything."""
        self.run(self.cloud.close())


@contextmanager
def deployment() -> Iterator[Deployment]:
    """A deployment of its own, on an event loop of its own."""
    loop = VirtualTimeLoop()
    environment = {"DURABILITY_PUBLIC_URL": "http://api"}
    with (
        patch.object(asyncio, "new_event_loop", lambda: loop),
        patch.dict(os.environ, environment),
    ):
        deployed = Deployment(loop)
        with (
            patch.object(callbacks, "deployment_secret", lambda: deployed.secret),
            patch.object(cloud.logger, "warning", lambda text, *values: deployed.errors.append(text % values)),
        ):
            try:
                yield deployed
            finally:
                deployed.close()
                loop.close()
                asyncio.set_event_loop(None)
