"""What runs in a container: ``python -m examples.digitisation.worker``."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta

from durability.client import Client
from durability.worker import Worker
from examples.digitisation.film import STUDIO, digitise


async def main() -> None:
    """Serve the studio's task queue until the container is stopped."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with (
        await Client.connect() as client,  # to the stack that the container's environment names
        Worker(
            client,
            task_queue=STUDIO,
            activities=[digitise],
            max_concurrent_activities=1,  # there is one scanner
            graceful_shutdown_timeout=timedelta(seconds=1),  # less than the container has before it is killed
        ),
    ):
        print("at work", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
