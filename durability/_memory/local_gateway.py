"""The clients' side of a local cloud."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from durability._core.payload import Payload
from durability._runtime.frontend import Outcome, Started, StartRequest, UpdateRequest, UpdateStage, UpdateState
from durability._runtime.gateway import Gateway
from durability._runtime.ports import WorkflowKey
from durability.service import ConnectConfig

if TYPE_CHECKING:
    from durability._memory.local import LocalCloud

_TERMINATED_WITHIN: Final = 5.0
_TURNS_OF_A_CALL: Final = 3


@dataclass(frozen=True, slots=True)
class LocalGateway(Gateway):
    """The clients' side of a local cloud: like any other, but told when a run has ended instead of asking again."""

    cloud: LocalCloud = field(kw_only=True)
    config: ConnectConfig = field(kw_only=True)

    @property
    def starts_eagerly(self) -> bool:
        """Whether a worker gets the first workflow task without a queue in between."""
        return True

    @property
    def worker_host(self) -> LocalCloud:
        """What workers are attached to."""
        return self.cloud

    async def outcome(self, workflow_id: str, run_id: str | None, *, wait: float) -> Outcome | None:
        """See ``Frontend.outcome``; ``wait`` is in real seconds."""
        store = self.cloud.store
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while True:
                    head = await self._head(workflow_id, run_id or None)
                    run_id = run_id or head.run_id
                    if not head.open:
                        return await self._outcome(head)
                    # Nothing has run since the head was read, so no change is missed.
                    await store.change(head.key)
        head = await self._head(workflow_id, run_id or None)
        return None if head.open else await self._outcome(head)

    async def update(self, request: UpdateRequest, *, wait: float) -> UpdateState:
        """See ``Frontend.update``."""
        return await self.cloud.offers.make(request, Gateway.update(self, request, wait=wait))

    async def update_outcome(
        self, workflow_id: str, run_id: str | None, update_id: str, *, stage: UpdateStage, wait: float
    ) -> UpdateState:
        """See ``Frontend.update_outcome``; ``wait`` is in real seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while True:
            growth = self.cloud.store.growth(WorkflowKey(self.namespace, workflow_id))
            state = await Gateway.update_outcome(self, workflow_id, run_id, update_id, stage=stage, wait=0)
            left = deadline - loop.time()
            if state.stage >= stage or left <= 0:
                return state
            await asyncio.wait([growth], timeout=left)

    async def start(self, request: StartRequest, *, wake: bool = True, update_id: str = "") -> Started:
        """See ``Frontend.start``. An idle worker begins before the caller goes on, as after a real call."""
        started = await Gateway.start(self, request, wake=wake, update_id=update_id)
        if wake:
            await _turns_of_a_call()
        return started

    async def signal(
        self,
        workflow_id: str,
        run_id: str | None,
        name: str,
        arguments: list[Payload],
        *,
        request_id: str,
        headers: dict[str, Payload] | None = None,
        identity: str = "",
    ) -> None:
        """See ``Frontend.signal``. An idle worker takes the signal before its sender goes on, as after a real call."""
        await Gateway.signal(
            self, workflow_id, run_id, name, arguments, request_id=request_id, headers=headers, identity=identity
        )
        await _turns_of_a_call()

    async def terminate(
        self,
        workflow_id: str,
        run_id: str | None,
        *,
        reason: str = "",
        details: list[Payload] | None = None,
        identity: str = "",
    ) -> None:
        """See ``Frontend.terminate``. Returns when the run has ended, as Temporal's server does."""
        change = self.cloud.store.change(WorkflowKey(self.namespace, workflow_id))
        await Gateway.terminate(self, workflow_id, run_id, reason=reason, details=details, identity=identity)
        self.cloud.reconsider(workflow_id)
        await asyncio.wait([change], timeout=_TERMINATED_WITHIN)


async def _turns_of_a_call() -> None:
    for _ in range(_TURNS_OF_A_CALL):
        await asyncio.sleep(0)
