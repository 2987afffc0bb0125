"""``durability dev``, a worker and a client: three processes that know nothing but a file and a URL."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from durability.client import Client

from .application import Counter
from .conftest import ROOT


async def start(*command: str, environment: dict[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, cwd=ROOT, env={**os.environ, **environment}, stdout=PIPE
    )


async def line_with(process: Process, text: str) -> str:
    assert process.stdout is not None
    async for line in process.stdout:
        if text in line.decode():
            return line.decode()
    raise AssertionError(f"ended without saying {text!r}")


async def test_a_worker_beside_durability_dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = tmp_path / "worker.env"
    options = ["--parameter", "Application=tests.polling.application:app", "--parameter", "OtherTaskQueues=WORKERS"]
    processes = [
        await start("durability", "dev", *options, "--no-reload", "--env-file", str(variables), environment={})
    ]
    try:
        url = (await line_with(processes[0], "HttpUrl")).split()[-1]
        await line_with(processes[0], "export DURABILITY_TABLE=")
        await line_with(processes[0], "export DURABILITY_WORKFLOW_QUEUE_URL=")
        environment = dict(line.split("=", 1) for line in variables.read_text().splitlines())
        processes.append(await start("tests.polling.serve", "dev", environment=environment))
        await line_with(processes[1], "ready")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        async with await Client.connect(url) as client:
            handle = await client.start_workflow(Counter.run, id="dev", task_queue="dev")
            assert await handle.execute_update(Counter.add, 5) == 5
            assert await handle.query(Counter.count) == 5
            await handle.signal(Counter.stop)
            assert await handle.result() == 5
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            await process.communicate()
    assert processes[0].returncode == 0
