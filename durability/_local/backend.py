"""The process that plays AWS: moto's backends behind one single-threaded HTTP server.

moto checks a condition and writes in two steps that its own threaded server interleaves, so two conditional writes can
both succeed. Here every request runs to its end on the event loop before the next one starts: the loop is the lock.
Long polls wait outside of it.

Started by `durability._local.backend_process` as `python -m durability._local.backend`. Standard input is the lifeline:
when it ends, the process group (this process and every function process) is killed, frozen processes included. Standard
output carries one JSON object a line: what became due in a queue, and what happened to a schedule.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import moto.backend_index
import moto.backends
from aiohttp import web
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.request import normalize_request
from werkzeug.exceptions import HTTPException

from durability._local.http_server import HttpServer
from durability._local.identity import ACCOUNT
from durability._local.metering import Meter
from durability._local.permissions import Statement, accesses, allows, refusal
from durability._local.queues import QueueWatch
from durability._local.schedule_rules import Refused, ScheduleRules

CONTROL = "/_local/"
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d+/([^/]+)/([^/]+)/aws4_request")

Answer = tuple[int, Mapping[str, Any], str | bytes]
Method = Callable[..., Answer]


class Backend:
    """Answers requests for any service that moto knows, one at a time."""

    def __init__(self, publish: Callable[[dict[str, Any]], None]) -> None:
        self.publish = publish
        self.queues = QueueWatch(publish)
        self.schedules = ScheduleRules(publish)
        self.meter = Meter()
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.policies: dict[str, list[Statement]] = {}
        self.records: list[dict[str, Any]] | None = None
        self._routes: dict[tuple[str, str], list[tuple[re.Pattern[str], Method]]] = {}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # clients of S3 wait for it
        body = await request.read()
        if request.path.startswith(CONTROL):
            return self._control(request.path.removeprefix(CONTROL), body)
        credential = _CREDENTIAL.search(request.headers.get("Authorization", ""))
        if credential is None:
            return _error(403, "MissingAuthenticationToken", "The local cloud needs a request signed with SigV4.")
        access_key, region, service = credential.groups()
        operation = _operation(service, request, body)
        self.counts[access_key, service, operation] += 1
        if (service, operation) == ("sqs", "ReceiveMessage"):
            return await self._receive(request, body, access_key, region)
        return self._answer(request, body, access_key, region, service, operation)

    async def _receive(self, request: web.BaseRequest, body: bytes, access_key: str, region: str) -> web.Response:
        """Receive messages; the wait of a long poll is spent here and not in moto, which would block everybody."""
        parameters = json.loads(body)
        queue = str(parameters.get("QueueUrl", "")).rsplit("/", 1)[-1]
        wait = parameters.get("WaitTimeSeconds")
        deadline = time.time() + (self.queues.default_wait(queue) if wait is None else wait)
        parameters["WaitTimeSeconds"] = 0
        body = json.dumps(parameters).encode()
        while True:
            looked = time.time()
            response = self._answer(request, body, access_key, region, "sqs", "ReceiveMessage")
            if response.status != 200 or b'"Messages"' in _content(response) or time.time() >= deadline:
                return response
            await self.queues.wait(queue, looked, deadline)

    def _answer(
        self, request: web.BaseRequest, body: bytes, access_key: str, region: str, service: str, operation: str
    ) -> web.Response:
        refused = self._refusal(access_key, service, operation, request.raw_path, body)
        if refused is not None:
            return refused
        before = self.meter.before(service, operation, body, region) if self.records is not None else None
        try:
            replay = self.schedules.before(service, operation, request.path, body, region)
            if replay is not None:
                return web.Response(body=replay, content_type="application/json")
            status, headers, content = self._call(request, body, region, service)
        except Refused as refusal:
            return _error(refusal.status, refusal.code, str(refusal))
        if status < 300:
            self.schedules.after(service, operation, request.path, body, region)
        if service == "sqs":
            self.queues.changed(operation, body, content, region)
        if self.records is not None:
            self.records.append(
                {
                    "at": time.time(),
                    "access_key": access_key,
                    "service": service,
                    "operation": operation,
                    "status": status,
                    "request": body.decode("utf-8", "replace"),
                    "response": content.decode("utf-8", "replace"),
                    "request_bytes": len(body),
                    "response_bytes": len(content),
                    **self.meter.after(before, content, region),
                }
            )
        response = web.Response(status=status, body=content)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "server", "date"):
                response.headers[name] = str(value)
        return response

    def _refusal(self, access_key: str, service: str, operation: str, path: str, body: bytes) -> web.Response | None:
        statements = self.policies.get(access_key)
        for access in [] if statements is None else accesses(service, operation, path, body):
            if not allows(statements or [], access):
                return _error(
                    400 if service in ("dynamodb", "secretsmanager") else 403, "AccessDeniedException", refusal(access)
                )
        return None

    def _call(
        self, request: web.BaseRequest, body: bytes, region: str, service: str
    ) -> tuple[int, Mapping[str, Any], bytes]:
        base = f"https://{service}.{region}.amazonaws.com"
        headers = HTTPHeaders()
        for name, value in request.headers.items():
            headers[name] = value
        headers.replace_header("Host", f"{service}.{region}.amazonaws.com")
        aws_request = normalize_request(
            AWSPreparedRequest(
                method=request.method,
                url=base + request.raw_path,
                headers=headers,
                body=body,
                stream_output=False,
            )
        )
        try:
            method = self._route(service, region, base + request.path)
            status, answer_headers, content = method(aws_request, aws_request.raw_url, aws_request.headers)
        except HTTPException as error:
            status = error.code or 500
            answer_headers, content = dict(error.get_headers()), str(error.get_body())
        except Refused:
            raise
        except Exception as error:
            traceback.print_exc()
            raise Refused(
                500, "InternalFailure", f"moto failed in {service}: {type(error).__name__}: {error}"
            ) from error
        content = content.encode() if isinstance(content, str) else content
        if service == "sqs":
            content = content.replace(base.encode(), f"http://{request.host}".encode())
        return status, answer_headers, content

    def _route(self, service: str, region: str, url: str) -> Method:
        routes = self._routes.get((service, region))
        if routes is None:
            routes = self._routes[service, region] = list(_routes(f"https://{service}.{region}.amazonaws.com/"))
        for pattern, method in routes:
            if pattern.match(url):
                return method
        raise Refused(404, "UnknownOperationException", f"The local cloud has no {service} operation at {url}.")

    def _control(self, command: str, body: bytes) -> web.Response:
        answer: Any = {}
        if command == "requests":
            answer = [[*key, count] for key, count in self.counts.items()]
        elif command == "reset":
            self.counts.clear()
            self.records = None if self.records is None else []
        elif command == "synchronise":
            self.publish({"synchronised": json.loads(body)})
        elif command == "policies":
            self.policies = json.loads(body)
        elif command == "record":
            self.records = [] if json.loads(body) else None
        elif command == "records":
            answer = self.records or []
        else:
            return _error(404, "UnknownOperationException", f"The local cloud has no control command {command!r}.")
        return web.json_response(answer)


def _content(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""


def _routes(base: str) -> Iterable[tuple[re.Pattern[str], Method]]:
    for name, pattern in moto.backend_index.backend_url_patterns:
        if pattern.match(base):
            regions = moto.backends.get_backend(name)[ACCOUNT]  # type: ignore[call-overload]
            backend = regions["us-east-1"] if "us-east-1" in regions else regions["aws"]
            for url, method in backend.urls.items():
                yield re.compile(url), method
            return


_SCHEDULER_VERBS = {"POST": "Create", "PUT": "Update", "DELETE": "Delete", "GET": "Get"}


def _operation(service: str, request: web.BaseRequest, body: bytes) -> str:
    target = request.headers.get("X-Amz-Target")
    if target:
        return target.rsplit(".", 1)[-1]
    if service == "scheduler":
        kind = "ScheduleGroup" if request.path.startswith("/schedule-groups") else "Schedule"
        if request.path.strip("/") in ("schedules", "schedule-groups"):
            return f"List{kind}s"
        return _SCHEDULER_VERBS.get(request.method, request.method) + kind
    action = re.search(rb"(?:^|&)Action=(\w+)", body)
    return action[1].decode() if action else request.method


def _error(status: int, code: str, message: str) -> web.Response:
    # Both spellings: JSON protocols read the type from the body, REST ones from the header.
    return web.json_response(
        {"__type": code, "message": message, "Message": message}, status=status, headers={"x-amzn-errortype": code}
    )


def _die_with_parent() -> None:
    """Kill the process group when standard input ends: the parent is gone, however it went."""
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


async def _serve() -> None:
    def publish(event: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()

    backend = Backend(publish)
    # Who breaks off a long poll must not be given a message.
    server = HttpServer(backend.handle, cancel_on_disconnect=True)
    await server.start()
    publish({"listening": server.port})
    await asyncio.Event().wait()


def main() -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
