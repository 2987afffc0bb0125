"""The local cloud: the application of a SAM template on this machine."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from durability._local.backend_process import BackendProcess
from durability._local.environment import Launch
from durability._local.front_door import FrontDoor
from durability._local.function import Function, process_environment
from durability._local.function_log import FunctionLog
from durability._local.identity import REGION, Principals
from durability._local.invocation import Result
from durability._local.lambda_api import LambdaApi
from durability._local.naming import api_id
from durability._local.permissions import Access, allows, document_statements
from durability._local.poller import Poller
from durability._local.scheduler import Schedule, Scheduler
from durability._local.specs import FunctionSpec
from durability._local.stack import Resource, Stack
from durability._local.template import Template, TemplateError, load_template

T = TypeVar("T")
_API_ADDRESS = re.compile(r"https://([a-z0-9]{10})\.execute-api\.[a-z0-9-]+\.amazonaws\.com")
_IDLE_INTERVAL = 0.005
_API = "AWS::ApiGatewayV2::Api"
_MANAGED_POLICY = "AWS::IAM::ManagedPolicy"


class FunctionError(Exception):
    """A function that was invoked through the local cloud has failed.

    Args:
        payload: the error as the function or the service gave it, with `errorType` and `errorMessage`.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        super().__init__(f"{payload.get('errorType')}: {payload.get('errorMessage')}")
        self.payload = payload


class LocalCloud:
    """Runs a SAM template on this machine: moto for the data services, real processes for the functions.

    Everything is in memory and ends with `stop`, with the `with` statement, or with the process, however that ends.
    The attributes are filled by `start`.

    Args:
        template: template file.
        parameters: template parameters that replace the defaults.
        variables: environment variables of every function beside the template's, which win.
        stack_name: stack name, with which names of resources begin.
        http_port: port of the first HTTP API; 0 takes a free one.
        freeze: whether function processes are stopped between invocations, as in Lambda.
        crash_redelivery_delay: seconds after which the messages of an invocation that failed as a whole come back; None
            for the queue's visibility timeout, as in AWS.
        rate_schedules: whether the `rate(...)` schedules of the template fire by themselves; `fire_schedule` always
            works.
        minute_precision: whether one-time schedules fire at the end of their minute, the latest that AWS promises,
            instead of at their second.
        enforce_permissions: whether a function may do only what the policies of its role allow.
        maximum_concurrency: invocations of one function at once, beyond which more are throttled.
        asynchronous_retry_delay: seconds before an asynchronous invocation that failed is repeated, twice as many
            before the second time; 60 in AWS.
        log_directory: where the logs of the functions go; None for a temporary directory that `stop` removes.
        import_from: a folder from which functions may import besides their own code's, for a template that is elsewhere
            than the application.
        interpose: called with each AWS address that functions are about to be told, and gives the one that they are
            told in its place: that of a proxy which disturbs what passes.
    """

    def __init__(
        self,
        template: str | Path = "template.yaml",
        *,
        parameters: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        stack_name: str = "local",
        http_port: int = 0,
        freeze: bool = True,
        crash_redelivery_delay: float | None = 1.0,
        rate_schedules: bool = True,
        minute_precision: bool = False,
        enforce_permissions: bool = True,
        maximum_concurrency: int = 32,
        asynchronous_retry_delay: float = 1.0,
        log_directory: str | Path | None = None,
        import_from: Path | None = None,
        interpose: Callable[[str], str] | None = None,
    ) -> None:
        self.template_path = Path(template)
        self.functions: dict[str, Function] = {}
        self.outputs: dict[str, Any] = {}
        self.resources: dict[str, Resource] = {}
        self._parameters = dict(parameters or {})
        self._variables = dict(variables or {})
        self._stack_name = stack_name
        self._http_port = http_port
        self._freeze = freeze
        self._crash_redelivery_delay = crash_redelivery_delay
        self._rate_schedules = rate_schedules
        self._enforce_permissions = enforce_permissions
        self._maximum_concurrency = maximum_concurrency
        self._asynchronous_retry_delay = asynchronous_retry_delay
        self._import_from = import_from
        self._interpose = interpose or str
        self._temporary = tempfile.TemporaryDirectory(prefix="durability-") if log_directory is None else None
        self.log_directory = Path(self._temporary.name if self._temporary else str(log_directory))
        self._principals = Principals()
        self._client = self._principals.issue("client")
        self._doors: dict[str, FrontDoor] = {}
        self._pollers: dict[str, Poller] = {}
        self._lambda_counts: Counter[tuple[str, str, str]] = Counter()
        self._lambda_api = LambdaApi(self.functions, self._invoke_later, self._lambda_counts)
        self._backend = BackendProcess(self._on_event)
        self._scheduler = Scheduler(self._deliver, self._delete_schedule, minute_precision=minute_precision)
        self._retries: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    # --- life ------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start everything and wait until it is ready.

        Returns:
            Itself.

        Raises:
            TemplateError: the template is wrong, or asks for what the local cloud does not have.
        """
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="local-cloud", daemon=True)
        self._thread.start()
        try:
            self._run(self._start())
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End every process and server. Does nothing if it does not run."""
        if self._loop is None or self._thread is None:
            return
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- for clients -----------------------------------------------------------------------------------------------

    @property
    def endpoint_url(self) -> str:
        """URL of every AWS service but Lambda."""
        return self._backend.url

    @property
    def http_url(self) -> str:
        """URL of the first HTTP API of the template."""
        if not self._doors:
            raise TemplateError(self.template_path.name, "has no HTTP API.")
        return next(iter(self._doors.values())).url

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that make AWS libraries use the local cloud, as the principal `client`."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_LAMBDA": self._lambda_api.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            **self._client.environment(),
        }

    def environment_under(self, policy: str) -> dict[str, str]:
        """Environment variables for a process that may do what a managed policy of the template allows.

        Besides what AWS libraries need, they hold the variables that all functions of the template have alike.

        Args:
            policy: its logical id.

        Raises:
            KeyError: there is no such policy.
        """
        if self.resources[policy].type != _MANAGED_POLICY:
            raise KeyError(f"{policy} is not a managed policy of the template")
        return {**self.shared_variables, **self.environment, **self._principals.issue(policy).environment()}

    def announce(self, variables: Mapping[str, str]) -> None:
        """Tell clients on this machine that ask at the address of the first HTTP API.

        Args:
            variables: with which a client or a worker in another process reaches the stack.
        """
        next(iter(self._doors.values())).announced = dict(variables)

    @property
    def shared_variables(self) -> dict[str, str]:
        """The environment variables that all functions of the template have alike."""
        return dict(set.intersection(*({*each.spec.environment.items()} for each in self.functions.values())))

    def client(self, service: str) -> Any:
        """A boto3 client of the local cloud.

        Args:
            service: service name as boto3 has it, for instance `dynamodb`.
        """
        session: Any = importlib.import_module("boto3").Session(
            aws_access_key_id=self._client.access_key_id,
            aws_secret_access_key=self._client.secret_access_key,
            region_name=REGION,
        )
        return session.client(service, endpoint_url=self._lambda_api.url if service == "lambda" else self.endpoint_url)

    def invoke(self, function: str, event: Any) -> Any:
        """Invoke a function synchronously.

        Args:
            function: its logical id.
            event: the event, as JSON can hold it.

        Returns:
            The response.

        Raises:
            FunctionError: the function has failed.
        """
        result: Result = self._run(self._function(function).invoke(json.dumps(event).encode()))
        answer = json.loads(result.payload or b"null")
        if result.error is not None:
            raise FunctionError(answer)
        return answer

    def fire_schedule(self, name: str) -> None:
        """Fire a schedule now, and wait until its target has the event.

        Args:
            name: name, ARN or logical id of a schedule of the template or of EventBridge Scheduler; the logical id of a
                function fires the schedules that invoke it.

        Raises:
            KeyError: there is no such schedule.
        """
        self._run(self._backend.synchronise())
        if name in self.resources and name in self.functions:
            arn = self.functions[name].spec.arn
            names = [schedule.arn for schedule in self._scheduler.schedules if schedule.target_arn.startswith(arn)]
            if not names:
                raise KeyError(name)
        else:
            resource = self.resources.get(name)
            names = [name if resource is None else resource.attributes["Arn"]]
        for each in names:
            self._run(self._scheduler.fire(each))

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """The schedules that wait to fire."""
        self._run(self._backend.synchronise())
        return self._scheduler.schedules

    def wait_until_idle(self, timeout: float = 30.0) -> None:
        """Wait until nothing runs and no message is due: what comes next needs a client or the clock.

        Args:
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: it is still busy.
        """

        async def wait() -> None:
            async with asyncio.timeout(timeout):
                quiet = 0
                # Twice in a row: what one function sends while another is looked at starts something new.
                while quiet < 2:
                    await asyncio.sleep(_IDLE_INTERVAL)
                    await self._backend.synchronise()
                    pollers, functions = self._pollers.values(), self.functions.values()
                    idle = all(poller.idle for poller in pollers) and all(function.idle for function in functions)
                    quiet = quiet + 1 if idle else 0

        self._run(wait())

    def logs(self, function: str) -> str:
        """What a function and its processes have logged.

        Args:
            function: its logical id.
        """
        return self._function(function).log.read()

    def reload(self) -> None:
        """Run what comes next with the code as it is now; what runs ends with the code that it started with."""

        async def reload() -> None:
            for function in self.functions.values():
                function.reload()

        self._run(reload())

    # --- what was asked of the cloud --------------------------------------------------------------------------------

    @property
    def requests(self) -> Counter[str]:
        """Requests since the start or `reset_requests`, by `service.Operation`, for instance `dynamodb.PutItem`."""
        return self.requests_of()

    def requests_of(self, *principals: str) -> Counter[str]:
        """Requests by `service.Operation`, of some principals only.

        Args:
            principals: logical ids of functions, `client`, `poller` (event source mappings) or `scheduler`; all if
                none.
        """
        rows: list[list[Any]] = self._run(self._backend.control("requests"))
        counts: Counter[str] = Counter()
        for key, service, operation, count in [
            *rows,
            *([*key, count] for key, count in list(self._lambda_counts.items())),
        ]:
            if not principals or self._name_of(key) in principals:
                counts[f"{service}.{operation}"] += count
        return counts

    def reset_requests(self) -> None:
        """Begin to count, and to record, from nothing."""
        self._lambda_counts.clear()
        self._run(self._backend.control("reset"))

    def record(self, enabled: bool = True) -> None:
        """Record every request from now on, for `records`.

        Args:
            enabled: False ends it and drops what was recorded.
        """
        self._run(self._backend.control("record", enabled))

    def records(self) -> list[dict[str, Any]]:
        """The recorded requests, in order.

        Returns:
            For each: `at` (Unix time), `principal`, `service`, `operation`, `status`, `request` and `response` (text),
            `request_bytes`, `response_bytes`, and for DynamoDB `write_units`, `read_units` and `item_sizes` (bytes).
        """
        records: list[dict[str, Any]] = self._run(self._backend.control("records"))
        for record in records:
            record["principal"] = self._name_of(record.pop("access_key"))
        return records

    # --- inside ----------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        self.log_directory.mkdir(parents=True, exist_ok=True)
        backend = asyncio.ensure_future(self._backend.start())
        try:
            template = await asyncio.to_thread(load_template, self.template_path, self._parameters)
        finally:
            await backend
        await self._lambda_api.start()
        await self._open_doors(template)
        stack = Stack(
            template, self._stack_name, self._backend.url, self._principals.issue("setup"), self._rewrite_addresses
        )
        self.outputs = await asyncio.to_thread(stack.build)
        self.resources = stack.resources
        self._retries = stack.retry_attempts
        for logical_id, api in stack.apis.items():
            self._doors[logical_id].routes = api.routes
        addresses = self._backend.url, self._lambda_api.url
        endpoints = [await asyncio.to_thread(self._interpose, address) for address in addresses]
        for spec in stack.functions.values():
            self._add_function(spec, *endpoints)
        if self._enforce_permissions:
            await self._limit_functions(stack)
        for mapping in stack.mappings:
            poller = Poller(
                mapping,
                self.functions[mapping.function],
                self._backend,
                self._principals.issue("poller").access_key_id,
                self._crash_redelivery_delay,
            )
            self._pollers[poller.queue_name] = poller
            poller.start()
        for rule in stack.rules:
            self._scheduler.add_rule(rule, enabled=self._rate_schedules)
        await self._backend.control("reset")
        for door in self._doors.values():
            door.is_open = True

    def _add_function(self, spec: FunctionSpec, endpoint: str, lambda_endpoint: str) -> None:
        log = FunctionLog(self.log_directory / f"{spec.logical_id}.log")
        credentials = self._principals.issue(spec.logical_id, role=True)
        variables = process_environment(spec, credentials, endpoint, lambda_endpoint)
        if self._import_from is not None:
            variables["PYTHONPATH"] += f"{os.pathsep}{self._import_from}"
        launch = Launch(spec, self._variables | variables, self._backend.process_group, self._freeze, log)
        self.functions[spec.logical_id] = Function(spec, launch, self._maximum_concurrency)

    async def _limit_functions(self, stack: Stack) -> None:
        policies = {}
        for spec in stack.functions.values():
            statements = stack.statements(spec)
            if statements is not None:
                policies[self._principals.issue(spec.logical_id, role=True).access_key_id] = statements
        for resource in stack.resources.values():
            if resource.type == _MANAGED_POLICY:
                access_key = self._principals.issue(resource.logical_id).access_key_id
                policies[access_key] = document_statements(resource.properties["PolicyDocument"])
        for mapping in stack.mappings:
            statements = stack.statements(stack.functions[mapping.function])
            for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"):
                if statements is not None and not allows(statements, Access(action, mapping.queue_arn)):
                    problem = f"the role of {mapping.function} does not allow {action} on {mapping.queue_arn}."
                    raise TemplateError(mapping.logical_id, problem)
        self._lambda_api.policies = policies
        await self._backend.control("policies", policies)

    async def _open_doors(self, template: Template) -> None:
        # Open before anything is built: functions are told the address in their environment.
        for logical_id, declared in template.resources.items():
            if declared.get("Type") == _API:
                door = FrontDoor(api_id(self._stack_name, logical_id), self.functions, self._principals)
                await door.start(0 if self._doors else self._http_port)
                self._doors[logical_id] = door

    def _rewrite_addresses(self, text: str) -> str:
        return _API_ADDRESS.sub(self._local_address, text)

    def _local_address(self, match: re.Match[str]) -> str:
        door = next((door for door in self._doors.values() if door.api_id == match[1]), None)
        return match[0] if door is None else door.url

    async def _stop(self) -> None:
        for poller in self._pollers.values():
            await poller.stop()
        await self._scheduler.stop()
        for door in self._doors.values():
            await door.stop()
        await self._lambda_api.stop()
        await asyncio.gather(*(function.stop() for function in self.functions.values()))
        await self._backend.stop()

    def _on_event(self, event: dict[str, Any]) -> None:
        if "queue" in event:
            poller = self._pollers.get(event["queue"])
            if poller is not None:
                poller.due_at(event["due"])
        elif "schedule" in event:
            self._scheduler.put(event["schedule"])
        elif "schedules" in event:
            self._scheduler.keep(event["schedules"])

    def _invoke_later(self, function: Function, payload: bytes, arn: str | None = None) -> None:
        retries = self._retries.get(function.spec.logical_id, 2)

        async def dead_letter(event: bytes, result: Result) -> None:
            if function.spec.dead_letter_arn is not None:
                await self._send(function.spec.dead_letter_arn, event)

        function.invoke_later(payload, arn, retries, self._asynchronous_retry_delay, dead_letter)

    async def _deliver(self, target_arn: str, event: bytes) -> None:
        if ":sqs:" in target_arn:
            await self._send(target_arn, event)
            return
        for function in self.functions.values():
            if target_arn == function.spec.arn or target_arn.startswith(function.spec.arn + ":"):
                self._invoke_later(function, event, target_arn)

    async def _send(self, queue_arn: str, body: bytes) -> None:
        url = f"{self._backend.url}/{'/'.join(queue_arn.split(':')[4:6])}"
        key = self._principals.issue("scheduler").access_key_id
        await self._backend.call_sqs("SendMessage", {"QueueUrl": url, "MessageBody": body.decode()}, key)

    async def _delete_schedule(self, schedule: Schedule) -> None:
        key = self._principals.issue("scheduler").access_key_id
        await self._backend.delete_schedule(schedule.name, schedule.group or "default", key)

    def _function(self, logical_id: str) -> Function:
        if logical_id not in self.functions:
            known = ", ".join(sorted(self.functions))
            raise KeyError(f"{logical_id} is not a function of the template; there are {known}")
        return self.functions[logical_id]

    def _name_of(self, access_key_id: str) -> str:
        credentials = self._principals.of(access_key_id)
        return access_key_id if credentials is None else credentials.principal

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("The local cloud does not run: call start first.")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
