"""The HTTP API: requests become API Gateway events of payload format 2.0, and responses become HTTP again."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from durability._local import discovery
from durability._local.function import Function, Throttled
from durability._local.http_server import HttpServer
from durability._local.identity import ACCOUNT, Credentials, Principals
from durability._local.invocation import Result
from durability._local.lambda_api import MAXIMUM_SYNCHRONOUS
from durability._local.signature import verify
from durability._local.specs import RouteSpec

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
MAXIMUM_BODY = 10 * 1024 * 1024
_TEXT = re.compile(r"^(text/.*|application/(json|javascript|xml)|.*\+(json|xml))$")


@dataclass(frozen=True)
class Match:
    """A route that a request takes, with the values of its path variables."""

    route: RouteSpec
    parameters: Mapping[str, str]

    @property
    def key(self) -> str:
        """Route key, for instance `GET /orders/{id}`."""
        return self.route.path if self.route.path == "$default" else f"{self.route.method} {self.route.path}"


def find_route(routes: list[RouteSpec], method: str, path: str) -> Match | None:
    """The route for a request: the most specific one, as API Gateway chooses it.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html

    Args:
        routes: routes of the API.
        method: HTTP method.
        path: decoded path.
    """
    best: tuple[tuple[bool, bool, int, bool], Match] | None = None
    for route in routes:
        if route.method not in ("ANY", method):
            continue
        parameters: Mapping[str, str] | None = {} if route.path == "$default" else _match_path(route.path, path)
        if parameters is None:
            continue
        variables = route.path.count("{")
        rank = (route.path == "$default", "+}" in route.path, variables, route.method == "ANY")
        if best is None or rank < best[0]:
            best = rank, Match(route, parameters)
    return None if best is None else best[1]


class FrontDoor:
    """Serves one HTTP API.

    Args:
        api_id: id of the API.
        functions: functions by logical id.
        principals: who may sign requests.

    Attributes:
        routes: routes of the API.
        is_open: whether the stack is ready; until then every request is answered with 503.
        announced: environment variables that a client on this machine is told, which API Gateway has no counterpart of.
    """

    def __init__(self, api_id: str, functions: Mapping[str, Function], principals: Principals) -> None:
        self._functions = functions
        self._principals = principals
        self._server = HttpServer(self._answer, maximum_body=MAXIMUM_BODY)
        self._running: set[asyncio.Task[Result]] = set()
        self.api_id = api_id
        self.routes: list[RouteSpec] = []
        self.is_open = False
        self.announced: Mapping[str, str] = {}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._server.address}"

    async def start(self, port: int) -> None:
        """Listen.

        Args:
            port: port to listen on; 0 takes a free one.
        """
        await self._server.start(port)

    async def stop(self) -> None:
        """Stop listening."""
        await self._server.stop()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if not self.is_open:
            return _message(503, "Service Unavailable")
        # API Gateway decodes the path, and what it then takes for a query it cuts off.
        path = unquote(request.raw_path.split("?", 1)[0]).split("?", 1)[0] or "/"
        if path == discovery.PATH and self.announced and discovery.is_local(request.host):
            return web.json_response(self.announced)
        match = find_route(self.routes, request.method, path)
        if match is None:
            return _message(404, "Not Found")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _message(413, "Request Entity Too Large")
        signer = None
        if match.route.iam:
            url = f"http://{request.host}{request.raw_path}"
            headers = {name: ",".join(request.headers.getall(name)) for name in request.headers}
            signer = verify(request.method, url, headers, body, "execute-api", self._principals)
            if signer is None:
                return _message(403, "Forbidden")
        payload = json.dumps(build_event(request, path, body, match, self.api_id, signer)).encode()
        if len(payload) > MAXIMUM_SYNCHRONOUS:
            return _message(413, "Request Entity Too Large")
        # The function goes on when the API stops waiting for it.
        invocation = asyncio.get_running_loop().create_task(self._functions[match.route.function].invoke(payload))
        self._running.add(invocation)
        invocation.add_done_callback(self._running.discard)
        try:
            result = await asyncio.wait_for(asyncio.shield(invocation), match.route.timeout)
        except (TimeoutError, Throttled):
            return _message(503, "Service Unavailable")
        return build_response(result)


def build_event(
    request: web.BaseRequest, path: str, body: bytes, match: Match, api_id: str, signer: Credentials | None
) -> dict[str, Any]:
    """The event of payload format 2.0 for a request.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html

    Args:
        request: what came.
        path: its decoded path.
        body: its body.
        match: the route that it takes.
        api_id: id of the API.
        signer: who signed it, for a route with AWS_IAM.
    """
    now = datetime.now(UTC)
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        key = name.lower()
        if key != "cookie":
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    source = request.remote or "127.0.0.1"
    headers["x-forwarded-for"] = source
    headers["x-forwarded-port"] = str(request.url.port)
    headers["x-forwarded-proto"] = "http"
    query = request.raw_path.partition("?")[2]
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    cookies = [cookie.strip() for line in request.headers.getall("Cookie", []) for cookie in line.split(";")]
    context: dict[str, Any] = {
        "accountId": ACCOUNT,
        "apiId": api_id,
        "domainName": request.host,
        "domainPrefix": api_id,
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": source,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": uuid.uuid4().hex[:15] + "=",
        "routeKey": match.key,
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now.timestamp() * 1000),
    }
    if signer is not None:
        context["authorizer"] = {
            "iam": {
                "accessKey": signer.access_key_id,
                "accountId": ACCOUNT,
                "callerId": signer.access_key_id,
                "cognitoIdentity": None,
                "principalOrgId": "",
                "userArn": f"arn:aws:iam::{ACCOUNT}:user/{signer.principal}",
                "userId": signer.access_key_id,
            }
        }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    optional = {"cookies": cookies, "queryStringParameters": parameters, "pathParameters": dict(match.parameters)}
    event.update({name: value for name, value in optional.items() if value})
    if body:
        text = _text(body, headers.get("content-type"))
        event["isBase64Encoded"] = text is None
        event["body"] = base64.b64encode(body).decode() if text is None else text
    return event


def build_response(result: Result) -> web.Response:
    """The HTTP response that a function's result means.

    Args:
        result: how the invocation ended.
    """
    if result.error is not None:
        return _message(500, "Internal Server Error")
    answer = json.loads(result.payload or b"null")
    if not isinstance(answer, dict) or "statusCode" not in answer:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return web.Response(body=text.encode(), content_type="application/json")
    try:
        body = answer.get("body") or ""
        content = base64.b64decode(body) if answer.get("isBase64Encoded") else str(body).encode()
        response = web.Response(status=int(answer["statusCode"]), body=content)
        for name, value in (answer.get("headers") or {}).items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                response.headers[name] = str(value)
        for name, values in (answer.get("multiValueHeaders") or {}).items():
            for value in values:
                response.headers.add(name, str(value))
        for cookie in answer.get("cookies") or []:
            response.headers.add("Set-Cookie", cookie)
    except (TypeError, ValueError, AttributeError):
        return _message(500, "Internal Server Error")
    if "Content-Type" not in (answer.get("headers") or {}) and "content-type" not in (answer.get("headers") or {}):
        response.headers["Content-Type"] = "text/plain; charset=utf-8"
    return response


def _match_path(template: str, path: str) -> dict[str, str] | None:
    pattern = ""
    for part in re.split(r"(\{[^}]+\})", template):
        name = part[1:-1]
        if not part.startswith("{"):
            pattern += re.escape(part)
        elif name.endswith("+"):
            pattern += f"(?P<{name[:-1]}>.+)"
        else:
            pattern += f"(?P<{name}>[^/]+)"
    match = re.fullmatch(pattern, path)
    return None if match is None else match.groupdict()


def _text(body: bytes, content_type: str | None) -> str | None:
    kind = (content_type or "text/plain").partition(";")[0].strip().lower()
    if not _TEXT.match(kind):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _message(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status, headers={"apigw-requestid": f"{time.time_ns():x}"})
