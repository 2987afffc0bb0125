"""A Lambda function: its execution environments, its concurrency, its asynchronous invocations."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from durability._local.environment import Environment, Launch
from durability._local.function_log import FunctionLog
from durability._local.identity import ACCOUNT, REGION, Credentials
from durability._local.invocation import Invocation, Result, failure
from durability._local.specs import FunctionSpec

# A start costs a processor for as long as the code takes to import: more of them at once only slow each other down.
_CONCURRENT_STARTS = max(2, os.cpu_count() or 2)
# When environments exist, one of them is often free sooner than another could start.
_PATIENCE = 0.05


class Throttled(Exception):
    """The function runs as many invocations as it may at once."""


class InitialisationFailed(Exception):
    """No environment could be started; the result says why."""

    def __init__(self, result: Result) -> None:
        super().__init__("the function could not be initialised")
        self.result = result


class Function:
    """A function and the pool of environments that run it.

    Args:
        spec: what the template says.
        launch: what environments are started with.
        maximum_concurrency: invocations at once beyond which more are throttled.
    """

    def __init__(self, spec: FunctionSpec, launch: Launch, maximum_concurrency: int) -> None:
        self.spec = spec
        self.log: FunctionLog = launch.log
        self.concurrency = maximum_concurrency
        if spec.reserved_concurrency is not None:
            self.concurrency = min(spec.reserved_concurrency, maximum_concurrency)
        self.invocations = 0
        self._launch = launch
        self._running = 0
        self._environments: list[Environment] = []
        self._idle: list[Environment] = []
        self._waiting: deque[asyncio.Future[Environment]] = deque()
        self._new: set[Environment] = set()
        self._background: set[asyncio.Task[Any]] = set()
        self._stopped = False

    @property
    def processes(self) -> tuple[Environment, ...]:
        """The environments that live now, each with `pid`, `request_id` of what it runs, and `frozen`."""
        return tuple(self._environments)

    @property
    def idle(self) -> bool:
        """Whether nothing runs, and no asynchronous invocation waits to be run."""
        return not self._running and not self._background

    async def invoke(self, payload: bytes, arn: str | None = None, client_context: str | None = None) -> Result:
        """Invoke synchronously.

        Args:
            payload: JSON of the event.
            arn: ARN as it was invoked; that of the function if None.
            client_context: base64 of the client context.

        Raises:
            Throttled: the function is at its concurrency limit.
        """
        if self._running >= self.concurrency:
            raise Throttled(f"Rate Exceeded: {self.spec.name} runs {self._running} invocations.")
        self._running += 1
        try:
            environment = await self._acquire()
            self.invocations += 1
            return await environment.run(Invocation(payload, arn or self.spec.arn, client_context))
        except InitialisationFailed as failed:
            return failed.result
        finally:
            self._running -= 1

    def invoke_later(
        self,
        payload: bytes,
        arn: str | None,
        retries: int,
        delay: float,
        dead_letter: Callable[[bytes, Result], Awaitable[None]],
    ) -> None:
        """Invoke asynchronously, with repetitions after errors.

        Args:
            payload: JSON of the event.
            arn: ARN as it was invoked; that of the function if None.
            retries: repetitions after the first attempt.
            delay: seconds before the first repetition; twice as many before the second.
            dead_letter: takes the event when the last attempt has failed.
        """

        async def attempts() -> None:
            for attempt in range(retries + 1):
                if attempt:
                    await asyncio.sleep(delay * attempt)
                result = await self._invoke_when_possible(payload, arn)
                if result.error is None:
                    return
            await dead_letter(payload, result)

        self._spawn(attempts())

    def reload(self) -> None:
        """Let every environment end after what it runs; the next ones start with the code as it is then."""
        for environment in self._environments:
            environment.retired = True
        for environment in self._idle:
            environment.kill()
        self._idle.clear()

    async def stop(self) -> None:
        """End every environment and every asynchronous invocation."""
        self._stopped = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*(environment.stop() for environment in self._environments), return_exceptions=True)
        self.log.close()

    async def _invoke_when_possible(self, payload: bytes, arn: str | None) -> Result:
        # Lambda keeps a throttled asynchronous event for up to 6 hours, and tries again.
        while True:
            try:
                return await self.invoke(payload, arn)
            except Throttled:
                await asyncio.sleep(_PATIENCE)

    async def _acquire(self) -> Environment:
        while self._idle:
            environment = self._idle.pop()
            if not environment.retired:
                return environment
        waiting: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        if len(self._environments) > len(self._new):
            asyncio.get_running_loop().call_later(_PATIENCE, self._start_more)
        else:
            self._start_more()
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif not waiting.cancelled() and waiting.exception() is None:
                self._on_idle(waiting.result())
            raise

    def _start_more(self) -> None:
        while len(self._new) < min(len(self._waiting), _CONCURRENT_STARTS) and not self._stopped:
            environment = Environment(self._launch, self._on_idle, self._on_end)
            self._environments.append(environment)
            self._new.add(environment)
            self._spawn(self._start(environment))

    async def _start(self, environment: Environment) -> None:
        try:
            await environment.start()
        except OSError as error:
            self._on_end(environment, failure("Runtime.Unknown", f"The process cannot be started: {error}"))

    def _on_idle(self, environment: Environment) -> None:
        self._new.discard(environment)
        if environment.retired:
            environment.kill()
        elif self._waiting:
            self._waiting.popleft().set_result(environment)
            self._start_more()
        else:
            self._idle.append(environment)

    def _on_end(self, environment: Environment, unstarted: Result | None) -> None:
        if environment in self._environments:
            self._environments.remove(environment)
        if environment in self._idle:
            self._idle.remove(environment)
        self._new.discard(environment)
        if unstarted is not None and self._waiting:
            self._waiting.popleft().set_exception(InitialisationFailed(unstarted))
        self._start_more()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def process_environment(
    spec: FunctionSpec, credentials: Credentials, endpoint: str, lambda_endpoint: str
) -> dict[str, str]:
    """The environment of a function's processes: what the template gives, and what Lambda adds.

    Args:
        spec: the function.
        credentials: those of its role.
        endpoint: URL of the backend, for every service but Lambda.
        lambda_endpoint: URL of the local Lambda API.

    Returns:
        Variables by name. The list of Lambda's own:
        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": str(spec.code),
        "LAMBDA_TASK_ROOT": str(spec.code),
        "LAMBDA_RUNTIME_DIR": sys.prefix,
        "_HANDLER": spec.handler,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCOUNT_ID": ACCOUNT,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": spec.logging.get("LogGroup", f"/aws/lambda/{spec.name}"),
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_LAMBDA": lambda_endpoint,
        **credentials.environment(),
        **spec.environment,
    }
    if "LD_LIBRARY_PATH" in os.environ:
        variables["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    if spec.logging.get("LogFormat") == "JSON":
        variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        variables["AWS_LAMBDA_LOG_LEVEL"] = spec.logging.get("ApplicationLogLevel", "INFO")
    return variables
