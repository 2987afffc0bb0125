"""External storage on S3: what is stored there, by whom it can be read, and workflows whose values lie there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import aioboto3
import pytest
import pytest_asyncio
import temporalio.api.common.v1
import temporalio.contrib.aws.s3driver
import temporalio.converter
from moto.server import ThreadedMotoServer

from durability import activity, workflow
from durability._core.payload import Payload
from durability.contrib.aws.s3driver import S3StorageDriver
from durability.contrib.aws.s3driver.aioboto3 import new_aioboto3_client
from durability.converter import (
    DataConverter,
    ExternalStorage,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)
from durability.testing import WorkflowEnvironment
from durability.worker import Replayer, Worker

BUCKET = "payloads"
OWNER = {"namespace": "default", "id": "order 1/ü", "run_id": "run", "type": "Order"}
PAYLOAD = Payload({"encoding": b"json/plain"}, b'"' + b"x" * 50_000 + b'"')


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest_asyncio.fixture
async def s3(endpoint: str) -> AsyncIterator[Any]:
    session = aioboto3.Session("key", "secret", region_name="us-east-1")
    async with session.client("s3", endpoint_url=endpoint) as client:
        await client.create_bucket(Bucket=BUCKET)
        for stored in (await client.list_objects_v2(Bucket=BUCKET)).get("Contents", ()):
            await client.delete_object(Bucket=BUCKET, Key=stored["Key"])
        yield client


async def keys(s3: Any) -> list[str]:
    return [stored["Key"] for stored in (await s3.list_objects_v2(Bucket=BUCKET)).get("Contents", ())]


def driver(s3: Any, **options: Any) -> S3StorageDriver:
    return S3StorageDriver(new_aioboto3_client(s3), BUCKET, **options)


async def store(s3: Any) -> StorageDriverClaim:
    target = StorageDriverWorkflowInfo(**OWNER)
    [claim] = await driver(s3).store(StorageDriverStoreContext(target=target), [PAYLOAD])
    return claim


class TheirClient(temporalio.contrib.aws.s3driver.S3StorageDriverClient):
    """The reference's own needs stubs of types to be installed."""

    def __init__(self, s3: Any) -> None:
        self._client = new_aioboto3_client(s3)

    async def object_exists(self, *, bucket: str, key: str) -> bool:
        return await self._client.object_exists(bucket=bucket, key=key)

    async def put_object(self, *, bucket: str, key: str, data: bytes) -> None:
        await self._client.put_object(bucket=bucket, key=key, data=data)

    async def get_object(self, *, bucket: str, key: str) -> bytes:
        return await self._client.get_object(bucket=bucket, key=key)


@pytest.mark.asyncio
async def test_either_driver_reads_what_the_other_has_stored(s3: Any) -> None:
    theirs = temporalio.contrib.aws.s3driver.S3StorageDriver(TheirClient(s3), BUCKET)
    mine = await store(s3)
    payload = temporalio.api.common.v1.Payload.FromString(PAYLOAD.SerializeToString())
    target = temporalio.converter.StorageDriverWorkflowInfo(**OWNER)
    [other] = await theirs.store(temporalio.converter.StorageDriverStoreContext(target=target), [payload])
    assert mine.claim_data == other.claim_data
    assert await keys(s3) == [mine.claim_data["key"]]
    [read] = await driver(s3).retrieve(StorageDriverRetrieveContext(), [StorageDriverClaim(dict(other.claim_data))])
    assert read == PAYLOAD
    claims = [temporalio.converter.StorageDriverClaim(mine.claim_data)]
    [read_there] = await theirs.retrieve(temporalio.converter.StorageDriverRetrieveContext(), claims)
    assert read_there == payload


@pytest.mark.asyncio
async def test_an_object_that_was_changed_or_is_missing_is_not_believed(s3: Any) -> None:
    claim = await store(s3)
    await s3.put_object(Bucket=BUCKET, Key=claim.claim_data["key"], Body=b"something else")
    with pytest.raises(ValueError, match="integrity check failed"):
        await driver(s3).retrieve(StorageDriverRetrieveContext(), [claim])
    await s3.delete_object(Bucket=BUCKET, Key=claim.claim_data["key"])
    with pytest.raises(RuntimeError, match=r"retrieve failed .*client_region=us-east-1"):
        await driver(s3).retrieve(StorageDriverRetrieveContext(), [claim])


@pytest.mark.asyncio
async def test_what_is_too_large_is_refused(s3: Any) -> None:
    with pytest.raises(ValueError, match="exceeds the configured max_payload_size of 1000 bytes"):
        await driver(s3, max_payload_size=1000).store(StorageDriverStoreContext(), [PAYLOAD])
    assert await keys(s3) == []


@activity.defn
async def doubled(text: str) -> str:
    return text + text


@workflow.defn
class Large:
    def __init__(self) -> None:
        self.told = ""

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told = text

    @workflow.query
    def told_so_far(self) -> str:
        return self.told

    @workflow.run
    async def run(self, text: str) -> str:
        await workflow.wait_condition(lambda: bool(self.told))
        twice = await workflow.execute_activity(doubled, text, start_to_close_timeout=timedelta(seconds=10))
        return twice + self.told


@pytest.mark.asyncio
async def test_values_of_a_workflow_lie_in_the_bucket(s3: Any) -> None:
    """Three megabytes: more than a payload may have that the engine stores itself."""
    text, told = "a" * 3_000_000, "b" * 400_000
    storage = ExternalStorage(drivers=[driver(s3)], payload_size_threshold=100_000)
    converter = DataConverter(external_storage=storage)
    async with await WorkflowEnvironment.start_local(data_converter=converter) as environment:
        client = environment.client
        async with Worker(client, task_queue="q", workflows=[Large], activities=[doubled], max_cached_workflows=0):
            handle = await client.start_workflow(Large.run, text, id="large", task_queue="q")
            await handle.signal(Large.tell, told)
            assert await handle.query(Large.told_so_far) == told
            assert await handle.result() == text + text + told
        history = await handle.fetch_history()
    await Replayer(workflows=[Large], data_converter=converter).replay_workflow(history)
    with pytest.raises(RuntimeError, match=r"TMPRL1105.*not configured"):
        await Replayer(workflows=[Large]).replay_workflow(history)
    stored = len(await keys(s3))
    # Arguments and results of workflow and activity, the signal, and the answer to the query.
    assert stored == 6
    started = history.events[0].workflow_execution_started_event_attributes
    [reference] = started.input.payloads
    assert [details.size_bytes for details in reference.external_payloads] == [3_000_031]
    assert len(history.to_json()) < 20_000
