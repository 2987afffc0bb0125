"""The soak's target on the local cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from durability._local import LocalCloud
from durability._local.environment import Environment

from .proxy import Proxy
from .target import CONCURRENCY, PARAMETERS, ROOT, Victim


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
def local_cloud(proxy: Proxy, variables: Mapping[str, str], output: Path) -> Iterator[LocalTarget]:
    """The template on a local cloud.

    Args:
        proxy: to stand between functions and AWS.
        variables: environment variables of the functions.
        output: folder for their logs.
    """
    with LocalCloud(
        ROOT / "template.yaml",
        parameters=PARAMETERS,
        variables=variables,
        # As on AWS: what a process had when it died comes back when the queue's visibility timeout is over.
        crash_redelivery_delay=None,
        log_directory=output / "logs",
        maximum_concurrency=CONCURRENCY,
        interpose=proxy.before,
    ) as cloud:
        yield LocalTarget(cloud)
