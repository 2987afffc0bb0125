from __future__ import annotations

import base64
import http.client
import json
import threading
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from durability._local import LocalCloud
from durability._local.front_door import find_route
from durability._local.specs import RouteSpec

from .conftest import TEMPLATE


def request(
    cloud: LocalCloud, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    address = urllib.parse.urlsplit(cloud.http_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.msg, response.read()
    finally:
        connection.close()


def signed(cloud: LocalCloud, method: str, path: str, body: bytes = b"", **changes: str) -> dict[str, str]:
    environment = {**cloud.environment, **changes}
    credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    aws_request = AWSRequest(method, cloud.http_url + path, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(credentials, "execute-api", "us-east-1").add_auth(aws_request)
    return dict(aws_request.headers.items())


def hook(cloud: LocalCloud, query: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    return request(cloud, "POST", f"/hooks/one?{query}")


def test_a_signed_request_arrives_as_an_event_of_format_2(cloud: LocalCloud) -> None:
    path, body = "/api/orders/a%20b?x=1&x=2&y=%26", b'{"total": 3}'
    headers = {**signed(cloud, "PUT", path, body), "Cookie": "a=1; b=2", "X-Custom": "yes"}
    status, _, content = request(cloud, "PUT", path, body, headers)
    assert status == 200
    event = json.loads(content)
    assert event["version"] == "2.0"
    assert event["routeKey"] == "ANY /api/{proxy+}"
    assert event["rawPath"] == "/api/orders/a b"  # API Gateway decodes it
    assert event["rawQueryString"] == "x=1&x=2&y=%26"
    assert event["queryStringParameters"] == {"x": "1,2", "y": "&"}
    assert event["pathParameters"] == {"proxy": "orders/a b"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["x-custom"] == "yes"
    assert "cookie" not in event["headers"]
    assert event["body"] == '{"total": 3}'
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["http"]["method"] == "PUT"
    assert context["http"]["path"] == "/api/orders/a b"
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert context["stage"] == "$default"
    assert context["routeKey"] == event["routeKey"]
    assert context["authorizer"]["iam"]["accessKey"] == cloud.environment["AWS_ACCESS_KEY_ID"]


def test_a_route_with_iam_refuses_what_is_not_signed_by_somebody_known(cloud: LocalCloud) -> None:
    path = "/api/orders"
    good = signed(cloud, "GET", path)
    assert request(cloud, "GET", path, headers=good)[0] == 200
    signature = good["Authorization"]
    wrong: list[dict[str, str]] = [
        {},
        {**good, "Authorization": signature[:-1] + ("0" if signature[-1] != "0" else "1")},
        {**good, "X-Amz-Date": "20200101T000000Z"},
        signed(cloud, "GET", path, AWS_SECRET_ACCESS_KEY="another"),
        signed(cloud, "GET", path, AWS_ACCESS_KEY_ID="AKIAUNKNOWN000000000"),
        signed(cloud, "GET", "/api/other"),
        signed(cloud, "POST", path),
    ]
    for headers in wrong:
        status, _, content = request(cloud, "GET", path, headers=headers)
        assert (status, json.loads(content)) == (403, {"message": "Forbidden"})


def test_a_signature_covers_the_body(cloud: LocalCloud) -> None:
    headers = signed(cloud, "POST", "/api/orders", b"one")
    assert request(cloud, "POST", "/api/orders", b"one", headers)[0] == 200
    assert request(cloud, "POST", "/api/orders", b"two", headers)[0] == 403


def test_a_route_without_authorization_needs_no_signature(cloud: LocalCloud) -> None:
    status, _, content = request(cloud, "POST", "/hooks/stripe", b"text")
    assert status == 200
    event = json.loads(content)
    assert event["pathParameters"] == {"name": "stripe"}
    assert "authorizer" not in event["requestContext"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/hooks/one"), ("POST", "/hooks/one/two")])
def test_what_no_route_takes_is_not_found(cloud: LocalCloud, method: str, path: str) -> None:
    status, _, content = request(cloud, method, path)
    assert (status, json.loads(content)) == (404, {"message": "Not Found"})


def test_a_binary_body_is_base64(cloud: LocalCloud) -> None:
    body = bytes(range(256))
    headers = {"Content-Type": "application/octet-stream"}
    event = json.loads(request(cloud, "POST", "/hooks/one", body, headers)[2])
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body


def test_responses_become_http(cloud: LocalCloud) -> None:
    status, headers, content = hook(cloud, "answer=string")
    assert (status, content) == (200, b"plain text")
    status, headers, content = hook(cloud, "answer=object")
    assert (status, json.loads(content), headers["Content-Type"]) == (200, {"no": "status"}, "application/json")
    status, headers, content = hook(cloud, "answer=binary")
    assert (content, headers["Content-Type"]) == (bytes(range(256)), "image/png")
    status, headers, content = hook(cloud, "answer=cookies")
    assert (status, content, headers["X-One"]) == (201, b"made", "1")
    assert headers.get_all("Set-Cookie") == ["a=1; Path=/", "b=2"]


@pytest.mark.parametrize("answer", ["raise", "wrong"])
def test_a_function_that_fails_is_an_internal_server_error(cloud: LocalCloud, answer: str) -> None:
    status, _, content = hook(cloud, f"answer={answer}")
    assert (status, json.loads(content)) == (500, {"message": "Internal Server Error"})


def test_a_body_has_at_most_10_mb(cloud: LocalCloud) -> None:
    assert request(cloud, "POST", "/hooks/one", b"x" * (10 * 1024 * 1024 + 1))[0] == 413


def test_requests_are_answered_concurrently(cloud: LocalCloud, tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(hook(cloud, f"answer=wait&for={go_on}")[0]))
    thread.start()
    assert hook(cloud, "answer=string")[0] == 200
    go_on.touch()
    thread.join()
    assert answers == [200]


def test_routes_of_their_own_and_a_function_slower_than_its_integration(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties: {{Handler: functions.http.handler, Runtime: python3.11, CodeUri: {TEMPLATE.parent}, Timeout: 30}}
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties: {{Name: api, ProtocolType: HTTP}}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt Function.Arn
      PayloadFormatVersion: "2.0"
      TimeoutInMillis: 2000
  Default:
    Type: AWS::ApiGatewayV2::Route
    Properties: {{ApiId: !Ref Api, RouteKey: $default, Target: !Sub "integrations/${{Integration}}"}}
  Signed:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: GET /signed
      Target: !Sub integrations/${{Integration}}
      AuthorizationType: AWS_IAM
"""
    )
    go_on = tmp_path / "go-on"
    with LocalCloud(template) as cloud:
        assert request(cloud, "DELETE", "/anything?answer=string")[0] == 200
        assert request(cloud, "GET", "/signed")[0] == 403
        status, _, content = request(cloud, "GET", f"/?answer=wait&for={go_on}")
        assert (status, json.loads(content)) == (503, {"message": "Service Unavailable"})
        (process,) = [process for process in cloud.functions["Function"].processes if process.request_id]
        go_on.touch()
        cloud.wait_until_idle()
        assert process in cloud.functions["Function"].processes


def test_the_most_specific_route_is_taken() -> None:
    def route(method: str, path: str) -> RouteSpec:
        return RouteSpec(method, path, "F", False, 30.0)

    routes = [
        route("ANY", "$default"),
        route("ANY", "/{proxy+}"),
        route("ANY", "/pets/{id}"),
        route("GET", "/pets/{id}"),
        route("GET", "/pets/dog"),
    ]

    def key(method: str, path: str) -> Any:
        match = find_route(routes, method, path)
        return match and match.key

    assert key("GET", "/pets/dog") == "GET /pets/dog"
    assert key("GET", "/pets/1") == "GET /pets/{id}"
    assert key("POST", "/pets/1") == "ANY /pets/{id}"
    assert key("POST", "/pets/1/2") == "ANY /{proxy+}"
    assert key("GET", "/") == "$default"
