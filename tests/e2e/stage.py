"""The test application on the local cloud, and what tests do to it from outside."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from durability._aws.items import HEAD, partition, read_head, string
from durability._aws.queues import encode_wake_up
from durability._local import LocalCloud
from durability._runtime.ports import Head, WakeUp, WorkflowKey
from durability.client import Client

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
WORKFLOW, ACTIVITY, RECONCILER = "WorkflowFunction", "ActivityFunction", "ReconcilerFunction"


@dataclass(frozen=True)
class Effect:
    """What an activity wrote down: a line when an attempt began, and one when it ended."""

    workflow_id: str
    run_id: str
    activity_id: str
    attempt: int
    name: str
    phase: str
    at: int
    pid: int


@dataclass
class Stage:
    """A cloud with the application in a folder of its own, so that tests may change its code."""

    home: Path
    cloud: LocalCloud
    client: Client
    _aws: dict[str, Any] = field(default_factory=dict)

    def aws(self, service: str) -> Any:
        """A boto3 client."""
        if service not in self._aws:
            self._aws[service] = self.cloud.client(service)
        return self._aws[service]

    # --- faults -----------------------------------------------------------------------------------------------------

    def arm(self, workflow_id: str, point: str, *, action: str = "kill", passes: int = 0) -> None:
        """Have the process that comes to a point of a workflow killed or stopped there, once.

        The point is passed ``passes`` times before. The action "meet" has processes wait there for each other, until
        there are ``passes`` of them.
        """
        (self.home / "faults" / f"{workflow_id}@{point}").write_text(f"{action} {passes}")

    def victim(self, workflow_id: str, point: str) -> int:
        """The process that the fault befell; 0 if none did yet."""
        path = self.home / "faults" / f"{workflow_id}@{point}.pid"
        return int(path.read_text() or 0) if path.exists() else 0

    def met(self, workflow_id: str, point: str) -> int:
        """How many processes have come to a point where they are to meet."""
        return len(list((self.home / "faults").glob(f"{workflow_id}@{point}.met.*")))

    def open_gate(self, workflow_id: str, name: str = "gate") -> None:
        """Let an activity that waits at a gate end."""
        (self.home / "gates" / f"{workflow_id}.{name}").touch()

    def put_clock_forward(self, milliseconds: int) -> None:
        """Have the functions believe that it is later."""
        (self.home / "clock").write_text(str(milliseconds))

    async def run_sender(self, workflow_id: str, action: str) -> int:
        """Run a client in a process of its own. Returns its exit status."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "application.sender", workflow_id, action, cwd=self.home
        )
        return await process.wait()

    def wake(self, workflow_id: str, run_id: str) -> None:
        """Put a wake-up on the workflow queue: SQS may deliver any message twice."""
        self.send("WorkflowQueue", encode_wake_up(WakeUp(workflow_id, run_id)))

    def send(self, resource: str, body: str) -> None:
        """Put a message on a queue."""
        self.aws("sqs").send_message(QueueUrl=self.queue(resource), MessageBody=body)

    async def reconcile(self) -> int:
        """Invoke the reconciler. Returns how many runs it woke."""
        answer = await asyncio.to_thread(self.cloud.invoke, RECONCILER, {})
        return int(answer["woken"])

    async def reconciled(self) -> None:
        """Invoke the reconciler until it finds somebody to wake."""
        async with asyncio.timeout(PATIENCE):
            while not await self.reconcile():  # noqa: ASYNC110 - only time makes a run overdue
                await asyncio.sleep(0.05)

    # --- looking ----------------------------------------------------------------------------------------------------

    def effects(self, workflow_id: str, phase: str = "begin") -> list[Effect]:
        """What the activities of a workflow have written down."""
        return [effect for effect in self.ledger() if (effect.workflow_id, effect.phase) == (workflow_id, phase)]

    def names(self, workflow_id: str) -> list[str]:
        """Names of the activities of a workflow whose attempts ended, in order."""
        return [effect.name for effect in self.effects(workflow_id, "end")]

    def ledger(self) -> list[Effect]:
        """What all activities have written down."""
        path = self.home / "ledger"
        return [Effect(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []

    def items(self) -> list[dict[str, Any]]:
        """Everything in the table."""
        pages = self.aws("dynamodb").get_paginator("scan").paginate(TableName=self.variable("DURABILITY_TABLE"))
        return [item for page in pages for item in page["Items"]]

    def head(self, workflow_id: str) -> Head:
        """The head of a workflow id's current run."""
        key = {"pk": string(partition(WorkflowKey("default", workflow_id))), "sk": string(HEAD)}
        answer = self.aws("dynamodb").get_item(TableName=self.variable("DURABILITY_TABLE"), Key=key)
        return read_head(answer["Item"])

    def queue(self, resource: str) -> str:
        """URL of a queue."""
        return str(self.cloud.resources[resource].ref)

    def queued(self, resource: str) -> dict[str, int]:
        """How many messages a queue holds: visible, in flight and delayed."""
        answer = self.aws("sqs").get_queue_attributes(QueueUrl=self.queue(resource), AttributeNames=["All"])
        prefix = "ApproximateNumberOfMessages"
        return {
            name.removeprefix(prefix): int(value)
            for name, value in answer["Attributes"].items()
            if name.startswith(prefix)
        }

    def variable(self, name: str) -> str:
        """An environment variable of the functions."""
        return self.cloud.functions[WORKFLOW].spec.environment[name]

    async def idle(self) -> None:
        """Wait until nothing runs and nothing is due."""
        await asyncio.to_thread(self.cloud.wait_until_idle, PATIENCE)


async def eventually(condition: Callable[[], T], seconds: float = PATIENCE) -> T:
    """What the condition gives once it is true; other processes make it so."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"has not come true within {seconds} s"
        await asyncio.sleep(0.02)
    return value


def resume(pid: int) -> None:
    """Continue a process that was stopped, unless the service has killed it meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def staged(home: Path, **parameters: str) -> AsyncIterator[Stage]:
    """The application on a local cloud, with the shortest timeouts that the template allows."""
    for link in ("durability", "functions"):
        (home / link).symlink_to(ROOT / link)
    for folder in ("faults", "gates"):
        (home / folder).mkdir()
    shutil.copytree(Path(__file__).parent / "application", home / "application")
    shutil.copy(ROOT / "template.yaml", home)
    values = {
        "Application": "application.app:app",
        "WorkflowTimeout": "5",
        "ActivityTimeout": "5",
        "HttpAuthorization": "NONE",
        "TaskQueue": "e2e",
        **parameters,
    }
    cloud = LocalCloud(home / "template.yaml", parameters=values, rate_schedules=False, crash_redelivery_delay=0)
    await asyncio.to_thread(cloud.start)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in cloud.environment.items():
                patch.setenv(name, value)
            for name, value in cloud.functions[WORKFLOW].spec.environment.items():
                patch.setenv(name, value)
            async with await Client.connect() as client:
                stage = Stage(home, cloud, client)
                cloud.record()
                yield stage
    finally:
        await asyncio.to_thread(cloud.stop)
