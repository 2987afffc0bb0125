"""Where the soak runs: what it needs to know of a deployment, and the local cloud as one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from durability._local import LocalCloud
from durability._local.environment import Environment

from .application import SETTINGS

ROOT = Path(__file__).parents[2]
WORKFLOW_TIMEOUT = 15
PERIOD = 60
"""Seconds between two rounds of the reconciler: the template's default, and the least that AWS offers."""
PARAMETERS = {
    "Application": "tests.soak.application:app",
    "HttpAuthorization": "NONE",
    "WorkflowTimeout": str(WORKFLOW_TIMEOUT),
    "ActivityTimeout": "15",
    "LogLevel": "WARN",
}
CONCURRENCY = 6
"""Invocations of one function at once: each is a process that the machine has to start."""
SLACK = 20.0
"""Seconds for a machine that is busy with other things, and for looking."""


@dataclass(frozen=True)
class Victim:
    """A function process in the middle of an invocation.

    Args:
        function: its function.
        pid: its process.
        event: what it handles; empty if that cannot be told.
        alive: whether it is still there, and at that invocation.
    """

    function: str
    pid: int
    event: bytes
    alive: Callable[[], bool]

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal, unless the process has got on or has gone; whether it was sent."""
        if not self.alive():
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False


class Target(Protocol):
    """A deployment of the template under the soak."""

    name: str
    http_url: str
    table: str
    dead_letter_queues: Mapping[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client that goes past the proxy."""

    def victims(self) -> list[Victim]:
        """The function processes that are at work."""

    def redeploy(self) -> None:
        """Have what comes next run in new processes."""

    def invocations(self) -> int:
        """Invocations so far; 0 if they are not counted."""


def bound() -> float:
    """Seconds that a run may stand still after a fault, by the settings: docs/reliability.md.

    A wake-up that is lost is found when it is overdue, at the reconciler's next round; its invocation then takes time.
    """
    return SETTINGS.overdue / 1000 + PERIOD + WORKFLOW_TIMEOUT + SLACK


class LocalTarget:
    """The local cloud.

    Args:
        cloud: it.
    """

    name: str = "local cloud"

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self.http_url = cloud.http_url
        self.table = str(cloud.outputs["TableName"])
        self.dead_letter_queues: Mapping[str, str] = {
            "workflow": str(cloud.outputs["WorkflowDeadLetterQueueUrl"]),
            "activity": str(cloud.outputs["ActivityDeadLetterQueueUrl"]),
        }

    def client(self, service: str) -> Any:
        """See ``Target.client``."""
        return self._cloud.client(service)

    def victims(self) -> list[Victim]:
        """See ``Target.victims``."""
        return [
            _victim(process)
            for function in list(self._cloud.functions.values())
            for process in function.processes
            if process.invocation is not None
        ]

    def redeploy(self) -> None:
        """See ``Target.redeploy``."""
        self._cloud.reload()

    def invocations(self) -> int:
        """See ``Target.invocations``."""
        return sum(function.invocations for function in self._cloud.functions.values())


def _victim(process: Environment) -> Victim:
    invocation = process.invocation
    event = b"" if invocation is None else invocation.payload
    return Victim(process.launch.spec.logical_id, process.pid, event, lambda: process.invocation is invocation)


@contextmanager
def local(interpose: Callable[[str], str], variables: Mapping[str, str], logs: Path) -> Iterator[LocalTarget]:
    """The template on a local cloud.

    Args:
        interpose: gives the address of a proxy in front of an address.
        variables: environment variables of the functions.
        logs: where their logs go.
    """
    with LocalCloud(
        ROOT / "template.yaml",
        parameters=PARAMETERS,
        variables=variables,
        # As on AWS: what a process had when it died comes back when the queue's visibility timeout is over.
        crash_redelivery_delay=None,
        log_directory=logs,
        maximum_concurrency=CONCURRENCY,
        interpose=interpose,
    ) as cloud:
        yield LocalTarget(cloud)
