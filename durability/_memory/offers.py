"""Updates that clients of a local cloud have sent, until a run has taken them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from durability._runtime.frontend import UpdateRequest, UpdateState


class Offers:
    """As with Temporal's server, an update is delivered even if its sender goes away while it waits for a worker."""

    def __init__(self) -> None:
        self._offers: dict[asyncio.Task[UpdateState], UpdateRequest] = {}

    async def make(self, request: UpdateRequest, delivery: Coroutine[None, None, UpdateState]) -> UpdateState:
        """Deliver an update and return what became of it."""
        offer = asyncio.get_running_loop().create_task(delivery)
        self._offers[offer] = request
        offer.add_done_callback(self._made)
        return await asyncio.shield(offer)

    def _made(self, offer: asyncio.Task[UpdateState]) -> None:
        del self._offers[offer]
        if not offer.cancelled():
            offer.exception()  # an error is for the sender; it is none if that has gone away

    def include(self, workflow_id: str, run_id: str, update_id: str) -> bool:
        """Whether an update is on its way to a run."""
        return any(
            request.workflow_id == workflow_id and request.update_id == update_id and request.run_id in ("", run_id)
            for request in self._offers.values()
        )

    def withdraw(self) -> None:
        """Give up all of them."""
        for offer in self._offers:
            offer.cancel()
