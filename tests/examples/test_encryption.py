"""The encryption example: nothing that is stored or sent shows a payslip, and keys can be changed under way."""

from __future__ import annotations

import asyncio
import base64
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from durability._core.encoding import DEFLATED, decode_command, decode_delta, decode_input
from durability._local import LocalCloud
from durability._memory.local import LocalCloud as MemoryLocalCloud
from durability.client import Client, WorkflowFailureError, WorkflowHandle
from durability.converter import DataConverter
from durability.exceptions import ActivityError, ApplicationError
from durability.testing import WorkflowEnvironment
from durability.worker import Worker
from examples.encryption.codec import KeyRing, encrypting_converter
from examples.encryption.payroll import Payroll, calculate, pay

ROOT = Path(__file__).parents[2]
QUEUE = "payroll"
SECRETS = ("Rosalind", "00 EUR")


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing.generate("old")


def worker(client: Client) -> Worker:
    return Worker(client, task_queue=QUEUE, workflows=[Payroll], activities=[calculate, pay])


@asynccontextmanager
async def at_work(converter: DataConverter) -> AsyncIterator[WorkflowEnvironment]:
    async with (
        await WorkflowEnvironment.start_time_skipping(data_converter=converter) as environment,
        worker(environment.client),
    ):
        yield environment


def assert_silent(*everything: object) -> None:
    """Nothing of it holds a secret, whichever way bytes are written in it."""
    for thing in everything:
        text = repr(thing)
        for secret in SECRETS:
            assert secret not in text


def in_memory(cloud: MemoryLocalCloud) -> Iterator[object]:
    """Everything that the environment keeps, unpacked."""
    yield cloud.payload_store.objects
    for head in (*cloud.store._heads.values(), *cloud.store._closed.values()):
        yield head
        yield [decode_input(body) for body in head.inbox.values()]
        yield decode_command(head.outcome) if head.outcome else None
    for deltas in cloud.store._deltas.values():
        yield [decode_delta(body) for body in deltas.values()]
    yield cloud.store._tasks


async def pay_rosalind(client: Client, workflow_id: str = "a") -> str:
    handle = await client.start_workflow(Payroll.run, "Rosalind", id=workflow_id, task_queue=QUEUE)
    assert (await handle.execute_update(Payroll.calculated)).employee == "Rosalind"
    assert "Rosalind" in await handle.query(Payroll.status)
    await handle.signal(Payroll.approve, "Rosalind has earned it")
    return await handle.result()


async def test_what_is_kept_does_not_show_it(ring: KeyRing) -> None:
    async with at_work(encrypting_converter(ring)) as environment:
        paid = await pay_rosalind(environment.client)
        assert paid == "paid 8000.00 EUR to Rosalind (Rosalind has earned it)"
        kept = list(in_memory(environment._cloud))  # type: ignore[attr-defined]
        assert len(kept) > 3
        assert_silent(*kept)


async def test_without_the_codec_it_would_show() -> None:
    """The test above can fail."""
    async with at_work(DataConverter.default) as environment:
        await pay_rosalind(environment.client)
        with pytest.raises(AssertionError):
            assert_silent(*in_memory(environment._cloud))  # type: ignore[attr-defined]


async def test_failures_do_not_show_it_either(ring: KeyRing) -> None:
    async with at_work(encrypting_converter(ring)) as environment:
        name = "Rosalind (unknown)"
        handle = await environment.client.start_workflow(Payroll.run, name, id="a", task_queue=QUEUE)
        await handle.signal(Payroll.approve, "")
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, ActivityError)
        assert isinstance(caught.value.cause.cause, ApplicationError)
        assert caught.value.cause.cause.message == "no account"
        assert caught.value.cause.cause.details == (f"no account of {name}",)
        assert_silent(*in_memory(environment._cloud))  # type: ignore[attr-defined]


async def test_a_run_goes_on_under_a_new_key_and_waits_for_a_missing_one(ring: KeyRing) -> None:
    new = ring.rotated("new")
    without_old = KeyRing({"new": new.keys["new"]}, "new")
    async with await WorkflowEnvironment.start_local(data_converter=encrypting_converter(ring)) as environment:
        async with worker(environment.client):
            handle = await environment.client.start_workflow(Payroll.run, "Rosalind", id="a", task_queue=QUEUE)
            await handle.execute_update(Payroll.calculated)
        forgetful = await environment.connect_client(data_converter=encrypting_converter(without_old))
        async with worker(forgetful):
            await forgetful.get_workflow_handle("a").signal("approve", "signed with the new key")
            async with asyncio.timeout(20):
                await failed_task(handle, "'old', which is not on the ring")
        rotated = await environment.connect_client(data_converter=encrypting_converter(new))
        async with worker(rotated):
            result = await rotated.get_workflow_handle_for(Payroll.run, "a").result()
            assert result == "paid 8000.00 EUR to Rosalind (signed with the new key)"
        history = (await rotated.get_workflow_handle("a").fetch_history()).to_json()
        ids = {key_id(payload) for payload in payloads_of(json.loads(history))}
        assert ids == {"b2xk", "bmV3"}  # "old" and "new"


async def failed_task(handle: WorkflowHandle[Any, Any], text: str) -> None:
    while text not in (await handle._client.frontend.describe(handle.id, None)).task_failure:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)


def payloads_of(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, dict):
        if "metadata" in document:
            yield document
        for value in document.values():
            yield from payloads_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from payloads_of(value)


def key_id(payload: dict[str, Any]) -> str:
    return str(payload["metadata"]["encryption-key-id"])


def test_on_the_local_cloud_nothing_that_is_stored_or_sent_shows_it(
    ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {"Application": "examples.encryption.app:app", "HttpAuthorization": "NONE"}
    cloud = LocalCloud(
        ROOT / "template.yaml", parameters=parameters, variables={"PAYROLL_KEYS": ring.to_json()}, rate_schedules=False
    )
    with cloud:
        for name, value in {**cloud.environment, **cloud.functions["WorkflowFunction"].spec.environment}.items():
            monkeypatch.setenv(name, value)
        cloud.record()
        converter = encrypting_converter(ring)
        assert asyncio.run(over_python(converter)) == "paid 8000.00 EUR to Rosalind (Rosalind has earned it)"
        over_http(str(cloud.outputs["HttpUrl"]))
        records = cloud.records()
        table = cloud.functions["WorkflowFunction"].spec.environment["DURABILITY_TABLE"]
        items = cloud.client("dynamodb").scan(TableName=table)["Items"]
        assert len(items) > 5
        assert_silent(*map(binaries, items))
        assert {record["service"] for record in records} >= {"dynamodb", "sqs"}
        sent = [json.loads(record["request"]) for record in records if record["request"].startswith("{")]
        assert_silent(*sent, *map(binaries, sent))


async def over_python(converter: DataConverter) -> str:
    async with await Client.connect(data_converter=converter) as client:
        return await pay_rosalind(client)


def over_http(url: str) -> None:
    """Whoever may call the API speaks plain JSON; the HTTP function has the keys."""
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
        start = {"workflow_type": "Payroll", "workflow_id": "b", "args": ["Rosalind"]}
        assert http.post("/workflows", json=start).status_code == 201
        calculated = http.post("/workflows/b/updates/calculated", json={}).json()
        assert calculated["result"] == {"employee": "Rosalind", "amount": "8000.00 EUR"}
        http.post("/workflows/b/signals/approve", json={"args": ["plain"]})
        assert http.get("/workflows/b/result?wait=20").json()["result"] == "paid 8000.00 EUR to Rosalind (plain)"
        http.post("/workflows", json={**start, "workflow_id": "c", "args": ["Rosalind (unknown)"]})
        http.post("/workflows/c/signals/approve", json={"args": [""]})
        failure = http.get("/workflows/c/result?wait=20").json()["failure"]
        assert failure["cause"]["message"] == "no account"


def binaries(document: Any) -> list[bytes]:
    """Whatever a document has in bytes or in base64, inflated where the engine has deflated it."""
    found: list[bytes] = []
    if isinstance(document, dict):
        found += [one for value in document.values() for one in binaries(value)]
    elif isinstance(document, list):
        found += [one for value in document for one in binaries(value)]
    elif isinstance(document, bytes):
        found.append(zlib.decompress(document[1:]) if document[:1] == DEFLATED else document)
    elif isinstance(document, str) and document.startswith("{"):
        found += binaries(json.loads(document))
    elif isinstance(document, str):
        with suppress(ValueError):
            found += binaries(base64.b64decode(document, validate=True))
    return found


def test_binaries_are_found() -> None:
    """The test above can fail."""
    hidden = json.dumps({"body": base64.b64encode(DEFLATED + zlib.compress(b"Rosalind")).decode()})
    assert binaries({"a": [{"B": b"\x01Rosalind"}, hidden]}) == [b"\x01Rosalind", b"Rosalind"]
