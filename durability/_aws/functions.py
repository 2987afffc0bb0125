"""``WorkflowInvoker`` on Lambda."""

from __future__ import annotations

from durability._aws.callers import Caller
from durability.service import RPCError, RPCStatusCode


class LambdaInvoker:
    """Invokes the workflow function and waits for its answer."""

    def __init__(self, caller: Caller, function: str) -> None:
        self._caller = caller
        self._function = function

    async def invoke(self, request: bytes) -> bytes:
        """See ``WorkflowInvoker.invoke``. Raises RPCError(UNAVAILABLE) when the function failed."""
        answer = await self._caller.call(
            "lambda", "invoke", FunctionName=self._function, InvocationType="RequestResponse", Payload=request
        )
        body: bytes = answer["Payload"]
        if "FunctionError" in answer:
            text = body[:500].decode(errors="replace")
            raise RPCError(f"the workflow function failed: {text}", RPCStatusCode.UNAVAILABLE, b"")
        return body
