"""The HTTP API as a Lambda function: API Gateway's events through mangum, and the secret in Secrets Manager."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from mangum import Mangum
from moto import mock_aws

from durability._aws.secrets import LIFETIME, REFRESH_AFTER, RotatingSecret
from durability._http.app import create_app
from durability._http.handler import http_handler, in_one_loop
from durability.application import Application
from durability.exceptions import ConfigurationError

from .conftest import WORKFLOWS


def event(method: str, path: str, body: Any = None, query: str = "") -> dict[str, Any]:
    """An event of an HTTP API, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"content-type": "application/json", "host": "abc.execute-api.us-east-1.amazonaws.com"},
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "stage": "$default",
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


class Untouched:
    """Stands for an engine that must not be asked at all."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the engine was asked to {name}")


@pytest.fixture
def in_a_function(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Run code where no event loop has ever been, as in a function's process: in a thread of its own."""
    loops: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: loops.append(make()) or loops[-1])
    with ThreadPoolExecutor(1) as thread:
        yield lambda work: thread.submit(work).result()
    for loop in loops:
        loop.close()


def test_events_of_api_gateway(in_a_function: Callable[[Callable[[], None]], None]) -> None:
    in_a_function(_events_of_api_gateway)


def _events_of_api_gateway() -> None:
    async def connect() -> Any:
        return Untouched()

    handler = in_one_loop(Mangum(create_app(connect, workflow_types=WORKFLOWS, task_queue="q"), lifespan="off"))
    context: Any = object()
    healthy = handler(event("GET", "/health"), context)
    assert (healthy["statusCode"], json.loads(healthy["body"])["status"]) == (200, "ok")
    unknown = handler(event("POST", "/workflows", {"workflow_type": "Nothing"}), context)
    assert (unknown["statusCode"], json.loads(unknown["body"])["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert handler(event("GET", "/nowhere"), context)["statusCode"] == 404
    assert handler(event("PUT", "/health"), context)["statusCode"] == 405


def test_the_applications_handler_answers_without_an_engine(
    in_a_function: Callable[[Callable[[], None]], None],
) -> None:
    def answer() -> None:
        handler = http_handler(Application(workflows=WORKFLOWS))
        assert handler(event("GET", "/health"), object())["statusCode"] == 200
        assert handler(event("GET", "/health"), object())["statusCode"] == 200

    in_a_function(answer)


def test_the_secret_is_cached_and_rotation_is_noticed() -> None:
    now = [0.0]
    with mock_aws():
        manager = boto3.client("secretsmanager")
        arn = manager.create_secret(Name="webhooks", SecretString="one")["ARN"]
        secret = RotatingSecret(arn, clock=lambda: now[0])
        assert secret.versions() == [b"one"]
        manager.put_secret_value(SecretId=arn, SecretString="two")
        now[0] += LIFETIME
        assert secret.versions() == [b"one"]
        now[0] += 1
        assert secret.versions() == [b"two", b"one"]
        manager.put_secret_value(SecretId=arn, SecretString="three")
        assert secret.versions(refresh=True) == [b"two", b"one"]
        now[0] += REFRESH_AFTER + 1
        assert secret.versions(refresh=True) == [b"three", b"two"]
        with pytest.raises(ConfigurationError, match="does not exist"):
            RotatingSecret("missing").versions()
