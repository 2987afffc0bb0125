"""What the examples are said to do beyond what they print, in skipped time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from durability.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from durability.exceptions import ApplicationError, CancelledError
from durability.testing import WorkflowEnvironment
from durability.worker import Replayer, Worker
from durability.workflow import NondeterminismError
from examples import entity, resource_pool, sleep_for_days, sliding_window, updatable_timer
from examples.dsl import interpreter
from examples.dsl.program import Call, Program, Statement
from examples.hello import patch
from examples.message_passing import safe_handlers
from examples.polling import infrequent, periodic
from examples.running import TASK_QUEUE, Example


@pytest_asyncio.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_time_skipping() as environment:
        yield environment


async def play(example: Example, client: Client, *arguments: Any) -> Any:
    """Run an example's first workflow to its end."""
    async with example.worker(client):
        return await client.execute_workflow(
            example.workflows[0].run,  # type: ignore[attr-defined]
            args=arguments,
            id="example",
            task_queue=TASK_QUEUE,
        )


# --- patch ----------------------------------------------------------------------------------------------------------

VERSIONS = (patch.RemindReaderBefore, patch.RemindReader, patch.RemindReaderAfter)


@pytest.mark.parametrize(("began", "goes_on"), list(itertools.product(VERSIONS, VERSIONS)))
async def test_histories_of_each_version_replay_with_the_next(
    environment: WorkflowEnvironment, began: type, goes_on: type
) -> None:
    async with Worker(
        environment.client, task_queue=TASK_QUEUE, workflows=[began], activities=patch.example.activities
    ):
        handle = await environment.client.start_workflow("RemindReader", "Ada", id="patched", task_queue=TASK_QUEUE)
        await handle.result()
    replayed = await Replayer(workflows=[goes_on]).replay_workflow(
        await handle.fetch_history(), raise_on_replay_failure=False
    )
    if abs(VERSIONS.index(began) - VERSIONS.index(goes_on)) > 1 or (began, goes_on) == VERSIONS[1::-1]:
        assert isinstance(replayed.replay_failure, NondeterminismError)
    else:
        assert replayed.replay_failure is None


# --- messages -------------------------------------------------------------------------------------------------------


async def test_no_seat_is_given_twice_however_many_ask_and_however_often_it_continues_as_new(
    environment: WorkflowEnvironment,
) -> None:
    client = environment.client
    async with safe_handlers.example.worker(client):
        handle = await client.start_workflow(
            safe_handlers.ReadingRoom.run,
            safe_handlers.Room(seats=40, history_limit=30),
            id="room",
            task_queue=TASK_QUEUE,
        )
        for wave in range(4):
            groups = [safe_handlers.Group(f"{wave}.{number}", 2) for number in range(5)]
            given = await asyncio.gather(*(handle.execute_update(safe_handlers.ReadingRoom.seat, g) for g in groups))
            assert len({seat for seats in given for seat in seats}) == 10
        assert await handle.query(safe_handlers.ReadingRoom.continues)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(safe_handlers.ReadingRoom.seat, safe_handlers.Group("late", 1))
        assert "0 seats are left" in str(refused.value.cause)
        await handle.signal(safe_handlers.ReadingRoom.close)
        taken = await handle.result()
    assert len(taken) == 40
    assert sorted(taken.values()) == sorted(
        f"{wave}.{number}" for wave in range(4) for number in range(5) for _ in "ab"
    )


async def test_a_member_is_kept_over_many_runs(
    environment: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entity.Membership, "MESSAGES_PER_RUN", 4)
    client = environment.client
    async with entity.example.worker(client):
        handle = await client.start_workflow(
            entity.Membership.run, entity.Member("Ada"), id="member", task_queue=TASK_QUEUE
        )
        for wave in range(1, 5):
            for _ in range(5):
                await handle.signal(entity.Membership.earn, 30)
            assert await handle.execute_update(entity.Membership.spend, 0) == wave * 150
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(entity.Membership.spend, 601)
        assert await handle.execute_update(entity.Membership.spend, 50) == 550
        while (await handle.query(entity.Membership.member)).runs == 1:
            pass  # it has gifts to send before it continues as new
        await handle.signal(entity.Membership.cancel_membership)
        member = await handle.result()
    assert (member.points, member.level, member.gifts) == (550, 6, 6)


# --- many workflows -------------------------------------------------------------------------------------------------


async def test_the_window_is_never_exceeded_and_no_book_is_left_out(environment: WorkflowEnvironment) -> None:
    window = sliding_window.Window(books=60, size=7, starts_per_run=9)
    report = await play(sliding_window.example, environment.client, window)
    assert (report.done, report.runs, report.under_way) == (60, 7, [])
    assert report.most_at_once == 7


async def test_who_gives_up_waiting_costs_the_pool_nothing(environment: WorkflowEnvironment) -> None:
    client = environment.client
    async with resource_pool.example.worker(client):
        pool = await client.start_workflow(
            resource_pool.RoomPool.run, resource_pool.Pool(free=[]), id="pool", task_queue=TASK_QUEUE
        )
        first, second, third = [
            await client.start_workflow(
                resource_pool.Rehearse.run, args=[pool.id, name], id=name, task_queue=TASK_QUEUE
            )
            for name in ("first", "second", "third")
        ]
        await first.cancel()
        with pytest.raises(WorkflowFailureError) as cancelled:
            await first.result()
        assert isinstance(cancelled.value.cause, CancelledError)
        await second.terminate()
        await pool.signal(resource_pool.RoomPool.add, "the attic")
        assert await third.result() == "third rehearsed in the attic"
        await pool.signal(resource_pool.RoomPool.close)
        assert await pool.result() == 1


# --- time -----------------------------------------------------------------------------------------------------------


async def test_a_renewed_loan_ends_later(environment: WorkflowEnvironment) -> None:
    client = environment.client
    async with updatable_timer.example.worker(client):
        began = await environment.get_current_time()
        handle = await client.start_workflow(updatable_timer.Loan.run, 28, id="loan", task_queue=TASK_QUEUE)
        await environment.sleep(timedelta(days=27))
        due = await handle.execute_update(updatable_timer.Loan.change, 14)
        assert timedelta(days=42) <= due - began < timedelta(days=42, minutes=1)
        await handle.result()
        assert timedelta() <= await environment.get_current_time() - due < timedelta(minutes=1)


async def test_a_letter_is_sent_every_thirty_days(environment: WorkflowEnvironment) -> None:
    began = await environment.get_current_time()
    assert len(await play(sleep_for_days.example, environment.client, "Ada", 12)) == 12
    assert timedelta(days=360) <= await environment.get_current_time() - began < timedelta(days=361)


async def test_polling_keeps_to_its_interval(environment: WorkflowEnvironment) -> None:
    hour = timedelta(hours=1)
    for example in (infrequent.example, periodic.example):
        began = await environment.get_current_time()
        assert "4 times" in await play(example, environment.client, "Kim", hour.total_seconds())
        assert 3 * hour <= await environment.get_current_time() - began < 4 * hour


# --- programs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("root", [Statement(), Statement(call=Call("get_review", ["nothing"]))])
async def test_a_program_that_makes_no_sense_fails(environment: WorkflowEnvironment, root: Statement) -> None:
    with pytest.raises(WorkflowFailureError) as failed:
        await play(interpreter.example, environment.client, Program({}, root))
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "BadProgram"
