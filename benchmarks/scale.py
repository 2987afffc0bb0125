"""Many workflows, long workflows and wide workflows on the local cloud: what they ask for, and that nothing runs twice.

python -m benchmarks.scale --workflows 1000 --concurrency 50 --steps 3
python -m benchmarks.scale --sequential 10000
python -m benchmarks.scale --parallel 1000
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scale_application import SideBySide, Steps
from durability._local import LocalCloud
from durability.client import Client

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
FUNCTIONS = ("WorkflowFunction", "ActivityFunction")


@dataclass(frozen=True)
class Load:
    """What a load used, and what became of it.

    Attributes:
        what: Name of the load.
        steps: Activities that were to run.
        completed: Workflows that ended with their result.
        ran: Activities that ran.
        repeated: Activities that ran more than once.
        requests: Requests of the functions, by service and operation.
        written: Bytes of those requests.
        read: Bytes of the answers to them.
        invocations: Of the functions.
        seconds: How long it took here.
    """

    what: str
    steps: int
    completed: int
    ran: int
    repeated: int
    requests: Counter[str]
    written: int
    read: int
    invocations: int
    seconds: float

    def __str__(self) -> str:
        """A few lines of text."""
        total = sum(self.requests.values())
        detail = ", ".join(f"{name} {count:,}" for name, count in self.requests.most_common())
        return (
            f"{self.what}: {self.completed:,} completed, {self.ran:,} of {self.steps:,} steps ran, "
            f"{self.repeated:,} more than once\n"
            f"  {total:,} requests ({total / self.steps:.2f} a step): {detail}\n"
            f"  {self.written:,} bytes sent ({self.written / self.steps:,.0f} a step), {self.read:,} received "
            f"({self.read / self.steps:,.0f} a step)\n"
            f"  {self.invocations:,} invocations; {self.seconds:.1f} s, {self.steps / self.seconds:,.0f} steps/s here"
        )


@dataclass
class Bench:
    """A deployment to put load on."""

    cloud: LocalCloud
    client: Client
    folder: Path
    _loads: int = 0

    async def many(self, workflows: int, concurrency: int, steps: int) -> Load:
        """Many workflows of a few steps, so many at a time."""
        free = asyncio.Semaphore(concurrency)

        async def work(path: str, name: str) -> int:
            async def one(number: int) -> int:
                async with free:
                    return await self._execute(Steps.run, path, steps, f"{name}-{number}")

            return sum([result == steps for result in await asyncio.gather(*map(one, range(workflows)))])

        what = f"{workflows:,} workflows of {steps} steps, {concurrency} at a time"
        return await self._measure(what, workflows * steps, work)

    async def sequential(self, steps: int) -> Load:
        """One workflow of many steps, one after the other."""

        async def work(path: str, name: str) -> int:
            return int(await self._execute(Steps.run, path, steps, name) == steps)

        return await self._measure(f"{steps:,} sequential steps", steps, work)

    async def parallel(self, steps: int) -> Load:
        """One workflow of many steps, all at once."""

        async def work(path: str, name: str) -> int:
            return int(await self._execute(SideBySide.run, path, steps, name) == steps)

        return await self._measure(f"{steps:,} parallel steps", steps, work)

    async def _execute(self, run: Callable[..., Awaitable[int]], path: str, steps: int, workflow_id: str) -> int:
        return await self.client.execute_workflow(run, args=[path, steps], id=workflow_id, task_queue="scale")

    async def _measure(self, what: str, steps: int, work: Callable[[str, str], Awaitable[int]]) -> Load:
        self._loads += 1
        trace = self.folder / f"trace-{self._loads}"
        await asyncio.to_thread(self.cloud.wait_until_idle)
        await asyncio.to_thread(self.cloud.record)
        invocations = self._invocations()
        begin = time.monotonic()
        completed = await work(str(trace), f"load-{self._loads}")
        seconds = time.monotonic() - begin
        await asyncio.to_thread(self.cloud.wait_until_idle)
        records = [r for r in await asyncio.to_thread(self.cloud.records) if r["principal"] in FUNCTIONS]
        await asyncio.to_thread(self.cloud.record, False)
        ran = Counter(trace.read_text().splitlines())
        return Load(
            what=what,
            steps=steps,
            completed=completed,
            ran=len(ran),
            repeated=sum(count > 1 for count in ran.values()),
            requests=Counter(f"{r['service']}.{r['operation']}" for r in records),
            written=sum(r["request_bytes"] for r in records),
            read=sum(r["response_bytes"] for r in records),
            invocations=self._invocations() - invocations,
            seconds=seconds,
        )

    def _invocations(self) -> int:
        return sum(self.cloud.functions[name].invocations for name in FUNCTIONS)


@asynccontextmanager
async def deployed(processes: int = 4) -> AsyncIterator[Bench]:
    """The application on a local cloud.

    Args:
        processes: Invocations of a function at once; more than the machine has processors makes it no faster.
    """
    parameters = {"Application": "benchmarks.scale_application:app", "HttpAuthorization": "NONE", "TaskQueue": "scale"}
    cloud = LocalCloud(TEMPLATE, parameters=parameters, rate_schedules=False, maximum_concurrency=processes)
    await asyncio.to_thread(cloud.start)
    environment = dict(os.environ)
    try:
        os.environ.update(cloud.environment)
        os.environ.update(cloud.functions["WorkflowFunction"].spec.environment)
        with tempfile.TemporaryDirectory(prefix="durability-scale-") as folder:
            async with await Client.connect() as client:
                yield Bench(cloud, client, Path(folder))
    finally:
        os.environ.clear()
        os.environ.update(environment)
        await asyncio.to_thread(cloud.stop)


async def main(options: argparse.Namespace) -> None:
    """Run the loads that were asked for and print what they used."""
    async with deployed(options.processes) as bench:
        print(f"Warm-up: {await bench.many(20, 20, 1)}\n", flush=True)
        if options.workflows:
            print(await bench.many(options.workflows, options.concurrency, options.steps), flush=True)
        if options.sequential:
            # A tenth first: what grows faster than the number of steps shows in the figures a step.
            for steps in (options.sequential // 10, options.sequential):
                print(await bench.sequential(steps), flush=True)
        if options.parallel:
            print(await bench.parallel(options.parallel), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workflows", type=int, default=0, help="many workflows")
    parser.add_argument("--concurrency", type=int, default=50, help="of them at a time")
    parser.add_argument("--steps", type=int, default=3, help="of each of them")
    parser.add_argument("--sequential", type=int, default=0, help="steps of one workflow, one after the other")
    parser.add_argument("--parallel", type=int, default=0, help="steps of one workflow, all at once")
    parser.add_argument("--processes", type=int, default=4, help="of a function at once")
    asyncio.run(main(parser.parse_args()))
