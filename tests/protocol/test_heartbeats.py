"""Heartbeats are recorded as often as Temporal's workers send them."""

from __future__ import annotations

import asyncio

import pytest

from durability._core.payload import Payload
from durability._runtime.heartbeats import Heartbeats, interval_of
from durability._runtime.settings import Settings


class Recorder:
    """Time that goes on when the test says so, and what was recorded when."""

    def __init__(self, interval: int) -> None:
        self.now = 0
        self.recorded: list[tuple[int, bytes]] = []
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self.heartbeats = Heartbeats(self._record, interval, lambda: self.now, self._sleep)

    async def _record(self, details: list[Payload]) -> None:
        self.recorded.append((self.now, details[0].data))

    async def _sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds * 1000, future))
        await future

    async def beat(self, data: bytes) -> None:
        await self.heartbeats.beat([Payload(data=data)])
        await asyncio.sleep(0)

    async def pass_to(self, now: int) -> None:
        self.now = now
        for due, future in self._sleepers:
            if due <= now and not future.done():
                future.set_result(None)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_the_first_at_once_and_the_newest_after_the_interval() -> None:
    recorder = Recorder(interval=800)
    await recorder.beat(b"1")
    await recorder.pass_to(100)
    await recorder.beat(b"2")
    await recorder.beat(b"3")
    assert recorder.recorded == [(0, b"1")]
    await recorder.pass_to(800)
    assert recorder.recorded == [(0, b"1"), (800, b"3")]
    await recorder.pass_to(5_000)
    await recorder.beat(b"4")
    assert recorder.recorded[2:] == [(5_000, b"4")]


async def test_what_is_left_is_recorded_when_the_attempt_fails() -> None:
    recorder = Recorder(interval=800)
    await recorder.beat(b"1")
    await recorder.beat(b"2")
    await recorder.heartbeats.flush()
    await recorder.heartbeats.end()
    await recorder.heartbeats.flush()
    assert recorder.recorded == [(0, b"1"), (0, b"2")]


@pytest.mark.parametrize(("timeout", "interval"), [(1_000, 800), (0, 30_000), (30_000, 24_000), (3_600_000, 60_000)])
def test_intervals(timeout: int, interval: int) -> None:
    assert interval_of(timeout, Settings()) == interval
