"""Activity code on its own."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from durability import activity
from durability.exceptions import CancelledError
from durability.testing import ActivityEnvironment


@activity.defn
async def reports(count: int) -> str:
    for number in range(count):
        activity.heartbeat(number)
    return activity.info().activity_id


@activity.defn
async def waits() -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        return f"{activity.is_cancelled()} {details and details.cancel_requested}"
    return "never"


@activity.defn
def spins(started: threading.Event) -> None:
    started.set()
    while True:
        activity.heartbeat()


@activity.defn
async def waits_for_shutdown() -> bool:
    await activity.wait_for_worker_shutdown()
    return activity.is_worker_shutdown()


async def test_heartbeats_and_info() -> None:
    env = ActivityEnvironment()
    beats: list[object] = []
    env.on_heartbeat = beats.append
    env.info = replace(env.info, activity_id="mine")
    assert await env.run(reports, 3) == "mine"
    assert beats == [0, 1, 2]


async def test_cancelling_a_coroutine() -> None:
    env = ActivityEnvironment()
    running = asyncio.create_task(env.run(waits))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    env.cancel()
    assert await running == "True True"


async def test_cancelled_beforehand() -> None:
    env = ActivityEnvironment()
    env.cancel()
    with pytest.raises(asyncio.CancelledError):
        await env.run(waits)


def test_cancelling_a_thread() -> None:
    env = ActivityEnvironment()
    started = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(env.run, spins, started)
        started.wait()
        env.cancel()
        with pytest.raises(CancelledError):
            running.result(timeout=10)


async def test_worker_shutdown() -> None:
    env = ActivityEnvironment()
    running = asyncio.create_task(env.run(waits_for_shutdown))
    await asyncio.sleep(0)
    env.worker_shutdown()
    assert await running is True


def test_outside_of_an_environment() -> None:
    with pytest.raises(RuntimeError, match="Not in activity context"):
        activity.info()
