"""What an example is made of, and how a person runs one: ``python -m examples.hello.activity``.

That runs it in this process. With the URL of a deployment (or of ``durability dev``) whose application is
``examples.tutorial:app``, ``python -m examples.hello.activity http://127.0.0.1:8000`` runs it there.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from durability.client import Client, Interceptor
from durability.converter import DataConverter

TASK_QUEUE = "examples"


@dataclass(frozen=True)
class Example:
    """A small program: what it registers, and a client that drives it and prints what happens."""

    main: Callable[[Client], Awaitable[None]]
    workflows: Sequence[type]
    activities: Sequence[Callable[..., Any]] = ()
    data_converter: DataConverter = DataConverter.default
    interceptors: Sequence[Interceptor] = ()
    skips_time: bool = False

    def run(self) -> None:
        """Run it as the command line says."""
        asyncio.run(self._connected(sys.argv[1]) if sys.argv[1:] else self._in_this_process())

    @asynccontextmanager
    async def worker(self, client: Client) -> AsyncIterator[None]:
        """Run a worker with all that the example registers."""
        from durability.worker import Worker  # not at the top: functions import this module, and have no workers

        with ThreadPoolExecutor() as threads:
            async with Worker(
                client,
                task_queue=TASK_QUEUE,
                workflows=self.workflows,
                activities=self.activities,
                activity_executor=threads,
            ):
                yield

    async def _in_this_process(self) -> None:
        from durability.testing import WorkflowEnvironment

        start = WorkflowEnvironment.start_time_skipping if self.skips_time else WorkflowEnvironment.start_local
        async with (
            await start(data_converter=self.data_converter, interceptors=self.interceptors) as environment,
            self.worker(environment.client),
        ):
            await self.main(environment.client)

    async def _connected(self, url: str) -> None:
        await self.main(await self.connect(url))

    async def connect(self, target: str) -> Client:
        """A client with what the example needs."""
        return await Client.connect(target, data_converter=self.data_converter, interceptors=self.interceptors)
