"""``durability env`` and ``durability task-queue``: what a worker needs of a stack."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from durability._aws.task_queues import TaskQueues

VARIABLES: Final = {
    "Namespace": "DURABILITY_NAMESPACE",
    "TaskQueue": "DURABILITY_TASK_QUEUE",
    "OtherTaskQueues": "DURABILITY_OTHER_TASK_QUEUES",
    "TableName": "DURABILITY_TABLE",
    "BucketName": "DURABILITY_BUCKET",
    "WorkflowQueueUrl": "DURABILITY_WORKFLOW_QUEUE_URL",
    "WorkflowQueueArn": "DURABILITY_WORKFLOW_QUEUE_ARN",
    "ActivityQueueUrl": "DURABILITY_ACTIVITY_QUEUE_URL",
    "WorkerQueuePrefix": "DURABILITY_WORKER_QUEUE_PREFIX",
    "ScheduleGroupName": "DURABILITY_SCHEDULE_GROUP",
    "ScheduleRoleArn": "DURABILITY_SCHEDULE_ROLE_ARN",
    "WorkflowFunctionName": "DURABILITY_WORKFLOW_FUNCTION",
    "KmsKeyArn": "DURABILITY_KMS_KEY_ARN",
}
"""Outputs of the template, and the variables that ``Deployment`` reads; the key is there if the stack has one."""

_KINDS: Final = ("workflow", "activity")


def add_command(commands: Any) -> None:
    """Add the sub-commands' parsers."""
    env = commands.add_parser(
        "env",
        help="print the environment variables of a stack's workers and clients",
        description="Print what a worker, or a client that goes past the HTTP API, needs to know of a deployed stack, "
        "from its outputs. Credentials and region are found as by the AWS command line.",
    )
    env.add_argument("stack", help="name of the stack")
    env.add_argument("--format", choices=("export", "env-file"), default="export", help="default: %(default)s")
    env.set_defaults(run=run_env)
    parser = commands.add_parser(
        "task-queue",
        help="manage the task queues that workers serve",
        description="Manage the task queues that workers serve, of the stack that the DURABILITY_* variables name. A "
        "worker with the stack's WorkerPolicy makes its task queue by itself.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="have workers serve a task queue")
    create.add_argument("name", help="task queue")
    create.add_argument(
        "--kind", action="append", choices=("workflow", "activity"), help="which tasks; both by default"
    )
    create.add_argument(
        "--visibility-timeout",
        type=int,
        default=20,
        metavar="SECONDS",
        help="after which a task comes again if its worker died (default: %(default)s)",
    )
    create.set_defaults(run=_running(_create))
    listing = actions.add_parser("list", help="list the task queues that workers serve")
    listing.set_defaults(run=_running(_list))
    delete = actions.add_parser("delete", help="have the functions serve a task queue again")
    delete.add_argument("name", help="task queue")
    delete.add_argument(
        "--kind", action="append", choices=("workflow", "activity"), help="which tasks; both by default"
    )
    delete.set_defaults(run=_running(_delete))


def run_env(arguments: argparse.Namespace) -> int:
    """Print the variables of a stack. Returns the exit status."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        stacks = boto3.client("cloudformation").describe_stacks(StackName=arguments.stack)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        print(f"durability env: {error}", file=sys.stderr)
        return 1
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", ())}
    missing = sorted(VARIABLES.keys() - outputs.keys() - {"KmsKeyArn"})
    if missing:
        print(
            f"durability env: stack {arguments.stack} has no output {', '.join(missing)}: was it deployed from this "
            "version's template.yaml?",
            file=sys.stderr,
        )
        return 1
    prefix = "export " if arguments.format == "export" else ""
    for output, variable in VARIABLES.items():
        if output in outputs:
            value = outputs[output]
            print(f"{prefix}{variable}={shlex.quote(value) if prefix else value}")
    return 0


def _running(action: Callable[[TaskQueues, argparse.Namespace], Awaitable[None]]) -> Callable[..., int]:
    def run(arguments: argparse.Namespace) -> int:
        from durability._aws.callers import AwsError
        from durability.exceptions import ConfigurationError

        try:
            asyncio.run(_with_task_queues(action, arguments))
        except (AwsError, ConfigurationError) as error:
            print(f"durability task-queue: {error}", file=sys.stderr)
            return 1
        return 0

    return run


async def _with_task_queues(
    action: Callable[[TaskQueues, argparse.Namespace], Awaitable[None]], arguments: argparse.Namespace
) -> None:
    from durability._aws.callers import AioCaller
    from durability._aws.connect import Deployment, aws_ports

    deployment = Deployment.from_environment()
    caller = AioCaller()
    try:
        await action(aws_ports(caller, deployment).task_queues, arguments)
    finally:
        await caller.close()


async def _create(task_queues: TaskQueues, arguments: argparse.Namespace) -> None:
    for kind in arguments.kind or _KINDS:
        print(await task_queues.register(arguments.name, kind, visibility=arguments.visibility_timeout))


async def _list(task_queues: TaskQueues, arguments: argparse.Namespace) -> None:
    for queue in await task_queues.registered():
        print(f"{queue.name}  {queue.kind}  {queue.url}")


async def _delete(task_queues: TaskQueues, arguments: argparse.Namespace) -> None:
    for kind in arguments.kind or _KINDS:
        await task_queues.delete(arguments.name, kind)
