"""Worker processes that are killed: their work goes on in another one."""

from __future__ import annotations

import asyncio
import signal
import uuid
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from durability.testing._cloud import LocalCloudEnvironment

from .application import Holds, KillsItsTask
from .conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def queue_with_visibility(env: LocalCloudEnvironment, seconds: int) -> str:
    """A task queue whose tasks come again soon after their worker died."""
    name = f"crash-{uuid.uuid4()}"
    task_queues = env.client.frontend.ports.task_queues  # type: ignore[attr-defined]
    await task_queues.register(name, "workflow", visibility=seconds)
    await task_queues.register(name, "activity", visibility=seconds)
    return name


async def appears(path: Path) -> str:
    def text() -> str:
        return path.read_text() if path.exists() else ""

    async with asyncio.timeout(30):
        while not text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
    return text()


async def test_killed_in_the_middle_of_an_activity(env: LocalCloudEnvironment, serve: Serve, tmp_path: Path) -> None:
    queue = await queue_with_visibility(env, 1)
    first = await serve(queue)
    handle = await env.client.start_workflow(
        Holds.run, args=[str(tmp_path), None, 1.0], id=str(uuid.uuid4()), task_queue=queue
    )
    assert int(await appears(tmp_path / "attempt-1")) == first.pid
    first.kill()
    second = await serve(queue)
    assert int(await appears(tmp_path / "attempt-2")) == second.pid
    (tmp_path / "go").touch()
    assert await handle.result() == f"attempt 2 after [{first.pid}]"


async def test_killed_in_the_middle_of_a_workflow_task(
    env: LocalCloudEnvironment, serve: Serve, tmp_path: Path
) -> None:
    queue = await queue_with_visibility(env, 1)
    first = await serve(queue)
    handle = await env.client.start_workflow(KillsItsTask.run, str(tmp_path), id=str(uuid.uuid4()), task_queue=queue)
    assert await first.wait() == -9
    second = await serve(queue)
    assert await handle.result() == f"worker {second.pid}"
    assert (tmp_path / "killed").read_text() == f"worker {first.pid}"


async def test_an_activity_in_a_container_outlives_its_workflows_function(
    env: LocalCloudEnvironment, serve: Serve, tmp_path: Path
) -> None:
    queue = await queue_with_visibility(env, 1)
    worker = await serve(queue)
    handle = await env.client.start_workflow(
        Holds.run, args=[str(tmp_path), queue, 30.0], id=str(uuid.uuid4()), task_queue="default"
    )
    assert int(await appears(tmp_path / "attempt-1")) == worker.pid
    await asyncio.to_thread(env._cloud.wait_until_idle)  # no function runs meanwhile
    (tmp_path / "go").touch()
    assert await handle.result() == "attempt 1 after []"


async def test_interrupted(env: LocalCloudEnvironment, serve: Serve, tmp_path: Path) -> None:
    """Workers whose loop is only told to close its generators still give back at once what they have taken."""
    queue = await queue_with_visibility(env, 600)
    first = await serve(queue, "interrupted", PIPE)
    handle = await env.client.start_workflow(
        Holds.run, args=[str(tmp_path), None, 300.0], id=str(uuid.uuid4()), task_queue=queue
    )
    assert int(await appears(tmp_path / "attempt-1")) == first.pid
    first.send_signal(signal.SIGINT)
    said, complained = await first.communicate()
    assert (said.decode(), complained.decode(), first.returncode) == ("shutting down\n", "", 0)
    second = await serve(queue)
    assert int(await appears(tmp_path / "attempt-2")) == second.pid
    (tmp_path / "go").touch()
    assert await handle.result() == f"attempt 2 after [{first.pid}]"
