"""The short way to DynamoDB and SQS: prepared requests, signed here, over kept-alive connections.

boto3 takes about 200 ms to import and 2 ms of CPU a request, more than everything else that a step costs; this takes
a tenth of both (``benchmarks/`` measures them side by side). It speaks the JSON protocol that both services share,
signs with Signature Version 4 by the key in the environment, as Lambda provides it, and retries as boto3's standard
mode does. Everything else — other services, other credentials — goes through boto3.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import os
import random
import time
from base64 import b64decode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from durability._aws.callers import ATTEMPTS, READ_TIMEOUT, AwsError, BotoCaller, Caller

TARGETS: Final = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"}
"""Prefix of ``X-Amz-Target``, by service (their API references, "JSON protocol")."""
OPERATIONS: Final = {
    name: "".join(part.capitalize() for part in name.split("_"))
    for name in (
        "get_item",
        "put_item",
        "update_item",
        "delete_item",
        "query",
        "transact_write_items",
        "batch_write_item",
        "send_message",
        "send_message_batch",
    )
}
RETRYABLE: Final = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "ServiceUnavailable",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "SlowDown",
    }
)
"""Transient and throttling errors of botocore's standard retry mode."""
LONGEST_PAUSE: Final = 20.0
"""Seconds; the cap of botocore's standard retry mode. The pause before retry n is random between 0 and 2^n."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def fast_caller(environment: Mapping[str, str] = os.environ) -> Caller:
    """The short way if the environment holds a key, as it does in Lambda; boto3 otherwise."""
    if environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"):
        return SignedCaller(environment)
    return BotoCaller()


class SignedCaller:
    """See the module's text."""

    def __init__(self, environment: Mapping[str, str] = os.environ, *, threads: int = 8) -> None:
        self._environment = environment
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="aws")
        self._idle: dict[str, list[http.client.HTTPConnection]] = {service: [] for service in TARGETS}
        self._signers = {service: Signer(service, environment) for service in TARGETS}
        self._boto: BotoCaller | None = None

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """See ``Caller.call``."""
        if service not in TARGETS or operation not in OPERATIONS:
            if self._boto is None:
                self._boto = BotoCaller()
            return await self._boto.call(service, operation, **parameters)
        target = f"{TARGETS[service]}.{OPERATIONS[operation]}"
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._send, service, target, _encode(parameters)
        )

    async def close(self) -> None:
        """See ``Caller.close``."""
        self._threads.shutdown(wait=True)
        for connections in self._idle.values():
            while connections:
                connections.pop().close()
        if self._boto is not None:
            await self._boto.close()

    def _send(self, service: str, target: str, body: bytes) -> dict[str, Any]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status, answer = self._once(service, target, body)
            except (OSError, http.client.HTTPException):
                if attempt == ATTEMPTS:
                    raise
            else:
                if status < 300:
                    return _read(answer)
                error = _error(status, answer)
                if attempt == ATTEMPTS or (status < 500 and error.code not in RETRYABLE):
                    raise error
            # The first failure is most often a connection that went stale while the function was frozen.
            time.sleep(0 if attempt == 1 else min(LONGEST_PAUSE, random.random() * 2 ** (attempt - 2) * 0.1))
        raise AssertionError("unreachable")

    def _once(self, service: str, target: str, body: bytes) -> tuple[int, bytes]:
        signer = self._signers[service]
        idle = self._idle[service]
        connection = idle.pop() if idle else signer.connect()
        try:
            connection.request("POST", "/", body, signer.headers(target, body))
            response = connection.getresponse()
            answer = response.read()
        except BaseException:
            connection.close()
            raise
        idle.append(connection)
        return response.status, answer


class Signer:
    """Signs requests to one service and knows where it is."""

    def __init__(self, service: str, environment: Mapping[str, str]) -> None:
        self._service = service
        self._region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION", "us-east-1")
        self._key_id = environment["AWS_ACCESS_KEY_ID"]
        self._secret = environment["AWS_SECRET_ACCESS_KEY"]
        self._token = environment.get("AWS_SESSION_TOKEN", "")
        domain = "amazonaws.com.cn" if self._region.startswith("cn-") else "amazonaws.com"
        url = (
            environment.get(f"AWS_ENDPOINT_URL_{service.upper()}")
            or environment.get("AWS_ENDPOINT_URL")
            or f"https://{service}.{self._region}.{domain}"
        )
        self._url = urlsplit(url)
        self._authorities = environment.get("AWS_CA_BUNDLE") or None
        self._day = ""
        self._day_key = b""

    def connect(self) -> http.client.HTTPConnection:
        """A new connection; it opens with the first request."""
        host = self._url.hostname or ""
        if self._url.scheme == "http":
            return http.client.HTTPConnection(host, self._url.port, timeout=READ_TIMEOUT)
        import ssl

        context = ssl.create_default_context(cafile=self._authorities)
        return http.client.HTTPSConnection(host, self._url.port, timeout=READ_TIMEOUT, context=context)

    def headers(self, target: str, body: bytes, now: float | None = None) -> dict[str, str]:
        """The headers of a signed request (AWS General Reference, "Signature Version 4 signing process")."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        day = stamp[:8]
        if day != self._day:
            self._day_key = self._signing_key(day)
            self._day = day
        token_line = f"x-amz-security-token:{self._token}\n" if self._token else ""
        signed = f"host;x-amz-date;{'x-amz-security-token;' if self._token else ''}x-amz-target"
        digest = hashlib.sha256(body).hexdigest()
        canonical = (
            f"POST\n/\n\nhost:{self._url.netloc}\nx-amz-date:{stamp}\n{token_line}x-amz-target:{target}\n\n"
            f"{signed}\n{digest}"
        )
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self._day_key, to_sign.encode(), hashlib.sha256).hexdigest()
        headers = {
            "Host": self._url.netloc,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Date": stamp,
            "X-Amz-Target": target,
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={self._key_id}/{scope}, SignedHeaders={signed}, Signature={signature}"
            ),
        }
        if self._token:
            headers["X-Amz-Security-Token"] = self._token
        return headers

    def _signing_key(self, day: str) -> bytes:
        key = f"AWS4{self._secret}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def _read(answer: bytes) -> dict[str, Any]:
    """Parse an answer; binary attributes become bytes, as in boto3."""
    parsed: dict[str, Any] = _decode(answer) if answer else {}
    for name in ("Item", "Attributes"):
        if name in parsed:
            _decode_binaries(parsed[name])
    for item in parsed.get("Items", ()):
        _decode_binaries(item)
    return parsed


def _decode_binaries(item: dict[str, Any]) -> None:
    for value in item.values():
        if "B" in value:
            value["B"] = b64decode(value["B"])
        elif "M" in value:
            _decode_binaries(value["M"])


def _error(status: int, answer: bytes) -> AwsError:
    try:
        parsed = _read(answer)
    except msgspec.DecodeError:
        parsed = {}
    code = str(parsed.get("__type", status)).rsplit("#", 1)[-1]
    return AwsError(code, str(parsed.get("message") or parsed.get("Message") or ""), parsed)
