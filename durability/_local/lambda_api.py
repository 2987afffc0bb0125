"""The Invoke operation of the Lambda API, for clients with `AWS_ENDPOINT_URL_LAMBDA`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import unquote

from aiohttp import web

from durability._local.function import Function, Throttled
from durability._local.http_server import HttpServer
from durability._local.invocation import Result
from durability._local.permissions import Access, Statement, allows, refusal

_INVOKE = re.compile(r"^/2015-03-31/functions/([^/]+)/invocations$")
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/")
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAXIMUM_SYNCHRONOUS = 6 * 1024 * 1024
MAXIMUM_ASYNCHRONOUS = 1024 * 1024


class AsynchronousInvoker(Protocol):
    """Takes an event to be invoked later."""

    def __call__(self, function: Function, payload: bytes, arn: str | None = None) -> None:
        """Invoke the function with the payload, repeating after errors."""


class LambdaApi:
    """Serves `POST /2015-03-31/functions/{name}/invocations`.

    Args:
        functions: functions by logical id.
        invoke_later: takes asynchronous invocations.
        counts: where requests are counted, by access key, service and operation.
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        invoke_later: AsynchronousInvoker,
        counts: Counter[tuple[str, str, str]],
    ) -> None:
        self._functions = functions
        self._invoke_later = invoke_later
        self._counts = counts
        self.policies: dict[str, list[Statement]] = {}
        self._server = HttpServer(self._answer)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._server.address}"

    async def start(self) -> None:
        """Listen."""
        await self._server.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self._server.stop()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        credential = _CREDENTIAL.search(request.headers.get("Authorization", ""))
        if credential is None:
            return _error(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        match = _INVOKE.match(unquote(request.path))
        if match is None or request.method != "POST":
            return _error(
                404, "UnknownOperationException", f"{request.method} {request.path} is not emulated: only Invoke is."
            )
        self._counts[credential[1], "lambda", "Invoke"] += 1
        name, _, qualifier = _split(match[1])
        function = next((each for each in self._functions.values() if each.spec.name == name), None)
        qualifier = request.query.get("Qualifier", qualifier)
        if function is None:
            return _error(404, "ResourceNotFoundException", f"Function not found: {match[1]}", Type="User")
        access = Access("lambda:InvokeFunction", function.spec.arn + (f":{qualifier}" if qualifier else ""))
        statements = self.policies.get(credential[1])
        if statements is not None and not allows(statements, access):
            return _error(403, "AccessDeniedException", refusal(access))
        payload = await request.read() or b"{}"
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        limit = MAXIMUM_ASYNCHRONOUS if kind == "Event" else MAXIMUM_SYNCHRONOUS
        if len(payload) > limit:
            message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
            return _error(413, "RequestTooLargeException", message)
        arn = function.spec.arn + (f":{qualifier}" if qualifier and qualifier != "$LATEST" else "")
        if kind == "DryRun":
            return web.Response(status=204)
        if kind == "Event":
            self._invoke_later(function, payload, arn)
            return web.Response(status=202)
        try:
            result = await function.invoke(payload, arn, request.headers.get("X-Amz-Client-Context"))
        except Throttled as throttled:
            return _error(429, "TooManyRequestsException", str(throttled), Reason="ConcurrentInvocationLimitExceeded")
        return _response(result, qualifier or "$LATEST")


def _split(reference: str) -> tuple[str, str, str]:
    """Name, separator and qualifier of a function name, a partial ARN or an ARN."""
    if ":function:" in reference:
        reference = reference.split(":function:", 1)[1]
    return reference.partition(":")


def _response(result: Result, version: str) -> web.Response:
    headers = {"X-Amz-Executed-Version": version}
    if result.error is not None:
        headers["X-Amz-Function-Error"] = result.error
    return web.Response(body=result.payload, content_type="application/json", headers=headers)


def _error(status: int, code: str, message: str, **more: str) -> web.Response:
    return web.json_response({"Message": message, **more}, status=status, headers={"x-amzn-errortype": code})
