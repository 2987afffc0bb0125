"""Deterministic forms of ``asyncio.wait`` and ``asyncio.as_completed``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from typing import Any, TypeVar

_T = TypeVar("_T")
_FT = TypeVar("_FT", bound="asyncio.Future[Any]")


def as_completed(fs: Iterable[Awaitable[_T]], *, timeout: float | None = None) -> Iterator[Awaitable[_T]]:
    """Iterate over awaitables in the order in which they complete.

    Unlike ``asyncio.as_completed`` it starts and watches them in the order given, so replay repeats it exactly.

    Args:
        fs: Awaitables; coroutines are wrapped in tasks.
        timeout: Seconds after which awaiting the next one raises ``asyncio.TimeoutError``.

    Returns:
        An iterator of coroutines, each of which gives the next result or raises the next exception.

    Raises:
        TypeError: A single future or coroutine was given instead of an iterable.
    """
    if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
        raise TypeError(f"as_completed expects an iterable of awaitables, not {type(fs).__name__}")
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[_T]] = [asyncio.ensure_future(f, loop=loop) for f in fs]
    finished: asyncio.Queue[asyncio.Future[_T] | None] = asyncio.Queue()
    timer: asyncio.TimerHandle | None = None

    def on_timeout() -> None:
        for future in waiting:
            future.remove_done_callback(on_done)
            finished.put_nowait(None)
        waiting.clear()

    def on_done(future: asyncio.Future[_T]) -> None:
        if not waiting:
            return
        waiting.remove(future)
        finished.put_nowait(future)
        if not waiting and timer is not None:
            timer.cancel()

    async def next_result() -> _T:
        future = await finished.get()
        if future is None:
            raise TimeoutError
        return future.result()

    for future in waiting:
        future.add_done_callback(on_done)
    if waiting and timeout is not None:
        timer = loop.call_later(timeout, on_timeout)
    for _ in range(len(waiting)):
        yield next_result()


async def wait(
    fs: Iterable[_FT], *, timeout: float | None = None, return_when: str = asyncio.ALL_COMPLETED
) -> tuple[list[_FT], list[_FT]]:
    """Wait for futures or tasks.

    Unlike ``asyncio.wait`` it keeps the order given, in what it watches and in what it returns, so replay repeats it.

    Args:
        fs: Futures or tasks; at least one.
        timeout: Seconds to wait at most.
        return_when: One of ``asyncio.FIRST_COMPLETED``, ``FIRST_EXCEPTION`` and ``ALL_COMPLETED``.

    Returns:
        Those that are done and those that are not, each in the order given.

    Raises:
        TypeError: Coroutines were given, or something that is not an iterable.
        ValueError: Nothing was given, or ``return_when`` is unknown.
    """
    if asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
        raise TypeError(f"wait expects an iterable of tasks or futures, not {type(fs).__name__}")
    futures = list(fs)
    if not futures:
        raise ValueError("wait needs at least one task or future")
    if return_when not in (asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION, asyncio.ALL_COMPLETED):
        raise ValueError(f"unknown return_when: {return_when!r}")
    if any(asyncio.iscoroutine(f) for f in futures):
        raise TypeError("wait does not take coroutines; wrap them in asyncio.create_task()")
    await _until(futures, timeout, return_when)
    return [f for f in futures if f.done()], [f for f in futures if not f.done()]


async def _until(futures: list[_FT], timeout: float | None, return_when: str) -> None:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()
    timer = None if timeout is None else loop.call_later(timeout, _release, waiter)
    remaining = len(futures)

    def on_done(future: asyncio.Future[Any]) -> None:
        nonlocal remaining
        remaining -= 1
        if (
            remaining <= 0
            or return_when == asyncio.FIRST_COMPLETED
            or (return_when == asyncio.FIRST_EXCEPTION and not future.cancelled() and future.exception() is not None)
        ):
            if timer is not None:
                timer.cancel()
            _release(waiter)

    for future in futures:
        future.add_done_callback(on_done)
    try:
        await waiter
    finally:
        if timer is not None:
            timer.cancel()
        for future in futures:
            future.remove_done_callback(on_done)


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
