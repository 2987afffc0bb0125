"""The backend that plays DynamoDB, once for all tests, and the stores that must behave alike.

The backend is the local cloud's. ``STORE_ENDPOINT`` names another emulator, which is used if it is admitted.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from durability._aws.callers import BotoCaller
from durability._aws.dynamodb import DynamoDBStore
from durability._aws.objects import S3PayloadStore
from durability._aws.table import create_table
from durability._local import check_emulator
from durability._memory.payloads import MemoryPayloadStore
from durability._memory.store import MemoryStore
from durability._runtime.ports import HistoryStore, PayloadStore
from durability._simulation.table import Table, TableCaller

TABLE = "history"
BUCKET = "payloads"


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """A process that plays DynamoDB, with one table; tests use workflow ids of their own."""
    elsewhere = os.environ.get("STORE_ENDPOINT")
    if elsewhere:
        check_emulator(elsewhere)
        create_table(TABLE, region="us-east-1", endpoint=elsewhere)
        yield elsewhere
        return
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOTO_")}
    command = [sys.executable, "-m", "durability._local.backend"]
    backend = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, process_group=0)
    assert backend.stdin is not None
    assert backend.stdout is not None
    try:
        endpoint = f"http://127.0.0.1:{json.loads(backend.stdout.readline())['listening']}"
        create_table(TABLE, region="us-east-1", endpoint=endpoint)
        yield endpoint
    finally:
        backend.stdin.close()
        backend.stdout.close()
        backend.wait()


class TwiceCaller:
    """A caller whose first answer to chosen operations is lost, so that the request is sent again.

    Attributes:
        lost: The operations.
        calls: What was called.
        before: What somebody else does right before a call, by its number.
    """

    def __init__(self, caller: BotoCaller) -> None:
        self.caller = caller
        self.lost: set[str] = set()
        self.calls: list[str] = []
        self.before: dict[int, Callable[[], Awaitable[object]]] = {}

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        self.calls.append(operation)
        if len(self.calls) in self.before:
            await self.before[len(self.calls)]()
        if operation in self.lost:
            await self.caller.call(service, operation, **parameters)
        return await self.caller.call(service, operation, **parameters)

    async def close(self) -> None:
        await self.caller.close()


@pytest.fixture(scope="session")
def table(endpoint: str) -> str:
    return TABLE


@pytest.fixture(scope="session")
def boto(endpoint: str) -> Iterator[BotoCaller]:
    caller = BotoCaller()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", endpoint)
        caller.client("dynamodb")
        caller.client("s3").create_bucket(Bucket=BUCKET)
    yield caller
    asyncio.run(caller.close())


@pytest.fixture
def caller(boto: BotoCaller) -> TwiceCaller:
    return TwiceCaller(boto)


@pytest.fixture(params=["memory", "twin", "dynamodb"])
def store(request: pytest.FixtureRequest) -> HistoryStore:
    """Each of the implementations of the port; DynamoDB's on the simulation's twin of a table as well."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "twin":
        return DynamoDBStore(TableCaller(Table(lambda: 0)), TABLE)
    return DynamoDBStore(request.getfixturevalue("caller"), request.getfixturevalue("table"))


@pytest.fixture
def dynamodb(caller: TwiceCaller, table: str) -> DynamoDBStore:
    return DynamoDBStore(caller, table)


@pytest.fixture(params=["memory", "s3"])
def payload_store(request: pytest.FixtureRequest) -> PayloadStore:
    """Each of the implementations of the port."""
    if request.param == "memory":
        return MemoryPayloadStore()
    return S3PayloadStore(request.getfixturevalue("caller"), BUCKET)


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return uuid.uuid4().hex
