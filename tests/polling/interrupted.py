"""A worker process as many programs have it: Ctrl+C stops the loop, and what is left ends while the loop is closed."""

from __future__ import annotations

import asyncio
import signal
import sys

from durability.client import Client
from durability.worker import Worker
from tests.polling.application import ACTIVITIES, WORKFLOWS

interrupted = asyncio.Event()


async def main(task_queue: str) -> None:
    client = await Client.connect()
    beside = Worker(client, task_queue=f"{task_queue}-beside", activities=ACTIVITIES).run()
    async with Worker(client, task_queue=task_queue, workflows=WORKFLOWS, activities=ACTIVITIES):
        asyncio.gather(beside, interrupted.wait())
        print("ready", flush=True)
        await interrupted.wait()
        print("shutting down", flush=True)


def interrupt() -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    loop = asyncio.new_event_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)  # between two tasks, not in the middle of one
    try:
        loop.run_until_complete(main(sys.argv[1]))
    except KeyboardInterrupt:
        interrupted.set()
        loop.run_until_complete(loop.shutdown_asyncgens())
