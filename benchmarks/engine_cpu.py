"""CPU of the engine itself: a run over a store in memory, whose own time is taken off."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
import types
from collections.abc import Coroutine, Generator
from typing import Any, Final

from benchmarks.replay import run_sequential
from durability._memory.store import MemoryStore

TIMED: Final = frozenset({"load", "append", "settle", "create", "deliver", "head"})


class TimedStore(MemoryStore):
    """Adds up the CPU that its own methods use."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def __getattribute__(self, name: str) -> Any:
        attribute = super().__getattribute__(name)
        if name not in TIMED:
            return attribute
        return lambda *args, **kwargs: self._timed(attribute(*args, **kwargs))

    @types.coroutine
    def _timed(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        # Step by step: between the steps others run, whose time is not the store's.
        while True:
            before = time.thread_time()
            try:
                waits_for = work.send(None)
            except StopIteration as end:
                return end.value
            finally:
                self.seconds += time.thread_time() - before
            yield waits_for


def measure(steps: int = 2_000, repeat: int = 5) -> tuple[float, float]:
    """CPU of an eager step.

    Returns:
        Seconds a step without the store, and seconds a step of the store in memory; medians.
    """
    engine, store = zip(*(_once(steps) for _ in range(repeat)), strict=True)
    return statistics.median(engine), statistics.median(store)


def _once(steps: int) -> tuple[float, float]:
    store = TimedStore()
    gc.collect()
    before = time.process_time()
    asyncio.run(run_sequential(store, steps))
    total = time.process_time() - before
    return (total - store.seconds) / steps, store.seconds / steps
