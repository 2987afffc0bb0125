"""One client in several event loops, as programs have it that answer requests in threads."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from durability._aws.connect import connect_gateway
from durability.client import Client
from durability.testing._cloud import LocalCloudEnvironment
from durability.worker import Worker

from .application import ACTIVITIES, WORKFLOWS, Sends

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def starts(client: Client, task_queue: str) -> str:
    return await client.execute_workflow(Sends.run, None, id=str(uuid.uuid4()), task_queue=task_queue)


@pytest.mark.parametrize("over", ["aws", "http"])
async def test_loops_of_threads(env: LocalCloudEnvironment, over: str) -> None:
    if over == "aws":
        client = Client(await connect_gateway(environment=env.environment))
    else:
        client = await Client.connect(env.http_url)
    queue = str(uuid.uuid4())
    async with client, Worker(env.client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES):
        here = await starts(client, queue)
        threads = [asyncio.to_thread(lambda: asyncio.run(starts(client, queue))) for _ in range(4)]
        assert set(await asyncio.gather(*threads, starts(client, queue))) == {here}


async def test_a_loop_ends_its_own_workers_only(env: LocalCloudEnvironment) -> None:
    queue = str(uuid.uuid4())
    client = Client(await connect_gateway(environment=env.environment))
    async with client, Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES) as worker:
        here = await starts(client, queue)
        assert await asyncio.to_thread(lambda: asyncio.run(starts(client, queue))) == here
        await asyncio.sleep(0.1)
        assert worker.is_running
        assert await starts(client, queue) == here
