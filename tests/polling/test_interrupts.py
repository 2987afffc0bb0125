"""Worker programs that are interrupted as from a keyboard."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import uuid
from asyncio.subprocess import PIPE

from durability.testing._cloud import LocalCloudEnvironment

from .conftest import ROOT

# Its main coroutine is left where it was; what the loop still runs is what closing its generators takes.
SCRIPT = """
    import asyncio, logging, sys

    from durability.client import Client
    from durability.worker import Worker
    from tests.polling.application import ACTIVITIES, WORKFLOWS

    interrupted = asyncio.Event()


    async def main() -> None:
        client = await Client.connect()
        async with Worker(client, task_queue=sys.argv[1], workflows=WORKFLOWS, activities=ACTIVITIES):
            print("ready", flush=True)
            await interrupted.wait()


    loop = asyncio.new_event_loop()
    logging.basicConfig(level=logging.WARNING)
    try:
        loop.run_until_complete(main())
    except KeyboardInterrupt:
        interrupted.set()
        loop.run_until_complete(loop.shutdown_asyncgens())
"""


async def test_a_worker_that_is_left_with_its_loop_ends_without_complaints(env: LocalCloudEnvironment) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(SCRIPT),
        f"queue-{uuid.uuid4()}",
        cwd=ROOT,
        env={**os.environ, **env.environment},
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        await asyncio.sleep(0.5)  # so that it waits for messages
        process.send_signal(signal.SIGINT)
        _, complaints = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, complaints.decode()) == (0, "")
