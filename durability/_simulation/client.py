"""What a client of a simulated deployment makes its calls through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from durability._aws import items
from durability._core.history import Delta
from durability._runtime.frontend import Outcome, UpdateStage, UpdateState
from durability._runtime.ports import WorkflowKey
from durability._simulation.world import NAMESPACE, World

if TYPE_CHECKING:
    from durability._runtime.gateway import Gateway


T = TypeVar("T")


class SimulatedFrontend:
    """Makes every call in a process of its own, and again when that dies: a ``Frontend`` but for the type checker."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            return await self._world.client(lambda gateway: getattr(gateway, name)(*arguments, **named))

        return call

    # However long these two take: asking now and then for months would be all that happens.

    async def outcome(self, workflow_id: str, run_id: str | None, *, wait: float) -> Outcome | None:
        """See ``Frontend.outcome``."""
        if not run_id:
            run_id = (await self._world.client(lambda gateway: gateway.describe(workflow_id, None))).run_id
        return await self._at_last(
            workflow_id,
            lambda gateway: gateway.outcome(workflow_id, run_id, wait=0),
            lambda outcome: outcome is not None,
        )

    async def update_outcome(
        self, workflow_id: str, run_id: str | None, update_id: str, *, stage: UpdateStage, wait: float
    ) -> UpdateState:
        """See ``Frontend.update_outcome``."""
        return await self._at_last(
            workflow_id,
            lambda gateway: gateway.update_outcome(workflow_id, run_id, update_id, stage=stage, wait=0),
            lambda state: state.stage >= stage,
        )

    async def _at_last(
        self, workflow_id: str, ask: Callable[[Gateway], Awaitable[T]], enough: Callable[[T], bool]
    ) -> T:
        """Ask whenever a workflow's head has changed."""
        key = (items.partition(WorkflowKey(NAMESPACE, workflow_id)), items.HEAD)
        while True:
            change = self._world.next_change(key)
            answer = await self._world.client(ask)
            if enough(answer):
                return answer
            await change.wait()

    async def history(self, workflow_id: str, run_id: str | None) -> AsyncIterator[Delta]:
        """See ``Frontend.history``."""

        async def read(gateway: Gateway) -> list[Delta]:
            return [delta async for delta in gateway.history(workflow_id, run_id)]

        for delta in await self._world.client(read):
            yield delta
