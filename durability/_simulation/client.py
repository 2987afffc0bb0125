"""What a client of a simulated deployment makes its calls through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from durability._aws import items
from durability._core.history import Delta
from durability._runtime.frontend import Outcome
from durability._runtime.ports import WorkflowKey
from durability._simulation.world import NAMESPACE, World

if TYPE_CHECKING:
    from durability._runtime.gateway import Gateway


class SimulatedFrontend:
    """Makes every call in a process of its own, and again when that dies: a ``Frontend`` but for the type checker."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            return await self._world.client(lambda gateway: getattr(gateway, name)(*arguments, **named))

        return call

    async def outcome(self, workflow_id: str, run_id: str | None, *, wait: float) -> Outcome | None:
        """See ``Frontend.outcome``. However long it takes: asking now and then for months would be all that happens."""
        key = (items.partition(WorkflowKey(NAMESPACE, workflow_id)), items.HEAD)
        if not run_id:
            description = await self._world.client(lambda gateway: gateway.describe(workflow_id, None))
            run_id = description.run_id
        while True:
            change = self._world.next_change(key)
            outcome = await self._world.client(lambda gateway: gateway.outcome(workflow_id, run_id, wait=0))
            if outcome is not None:
                return outcome
            await change.wait()

    async def history(self, workflow_id: str, run_id: str | None) -> AsyncIterator[Delta]:
        """See ``Frontend.history``."""

        async def read(gateway: Gateway) -> list[Delta]:
            return [delta async for delta in gateway.history(workflow_id, run_id)]

        for delta in await self._world.client(read):
            yield delta
