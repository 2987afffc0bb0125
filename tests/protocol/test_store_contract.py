"""What the port of the history store promises, of every implementation."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from functools import partial

import pytest

from durability._aws.dynamodb import DynamoDBStore
from durability._aws.message_items import BODY_LIMIT, SPILL_FROM
from durability._core.payload import Payload
from durability._runtime.frontend import ListFilter, Status
from durability._runtime.identifiers import new_run_id
from durability._runtime.ports import (
    FencedError,
    Head,
    HeadRecord,
    HistoryStore,
    ItemTooLargeError,
    Settlement,
    TaskState,
    WorkflowKey,
)
from durability.exceptions import HistoryFormatError
from tests.protocol.conftest import TwiceCaller

NOW = 1_700_000_000_000
LARGE = bytes(range(256)) * (SPILL_FROM // 128)
HUGE = bytes(range(256)) * (BODY_LIMIT // 100)


@pytest.fixture
def key(namespace: str) -> WorkflowKey:
    return WorkflowKey(namespace, "order#1/ü")


def new_head(key: WorkflowKey, *, start: int = NOW, **changes: object) -> Head:
    head = Head(
        key=key,
        run_id=new_run_id(start),
        workflow_type="Order",
        task_queue="queue",
        status=Status.RUNNING,
        request_id="request",
        start_time=start,
        record=HeadRecord(memo={"note": Payload({"encoding": b"json/plain"}, b"1")}, parent_workflow_id="parent"),
        counter=1,
        inbox={"start": b"started"},
        awake=start,
        attention=start,
    )
    return dataclasses.replace(head, **changes)  # type: ignore[arg-type]


async def created(store: HistoryStore, key: WorkflowKey, **changes: object) -> Head:
    head = new_head(key, **changes)  # type: ignore[arg-type]
    assert await store.create(head) is None
    return head


async def current(store: HistoryStore, head: Head) -> Head:
    found = (await store.load(head.key, head.run_id, 1000)).head
    assert found is not None
    return found


def settlement(dispatched: int, **changes: object) -> Settlement:
    return dataclasses.replace(Settlement(dispatched=dispatched, wake_up=0, history_length=3), **changes)  # type: ignore[arg-type]


# --- starting --------------------------------------------------------------------------------------------------------


async def test_an_unknown_workflow_has_nothing(store: HistoryStore, key: WorkflowKey) -> None:
    assert await store.head(key) is None
    loaded = await store.load(key, new_run_id(NOW), 0)
    assert loaded.head is None
    assert loaded.deltas == []
    assert await store.deltas(key, new_run_id(NOW)) == []
    assert await store.closed_run(key, new_run_id(NOW)) is None
    assert await store.task(key, new_run_id(NOW), 1) == TaskState()
    delivery = await store.deliver(key, None, "m", b"body", NOW)
    assert not delivery.accepted
    assert delivery.before is None


async def test_a_head_is_read_as_it_was_written(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key, inbox={"start": b"started", "s:1": b"signal"}, counter=2)
    assert await store.head(key) == head
    assert await current(store, head) == head


async def test_a_workflow_id_is_created_once(store: HistoryStore, key: WorkflowKey) -> None:
    first = await created(store, key)
    assert await store.create(new_head(key, request_id="other")) == first
    assert await store.head(key) == first


async def test_of_many_concurrent_starts_one_wins(store: HistoryStore, key: WorkflowKey) -> None:
    heads = [new_head(key, request_id=str(n)) for n in range(8)]
    answers = await asyncio.gather(*map(store.create, heads))
    winners = [head for head, answer in zip(heads, answers, strict=True) if answer is None]
    assert len(winners) == 1
    assert all(answer == winners[0] for answer in answers if answer is not None)


async def test_large_messages_of_a_new_head_are_kept(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key, inbox={"start": LARGE})
    assert (await current(store, head)).inbox == {"start": LARGE}


async def test_a_start_that_no_item_can_hold_is_refused(store: HistoryStore, key: WorkflowKey) -> None:
    with pytest.raises(ItemTooLargeError):
        await store.create(new_head(key, inbox={"start": bytes(410_000)}))
    assert await store.head(key) is None


# --- deltas ----------------------------------------------------------------------------------------------------------


async def test_deltas_come_in_order_after_the_one_asked_for(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    for sequence in range(1, 13):
        await store.append(key, head.run_id, sequence, b"delta %d" % sequence)
    assert await store.deltas(key, head.run_id) == [(n, b"delta %d" % n) for n in range(1, 13)]
    loaded = await store.load(key, head.run_id, 9)
    assert loaded.head == head
    assert loaded.deltas == [(n, b"delta %d" % n) for n in (10, 11, 12)]


async def test_deltas_belong_to_their_run(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    other = new_run_id(NOW)
    await store.append(key, other, 1, b"other")
    await store.append(key, head.run_id, 1, b"mine")
    assert (await store.load(key, head.run_id, 0)).deltas == [(1, b"mine")]
    assert await store.deltas(key, other) == [(1, b"other")]
    assert (await store.load(key, other, 0)).deltas == [(1, b"other")]


@pytest.mark.parametrize("size", [10, len(HUGE)])
async def test_a_number_is_appended_once(store: HistoryStore, key: WorkflowKey, size: int) -> None:
    head = await created(store, key)
    await store.append(key, head.run_id, 1, b"1" * size)
    with pytest.raises(FencedError):
        await store.append(key, head.run_id, 1, b"2" * size)
    assert await store.deltas(key, head.run_id) == [(1, b"1" * size)]


async def test_of_many_concurrent_writers_one_wins(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    bodies = [bytes([n]) * (len(HUGE) if n % 4 == 0 else 10) for n in range(12)]
    answers = await asyncio.gather(
        *(store.append(key, head.run_id, 1, body) for body in bodies), return_exceptions=True
    )
    winners = [body for body, answer in zip(bodies, answers, strict=True) if answer is None]
    assert len(winners) == 1
    assert all(isinstance(answer, FencedError) for answer in answers if answer is not None)
    assert await store.deltas(key, head.run_id) == [(1, winners[0])]


async def test_a_delta_beyond_an_items_size_is_kept(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    await store.append(key, head.run_id, 1, HUGE)
    await store.append(key, head.run_id, 2, b"small")
    assert (await store.load(key, head.run_id, 0)).deltas == [(1, HUGE), (2, b"small")]
    assert (await store.load(key, head.run_id, 1)).deltas == [(2, b"small")]


# --- messages --------------------------------------------------------------------------------------------------------


async def test_a_message_wakes_and_tells_who_owes_the_wake_up(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    assert await store.settle(head, settlement(0, attention=NOW + 9_000, wake_up=NOW + 9_000), drop=["start"]) is None
    first = await store.deliver(key, head.run_id, "s:1", b"one", NOW + 5)
    second = await store.deliver(key, None, "s:2", b"two", NOW + 6)
    assert first.accepted
    assert second.accepted
    assert first.before is not None
    assert second.before is not None
    assert first.before.awake == 0
    assert second.before.awake == NOW + 5
    now = await current(store, head)
    assert now.inbox == {"s:1": b"one", "s:2": b"two"}
    assert (now.awake, now.attention, now.wake_up) == (NOW + 5, NOW + 5, NOW + 9_000)
    assert now.counter == head.counter + 2


async def test_messages_keep_the_order_of_their_arrival(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    names = [f"s:{n}" for n in (3, 11, 1, 2, 30, 0)]
    for name in names:
        await store.deliver(key, None, name, name.encode(), NOW)
    assert list((await current(store, head)).inbox) == ["start", *names]


async def test_a_message_that_comes_twice_is_kept_once(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    for body in (b"first", b"second"):
        assert (await store.deliver(key, None, "s:1", body, NOW)).accepted
    assert (await current(store, head)).inbox == {"start": b"started", "s:1": b"first"}


async def test_large_messages_are_kept_whole_and_go_with_the_release(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    assert (await store.deliver(key, None, "s:large", LARGE, NOW)).accepted
    assert (await store.deliver(key, head.run_id, "s:small", b"small", NOW)).accepted
    now = await current(store, head)
    assert now.inbox == {"start": b"started", "s:large": LARGE, "s:small": b"small"}
    assert await store.settle(now, settlement(0), drop=list(now.inbox)) is None
    assert (await current(store, head)).inbox == {}


async def test_a_message_that_no_item_can_hold_is_refused(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    with pytest.raises(ItemTooLargeError):
        await store.deliver(key, None, "s:1", bytes(420_000), NOW)
    assert await store.head(key) == head


async def test_an_inbox_that_is_full_takes_no_more(store: HistoryStore, key: WorkflowKey) -> None:
    body = bytes(SPILL_FROM - 10)
    head = await created(store, key, inbox={f"s:{n}": body for n in range(97)})
    assert (await store.deliver(key, None, "s:97", body, NOW)).accepted

    async def fill() -> None:
        for n in range(98, 110):
            await store.deliver(key, None, f"s:{n}", body, NOW)

    with pytest.raises(ItemTooLargeError):
        await fill()
    assert 98 <= len((await current(store, head)).inbox) <= 101


async def test_messages_for_another_run_or_a_closed_one_are_refused(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    for body in (b"small", LARGE):
        refused = await store.deliver(key, new_run_id(NOW), "s:1", body, NOW)
        assert not refused.accepted
        assert refused.before is not None
        assert refused.before.run_id == head.run_id
    ended = settlement(1, status=Status.COMPLETED, close_time=NOW + 7)
    assert await store.settle(head, ended, drop=["start"]) is None
    for run_id in (None, head.run_id):
        refused = await store.deliver(key, run_id, "s:1", b"late", NOW)
        assert not refused.accepted
        assert refused.before is not None
        assert refused.before.status == Status.COMPLETED
    assert (await current(store, head)).inbox == {}


# --- release ---------------------------------------------------------------------------------------------------------


async def test_a_release_empties_the_inbox_and_goes_to_sleep(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    record = HeadRecord(memo={}, execution_time=5)
    released = settlement(3, wake_up=NOW + 1, attention=NOW + 2, history_length=17, open_since=2, record=record)
    assert await store.settle(head, released, drop=["start"]) is None
    now = await current(store, head)
    assert now.open_since == 2
    assert (now.dispatched, now.wake_up, now.attention, now.awake) == (3, NOW + 1, NOW + 2, 0)
    assert (now.inbox, now.history_length, now.record, now.status) == ({}, 17, record, Status.RUNNING)
    assert now.counter == head.counter


async def test_a_release_without_a_record_keeps_it(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    assert await store.settle(head, settlement(1), drop=["start"]) is None
    assert (await current(store, head)).record == head.record


async def test_a_release_is_refused_when_a_message_has_come(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    await store.deliver(key, None, "s:1", LARGE, NOW)
    conflict = await store.settle(head, settlement(1), drop=["start"])
    assert conflict is not None
    assert conflict == await current(store, head)
    assert conflict.inbox == {"start": b"started", "s:1": LARGE}
    assert conflict.dispatched == 0
    assert await store.settle(conflict, settlement(1), drop=list(conflict.inbox)) is None


async def test_a_release_is_refused_when_somebody_else_released(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    assert await store.settle(head, settlement(1), drop=["start"]) is None
    conflict = await store.settle(head, settlement(2), drop=["start"])
    assert conflict is not None
    assert conflict.dispatched == 1


async def test_a_release_is_refused_for_another_run(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    other = dataclasses.replace(head, run_id=new_run_id(NOW))
    assert await store.settle(other, settlement(1), drop=[]) == head


async def test_a_closed_run_is_not_closed_again(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    ended = settlement(0, status=Status.COMPLETED, close_time=NOW + 7, outcome=b"result", awake=NOW, attention=NOW)
    assert await store.settle(head, ended, drop=["start"]) is None
    closed = await current(store, head)
    assert (closed.status, closed.close_time, closed.outcome) == (Status.COMPLETED, NOW + 7, b"result")
    assert (closed.awake, closed.attention) == (NOW, NOW)
    conflict = await store.settle(head, settlement(0, status=Status.FAILED), drop=[])
    assert conflict is not None
    assert conflict.status == Status.COMPLETED


async def test_consumed_messages_can_go_before_the_release(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    for name, body in (("s:1", LARGE), ("s:2", b"two"), ("s:3", LARGE)):
        await store.deliver(key, None, name, body, NOW)
    now = await current(store, head)
    after = await store.drop(now, 0, ["start", "s:1"])
    assert after is not None
    assert after.inbox == {"s:2": b"two", "s:3": LARGE}
    assert after.awake == head.awake
    assert (await current(store, head)).inbox == after.inbox
    assert await store.drop(dataclasses.replace(now, run_id=new_run_id(NOW)), 0, ["s:2"]) is None
    assert await store.drop(now, 1, ["s:2"]) is None
    assert (await store.deliver(key, None, "s:4", b"four", NOW)).accepted
    assert list((await current(store, head)).inbox) == ["s:2", "s:3", "s:4"]


# --- messages that lie apart -----------------------------------------------------------------------------------------


async def test_what_lies_apart_comes_last_and_in_its_own_order(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    for name, at in (("activity:2:1", NOW + 2), ("activity:10:1", NOW + 1)):
        delivery = await store.deliver(key, head.run_id, name, name.encode(), at, apart=True)
        assert delivery.accepted
    await store.deliver(key, None, "s:1", b"one", NOW + 3)
    assert delivery.before is not None
    assert delivery.before.apart == "activity:2:1", "by the first one a sender knows its own first try"
    now = await current(store, head)
    assert list(now.inbox) == ["start", "s:1", "activity:10:1", "activity:2:1"]
    assert now.inbox["activity:2:1"] == b"activity:2:1"
    assert now.counter == head.counter + 3
    assert now.awake == head.awake
    alone = await store.head(key)
    assert alone is not None
    assert list(alone.inbox) == ["start", "s:1"]


async def test_what_lies_apart_wakes_the_run_and_goes_with_the_release(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    assert await store.settle(head, settlement(0), drop=["start"]) is None
    asleep = await current(store, head)
    delivery = await store.deliver(key, head.run_id, "activity:1:1", LARGE, NOW + 5, apart=True)
    assert delivery.before is not None
    assert not delivery.before.awake
    conflict = await store.settle(asleep, settlement(0), drop=[])
    assert conflict is not None
    assert (conflict.inbox, conflict.awake) == ({"activity:1:1": LARGE}, NOW + 5)
    assert await store.settle(conflict, settlement(1), drop=list(conflict.inbox)) is None
    now = await current(store, head)
    assert (now.inbox, now.apart, now.awake) == ({}, "", 0)
    await store.deliver(key, head.run_id, "activity:2:1", b"two", NOW + 6, apart=True)
    assert (await current(store, head)).inbox == {"activity:2:1": b"two"}, "the first one is gone for good"


async def test_what_lies_apart_can_go_before_the_release(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    for number in range(40):
        await store.deliver(key, head.run_id, f"activity:{number}:1", b"x", NOW, apart=True)
    now = await current(store, head)
    left = await store.drop(now, 0, ["start", *(f"activity:{number}:1" for number in range(38))])
    assert left is not None
    assert set(left.inbox) == {"activity:38:1", "activity:39:1"}
    left = await store.drop(left, 0, ["activity:38:1"])
    assert left is not None
    assert list(left.inbox) == ["activity:39:1"]
    assert await store.drop(left, 1, ["activity:39:1"]) is None
    assert list((await current(store, head)).inbox) == ["activity:39:1"]


async def test_what_is_refused_does_not_lie_apart(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    assert not (await store.deliver(key, new_run_id(NOW), "activity:1:1", b"x", NOW, apart=True)).accepted
    assert await store.settle(head, settlement(1, status=Status.COMPLETED, close_time=NOW), drop=["start"]) is None
    assert not (await store.deliver(key, head.run_id, "activity:1:1", b"x", NOW, apart=True)).accepted
    assert (await current(store, head)).inbox == {}


async def test_counting_again_makes_releases_fail(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    assert await store.count_again(head)
    assert not await store.count_again(head)
    assert await store.settle(head, settlement(1), drop=[]) is not None
    assert await store.settle(dataclasses.replace(head, counter=head.counter + 1), settlement(1), drop=[]) is None


async def test_nothing_is_dropped_from_a_closed_run(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    assert await store.settle(head, settlement(0, status=Status.COMPLETED), drop=[]) is None
    assert await store.drop(head, 0, ["start"]) is None


# --- failures and wake-ups -------------------------------------------------------------------------------------------


async def test_a_failed_task_is_shown_until_the_release(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    await store.fail_task(head, "bug", NOW + 1000, record=None)
    failed = await current(store, head)
    assert (failed.task_attempts, failed.task_failure) == (1, "bug")
    assert (failed.awake, failed.wake_up, failed.attention) == (0, NOW + 1000, NOW + 1000)
    assert failed.inbox == head.inbox
    await store.fail_task(failed, "bug again", NOW + 3000, record=None)
    failed = await current(store, head)
    assert (failed.task_attempts, failed.task_failure) == (2, "bug again")
    assert await store.settle(failed, settlement(1), drop=["start"]) is None
    assert (await current(store, head)).task_attempts == 0
    assert (await current(store, head)).task_failure == ""


async def test_a_failed_task_leaves_its_record_in_the_inbox(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    await store.fail_task(head, "bug", NOW + 1000, record=("task-failed:1", b"how"))
    failed = await current(store, head)
    assert list(failed.inbox.items()) == [*head.inbox.items(), ("task-failed:1", b"how")]
    assert failed.counter == head.counter + 1
    assert failed.awake == 0
    assert await store.settle(head, settlement(1), drop=["start"]) is not None  # whoever knows nothing of it


async def test_a_failure_is_not_noted_when_the_run_moved_on(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    assert await store.settle(head, settlement(1), drop=["start"]) is None
    before = await current(store, head)
    await store.fail_task(head, "bug", NOW + 1000, record=None)
    assert await current(store, head) == before


async def test_the_wake_up_is_noted_unless_the_run_moved_on(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    await store.set_wake_up(head, NOW + 1)
    assert (await current(store, head)).wake_up == NOW + 1
    await store.deliver(key, None, "s:1", b"one", NOW)
    await store.set_wake_up(head, NOW + 2)
    assert (await current(store, head)).wake_up == NOW + 1


async def test_a_postponed_run_keeps_its_messages_and_waits_for_its_wake_up(
    store: HistoryStore, key: WorkflowKey
) -> None:
    head = await created(store, key)
    assert await store.postpone(head, NOW + 7_000)
    now = await current(store, head)
    assert (now.awake, now.wake_up, now.attention) == (0, NOW + 7_000, NOW + 7_000)
    assert now.inbox == head.inbox
    delivery = await store.deliver(key, None, "s:1", b"one", NOW)
    assert delivery.before is not None
    assert delivery.before.awake == 0
    assert not await store.postpone(head, NOW + 9_000)
    assert (await current(store, head)).awake == NOW


# --- the end ---------------------------------------------------------------------------------------------------------


async def test_a_closed_run_is_done_when_it_is_finished(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    await store.finish(key, head.run_id, 5)
    assert await store.head(key) == head, "an open run cannot be finished"
    ended = settlement(1, status=Status.FAILED, awake=NOW, attention=NOW)
    assert await store.settle(head, ended, drop=["start"]) is None
    await store.finish(key, new_run_id(NOW), 5)
    assert (await current(store, head)).dispatched == 1
    await store.finish(key, head.run_id, 2)
    finished = await current(store, head)
    assert (finished.dispatched, finished.awake, finished.attention) == (2, 0, 0)


async def test_a_run_takes_the_place_of_another_and_leaves_a_summary(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    following = new_head(key, start=NOW + 50, inbox={"start": LARGE})
    summary = dataclasses.replace(
        head,
        status=Status.CONTINUED_AS_NEW,
        close_time=NOW + 50,
        next_run_id=following.run_id,
        inbox={},
        awake=0,
        attention=0,
        dispatched=3,
    )
    assert await store.replace(following, head, summary) is None
    now = await current(store, following)
    assert now.run_id == following.run_id
    assert now.inbox == {"start": LARGE}
    assert await store.closed_run(key, head.run_id) == summary
    await store.finish_closed(key, head.run_id, 4)
    finished = await store.closed_run(key, head.run_id)
    assert finished is not None
    assert finished.dispatched == 4
    assert (await current(store, following)).dispatched == 0


@pytest.mark.parametrize("change", [{"counter": 2}, {"dispatched": 1}, {"status": Status.COMPLETED}, {"run_id": "0"}])
async def test_a_run_is_replaced_only_as_it_was_seen(
    store: HistoryStore, key: WorkflowKey, change: dict[str, object]
) -> None:
    head = await created(store, key)
    expected = dataclasses.replace(head, **change)  # type: ignore[arg-type]
    summary = dataclasses.replace(head, status=Status.CONTINUED_AS_NEW, inbox={})
    assert await store.replace(new_head(key), expected, summary) == head
    assert await store.head(key) == head
    assert await store.closed_run(key, head.run_id) is None


# --- activities ------------------------------------------------------------------------------------------------------


async def test_an_attempt_is_claimed_once(store: HistoryStore, key: WorkflowKey) -> None:
    run_id = new_run_id(NOW)
    assert await store.claim(key, run_id, 1, 1, NOW) == (True, TaskState(attempt=1, claimed=NOW))
    assert await store.claim(key, run_id, 1, 1, NOW + 1) == (False, TaskState(attempt=1, claimed=NOW))
    assert (await store.claim(key, run_id, 2, 1, NOW))[0], "another activity"
    assert (await store.claim(key, new_run_id(NOW), 1, 1, NOW))[0], "another run"


async def test_of_many_concurrent_claims_one_wins(store: HistoryStore, key: WorkflowKey) -> None:
    run_id = new_run_id(NOW)
    claims = await asyncio.gather(*(store.claim(key, run_id, 1, 1, NOW + n) for n in range(8)))
    assert sum(mine for mine, _ in claims) == 1


async def test_the_next_attempt_must_be_decided_first(store: HistoryStore, key: WorkflowKey) -> None:
    run_id = new_run_id(NOW)
    assert not await store.retry(key, run_id, 1, 2, NOW, b"failure"), "nothing has been attempted"
    assert not (await store.claim(key, run_id, 1, 2, NOW))[0]
    await store.claim(key, run_id, 1, 1, NOW)
    assert not (await store.claim(key, run_id, 1, 2, NOW))[0]
    assert not await store.retry(key, run_id, 1, 3, NOW, b"failure"), "attempts come one after the other"
    assert await store.retry(key, run_id, 1, 2, NOW + 9, b"failure")
    assert not await store.retry(key, run_id, 1, 2, NOW + 8, b"another failure"), "decided already"
    state = await store.task(key, run_id, 1)
    assert state == TaskState(attempt=1, claimed=NOW, next_attempt=2, next_due=NOW + 9, failure=b"failure")
    mine, state = await store.claim(key, run_id, 1, 2, NOW + 10)
    assert mine
    assert (state.attempt, state.claimed, state.failure) == (2, NOW + 10, b"failure")
    assert not await store.retry(key, run_id, 1, 2, NOW, b"failure")
    assert not (await store.claim(key, run_id, 1, 1, NOW))[0]


async def test_heartbeats_belong_to_the_attempt_and_details_outlive_it(store: HistoryStore, key: WorkflowKey) -> None:
    run_id = new_run_id(NOW)
    assert await store.heartbeat(key, run_id, 1, 1, b"lost", NOW) is None
    await store.claim(key, run_id, 1, 1, NOW)
    state = await store.heartbeat(key, run_id, 1, 1, b"half", NOW + 1)
    assert state is not None
    assert (state.heartbeat, state.details) == (NOW + 1, b"half")
    await store.retry(key, run_id, 1, 2, NOW, b"failure")
    assert await store.heartbeat(key, run_id, 1, 1, b"late", NOW + 2) is None
    _, state = await store.claim(key, run_id, 1, 2, NOW + 3)
    assert (state.heartbeat, state.details) == (0, b"half")
    assert await store.heartbeat(key, run_id, 1, 1, b"late", NOW + 4) is None
    assert await store.heartbeat(key, run_id, 1, 2, b"most", NOW + 5) is not None


async def test_heartbeats_of_eager_attempts_need_no_claim(store: HistoryStore, key: WorkflowKey) -> None:
    run_id = new_run_id(NOW)
    state = await store.heartbeat(key, run_id, 1, 1, b"first", NOW, eager=True)
    assert state is not None
    assert (state.attempt, state.details, state.cancel_requested) == (1, b"first", False)
    state = await store.heartbeat(key, run_id, 1, 3, b"third", NOW + 1, eager=True)
    assert state is not None
    assert state.attempt == 3
    assert await store.heartbeat(key, run_id, 1, 2, b"late", NOW + 2, eager=True) is None
    assert (await store.task(key, run_id, 1)).details == b"third"
    await store.request_cancel(key, run_id, 1)
    state = await store.heartbeat(key, run_id, 1, 3, b"again", NOW + 3, eager=True)
    assert state is not None
    assert state.cancel_requested


async def test_a_cancelled_activity_begins_no_attempt(store: HistoryStore, key: WorkflowKey) -> None:
    run_id = new_run_id(NOW)
    assert await store.request_cancel(key, run_id, 1) == TaskState()
    assert not (await store.claim(key, run_id, 1, 1, NOW))[0]
    await store.claim(key, run_id, 2, 1, NOW)
    assert (await store.request_cancel(key, run_id, 2)).attempt == 1
    state = await store.heartbeat(key, run_id, 2, 1, b"", NOW)
    assert state is not None
    assert state.cancel_requested
    assert not await store.retry(key, run_id, 2, 2, NOW, b"failure")
    assert (await store.request_cancel(key, run_id, 2)).cancel_requested


# --- finding runs ----------------------------------------------------------------------------------------------------


async def test_overdue_runs_are_found_oldest_first(store: HistoryStore, namespace: str) -> None:
    heads = [await created(store, WorkflowKey(namespace, f"w{n}"), awake=NOW + n, attention=NOW + n) for n in range(12)]
    asleep = heads[3]
    assert await store.settle(asleep, settlement(1), drop=[]) is None
    due = [head.wake_up_at(0) for head in heads[:9] if head is not asleep]
    assert await store.overdue(namespace, NOW + 8, 100) == due
    assert await store.overdue(namespace, NOW + 8, 3) == due[:3]
    assert await store.overdue("another", NOW + 8, 100) == []


async def listed(store: HistoryStore, namespace: str, **filter: object) -> list[str]:
    """The workflow ids of all pages."""
    found: list[str] = []
    token = ""
    while True:
        heads, token = await store.list_runs(namespace, ListFilter(page_token=token, **filter))  # type: ignore[arg-type]
        found += [head.key.workflow_id for head in heads]
        if not token:
            return found
        assert heads, "an empty page has nothing after it"


async def test_listing(store: HistoryStore, namespace: str) -> None:
    for n in range(9):
        head = await created(
            store, WorkflowKey(namespace, f"w{n}"), start=NOW + n // 2, workflow_type="Odd" if n % 2 else "Even"
        )
        if n in (2, 3, 8):
            ended = settlement(1, status=Status.FAILED if n == 3 else Status.COMPLETED, close_time=NOW + 50)
            assert await store.settle(head, ended, drop=[]) is None
    everything = await listed(store, namespace)
    assert sorted(everything) == [f"w{n}" for n in range(9)]
    assert [int(name[1:]) // 2 for name in everything] == [4, 3, 3, 2, 2, 1, 1, 0, 0]
    for size in (1, 2, 3, 9, 10):
        assert await listed(store, namespace, page_size=size) == everything
    assert sorted(await listed(store, namespace, workflow_type="Odd", page_size=2)) == ["w1", "w3", "w5", "w7"]
    assert sorted(await listed(store, namespace, status=2, page_size=1)) == ["w2", "w8"]
    assert await listed(store, namespace, status=3, workflow_type="Odd") == ["w3"]
    assert await listed(store, namespace, status=3, workflow_type="Even") == []
    assert await listed(store, namespace, workflow_id="w5") == ["w5"]
    assert await listed(store, namespace, workflow_id="w5", status=2) == []
    between = await listed(store, namespace, started_after=NOW + 1, started_before=NOW + 3)
    assert sorted(between) == ["w2", "w3", "w4", "w5"]
    assert await listed(store, "another") == []


async def test_listing_by_what_no_index_has(store: HistoryStore, namespace: str) -> None:
    values: list[object] = ["red", "blue", ["red", "green"], 3, True, 1, None]
    for n, value in enumerate(values):
        attributes = {} if value is None else {"Color": Payload({}, json.dumps(value).encode())}
        head = dataclasses.replace(
            new_head(WorkflowKey(namespace, f"w{n}"), start=NOW + n),
            task_queue="odd" if n % 2 else "even",
            record=HeadRecord(search_attributes=attributes),
        )
        assert await store.create(head) is None
    for size in (1, 2, 100):
        assert await listed(store, namespace, attributes={"Color": "red"}, page_size=size) == ["w2", "w0"]
        assert await listed(store, namespace, task_queue="odd", page_size=size) == ["w5", "w3", "w1"]
    assert await listed(store, namespace, attributes={"Color": "red"}, task_queue="odd") == []
    assert await listed(store, namespace, attributes={"Color": "green"}, workflow_id="w2") == ["w2"]
    assert await listed(store, namespace, attributes={"Color": "green"}, workflow_id="w0") == []
    assert await listed(store, namespace, attributes={"Color": 3}) == ["w3"]
    assert await listed(store, namespace, attributes={"Color": True}) == ["w4"]
    assert await listed(store, namespace, attributes={"Color": 1}) == ["w5"]
    assert await listed(store, namespace, attributes={"Color": "red", "Size": 1}) == []


async def test_listing_shows_what_a_description_needs(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    ended = settlement(1, status=Status.COMPLETED, close_time=NOW + 50, history_length=11)
    assert await store.settle(head, ended, drop=[]) is None
    [[found], _] = await store.list_runs(key.namespace, ListFilter())
    assert (found.key, found.run_id, found.workflow_type, found.task_queue) == (key, head.run_id, "Order", "queue")
    assert (found.status, found.start_time, found.close_time) == (Status.COMPLETED, NOW, NOW + 50)
    assert (found.history_length, found.record) == (11, head.record)


async def test_runs_that_were_replaced_are_listed(store: HistoryStore, key: WorkflowKey) -> None:
    head = await created(store, key)
    following = new_head(key, start=NOW + 50)
    summary = dataclasses.replace(head, status=Status.CONTINUED_AS_NEW, inbox={}, awake=0, attention=0)
    assert await store.replace(following, head, summary) is None
    for filter in (ListFilter(), ListFilter(workflow_id=key.workflow_id), ListFilter(workflow_type="Order")):
        heads, _ = await store.list_runs(key.namespace, filter)
        assert [(h.run_id, h.status) for h in heads] == [
            (following.run_id, Status.RUNNING),
            (head.run_id, Status.CONTINUED_AS_NEW),
        ]


# --- requests whose answer was lost ----------------------------------------------------------------------------------


async def test_a_repeated_create_is_its_own(dynamodb: DynamoDBStore, caller: TwiceCaller, key: WorkflowKey) -> None:
    caller.lost = {"put_item"}
    head = new_head(key)
    assert await dynamodb.create(head) is None
    assert await dynamodb.head(key) == head


@pytest.mark.parametrize("body", [b"small", HUGE], ids=["small", "huge"])
async def test_a_repeated_append_is_its_own(
    dynamodb: DynamoDBStore, caller: TwiceCaller, key: WorkflowKey, body: bytes
) -> None:
    head = await created(dynamodb, key)
    caller.lost = {"put_item"}
    await dynamodb.append(key, head.run_id, 1, body)
    assert await dynamodb.deltas(key, head.run_id) == [(1, body)]
    with pytest.raises(FencedError):
        await dynamodb.append(key, head.run_id, 1, body)


async def test_a_repeated_replacement_is_its_own(
    dynamodb: DynamoDBStore, caller: TwiceCaller, key: WorkflowKey
) -> None:
    head = await created(dynamodb, key)
    following = new_head(key)
    summary = dataclasses.replace(head, status=Status.CONTINUED_AS_NEW, inbox={})
    caller.lost = {"transact_write_items"}
    assert await dynamodb.replace(following, head, summary) == following
    assert await dynamodb.head(key) == following
    assert await dynamodb.closed_run(key, head.run_id) == summary


async def test_a_repeated_claim_is_its_own(dynamodb: DynamoDBStore, caller: TwiceCaller, key: WorkflowKey) -> None:
    caller.lost = {"update_item"}
    run_id = new_run_id(NOW)
    assert await dynamodb.claim(key, run_id, 1, 1, NOW) == (True, TaskState(attempt=1, claimed=NOW))
    assert not (await dynamodb.claim(key, run_id, 1, 1, NOW))[0]
    assert await dynamodb.retry(key, run_id, 1, 2, NOW + 5, b"failure")
    assert (await dynamodb.claim(key, run_id, 1, 2, NOW))[0]


async def test_a_repeated_delivery_is_kept_once(dynamodb: DynamoDBStore, caller: TwiceCaller, key: WorkflowKey) -> None:
    head = await created(dynamodb, key)
    assert await dynamodb.settle(head, settlement(0), drop=[]) is None
    caller.lost = {"update_item"}
    delivery = await dynamodb.deliver(key, None, "s:1", b"one", NOW)
    assert delivery.accepted
    assert delivery.before is not None
    assert "s:1" in delivery.before.inbox, "by this the sender knows its own first try, and that it owes the wake-up"
    assert (await current(dynamodb, head)).inbox == {"s:1": b"one"}


async def test_whatever_is_counted_is_read(dynamodb: DynamoDBStore, caller: TwiceCaller, key: WorkflowKey) -> None:
    """A message that is delivered between any two requests of a load is not missed by whoever knows the counter."""
    head = await created(dynamodb, key)
    await dynamodb.deliver(key, head.run_id, "activity:0:1", b"x", NOW, apart=True)
    sender = DynamoDBStore(caller.caller, "history")
    for number in (1, 2):
        meanwhile = partial(sender.deliver, key, head.run_id, f"activity:{number}:1", b"x", NOW, apart=True)
        caller.before = {number: meanwhile}
        caller.calls.clear()
        now = await current(dynamodb, head)
        assert caller.calls == ["query", "query"]
        counted = now.counter - head.counter
        assert {f"activity:{n}:1" for n in range(counted)} <= set(now.inbox)


async def test_a_repeated_delivery_apart_is_its_own(
    dynamodb: DynamoDBStore, caller: TwiceCaller, key: WorkflowKey
) -> None:
    head = await created(dynamodb, key)
    assert await dynamodb.settle(head, settlement(0), drop=[]) is None
    caller.lost = {"put_item", "update_item"}
    delivery = await dynamodb.deliver(key, head.run_id, "activity:1:1", b"one", NOW, apart=True)
    assert delivery.before is not None
    assert delivery.before.apart == "activity:1:1", "by this the sender knows that it owes the wake-up"
    assert (await current(dynamodb, head)).inbox == {"activity:1:1": b"one"}


async def test_a_repeated_release_shows_the_release(
    dynamodb: DynamoDBStore, caller: TwiceCaller, key: WorkflowKey
) -> None:
    head = await created(dynamodb, key)
    caller.lost = {"update_item"}
    conflict = await dynamodb.settle(head, settlement(3), drop=["start"])
    assert conflict is not None, "its executor reads the run again and finds that nothing is left to do"
    assert (conflict.dispatched, conflict.awake, conflict.inbox) == (3, 0, {})


async def test_requests_that_each_operation_costs(
    dynamodb: DynamoDBStore, caller: TwiceCaller, key: WorkflowKey
) -> None:
    head = new_head(key)
    following = new_head(key, start=NOW + 1)
    summary = dataclasses.replace(head, status=Status.CONTINUED_AS_NEW, dispatched=1, inbox={})
    for operation, expected in (
        (dynamodb.create(head), ["put_item"]),
        (dynamodb.load(key, head.run_id, 0), ["query"]),
        (dynamodb.append(key, head.run_id, 1, b"delta"), ["put_item"]),
        (dynamodb.settle(head, settlement(1), drop=["start"]), ["update_item"]),
        (dynamodb.deliver(key, None, "s:1", b"one", NOW), ["update_item"]),
        (dynamodb.deliver(key, head.run_id, "activity:1:1", b"x", NOW, apart=True), ["put_item", "update_item"]),
        (dynamodb.head(key), ["get_item"]),
        (dynamodb.claim(key, head.run_id, 1, 1, NOW), ["update_item"]),
    ):
        caller.calls.clear()
        await operation
        assert caller.calls == expected
    seen = await current(dynamodb, head)
    caller.calls.clear()
    assert await dynamodb.replace(following, seen, summary) is None
    assert caller.calls == ["transact_write_items"]


async def test_a_history_that_lacks_its_end_is_told(dynamodb: DynamoDBStore, key: WorkflowKey) -> None:
    head = await created(dynamodb, key, dispatched=2)
    await dynamodb.append(key, head.run_id, 1, b"delta")
    with pytest.raises(HistoryFormatError, match="lacks deltas"):
        await dynamodb.load(key, head.run_id, 0)
