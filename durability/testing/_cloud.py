"""The local cloud as a test environment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from durability._aws.connect import connect_gateway
from durability._local.cloud import LocalCloud
from durability._local.workers_only import PARAMETERS, find_template
from durability._runtime.frontend import Frontend
from durability.client import Client
from durability.service import ConnectConfig
from durability.testing._assertions import AssertionInterceptor
from durability.testing._workflow import WorkflowEnvironment, _with_interceptors

_POLICY: Final = "WorkerPolicy"
"""Logical id of the template's policy for workers and their clients."""


class LocalCloudEnvironment(WorkflowEnvironment):
    """A stack on this machine; see ``WorkflowEnvironment.start_local_cloud``.

    Attributes:
        environment: Environment variables with which ``Client.connect()`` in another process reaches the stack, as a
            worker or a client that may do what the template's ``WorkerPolicy`` allows.
        http_url: URL of the stack's HTTP API, for ``Client.connect(http_url)``.
    """

    def __init__(self, cloud: LocalCloud, environment: Mapping[str, str], client: Client) -> None:
        """Not for users: see ``WorkflowEnvironment.start_local_cloud``."""
        super().__init__(_with_interceptors(client, AssertionInterceptor()))
        self._cloud = cloud
        self.environment = dict(environment)
        self.http_url = cloud.http_url

    async def shutdown(self) -> None:
        """End every process and server of the stack."""
        await self.client.close()
        await asyncio.to_thread(self._cloud.stop)


async def start(
    application: str | None,
    *,
    namespace: str,
    template: str | Path | None,
    parameters: Mapping[str, str],
    variables: Mapping[str, str],
    client: Callable[[Frontend], Client],
) -> LocalCloudEnvironment:
    """Start a stack. See ``WorkflowEnvironment.start_local_cloud``."""
    values = {**PARAMETERS, "Namespace": namespace}
    if application is not None:
        values |= {"Application": application, "TaskQueue": "default"}
    cloud = LocalCloud(
        template or find_template(),
        parameters={**values, **parameters},
        variables=variables,
        import_from=Path.cwd(),
    )
    await asyncio.to_thread(cloud.start)
    try:
        environment = cloud.environment_under(_POLICY)
        cloud.announce(environment)
        config = ConnectConfig(cloud.http_url.removeprefix("http://"))
        gateway = await connect_gateway(namespace, environment, config=config)
        return LocalCloudEnvironment(cloud, environment, client(gateway))
    except BaseException:
        await asyncio.to_thread(cloud.stop)
        raise
