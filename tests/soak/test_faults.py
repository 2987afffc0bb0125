"""Which requests are disturbed, and that the proxy does what was decided."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from durability._local.http_server import HttpServer

from .faults import REPETITIONS, FaultPlan, Kind, Rates, error, repeated
from .proxy import Proxy

AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


class Decided(FaultPlan):
    """Decides what the test says."""

    def __init__(self, kind: Kind | None) -> None:
        super().__init__(0, Rates(slowest=0.1))
        self.kind = kind

    def decide(self, service: str, operation: str, now: float) -> Kind | None:
        return self.kind


class Service:
    """Remembers what reached it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.twice = asyncio.Event()
        self.hosts: list[str] = []
        self.server = HttpServer(self._answer)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.hosts.append(request.host)
        if len(self.bodies) == 2:
            self.twice.set()
        return web.json_response({"MessageId": "1"}, headers={"x-amzn-requestid": "r"})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.server.start()
    yield service
    await service.server.stop()


async def ask(service: Service, kind: Kind | None, operation: str = "PutItem") -> tuple[int, bytes, list[bytes]]:
    """Status and body of a request through the proxy, and what the proxy has told of it; 0 for a lost connection."""
    told: list[bytes] = []
    name = "sqs" if operation == "SendMessage" else "dynamodb"
    headers = {"Authorization": AUTHORIZATION.format(name), "X-Amz-Target": f"T.{operation}"}
    with Proxy(Decided(kind), lambda body, at: told.append(body)) as proxy:
        url = proxy.before(f"http://{service.server.address}")
        async with aiohttp.ClientSession() as session:
            try:
                async with session.post(url, data=b'{"MessageBody": "m"}', headers=headers) as answer:
                    status, body = answer.status, await answer.read()
            except aiohttp.ServerDisconnectedError:
                status, body = 0, b""
        if kind in REPETITIONS:
            await service.twice.wait()
    return status, body, told


async def test_an_undisturbed_request_passes_unchanged(service: Service) -> None:
    assert await ask(service, None) == (200, b'{"MessageId": "1"}', [])
    assert service.bodies == [b'{"MessageBody": "m"}']


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (Kind.THROTTLED, 400, "ProvisionedThroughputExceededException"),
        (Kind.ERROR_500, 500, "InternalServerError"),
        (Kind.ERROR_503, 503, "ServiceUnavailable"),
    ],
)
async def test_a_refused_request_does_not_arrive(service: Service, kind: Kind, status: int, code: str) -> None:
    answered, body, told = await ask(service, kind)
    assert (answered, json.loads(body)["__type"]) == (status, code)
    assert told == [b'{"MessageBody": "m"}']
    assert service.bodies == []


async def test_a_connection_is_lost_before_the_request_takes_effect(service: Service) -> None:
    assert (await ask(service, Kind.CONNECTION_LOST))[0] == 0
    assert service.bodies == []


@pytest.mark.parametrize(("kind", "status"), [(Kind.ANSWER_LOST, 0), (Kind.ANSWER_500, 500)])
async def test_an_answer_is_lost_after_the_request_took_effect(service: Service, kind: Kind, status: int) -> None:
    assert (await ask(service, kind))[0] == status
    assert len(service.bodies) == 1


async def test_a_slow_answer_is_the_answer(service: Service) -> None:
    assert (await ask(service, Kind.SLOW))[:2] == (200, b'{"MessageId": "1"}')


@pytest.mark.parametrize(("kind", "delays"), [(Kind.SENT_TWICE, range(1)), (Kind.REDELIVERED, range(1, 21))])
async def test_a_message_is_sent_once_more(service: Service, kind: Kind, delays: range) -> None:
    status, _, _ = await ask(service, kind, "SendMessage")
    assert status == 200
    first, second = map(json.loads, service.bodies)
    assert second.pop("DelaySeconds") in delays
    assert first == second


async def test_in_front_of_the_api_nothing_is_disturbed(service: Service) -> None:
    with Proxy(Decided(Kind.ERROR_500)) as proxy:
        url = proxy.before(f"http://{service.server.address}", host="api.example")
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200
    assert service.hosts == ["api.example"]


def test_a_plan_is_its_seeds() -> None:
    def decisions(seed: int) -> list[Kind | None]:
        plan = FaultPlan(seed)
        return [plan.decide("sqs", "SendMessage", number / 10) for number in range(2000)]

    assert decisions(1) == decisions(1)
    assert decisions(1) != decisions(2)


def test_every_kind_comes_up_and_is_counted() -> None:
    plan = FaultPlan(3)
    decided = Counter(plan.decide("sqs", "SendMessage", number / 10) for number in range(5000))
    assert set(decided) == {*Kind, None}
    storms = plan.tally.pop("sqs: storms")
    others = sum(count for name, count in plan.tally.items() if name.endswith("storms"))
    assert storms
    assert sum(plan.tally.values()) - others == decided.total() - decided[None]


def test_only_messages_are_repeated() -> None:
    plan = FaultPlan(4, Rates(fault=0, repetition=1, storm=0))
    assert plan.decide("dynamodb", "PutItem", 1) is None
    assert plan.decide("sqs", "SendMessage", 2) in (Kind.SENT_TWICE, Kind.REDELIVERED)


def test_a_storm_fails_more_than_retries_get_over() -> None:
    plan = FaultPlan(5, Rates(fault=0, repetition=0, storm=1, storm_every=10, storm_seconds=5))
    failed = [plan.decide("dynamodb", "PutItem", number / 100) is not None for number in range(20_000)]
    assert "1" * 30 in "".join(str(int(each)) for each in failed)
    assert not all(failed)


def test_a_plan_that_is_no_longer_active_disturbs_nothing() -> None:
    plan = FaultPlan(6, Rates(fault=1))
    plan.active = False
    assert plan.decide("dynamodb", "PutItem", 1) is None


def test_a_batch_is_repeated_as_a_whole() -> None:
    body = json.dumps({"QueueUrl": "q", "Entries": [{"Id": "0"}, {"Id": "1", "DelaySeconds": 895}]}).encode()
    entries = json.loads(repeated("SendMessageBatch", body, 10))["Entries"]
    assert [entry["DelaySeconds"] for entry in entries] == [10, 900]


@pytest.mark.parametrize(
    ("service", "status"), [("dynamodb", 400), ("sqs", 403), ("lambda", 429), ("s3", 503), ("scheduler", 400)]
)
def test_services_throttle_as_on_aws(service: str, status: int) -> None:
    assert error(service, Kind.THROTTLED)[0] == status
