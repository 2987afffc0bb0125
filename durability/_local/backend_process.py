"""Starting the backend process, hearing its events, and asking it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp

from durability._local.identity import REGION


class BackendError(Exception):
    """The backend refused a request of the local cloud itself."""


class BackendProcess:
    """The process that plays AWS, seen from the local cloud.

    Args:
        on_event: called on the event loop with every event that the backend publishes.
    """

    def __init__(self, on_event: Callable[[dict[str, Any]], None]) -> None:
        self._on_event = on_event
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None
        self._reader: asyncio.Task[None] | None = None
        self._synchronisations = 0
        self._heard: dict[int, asyncio.Future[None]] = {}
        self.url = ""

    @property
    def process_group(self) -> int:
        """The process group that dies with the local cloud, whichever way that ends."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it listens."""
        # Only what the interpreter needs: a MOTO_* or AWS_* variable of the user's shell must not change the backend.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MOTO_", "AWS_"))}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "durability._local.backend",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            process_group=0,
            limit=16 * 1024 * 1024,
        )
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("The local cloud's backend did not start; its error output says why.")
        self.url = f"http://127.0.0.1:{json.loads(line)['listening']}"
        # An event source mapping holds a connection while it waits; none of them may starve another.
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=3600))
        self._reader = asyncio.create_task(self._read(self._process.stdout))

    async def stop(self) -> None:
        """End the process and its whole group."""
        if self._session is not None:
            await self._session.close()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def call_sqs(self, operation: str, parameters: dict[str, Any], access_key: str) -> dict[str, Any]:
        """Call an SQS operation.

        Args:
            operation: operation name.
            parameters: its parameters.
            access_key: who is calling, for the counters.

        Raises:
            BackendError: the operation was refused.
        """
        headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        content = await self._request("POST", "/", "sqs", access_key, headers, json.dumps(parameters))
        return json.loads(content or b"{}")  # type: ignore[no-any-return]

    async def delete_schedule(self, name: str, group: str, access_key: str) -> None:
        """Delete a schedule that has fired for the last time.

        Args:
            name: its name.
            group: its group.
            access_key: who is calling, for the counters.

        Raises:
            BackendError: the operation was refused.
        """
        await self._request("DELETE", f"/schedules/{name}?groupName={group}", "scheduler", access_key, {}, None)

    async def _request(
        self, method: str, path: str, service: str, access_key: str, headers: dict[str, str], body: str | None
    ) -> bytes:
        assert self._session is not None
        scope = f"{access_key}/{datetime.now(UTC):%Y%m%d}/{REGION}/{service}/aws4_request"
        authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=local"
        headers = {**headers, "Authorization": authorization}
        async with self._session.request(method, self.url + path, data=body, headers=headers) as response:
            content = await response.read()
        if response.status >= 300:
            raise BackendError(f"{service}: {response.status} {content[:500].decode('utf-8', 'replace')}")
        return content

    async def control(self, command: str, argument: Any = None) -> Any:
        """Ask the backend about itself.

        Args:
            command: `requests`, `reset`, `policies`, `record` or `records`.
            argument: JSON argument of the command.
        """
        assert self._session is not None
        async with self._session.post(f"{self.url}/_local/{command}", data=json.dumps(argument)) as response:
            return await response.json()

    async def synchronise(self) -> None:
        """Wait until every event of what the backend has done so far has been handed on."""
        self._synchronisations += 1
        number = self._synchronisations
        heard = self._heard[number] = asyncio.get_running_loop().create_future()
        await self.control("synchronise", number)
        await heard

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            event = json.loads(line)
            if "synchronised" in event:
                self._heard.pop(event["synchronised"]).set_result(None)
            else:
                self._on_event(event)
