"""The short way to AWS signs and reads as boto3 does."""

from __future__ import annotations

import datetime
import http.server
import threading
from collections.abc import Iterator

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from durability._aws.callers import AwsError
from durability._aws.signed import SignedCaller, Signer, _error, _read

KEY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_REGION": "eu-west-1"}


@pytest.mark.parametrize("token", ["", "a-session-token"])
@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_signature_is_the_one_that_botocore_computes(service: str, token: str) -> None:
    environment = {**KEY, "AWS_SESSION_TOKEN": token} if token else KEY
    now = 1_790_000_000.0
    body = b'{"TableName":"t"}'
    headers = Signer(service, environment).headers("DynamoDB_20120810.PutItem", body, now)

    request = AWSRequest("POST", f"https://{service}.eu-west-1.amazonaws.com/", data=body)
    request.headers["X-Amz-Date"] = headers["X-Amz-Date"]
    request.headers["X-Amz-Target"] = headers["X-Amz-Target"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    stamp = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    request.context["timestamp"] = stamp
    signer = SigV4Auth(
        Credentials(KEY["AWS_ACCESS_KEY_ID"], KEY["AWS_SECRET_ACCESS_KEY"], token or None), service, "eu-west-1"
    )
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)

    assert headers["X-Amz-Date"] == stamp
    assert headers["Authorization"].endswith(f"Signature={signature}")


def test_binary_attributes_are_read_as_bytes_at_every_depth() -> None:
    answer = b'{"Items":[{"body":{"B":"aGk="},"inbox":{"M":{"k":{"B":"AA=="}}},"n":{"N":"1"}}]}'
    assert _read(answer)["Items"] == [{"body": {"B": b"hi"}, "inbox": {"M": {"k": {"B": b"\0"}}}, "n": {"N": "1"}}]


def test_an_error_carries_code_message_and_the_item_that_was_in_the_way() -> None:
    answer = (
        b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",'
        b'"Message":"no","Item":{"b":{"B":"aGk="}}}'
    )
    error = _error(400, answer)
    assert error.code == "ConditionalCheckFailedException"
    assert error.response["Item"] == {"b": {"B": b"hi"}}
    assert str(error) == "ConditionalCheckFailedException: no"


def test_an_answer_that_is_not_json_is_an_error_too() -> None:
    assert _error(503, b"<html>").code == "503"


def test_endpoints_follow_the_environment() -> None:
    assert Signer("sqs", KEY).headers("x", b"")["Host"] == "sqs.eu-west-1.amazonaws.com"
    local = {**KEY, "AWS_ENDPOINT_URL": "http://127.0.0.1:5000", "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:6000"}
    assert Signer("sqs", local).headers("x", b"")["Host"] == "127.0.0.1:5000"
    assert Signer("dynamodb", local).headers("x", b"")["Host"] == "127.0.0.1:6000"
    china = {**KEY, "AWS_REGION": "cn-north-1"}
    assert Signer("dynamodb", china).headers("x", b"")["Host"] == "dynamodb.cn-north-1.amazonaws.com.cn"


Script = list[tuple[int, bytes] | None]


@pytest.fixture
def scripted_server() -> Iterator[tuple[str, Script, list[dict[str, str]]]]:
    """A server that answers by a script; None closes the connection without an answer."""
    script: Script = []
    seen: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(dict(self.headers))
            step = script.pop(0)
            if step is None:
                self.close_connection = True
                return
            self.send_response(step[0])
            self.send_header("Content-Length", str(len(step[1])))
            self.end_headers()
            self.wfile.write(step[1])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", script, seen
    server.shutdown()
    thread.join()
    server.server_close()


async def test_transient_errors_and_broken_connections_are_tried_again(
    scripted_server: tuple[str, Script, list[dict[str, str]]],
) -> None:
    url, script, seen = scripted_server
    throttled = b'{"__type":"ProvisionedThroughputExceededException"}'
    script += [None, (500, b""), (400, throttled), (200, b'{"Item":{}}')]
    caller = SignedCaller({**KEY, "AWS_ENDPOINT_URL": url})
    assert await caller.call("dynamodb", "get_item", TableName="t") == {"Item": {}}
    assert len(seen) == 4
    await caller.close()


async def test_a_refusal_is_not_tried_again(scripted_server: tuple[str, Script, list[dict[str, str]]]) -> None:
    url, script, seen = scripted_server
    script.append((400, b'{"__type":"x#ValidationException","message":"bad"}'))
    caller = SignedCaller({**KEY, "AWS_ENDPOINT_URL": url})
    with pytest.raises(AwsError, match="ValidationException: bad"):
        await caller.call("dynamodb", "get_item", TableName="t")
    assert len(seen) == 1
    await caller.close()
