"""The HTTP API over a deployment in memory; every response is held against the OpenAPI document."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import jsonschema
import pytest
import uvicorn

from durability import activity, callbacks, workflow
from durability._http.app import HttpApplication, create_app
from durability._http.openapi import openapi_document
from durability._memory.cloud import MemoryCloud
from durability.application import Application
from durability.client import Client
from durability.common import RetryPolicy
from durability.exceptions import ApplicationError
from durability.webhooks import Delivery, GitHub, Signal, Slack, StandardWebhooks, Stripe, Webhook

STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_STANDARD_SECRET = "whsec_" + "T2xkIHNlY3JldCwgc29vbiB0byBnbw=="
NOW = 1_614_265_330.0


@dataclass
class Order:
    item: str
    count: int = 1


@workflow.defn
class Shop:
    def __init__(self) -> None:
        self.notes: list[str] = []

    @workflow.run
    async def run(self, order: Order, notes: int) -> dict[str, Any]:
        await workflow.wait_condition(lambda: len(self.notes) >= notes)
        return {"item": order.item, "notes": self.notes}

    @workflow.signal
    def note(self, text: str) -> None:
        self.notes.append(text)

    @workflow.update
    def add(self, text: str) -> int:
        self.notes.append(text)
        return len(self.notes)

    @add.validator
    def check(self, text: str) -> None:
        if not text:
            raise ApplicationError("an empty note", type="Empty")

    @workflow.update
    async def wait_for(self, notes: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.notes) >= notes)
        return self.notes

    @workflow.query
    def noted(self, prefix: str = "") -> list[str]:
        if prefix == "!":
            raise ValueError("no such prefix")
        return [note for note in self.notes if note.startswith(prefix)]


@workflow.defn
class Answer:
    @workflow.run
    async def run(self, value: Any = None) -> Any:
        return value


@workflow.defn
class Sleeper:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(3600)


@workflow.defn
class Caller:
    """Makes a callback, continues as new if asked to, and waits for it."""

    def __init__(self) -> None:
        self.url = ""
        self.stay = True

    @workflow.run
    async def run(self, hops: int = 0, callback: callbacks.Callback | None = None) -> list[Any]:
        if callback is None:
            callback = await callbacks.create("warehouse", expires_in=timedelta(hours=1))
        self.url = callback.url
        if hops:
            workflow.continue_as_new(args=[hops - 1, callback])
        value = await callback.wait(timeout=timedelta(hours=2))
        await workflow.wait_condition(lambda: not self.stay)
        return [value, callback.done]

    @workflow.signal
    def leave(self) -> None:
        self.stay = False

    @workflow.query
    def callback_url(self) -> str:
        return self.url


@activity.defn
async def ask_somebody() -> Any:
    activity.raise_complete_async()


@workflow.defn
class Asking:
    @workflow.run
    async def run(self) -> Any:
        return await workflow.execute_activity(
            ask_somebody,
            activity_id="ask",
            start_to_close_timeout=timedelta(hours=1),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


WORKFLOWS = [Asking, Shop, Answer, Sleeper, Caller]


class Secret:
    """Stands for Secrets Manager: a secret that can be rotated."""

    def __init__(self) -> None:
        self.current = [b"first secret"]
        self.refreshed = 0

    def versions(self, *, refresh: bool = False) -> list[bytes]:
        self.refreshed += refresh
        return self.current


def note_of(delivery: Delivery) -> Signal | None:
    body = delivery.form() if delivery.endpoint == "slack-form" else delivery.json()
    return Signal(body["workflow"], "note", [body["text"]]) if body.get("workflow") else None


async def note_later(delivery: Delivery) -> Signal | None:
    return note_of(delivery)


WEBHOOKS = [
    Webhook("standard", StandardWebhooks([STANDARD_SECRET, OLD_STANDARD_SECRET]), note_of),
    Webhook("github", GitHub("It's a Secret to Everybody"), note_later),
    Webhook("stripe", Stripe("whsec_stripe"), note_of),
    Webhook("slack", Slack("8f742231b10e8888abcd99yyyzzz85a5"), note_of),
    Webhook("broken", GitHub("x"), lambda delivery: delivery.json()["missing"]),
]


class Clock:
    """The clock of tokens and signatures; workflows have a real one."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def milliseconds() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Secret:
    secret = Secret()
    monkeypatch.setenv("DURABILITY_PUBLIC_URL", "http://api")
    monkeypatch.setattr(callbacks, "deployment_secret", lambda: secret)
    return secret


@pytest.fixture
async def cloud(secret: Secret) -> AsyncIterator[MemoryCloud]:
    app = Application(workflows=WORKFLOWS, activities=[ask_somebody])
    async with MemoryCloud(
        app.registry.create, app.runner, clock=milliseconds, to_failure=app.registry.to_failure
    ) as cloud:
        yield cloud


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(cloud: MemoryCloud, clock: Clock) -> HttpApplication:
    async def connect() -> Any:
        return cloud.gateway

    return create_app(
        connect,
        task_queue="default",
        workflow_types=WORKFLOWS,
        webhooks=WEBHOOKS,
        clock=clock,
    )


class Api(httpx.AsyncClient):
    """A client that checks every response against the OpenAPI document."""

    def __init__(self, app: HttpApplication) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        super().__init__(transport=transport, base_url="http://api")
        self.app = app
        self.document = openapi_document(app.table)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        response = await super().send(request, **options)
        if request.method != "HEAD":
            self.check(request, response)
        return response

    def check(self, request: httpx.Request, response: httpx.Response) -> None:
        assert response.headers["content-type"] == "application/json"
        responses: dict[str, Any] = {"default": {"content": {"application/json": {"schema": {"$ref": ERROR}}}}}
        path = request.url.raw_path.decode().partition("?")[0]
        for route in self.app.table.routes:
            if route.method == request.method and route.match(path.strip("/").split("/")) is not None:
                responses = self.document["paths"][route.path][route.method.lower()]["responses"]
        described = responses.get(str(response.status_code))
        if described is None:
            assert response.status_code >= 400, f"{response.status_code} is not in the OpenAPI document"
            described = responses["default"]
        schema = described["content"]["application/json"]["schema"]
        document = {"components": self.document["components"], **schema}
        jsonschema.Draft202012Validator(document).validate(response.json())


ERROR = "#/components/schemas/ErrorBody"


@pytest.fixture
async def api(app: HttpApplication) -> AsyncIterator[Api]:
    async with Api(app) as api:
        yield api


@pytest.fixture
async def url(app: HttpApplication) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    async with await Client.connect(url, api_key="token") as client:
        yield client
