"""Payloads of every size in this process: what is large lies elsewhere, what is too large is refused for good."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability.client import RPCError, WorkflowFailureError, WorkflowQueryFailedError
from durability.common import RetryPolicy
from durability.exceptions import ActivityError, ApplicationError
from durability.service import RPCStatusCode
from durability.testing import WorkflowEnvironment
from durability.worker import Worker

LARGE, TOO_LARGE = 1_900_000, 2_200_000
SOON = timedelta(seconds=10)


@activity.defn
async def repeated(size: int) -> str:
    return "a" * size


@workflow.defn
class Carrying:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.size = 0

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told.append(text)

    @workflow.update
    async def add(self, text: str) -> str:
        self.told.append(text)
        return text

    @workflow.query
    def of_size(self, size: int) -> str:
        return "q" * size

    @workflow.run
    async def run(self, text: str, size: int) -> list[int]:
        await workflow.wait_condition(lambda: len(self.told) == 2)
        result = await workflow.execute_activity(
            repeated, size, start_to_close_timeout=SOON, retry_policy=RetryPolicy(maximum_attempts=2)
        )
        return [len(text), len(result), *map(len, self.told)]


@pytest.mark.asyncio
@pytest.mark.parametrize("start", ["start_local", "start_time_skipping"])
async def test_large_payloads(start: str) -> None:
    async with await getattr(WorkflowEnvironment, start)() as environment:
        client = environment.client
        async with Worker(client, task_queue="q", workflows=[Carrying], activities=[repeated], max_cached_workflows=0):
            handle = await client.start_workflow(Carrying.run, args=["x" * LARGE, LARGE], id="w", task_queue="q")
            await handle.signal(Carrying.tell, "y" * LARGE)
            assert await handle.execute_update(Carrying.add, "z" * LARGE) == "z" * LARGE
            assert await handle.query(Carrying.of_size, LARGE) == "q" * LARGE
            assert await handle.result() == [LARGE, LARGE, LARGE, LARGE]
            assert await handle.query(Carrying.of_size, 1) == "q"


@pytest.mark.asyncio
async def test_payloads_that_are_too_large() -> None:
    async with await WorkflowEnvironment.start_time_skipping() as environment:
        client = environment.client
        async with Worker(client, task_queue="q", workflows=[Carrying], activities=[repeated]):
            handle = await client.start_workflow(Carrying.run, args=["x", TOO_LARGE], id="w", task_queue="q")
            calls: list[Any] = [
                client.start_workflow(Carrying.run, args=["x" * TOO_LARGE, 1], id="other", task_queue="q"),
                handle.signal(Carrying.tell, "y" * TOO_LARGE),
                handle.execute_update(Carrying.add, "z" * TOO_LARGE),
                handle.query(Carrying.of_size, args=["z" * TOO_LARGE]),
            ]
            for call in calls:
                with pytest.raises(
                    (RPCError, WorkflowQueryFailedError), match="Blob data size exceeds limit"
                ) as refused:
                    await call
                if isinstance(refused.value, RPCError):
                    assert refused.value.status == RPCStatusCode.INVALID_ARGUMENT
            with pytest.raises(WorkflowQueryFailedError, match="Blob data size exceeds limit"):
                await handle.query(Carrying.of_size, TOO_LARGE)
            await asyncio.gather(handle.signal(Carrying.tell, "a"), handle.signal(Carrying.tell, "b"))
            with pytest.raises(WorkflowFailureError) as ended:
                await handle.result()
            error = ended.value.cause
            assert isinstance(error, ActivityError)
            assert isinstance(error.cause, ApplicationError)
            assert error.cause.type == "PayloadsTooLarge"


@workflow.defn
class Summoning:
    @workflow.run
    async def run(self, target: str) -> list[str | None]:
        reached = []
        for letter in "ab":
            handle = await workflow.signal_with_start_workflow(
                Carrying.run,
                args=["x" * LARGE, 1],
                id=target,
                task_queue="q",
                signal=Carrying.tell,
                signal_args=letter * LARGE,
            )
            reached.append(handle.run_id)
        return reached


@pytest.mark.asyncio
async def test_large_payloads_of_a_workflows_signal_with_start() -> None:
    async with await WorkflowEnvironment.start_local() as environment:
        client = environment.client
        async with Worker(
            client, task_queue="q", workflows=[Carrying, Summoning], activities=[repeated], max_cached_workflows=0
        ):
            reached = await client.execute_workflow(Summoning.run, "target", id="sender", task_queue="q")
            assert len(set(reached)) == 1
            assert await client.get_workflow_handle("target").result() == [LARGE, 1, LARGE, LARGE]
