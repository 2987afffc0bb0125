"""An ``async def`` activity: it shares one event loop with others, so it awaits what takes time and never blocks."""

import asyncio
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example

SHELVES = {"fiction": 1_204, "science": 873, "maps": 96}


@activity.defn
async def count_books(shelf: str) -> int:
    await asyncio.sleep(0.05)  # where a real one would await an HTTP request or a query
    return SHELVES[shelf]


@workflow.defn
class TakeStock:
    @workflow.run
    async def run(self, shelves: list[str]) -> int:
        total = 0
        for shelf in shelves:
            total += await workflow.execute_activity(count_books, shelf, start_to_close_timeout=timedelta(seconds=10))
        return total


async def main(client: Client) -> None:
    total = await client.execute_workflow(
        TakeStock.run, list(SHELVES), id="hello-async-activity", task_queue=TASK_QUEUE
    )
    print(f"{total} books")


example = Example(main, workflows=[TakeStock], activities=[count_books])

if __name__ == "__main__":
    example.run()
