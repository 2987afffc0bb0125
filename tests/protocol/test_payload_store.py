"""What the port of the payload store promises, of every implementation; and what goes there."""

from __future__ import annotations

import pytest

from durability._aws.objects import S3PayloadStore
from durability._core import history
from durability._core.failure import ApplicationFailureInfo, Failure
from durability._core.payload import Payload
from durability._memory.local import LOCAL_SETTINGS, LocalCloud
from durability._memory.payloads import MemoryPayloadStore
from durability._runtime.frontend import StartRequest
from durability._runtime.large_payloads import (
    ENCODING,
    IN_THE_TABLE,
    LargePayloads,
    is_reference,
    refers,
    refuse_references,
    run_prefix,
)
from durability._runtime.ports import PayloadStore
from durability.exceptions import StoredPayloadError, WorkflowAlreadyStartedError
from durability.service import RPCError
from tests.protocol.conftest import BUCKET, TwiceCaller

LIMIT = 1_000


async def test_what_was_written_is_read(payload_store: PayloadStore, namespace: str) -> None:
    await payload_store.put(f"{namespace}/run/a", b"one")
    assert await payload_store.get(f"{namespace}/run/a") == b"one"


async def test_what_is_there_is_left_as_it_is(payload_store: PayloadStore, namespace: str) -> None:
    await payload_store.put(f"{namespace}/run/a", b"one")
    await payload_store.put(f"{namespace}/run/a", b"two")
    assert await payload_store.get(f"{namespace}/run/a") == b"one"


async def test_what_is_missing_is_named(payload_store: PayloadStore, namespace: str) -> None:
    with pytest.raises(StoredPayloadError, match=f"{namespace}/run/a' is missing"):
        await payload_store.get(f"{namespace}/run/a")


async def test_a_prefix_is_deleted_and_nothing_else(payload_store: PayloadStore, namespace: str) -> None:
    for key in ("run/a", "run/b", "other/a"):
        await payload_store.put(f"{namespace}/{key}", b"x")
    await payload_store.delete(f"{namespace}/run/")
    await payload_store.delete(f"{namespace}/run/")
    with pytest.raises(StoredPayloadError):
        await payload_store.get(f"{namespace}/run/b")
    assert await payload_store.get(f"{namespace}/other/a") == b"x"


async def test_a_lost_answer_does_no_harm(caller: TwiceCaller, namespace: str) -> None:
    caller.lost = {"put_object", "delete_objects"}
    store = S3PayloadStore(caller, BUCKET)
    await store.put(f"{namespace}/run/a", b"one")
    assert await store.get(f"{namespace}/run/a") == b"one"
    await store.delete(f"{namespace}/run/")


# --- what goes there -------------------------------------------------------------------------------------------------


def payload(size: int, mark: bytes = b"x") -> Payload:
    return Payload({"encoding": b"binary/plain"}, mark * size)


def signal(*payloads: Payload) -> history.WorkflowExecutionSignaled:
    return history.WorkflowExecutionSignaled(1, "s", "name", list(payloads), {"h": payload(5)})


@pytest.fixture
def large(payload_store: PayloadStore) -> LargePayloads:
    return LargePayloads(payload_store, LIMIT, 4)


async def test_small_payloads_stay(large: LargePayloads, namespace: str) -> None:
    message = signal(payload(400), payload(400))
    assert await large.put_away(message, namespace, "run") is message
    assert not large.must_move(message, namespace, "run")
    assert await large.bring_back(message) is message


async def test_the_largest_go_until_the_rest_is_small(large: LargePayloads, namespace: str) -> None:
    message = signal(payload(300), payload(5_000, b"y"), payload(600))
    assert large.must_move(message, namespace, "run")
    kept = await large.put_away(message, namespace, "run")
    assert list(map(is_reference, kept.arguments)) == [False, True, False]
    assert message.arguments[1].data == b"y" * 5_000
    assert refers([kept])
    assert not refers([message])
    assert await large.bring_back(kept) == message
    assert await large.put_away(kept, namespace, "run") is kept


async def test_many_small_ones_go_as_well_if_together_they_are_large(large: LargePayloads, namespace: str) -> None:
    message = signal(*(payload(90 + n) for n in range(40)))
    kept = await large.put_away(message, namespace, "run")
    assert sum(len(one.data) for one in kept.arguments if not is_reference(one)) <= LIMIT
    assert await large.bring_back(kept) == message


async def test_details_of_failures_go_too(large: LargePayloads, namespace: str) -> None:
    inner = Failure(message="inner", info=ApplicationFailureInfo(details=[payload(5_000)]))
    failed = history.ActivityTaskFailed(1, "k", 1, 1, 1, "", Failure(message="outer", cause=inner))
    kept = await large.put_away(failed, namespace, "run")
    assert refers([kept])
    assert not refers([failed])
    assert await large.bring_back(kept) == failed


async def test_another_runs_objects_are_copied(
    large: LargePayloads, payload_store: PayloadStore, namespace: str
) -> None:
    first = await large.put_away(signal(payload(5_000)), namespace, "run-1")
    second = await large.put_away(first, namespace, "run-2")
    assert first.arguments != second.arguments
    await large.forget(namespace, "run-1")
    assert (await large.bring_back(second)).arguments == [payload(5_000)]
    with pytest.raises(StoredPayloadError, match="is missing"):
        await large.bring_back(first)


async def test_an_object_that_was_changed_is_not_believed(namespace: str) -> None:
    store = MemoryPayloadStore()
    large = LargePayloads(store, LIMIT, 4)
    kept = await large.put_away(signal(payload(5_000)), namespace, "run")
    [key] = store.objects
    assert key.startswith(run_prefix(namespace, "run"))
    store.objects[key] = store.objects[key][:-1] + b"!"
    with pytest.raises(StoredPayloadError, match="not what was written"):
        await large.bring_back(kept)


async def test_without_a_store_payloads_stay_and_references_are_explained(namespace: str) -> None:
    message = signal(payload(5_000))
    assert await IN_THE_TABLE.put_away(message, namespace, "run") is message
    kept = await LargePayloads(MemoryPayloadStore(), LIMIT, 4).put_away(message, namespace, "run")
    with pytest.raises(StoredPayloadError, match="DURABILITY_BUCKET"):
        await IN_THE_TABLE.bring_back(kept)


async def test_references_are_not_taken_from_clients(namespace: str) -> None:
    kept = await LargePayloads(MemoryPayloadStore(), LIMIT, 4).put_away(signal(payload(5_000)), namespace, "run")
    with pytest.raises(RPCError, match="the engine's own"):
        refuse_references(kept)


def large_start(request_id: str) -> StartRequest:
    return StartRequest(
        workflow_id="w",
        workflow_type="Order",
        task_queue="orders",
        arguments=[payload(LOCAL_SETTINGS.inline_limit + 1)],
        request_id=request_id,
    )


async def test_a_start_that_finds_a_run_leaves_no_objects() -> None:
    cloud = LocalCloud()
    started = await cloud.gateway.start(large_start("first"))
    [kept] = cloud.payload_store.objects
    assert kept.startswith(run_prefix(cloud.namespace, started.run_id))
    with pytest.raises(WorkflowAlreadyStartedError):
        await cloud.gateway.start(large_start("second"))
    assert (await cloud.gateway.start(large_start("first"))).existing
    assert list(cloud.payload_store.objects) == [kept]


async def test_a_start_that_fails_after_the_run_is_there_keeps_its_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = LocalCloud()

    async def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(cloud, "send_wake_up", unreachable)
    with pytest.raises(ConnectionError):
        await cloud.gateway.start(large_start("first"))
    run = await cloud.gateway.describe("w", None)
    [kept] = cloud.payload_store.objects
    assert kept.startswith(run_prefix(cloud.namespace, run.run_id))


@pytest.mark.parametrize("data", [b"", b"\x92\xa1\xc2\xa0"])
async def test_a_reference_that_cannot_be_read(large: LargePayloads, data: bytes) -> None:
    with pytest.raises(StoredPayloadError, match="cannot be read"):
        await large.bring_back(signal(Payload({"encoding": ENCODING}, data)))
