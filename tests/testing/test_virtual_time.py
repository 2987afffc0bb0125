"""The event loop whose time is virtual."""

from __future__ import annotations

import asyncio

import pytest

from durability._memory.time import VirtualTimeLoop


@pytest.mark.parametrize("days", [1, 30.1, 200, 40_000])
def test_timers_fire_however_far_away(days: float) -> None:
    loop = VirtualTimeLoop()

    async def sleep() -> float:
        for _ in range(10):
            await asyncio.sleep(days * 86_400)
        return loop.time()

    try:
        assert loop.run_until_complete(sleep()) == pytest.approx(10 * days * 86_400)
    finally:
        loop.close()
