"""Activities that are completed from outside, eager and dispatched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability._memory.cloud import MemoryCloud
from durability._memory.time import VirtualTimeLoop
from durability.application import Application
from durability.client import AsyncActivityCancelledError, AsyncActivityHandle, Client, RPCError, WorkflowFailureError
from durability.common import RetryPolicy
from durability.exceptions import ActivityError, ApplicationError, CancelledError, TimeoutError, TimeoutType
from durability.service import RPCStatusCode

EAGER: dict[str, Any] = {"start_to_close_timeout": timedelta(seconds=30)}
DISPATCHED: dict[str, Any] = {"start_to_close_timeout": timedelta(hours=2)}
HEARTBEATING: dict[str, Any] = {**DISPATCHED, "heartbeat_timeout": timedelta(seconds=10)}
OPTIONS = {"eager": EAGER, "dispatched": DISPATCHED, "heartbeating": HEARTBEATING}

tokens: asyncio.Queue[tuple[bytes, list[Any]]] = asyncio.Queue()


@activity.defn
async def ask_somebody() -> int:
    info = activity.info()
    tokens.put_nowait((info.task_token, list(info.heartbeat_details)))
    activity.raise_complete_async()


@workflow.defn
class Asking:
    def __init__(self) -> None:
        self.cancel = False

    @workflow.run
    async def run(self, how: str, attempts: int) -> Any:
        asking = workflow.start_activity(
            ask_somebody,
            activity_id="ask",
            retry_policy=RetryPolicy(maximum_attempts=attempts),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            **OPTIONS[how],
        )
        await workflow.wait(
            [asking, asyncio.ensure_future(workflow.wait_condition(lambda: self.cancel))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self.cancel:
            asking.cancel()
        return await asking

    @workflow.signal
    def give_up(self) -> None:
        self.cancel = True


def run(scenario: Callable[[Client], Awaitable[None]]) -> None:
    loop = VirtualTimeLoop()
    app = Application(workflows=[Asking], activities=[ask_somebody], deadlock_detection=False)

    async def play() -> None:
        global tokens
        tokens = asyncio.Queue()
        async with MemoryCloud(
            app.registry.create, app.runner, clock=loop.milliseconds, to_failure=app.registry.to_failure
        ) as cloud:
            await scenario(Client(cloud.gateway))

    try:
        loop.run_until_complete(play())
    finally:
        loop.close()


async def asked(client: Client, how: str, attempts: int = 1) -> tuple[Any, AsyncActivityHandle]:
    handle = await client.start_workflow(Asking.run, args=[how, attempts], id="asking", task_queue="q")
    token, _ = await tokens.get()
    return handle, client.get_async_activity_handle(task_token=token)


@pytest.mark.parametrize("how", ["eager", "dispatched"])
@pytest.mark.parametrize("by_id", [False, True])
def test_the_result_comes_later(how: str, by_id: bool) -> None:
    async def scenario(client: Client) -> None:
        handle, answer = await asked(client, how)
        await asyncio.sleep(20)
        if by_id:
            answer = client.get_async_activity_handle(workflow_id="asking", run_id=None, activity_id="ask")
        await answer.complete(42)
        assert await handle.result() == 42
        with pytest.raises(RPCError) as caught:
            await answer.complete(43)
        assert caught.value.status == RPCStatusCode.NOT_FOUND

    run(scenario)


@pytest.mark.parametrize("how", ["eager", "dispatched"])
def test_a_failure_is_tried_again_by_the_retry_policy(how: str) -> None:
    async def scenario(client: Client) -> None:
        handle, first = await asked(client, how, attempts=2)
        await first.fail(ApplicationError("not today", type="Busy"), last_heartbeat_details=["half"])
        token, details = await tokens.get()
        assert details == ["half"]
        with pytest.raises(RPCError) as caught:
            await first.complete(1)
        assert caught.value.status == RPCStatusCode.NOT_FOUND
        await client.get_async_activity_handle(task_token=token).fail(ApplicationError("never", type="Closed"))
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, ActivityError)
        assert isinstance(failed.value.cause.cause, ApplicationError)
        assert failed.value.cause.cause.type == "Closed"

    run(scenario)


@pytest.mark.parametrize("how", ["eager", "dispatched"])
def test_cancellation_is_shown_and_reported(how: str) -> None:
    async def scenario(client: Client) -> None:
        handle, answer = await asked(client, how)
        await answer.heartbeat("alive")
        with pytest.raises(RPCError) as caught:
            await answer.report_cancellation()
        assert caught.value.status == RPCStatusCode.INVALID_ARGUMENT
        await handle.signal(Asking.give_up)
        await asyncio.sleep(5)
        with pytest.raises(AsyncActivityCancelledError) as cancelled:
            await answer.heartbeat("still alive")
        assert cancelled.value.details is not None
        assert cancelled.value.details.cancel_requested
        await answer.report_cancellation("so far")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, ActivityError)
        assert isinstance(failed.value.cause.cause, CancelledError)
        assert failed.value.cause.cause.details == ("so far",)

    run(scenario)


@pytest.mark.parametrize("how", ["eager", "heartbeating"])
def test_timeouts_go_on(how: str) -> None:
    async def scenario(client: Client) -> None:
        handle, answer = await asked(client, how)
        for _ in range(3):
            await asyncio.sleep(6)
            await answer.heartbeat(17)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, ActivityError)
        timeout = failed.value.cause.cause
        assert isinstance(timeout, TimeoutError)
        assert timeout.type == (TimeoutType.START_TO_CLOSE if how == "eager" else TimeoutType.HEARTBEAT)
        with pytest.raises(RPCError) as caught:
            await answer.heartbeat()
        assert caught.value.status == RPCStatusCode.NOT_FOUND

    run(scenario)


def test_what_names_no_activity() -> None:
    async def scenario(client: Client) -> None:
        with pytest.raises(RPCError) as caught:
            await client.get_async_activity_handle(task_token=b"\xc1").complete()
        assert caught.value.status == RPCStatusCode.INVALID_ARGUMENT
        await asked(client, "eager")
        other = client.get_async_activity_handle(workflow_id="asking", run_id=None, activity_id="another")
        with pytest.raises(RPCError) as caught:
            await other.complete()
        assert caught.value.status == RPCStatusCode.NOT_FOUND
        with pytest.raises(ValueError, match="Task token"):
            client.get_async_activity_handle(task_token=b"x", workflow_id="w")  # type: ignore[call-overload]
        with pytest.raises(ValueError, match="must all be given"):
            client.get_async_activity_handle(workflow_id="w")  # type: ignore[call-overload]

    run(scenario)
