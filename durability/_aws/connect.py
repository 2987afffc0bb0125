"""The ports on AWS, from the environment variables that the template gives to every function."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from durability._aws.callers import AioCaller, Caller
from durability._aws.dynamodb import DynamoDBStore
from durability._aws.functions import LambdaInvoker, RoutedInvoker
from durability._aws.mailbox import Mailbox
from durability._aws.objects import S3PayloadStore
from durability._aws.queues import SqsQueues
from durability._aws.schedules import SchedulerTimers
from durability._aws.task_queues import FUNCTIONS, TaskQueues
from durability._core.payload import Payload
from durability._runtime.gateway import Gateway
from durability._runtime.large_payloads import LargePayloads
from durability._runtime.ports import WakeUp, WorkflowKey
from durability._runtime.settings import Settings
from durability._runtime.turns import Turns
from durability.exceptions import ConfigurationError
from durability.service import ConnectConfig

_WORKERS_TURN: Final = 2.0
_TERMINATED_WITHIN: Final = 10.0
"""Seconds."""

if TYPE_CHECKING:
    from durability._aws.polling import PollingHost
    from durability._runtime.engine import Engine


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where a stack's resources are; see ``template.yaml`` for what sets the variables.

    Attributes:
        task_queue: The stack's own task queue.
        worker_queue_prefix: How the names of workers' SQS queues begin; empty for a stack without workers.
        other_task_queues: Who serves task queues that no worker has registered: ``FUNCTIONS`` or ``WORKERS``.
        kms_key: ARN of the key for new queues; empty for SQS's own.
    """

    namespace: str
    table: str
    workflow_queue_url: str
    workflow_queue_arn: str
    activity_queue_url: str
    schedule_group: str
    schedule_role_arn: str
    workflow_function: str
    bucket: str
    task_queue: str = "default"
    worker_queue_prefix: str = ""
    other_task_queues: str = FUNCTIONS
    kms_key: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Deployment:
        """Read the ``DURABILITY_*`` variables. Raises ConfigurationError, naming those that are missing."""
        names = {
            "table": "DURABILITY_TABLE",
            "workflow_queue_url": "DURABILITY_WORKFLOW_QUEUE_URL",
            "workflow_queue_arn": "DURABILITY_WORKFLOW_QUEUE_ARN",
            "activity_queue_url": "DURABILITY_ACTIVITY_QUEUE_URL",
            "schedule_group": "DURABILITY_SCHEDULE_GROUP",
            "schedule_role_arn": "DURABILITY_SCHEDULE_ROLE_ARN",
            "workflow_function": "DURABILITY_WORKFLOW_FUNCTION",
            "bucket": "DURABILITY_BUCKET",
        }
        optional = {
            "namespace": ("DURABILITY_NAMESPACE", "default"),
            "task_queue": ("DURABILITY_TASK_QUEUE", "default"),
            "worker_queue_prefix": ("DURABILITY_WORKER_QUEUE_PREFIX", ""),
            "other_task_queues": ("DURABILITY_OTHER_TASK_QUEUES", FUNCTIONS),
            "kms_key": ("DURABILITY_KMS_KEY_ARN", ""),
        }
        missing = sorted(variable for variable in names.values() if not environment.get(variable))
        if missing:
            raise ConfigurationError(
                f"these environment variables are not set: {', '.join(missing)}. In a function the template sets them; "
                "for a client or a worker, `durability env` prints them, or connect to the HTTP API's URL instead"
            )
        values = {field: environment[variable] for field, variable in names.items()}
        values |= {field: environment.get(variable) or default for field, (variable, default) in optional.items()}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class AwsPorts:
    """All ports, over one caller, and what workers need besides."""

    store: DynamoDBStore
    queue: SqsQueues
    timers: SchedulerTimers
    invoker: RoutedInvoker
    task_queues: TaskQueues
    mailbox: Mailbox
    payloads: S3PayloadStore


def aws_ports(caller: Caller, deployment: Deployment, namespace: str = "") -> AwsPorts:
    """Make the adapters for a deployment, for its namespace unless another one is named."""
    account_url, _, _ = deployment.workflow_queue_url.rpartition("/")
    task_queues = TaskQueues(
        caller,
        deployment.table,
        namespace or deployment.namespace,
        own=deployment.task_queue,
        prefix=deployment.worker_queue_prefix,
        account_url=account_url,
        others=deployment.other_task_queues,
        kms_key=deployment.kms_key,
    )
    mailbox = Mailbox(caller, deployment.table)
    return AwsPorts(
        DynamoDBStore(caller, deployment.table),
        SqsQueues(
            caller,
            task_queues,
            workflow_queue_url=deployment.workflow_queue_url,
            activity_queue_url=deployment.activity_queue_url,
        ),
        SchedulerTimers(
            caller,
            task_queues,
            deployment.schedule_group,
            deployment.schedule_role_arn,
            deployment.workflow_queue_arn,
        ),
        RoutedInvoker(LambdaInvoker(caller, deployment.workflow_function), mailbox, task_queues),
        task_queues,
        mailbox,
        S3PayloadStore(caller, deployment.bucket),
    )


def milliseconds() -> int:
    """The time, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Connection:
    """The connections of a client, and the workers that share them, and take turns."""

    caller: AioCaller
    environment: Mapping[str, str]
    turns: Turns = field(default_factory=Turns)
    hosts: list[PollingHost] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ConnectedGateway(Gateway):
    """A gateway that owns its connections.

    Attributes:
        config: What a client was connected with.
    """

    config: ConnectConfig = field(kw_only=True)
    ports: AwsPorts = field(kw_only=True)
    connection: Connection = field(kw_only=True)

    @property
    def worker_host(self) -> PollingHost:
        """What workers are attached to."""
        hosts = self.connection.hosts
        if not hosts:
            hosts.append(_polling_host(self))
            self.ports.invoker.workers = hosts[0]
        return hosts[0]

    async def terminate(
        self,
        workflow_id: str,
        run_id: str | None,
        *,
        reason: str = "",
        details: list[Payload] | None = None,
        identity: str = "",
    ) -> None:
        """See ``Frontend.terminate``. Returns when the run has ended, as Temporal's server does, or after some seconds.

        It takes no worker to terminate a run: if the one whose business it is does not do it, the functions are asked.
        """
        await Gateway.terminate(self, workflow_id, run_id, reason=reason, details=details, identity=identity)
        key = WorkflowKey(self.namespace, workflow_id)
        waited, pause, asked = 0.0, 0.02, False
        while waited < _TERMINATED_WITHIN:
            head = await self.store.head(key)
            run_id = run_id or (head.run_id if head is not None else "")
            if head is None or not head.open or head.run_id != run_id:
                return
            if waited > _WORKERS_TURN and not asked:
                asked = True
                await self.queue.send_wake_up(WakeUp(workflow_id, run_id, task_queue=self.ports.task_queues.own))
            await self.sleep(pause)
            waited, pause = waited + pause, min(pause * 1.5, 0.5)

    async def close(self) -> None:
        """End the workers and close the connections."""
        for host in self.connection.hosts:
            await host.close()
        await self.connection.caller.close()


def _polling_host(gateway: ConnectedGateway) -> PollingHost:
    from durability._aws.polling import CONNECTIONS, LONG_POLL, PollingHost
    from durability._runtime.engine import Engine
    from durability._runtime.sessions import Sessions

    ports = gateway.ports

    def make(*, held_runs: int, **own: Any) -> Engine:
        return Engine(
            namespace=gateway.namespace,
            store=ports.store,
            queue=ports.queue,
            timers=ports.timers,
            invoker=ports.invoker,
            clock=milliseconds,
            sessions=Sessions(held_runs),
            turns=gateway.connection.turns,
            told=gateway.connection.turns.tell,
            payload_store=ports.payloads,
            **own,
        )

    caller = gateway.connection.caller
    polling = AioCaller(gateway.connection.environment, read_timeout=LONG_POLL + 10, connections=CONNECTIONS)
    host = PollingHost(gateway.namespace, make, caller, polling, ports.task_queues, ports.mailbox)
    caller.before_closing.call = polling.before_closing.call = host.end
    return host


async def connect_gateway(
    namespace: str | None = None, environment: Mapping[str, str] = os.environ, *, config: ConnectConfig | None = None
) -> Gateway:
    """A gateway over aioboto3 to the deployment that the environment names.

    Args:
        namespace: Overrides ``DURABILITY_NAMESPACE``.
        environment: Where to read the ``DURABILITY_*`` variables; credentials, region and endpoints as boto3 finds them
            in the process's own environment, from ``AWS_*`` variables in another one.
        config: What a client is connected with.

    Raises:
        ConfigurationError: Variables are missing.
    """
    deployment = Deployment.from_environment(environment)
    caller = AioCaller(environment)
    namespace = namespace or deployment.namespace
    ports = aws_ports(caller, deployment, namespace)
    settings = Settings()
    connection = Connection(caller, environment)
    return ConnectedGateway(
        namespace,
        ports.store,
        ports.queue,
        ports.invoker,
        milliseconds,
        large=LargePayloads(ports.payloads, settings.inline_limit, settings.storage_concurrency),
        config=config or ConnectConfig(""),
        ports=ports,
        told=connection.turns.tell,
        connection=connection,
    )
