"""Whether calls can be made at all, as readiness probes ask through ``client.service_client``."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from durability.service import RPCError, RPCStatusCode

WORKFLOW_SERVICE: Final = "temporal.api.workflowservice.v1.WorkflowService"


class HealthCheck:
    """A ``Frontend`` that can be asked whether it answers."""

    __slots__ = ()

    @abstractmethod
    async def reach(self) -> None:
        """Make a call that changes nothing. Raises what every call may raise."""

    async def check_health(
        self,
        *,
        service: str = WORKFLOW_SERVICE,
        retry: bool = False,
        metadata: Mapping[str, str | bytes] = {},
        timeout: timedelta | None = None,
    ) -> bool:
        """See ``ServiceClient.check_health``."""
        if service not in ("", WORKFLOW_SERVICE):
            raise RPCError(f"unknown service: {service!r}", RPCStatusCode.NOT_FOUND, b"")
        try:
            async with asyncio.timeout(timeout.total_seconds() if timeout is not None else None):
                await self.reach()
        except TimeoutError as error:
            raise RPCError("the engine did not answer in time", RPCStatusCode.DEADLINE_EXCEEDED, b"") from error
        return True
