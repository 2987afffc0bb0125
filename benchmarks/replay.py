"""How fast a recorded run is replayed: 10,000 sequential activities through one workflow instance.

Prints events as Temporal counts them (scheduled, started and completed, and three for the workflow task, a step) and
the engine's own records, each by second of CPU.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator
from datetime import timedelta
from time import process_time

from durability import workflow
from durability._core import history
from durability._core.activation import Activation, RunDetails
from durability._core.instance import create_instance
from durability.activity import defn as activity_defn
from durability.converter import DataConverter

START = 1_700_000_000_000
EVENTS_PER_STEP = 6
RECORDS_PER_STEP = 2


@activity_defn
async def add_one(number: int) -> int:
    """The activity; replay never calls it."""
    return number + 1


@workflow.defn
class Sequential:
    """Activities one after the other."""

    @workflow.run
    async def run(self, steps: int) -> int:
        """Count to ``steps``."""
        number = 0
        for _ in range(steps):
            number = await workflow.execute_activity(add_one, number, start_to_close_timeout=timedelta(seconds=10))
        return number


def activations(steps: int) -> Iterator[Activation]:
    """What a history of the run consists of."""
    encode = DataConverter.default.payload_converter.to_payload
    started = history.WorkflowExecutionStarted(START, "start", "Sequential", "queue", [encode(steps)])
    yield Activation(START, [started], is_replaying=True)
    for step in range(1, steps + 1):
        time = START + step
        completed = history.ActivityTaskCompleted(time, str(step), step, 1, time, "", encode(step))
        yield Activation(time, [completed], is_replaying=True)


def measure(steps: int) -> float:
    """Seconds of CPU that replaying a run takes."""
    recorded = list(activations(steps))
    started = recorded[0].inputs[0]
    assert isinstance(started, history.WorkflowExecutionStarted)
    converter = DataConverter.default
    gc.collect()
    before = process_time()
    instance = create_instance(
        workflow._Definition.must_from_class(Sequential),
        RunDetails("default", "benchmark", "run", started),
        payload_converter=converter.payload_converter,
        failure_converter=converter.failure_converter,
    )
    for activation in recorded:
        commands = instance.activate(activation)
    seconds = process_time() - before
    assert isinstance(commands[0], history.WorkflowExecutionCompleted), commands
    return seconds


def main() -> None:
    """Measure a few times and print the best."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    seconds = min(measure(options.steps) for _ in range(options.repeat))
    steps = options.steps / seconds
    print(f"{options.steps:,} sequential activities: {seconds:.3f} s of CPU, {1e6 / steps:.1f} µs a step")
    print(f"{steps * EVENTS_PER_STEP:,.0f} events/s as Temporal counts, {steps * RECORDS_PER_STEP:,.0f} records/s")


if __name__ == "__main__":
    main()
