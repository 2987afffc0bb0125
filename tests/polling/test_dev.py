"""``durability dev``, a worker and a client: three processes that know nothing but a file and a URL."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import textwrap
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from durability._local.discovery import PATH
from durability.client import Client
from durability.exceptions import ConfigurationError
from durability.service import RPCError, RPCStatusCode

from .application import Counter
from .conftest import ROOT


async def start(*command: str, environment: Mapping[str, str] = {}, folder: Path = ROOT) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, cwd=folder, env={**os.environ, **environment}, stdout=PIPE
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
    options += ["--port", "0", "--no-reload", "--env-file", str(variables)]
    processes = [await start("durability", "dev", *options)]
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


# A worker and a starter as there would be for Temporal's development server: an address, and nothing else.
SCRIPT = """
    import asyncio, sys
    from datetime import timedelta

    from durability import activity, workflow
    from durability.client import Client
    from durability.envconfig import ClientConfig
    from durability.worker import Worker


    @activity.defn
    async def greet(name: str) -> str:
        return f"Hello, {name}!"


    @workflow.defn
    class Greeting:
        @workflow.run
        async def run(self, name: str) -> str:
            return await workflow.execute_activity(greet, name, start_to_close_timeout=timedelta(seconds=10))


    async def main() -> None:
        config = ClientConfig.load_client_connect_config()
        client = await Client.connect(**config, lazy=sys.argv[1] == "starter")
        if sys.argv[1] == "worker":
            await Worker(client, task_queue="default", workflows=[Greeting], activities=[greet]).run()
        else:
            print(await client.execute_workflow(Greeting.run, "Ada", id="greeting", task_queue="default"))


    asyncio.run(main())
"""


async def test_scripts_that_know_host_and_port(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    processes = [await start("durability", "dev", "--port", "0", "--no-reload", folder=tmp_path)]
    try:
        url = (await line_with(processes[0], "HttpUrl")).split()[-1]
        environment = {"TEMPORAL_ADDRESS": f"localhost:{urlsplit(url).port}"}
        # The starter comes first, and waits for a worker.
        processes.append(await start("script", "starter", environment=environment, folder=tmp_path))
        processes.append(await start("script", "worker", environment=environment, folder=tmp_path))
        assert await line_with(processes[1], "Ada") == "Hello, Ada!\n"
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            await process.communicate()


async def test_only_this_machine_under_its_own_names_is_told(tmp_path: Path) -> None:
    dev = await start("durability", "dev", "--port", "0", "--no-reload", folder=tmp_path)
    try:
        url = (await line_with(dev, "HttpUrl")).split()[-1] + PATH
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as told:
                assert "AWS_SECRET_ACCESS_KEY" in await told.json()
            for name in ("example.org", "example.org:7233", "localhost.example.org:7233"):
                async with session.get(url, headers={"Host": name}) as refused:
                    assert refused.status == 404
    finally:
        dev.send_signal(signal.SIGTERM)
        await dev.communicate()


async def test_nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DURABILITY_TABLE", raising=False)
    with socket.socket() as bound:  # and not listening: nobody else can be there
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(RPCError, match="Start one with `durability dev`") as caught:
            await Client.connect(f"localhost:{bound.getsockname()[1]}")
    assert caught.value.status == RPCStatusCode.UNAVAILABLE


async def test_another_host_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DURABILITY_TABLE", raising=False)
    with pytest.raises(ConfigurationError, match="DURABILITY_TABLE"):
        await Client.connect("temporal.example.org:7233")
