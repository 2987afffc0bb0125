"""A stack whose functions serve ``tests.polling.application``, and worker processes beside it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest_asyncio

from durability._local.cloud import LocalCloud
from durability.client import Client
from durability.testing import WorkflowEnvironment
from durability.testing._cloud import LocalCloudEnvironment

ROOT = Path(__file__).parents[2]
Serve = Callable[..., Awaitable[Process]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def env() -> AsyncIterator[LocalCloudEnvironment]:
    async with await WorkflowEnvironment.start_local_cloud("tests.polling.application:app") as environment:
        yield environment


@pytest_asyncio.fixture(loop_scope="session")
async def stack(env: LocalCloudEnvironment) -> LocalCloud:
    """The local cloud itself, to count what is asked of it."""
    return env._cloud


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(env: LocalCloudEnvironment) -> AsyncIterator[Client]:
    """A client that shares nothing with the workers of this process."""
    from durability._aws.connect import connect_gateway

    async with Client(await connect_gateway(environment=env.environment)) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def serve(env: LocalCloudEnvironment) -> AsyncIterator[Serve]:
    """Starts worker processes and waits until they are ready."""
    processes: list[Process] = []

    async def start(task_queue: str, module: str = "serve", stderr: int | None = None) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"tests.polling.{module}",
            task_queue,
            cwd=ROOT,
            env={**os.environ, **env.environment},
            stdout=PIPE,
            stderr=stderr,
        )
        processes.append(process)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()
