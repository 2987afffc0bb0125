from __future__ import annotations

import asyncio

import pytest

from durability._runtime.turns import Turns


async def test_one_at_a_time_in_the_order_of_asking() -> None:
    turns, log = Turns(), []

    async def work(name: str) -> None:
        async with turns.of("w"):
            log.append(f"{name} begins")
            await asyncio.sleep(0)
            log.append(f"{name} ends")

    await asyncio.gather(work("a"), work("b"), work("c"))
    assert log == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_whoever_has_the_turn_hears_that_others_want_it() -> None:
    turns, wanted = Turns(), asyncio.Event()

    async def other() -> None:
        async with turns.of("w") as turn:
            assert turn.on_wanted is None

    async with turns.of("w") as turn:
        turn.on_wanted = wanted.set
        async with turns.of("another"):
            assert not turn.waiting
        waiting = asyncio.create_task(other())
        await wanted.wait()
        assert turn.waiting == 1
    await waiting
    assert turns._turns == {}


async def test_whoever_gives_up_does_not_hold_up_others() -> None:
    turns = Turns()
    async with turns.of("w"):
        waiting = asyncio.create_task(turns.of("w").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(5), turns.of("w") as turn:
        assert turn.waiting == 0
