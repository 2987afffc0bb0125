"""Programs that close nothing, or are interrupted as from a keyboard."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import uuid
from asyncio.subprocess import PIPE, Process

from durability.testing._cloud import LocalCloudEnvironment

from .conftest import ROOT, Serve

# The clients that it has no more refer to themselves: it takes the garbage collector to find them.
FORGETFUL = """
    import asyncio, gc

    from durability.client import Client


    async def count() -> None:
        client = await Client.connect()
        client.itself = client
        await client.count_workflows("WorkflowId='w'")


    async def main() -> None:
        for _ in range(2):
            await count()
        gc.collect()
        await count()


    asyncio.run(main())
    gc.collect()
"""


async def started(env: LocalCloudEnvironment, script: str) -> Process:
    command = (sys.executable, "-c", textwrap.dedent(script))
    environment = {**os.environ, **env.environment}
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE)


async def complaints_of(process: Process) -> tuple[int | None, str]:
    try:
        _, complaints = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, complaints.decode()


async def test_a_worker_that_is_left_with_its_loop_ends_without_complaints(serve: Serve) -> None:
    process = await serve(f"queue-{uuid.uuid4()}", "interrupted", PIPE)
    process.send_signal(signal.SIGINT)
    assert await complaints_of(process) == (0, "")


async def test_clients_that_are_forgotten_close_their_connections(env: LocalCloudEnvironment) -> None:
    assert await complaints_of(await started(env, FORGETFUL)) == (0, "")
