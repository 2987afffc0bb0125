"""Base classes of activity interceptors, and what they are given; the shapes are those of ``temporalio.worker``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Protocol

from durability._core.payload import Payload
from durability.activity._context import Info


@dataclass
class ExecuteActivityInput:
    """Input of ``ActivityInboundInterceptor.execute_activity``.

    Attributes:
        fn: The activity.
        args: Its arguments.
        executor: Where it runs, if it is not ``async def``.
        headers: Headers of the call.
    """

    fn: Callable[..., Any]
    args: Sequence[Any]
    executor: Executor | None
    headers: Mapping[str, Payload]


class ActivityInboundInterceptor:
    """Intercepts calls from the engine to an activity. Every method passes on to the next one by default."""

    def __init__(self, next: ActivityInboundInterceptor) -> None:
        """Create the interceptor.

        Args:
            next: The next one of the chain.
        """
        self.next = next

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        """Initialise the chain.

        Args:
            outbound: Intercepts the activity's own calls; pass on a wrapper to intercept them as well.
        """
        self.next.init(outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Run the activity.

        Args:
            input: What to run.

        Returns:
            The activity's result.
        """
        return await self.next.execute_activity(input)


class ActivityOutboundInterceptor:
    """Intercepts calls from an activity to the engine. Every method passes on to the next one by default."""

    def __init__(self, next: ActivityOutboundInterceptor) -> None:
        """Create the interceptor.

        Args:
            next: The next one of the chain.
        """
        self.next = next

    def info(self) -> Info:
        """Called by ``activity.info``."""
        return self.next.info()

    def heartbeat(self, *details: Any) -> None:
        """Called by ``activity.heartbeat``, always in the event loop's thread.

        Args:
            details: How far the activity has come.
        """
        self.next.heartbeat(*details)


class InterceptsActivities(Protocol):
    """What the runner needs of an interceptor: the part of ``durability.worker.Interceptor`` for activities."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Return an interceptor that passes on to ``next``."""
        ...
