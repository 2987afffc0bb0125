"""Deployments in memory on virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx

from durability import Application
from durability._http.app import create_app
from durability._memory.cloud import MemoryCloud
from durability._memory.time import VirtualTimeLoop
from durability._runtime.frontend import Frontend
from durability.client import Client

T = TypeVar("T")


@dataclass
class Deployment:
    """An application that runs: what Python and what HTTP see of it."""

    client: Client
    http: httpx.AsyncClient
    clock: Callable[[], float]


def play(application: Application, scenario: Callable[[Deployment], Awaitable[T]]) -> T:
    """Run a scenario against an application, in time that skips what nobody waits for."""
    loop = VirtualTimeLoop()

    async def run() -> T:
        registry = application.registry
        cloud = MemoryCloud(
            registry.create, application.runner, clock=loop.milliseconds, to_failure=registry.to_failure
        )

        async def frontend() -> Frontend:
            return cloud.gateway

        api = create_app(
            frontend,
            task_queue="default",
            workflow_types=application.workflows,
            webhooks=application.webhooks,
            clock=lambda: loop.milliseconds() / 1000,
        )
        async with cloud, httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as http:
            return await scenario(Deployment(Client(cloud.gateway), http, lambda: loop.milliseconds() / 1000))

    try:
        return loop.run_until_complete(run())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
