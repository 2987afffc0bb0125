"""The ports on AWS, from the environment variables that the template gives to every function."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from durability._aws.callers import AioCaller, Caller
from durability._aws.dynamodb import DynamoDBStore
from durability._aws.functions import LambdaInvoker
from durability._aws.objects import S3PayloadStore
from durability._aws.queues import SqsQueues
from durability._aws.schedules import SchedulerTimers
from durability._runtime.gateway import Gateway
from durability._runtime.large_payloads import LargePayloads
from durability._runtime.settings import Settings
from durability.exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where a stack's resources are; see ``template.yaml`` for what sets the variables."""

    namespace: str
    table: str
    workflow_queue_url: str
    workflow_queue_arn: str
    activity_queue_url: str
    schedule_group: str
    schedule_role_arn: str
    workflow_function: str
    bucket: str

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
        missing = sorted(variable for variable in names.values() if not environment.get(variable))
        if missing:
            raise ConfigurationError(
                f"these environment variables are not set: {', '.join(missing)}. In a function the template sets them; "
                "for a client, take them from the stack's outputs or connect to the HTTP API's URL instead"
            )
        values = {field: environment[variable] for field, variable in names.items()}
        return cls(namespace=environment.get("DURABILITY_NAMESPACE", "default"), **values)


@dataclass(frozen=True, slots=True)
class AwsPorts:
    """All ports, over one caller."""

    store: DynamoDBStore
    queue: SqsQueues
    timers: SchedulerTimers
    invoker: LambdaInvoker
    payloads: S3PayloadStore


def aws_ports(caller: Caller, deployment: Deployment) -> AwsPorts:
    """Make the adapters for a deployment."""
    return AwsPorts(
        DynamoDBStore(caller, deployment.table),
        SqsQueues(caller, deployment.workflow_queue_url, deployment.activity_queue_url),
        SchedulerTimers(caller, deployment.schedule_group, deployment.schedule_role_arn, deployment.workflow_queue_arn),
        LambdaInvoker(caller, deployment.workflow_function),
        S3PayloadStore(caller, deployment.bucket),
    )


def milliseconds() -> int:
    """The time, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class ConnectedGateway(Gateway):
    """A gateway that owns its connections."""

    caller: Caller | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self.caller is not None:
            await self.caller.close()


async def connect_gateway(namespace: str | None = None, environment: Mapping[str, str] = os.environ) -> Gateway:
    """A gateway over aioboto3 to the deployment that the environment names.

    Args:
        namespace: Overrides ``DURABILITY_NAMESPACE``.
        environment: Where to read the ``DURABILITY_*`` variables; credentials and region as boto3 finds them.

    Raises:
        ConfigurationError: Variables are missing.
    """
    deployment = Deployment.from_environment(environment)
    caller = AioCaller()
    ports = aws_ports(caller, deployment)
    settings = Settings()
    return ConnectedGateway(
        namespace or deployment.namespace,
        ports.store,
        ports.queue,
        ports.invoker,
        milliseconds,
        large=LargePayloads(ports.payloads, settings.inline_limit, settings.storage_concurrency),
        caller=caller,
    )
