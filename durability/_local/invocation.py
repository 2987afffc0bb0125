"""An invocation of a function, and its result."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """How an invocation ended.

    Args:
        payload: JSON of the response or of the error.
        error: value of `X-Amz-Function-Error`; None for success.
    """

    payload: bytes
    error: str | None = None


def failure(kind: str, message: str) -> Result:
    """The result of an invocation that the service ended.

    Args:
        kind: `errorType`.
        message: `errorMessage`.
    """
    return Result(json.dumps({"errorType": kind, "errorMessage": message}).encode(), "Unhandled")


def _trace_id() -> str:
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"


@dataclass(eq=False)
class Invocation:
    """One invocation.

    Args:
        payload: JSON of the event.
        arn: function ARN as it was invoked, with the qualifier if there was one.
        client_context: base64 of the client context, or None.
    """

    payload: bytes
    arn: str
    client_context: str | None = None
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace_id: str = field(default_factory=_trace_id)
    deadline_ms: int = 0
    _outcome: asyncio.Future[Result] | None = None

    @property
    def version(self) -> str:
        """Version or alias that was invoked."""
        parts = self.arn.split(":")
        return parts[7] if len(parts) > 7 else "$LATEST"

    @property
    def outcome(self) -> asyncio.Future[Result]:
        """Done when the invocation has ended."""
        assert self._outcome is not None
        return self._outcome

    def begin(self, outcome: asyncio.Future[Result], timeout: float) -> None:
        """Start the clock.

        Args:
            outcome: what to complete at the end.
            timeout: seconds that the function may run.
        """
        self._outcome = outcome
        self.deadline_ms = int((time.time() + timeout) * 1000)

    def finish(self, result: Result) -> None:
        """End with a result; the first one counts.

        Args:
            result: how it ended.
        """
        if not self.outcome.done():
            self.outcome.set_result(result)
