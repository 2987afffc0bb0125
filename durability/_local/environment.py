"""One execution environment: a process under AWS's runtime client, and the Lambda Runtime API that it talks to.

The client is `awslambdaric`, the one in AWS's own images. Each process has a Runtime API and a port of its own, so that
a request needs no mark of where it comes from. The process is stopped with SIGSTOP while it waits for an invocation, as
Lambda freezes an environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from durability._local.function_log import FunctionLog
from durability._local.http_server import HttpServer
from durability._local.invocation import Invocation, Result, failure
from durability._local.specs import FunctionSpec

if TYPE_CHECKING:
    from asyncio.subprocess import Process

# The limit of a synchronous response: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAXIMUM_RESPONSE = 6 * 1024 * 1024 + 100
# Lambda gives initialisation 10 s, then starts it over within the first invocation: both together are what it may take.
INITIALISATION_SECONDS = 10.0
_API = "/2018-06-01/runtime/"


@dataclass(frozen=True)
class Launch:
    """What every environment of a function is started with.

    Args:
        spec: the function.
        variables: the whole environment of the process, but for the address of its Runtime API.
        process_group: group that dies with the local cloud.
        freeze: whether to stop the process between invocations.
        log: where the process writes.
    """

    spec: FunctionSpec
    variables: Mapping[str, str]
    process_group: int
    freeze: bool
    log: FunctionLog


@dataclass(eq=False)
class Environment:
    """An execution environment of a function.

    Args:
        launch: what to start it with.
        on_idle: called when it waits for an invocation, after its start and after every invocation.
        on_end: called when the process has ended, with why it could not start if that is the case.
    """

    launch: Launch
    on_idle: Callable[[Environment], None]
    on_end: Callable[[Environment, Result | None], None]
    invocation: Invocation | None = None
    frozen: bool = False
    retired: bool = False
    initialised: bool = False
    _process: Process | None = None
    _server: HttpServer | None = None
    _assigned: asyncio.Future[Invocation] | None = None
    _init_failure: Result | None = None
    _started: float = 0.0
    _init_ms: float | None = None
    _init_limit: asyncio.TimerHandle | None = None
    _watching: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def request_id(self) -> str | None:
        """Request id of the invocation that runs, or None."""
        return None if self.invocation is None else self.invocation.request_id

    async def start(self) -> None:
        """Start the process; `on_idle` says when it is ready."""
        self._server = HttpServer(self._answer, maximum_body=2 * MAXIMUM_RESPONSE)
        await self._server.start()
        self._started = time.monotonic()
        code = str(self.launch.spec.code)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "awslambdaric",
            self.launch.spec.handler,
            cwd=code,
            env={**self.launch.variables, "AWS_LAMBDA_RUNTIME_API": self._server.address},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self.launch.log.descriptor,
            stderr=self.launch.log.descriptor,
            process_group=self.launch.process_group,
        )
        limit = INITIALISATION_SECONDS + self.launch.spec.timeout
        self._init_limit = asyncio.get_running_loop().call_later(limit, self._fail_initialisation, limit)
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def run(self, invocation: Invocation) -> Result:
        """Run one invocation to its response, its error, its timeout or the end of the process.

        Args:
            invocation: what to run; the environment must be idle.
        """
        assert self._assigned is not None
        spec = self.launch.spec
        loop = asyncio.get_running_loop()
        invocation.begin(loop.create_future(), spec.timeout)
        self.invocation = invocation
        self.launch.log.write(f"START RequestId: {invocation.request_id} Version: {invocation.version}")
        started = time.monotonic()
        self._thaw()
        assigned, self._assigned = self._assigned, None
        assigned.set_result(invocation)
        timeout = loop.call_later(spec.timeout, self._time_out, invocation)
        try:
            result = await invocation.outcome
        finally:
            timeout.cancel()
            self.invocation = None
        self._report(invocation, result, (time.monotonic() - started) * 1000)
        return result

    def kill(self) -> None:
        """Kill the process, whatever it does."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def stop(self) -> None:
        """Kill the process and wait until it is gone."""
        self.retired = True
        self.kill()
        if self._watching is not None:
            await self._watching

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.removeprefix(_API)
        if path == "invocation/next":
            return await self._next()
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            body = b"x" * (MAXIMUM_RESPONSE + 1)
        except ConnectionError:  # the process died while it answered; `_watch` deals with that
            return web.Response(status=400)
        if path == "init/error":
            self._init_failure = Result(body, "Unhandled")
            return web.json_response({"status": "OK"}, status=202)
        _, request_id, kind = path.split("/")
        if self.invocation is None or self.invocation.request_id != request_id:
            return web.json_response(
                {"errorType": "InvalidRequestID", "errorMessage": f"{request_id} is not running."}, status=400
            )
        if len(body) > MAXIMUM_RESPONSE:
            message = f"Response payload size exceeded maximum allowed payload size ({MAXIMUM_RESPONSE} bytes)."
            self.invocation.finish(failure("Function.ResponseSizeTooLarge", message))
            return web.json_response({"errorType": "RequestEntityTooLarge", "errorMessage": message}, status=413)
        self.invocation.finish(Result(body, "Unhandled" if kind == "error" else None))
        return web.json_response({"status": "OK"}, status=202)

    async def _next(self) -> web.StreamResponse:
        if self._init_ms is None:
            self._init_ms = (time.monotonic() - self._started) * 1000
            self._end_initialisation()
        self._assigned = asyncio.get_running_loop().create_future()
        waiting = self._assigned
        self.on_idle(self)
        if not waiting.done():
            self._freeze()
        invocation = await waiting
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
        }
        if invocation.client_context:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        return web.Response(body=invocation.payload, content_type="application/json", headers=headers)

    def _end_initialisation(self) -> None:
        self.initialised = True
        if self._init_limit is not None:
            self._init_limit.cancel()

    def _freeze(self) -> None:
        if self.launch.freeze and not self.retired and not self.frozen:
            self._signal(signal.SIGSTOP)
            self.frozen = True

    def _thaw(self) -> None:
        if self.frozen:
            self.frozen = False
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def _time_out(self, invocation: Invocation) -> None:
        message = (
            f"RequestId: {invocation.request_id} Error: Task timed out after {self.launch.spec.timeout:.2f} seconds"
        )
        self.launch.log.write(f"{invocation.request_id} Task timed out after {self.launch.spec.timeout:.2f} seconds")
        self.retired = True
        self.kill()
        invocation.finish(failure("Sandbox.Timedout", message))

    async def _watch(self) -> None:
        assert self._process is not None
        assert self._server is not None
        code = await self._process.wait()
        self.retired = True
        ready = self.initialised
        self._end_initialisation()
        how = f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        if self.invocation is not None:
            message = f"RequestId: {self.invocation.request_id} Error: Runtime exited with error: {how}"
            self.launch.log.write(message)
            self.invocation.finish(failure("Runtime.ExitError", message))
        unstarted = None
        if not ready:
            unstarted = self._init_failure or failure(
                "Runtime.ExitError", f"Runtime exited during initialisation: {how}"
            )
        self.on_end(self, unstarted)
        if self._assigned is not None:
            self._assigned.cancel()
        await self._server.stop()

    def _fail_initialisation(self, limit: float) -> None:
        self._init_failure = failure("Sandbox.Timedout", f"Initialisation timed out after {limit:.2f} seconds")
        self.kill()

    def _report(self, invocation: Invocation, result: Result, milliseconds: float) -> None:
        init = "" if self._init_ms is None or self._init_ms < 0 else f"\tInit Duration: {self._init_ms:.2f} ms"
        self._init_ms = -1.0
        memory, request_id = self.launch.spec.memory, invocation.request_id
        self.launch.log.write(f"END RequestId: {request_id}")
        self.launch.log.write(
            f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
            f"Billed Duration: {int(milliseconds) + 1} ms\tMemory Size: {memory} MB\t"
            f"Max Memory Used: {_peak_memory(self.pid)} MB{init}"
        )


def _peak_memory(pid: int) -> int:
    """Peak resident memory of a process in MB; 0 where /proc does not tell."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024
    return 0
