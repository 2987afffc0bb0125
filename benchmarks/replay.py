"""How fast a stored history is replayed: decoding, the user's code, and the comparison of what it decides.

``python -m benchmarks.replay`` prints both ways of counting: events as Temporal counts them, of which a step has six
(scheduled, started and completed, and three of the workflow task), and this engine's own records, of which it has two.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from dataclasses import dataclass
from typing import Final

from benchmarks.workflows import app
from durability._core.encoding import decode_delta
from durability._core.run import Run
from durability._memory.cloud import MemoryCloud
from durability._memory.store import MemoryStore
from durability._runtime.frontend import StartRequest
from durability._runtime.ports import WorkflowKey

EVENTS_PER_STEP: Final = 6
RECORDS_PER_STEP: Final = 2


@dataclass(frozen=True)
class Recorded:
    """A completed run of sequential steps as it is stored.

    Attributes:
        run_id: Run id.
        bodies: Sequence number and bytes of each delta.
    """

    run_id: str
    bodies: list[tuple[int, bytes]]


def milliseconds() -> int:
    """The time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


async def run_sequential(store: MemoryStore, steps: int) -> None:
    """Run sequential steps from start to result over a store in memory.

    Raises:
        AssertionError: The run has not completed.
    """
    cloud = MemoryCloud(
        app.registry.create,
        app.runner,
        clock=milliseconds,
        to_failure=app.registry.to_failure,
        store=store,
        timeout=3600.0,
    )
    async with cloud:
        arguments = app.data_converter.payload_converter.to_payloads([steps])
        request = StartRequest(
            workflow_id="benchmark",
            workflow_type="Sequential",
            task_queue="benchmark",
            arguments=arguments,
            request_id="start",
        )
        await cloud.gateway.start(request)
        outcome = await cloud.gateway.outcome("benchmark", None, wait=3600)
    assert outcome is not None
    assert outcome.failure is None


def record(steps: int) -> Recorded:
    """Run sequential steps and return what was stored."""

    async def run() -> Recorded:
        store = MemoryStore()
        await run_sequential(store, steps)
        key = WorkflowKey("default", "benchmark")
        head = await store.head(key)
        assert head is not None
        return Recorded(head.run_id, await store.deltas(key, head.run_id))

    return asyncio.run(run())


def replay(recorded: Recorded) -> float:
    """Seconds of CPU that a process needs to take over the run, once it has read it."""
    gc.collect()
    before = time.process_time()
    run = Run("default", "benchmark", recorded.run_id, app.registry.create)
    run.replay((sequence, decode_delta(body), len(body)) for sequence, body in recorded.bodies)
    seconds = time.process_time() - before
    assert run.closed
    run.close()
    return seconds


def measure(steps: int, repeat: int = 5) -> float:
    """Median of the seconds of CPU that replaying a run of sequential steps takes."""
    recorded = record(steps)
    replay(recorded)
    return statistics.median(replay(recorded) for _ in range(repeat))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    seconds = measure(options.steps, options.repeat)
    rate = options.steps / seconds
    print(f"{options.steps:,} sequential activities: {seconds:.3f} s of CPU, {1e6 / rate:.1f} µs a step")
    print(f"{rate * EVENTS_PER_STEP:,.0f} events/s as Temporal counts, {rate * RECORDS_PER_STEP:,.0f} records/s")


if __name__ == "__main__":
    main()
