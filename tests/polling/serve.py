"""A worker process: `python -m tests.polling.serve TASK_QUEUE`, which says when it is ready."""

from __future__ import annotations

import asyncio
import sys

from durability.client import Client
from durability.worker import Worker
from tests.polling.application import ACTIVITIES, WORKFLOWS


async def main(task_queue: str) -> None:
    async with (
        await Client.connect() as client,
        Worker(client, task_queue=task_queue, workflows=WORKFLOWS, activities=ACTIVITIES),
    ):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
