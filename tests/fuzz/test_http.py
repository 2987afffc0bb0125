"""Every operation of the API with paths, headers and bodies that are nearly right, or anything at all.

Nothing is answered with a 5xx, an error changes nothing in the table, and nothing that was accepted makes a workflow
task fail.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durability._http.routes import Route
from durability._rest import bodies as wire
from durability._runtime.attempts import TaskToken
from tests.fuzz.deployment import Answer, Deployment, deployment
from tests.fuzz.strategies import NASTY_TEXTS, damaged, examples, json_values, texts, values_of
from tests.http.conftest import WORKFLOWS

IDS = ("shop", "asking", "caller", "done")
TYPES = tuple(cls.__name__ for cls in WORKFLOWS)

with deployment() as _any:
    ROUTES = {route.name: route for route in _any.app.table.routes if route.name not in ("getOpenApi", "getHealth")}


@dataclass
class Request:
    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def header_texts() -> st.SearchStrategy[str]:
    """What an HTTP server lets through in a header."""
    return st.one_of(
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=30),
        st.sampled_from([text for text in NASTY_TEXTS if "\n" not in text and "\0" not in text]),
    )


@st.composite
def segments(draw: st.DrawFn, name: str) -> str:
    """A path's segment: known or not, in one of the encodings or damaged."""
    known = {
        "workflow_id": IDS,
        "name": ("note", "add", "wait_for", "noted", "callback_url", "leave"),
        "update_id": ("u",),
        "report": ("completed", "failed", "canceled", "heartbeat"),
        "token": ("abc",),
        "endpoint": ("standard", "github", "stripe", "slack", "slack-form"),
    }[name]
    text = draw(st.sampled_from(known) | st.sampled_from(known) | texts())
    return draw(
        st.sampled_from((wire.encode_segment(text), quote(text, safe=""), text))
        | damaged(st.just(wire.encode_segment(text).encode())).map(lambda data: data.decode("latin-1"))
    )


def query_strings(route: Route) -> st.SearchStrategy[str]:
    names = st.sampled_from([query.name for query in route.queries] or ["x"]) | texts(8)
    values = texts() | st.sampled_from(("true", "1", "25", "accepted", "Running", "[1]", "2026-01-01T00:00:00Z"))
    pairs = st.lists(st.tuples(names, values), max_size=3)
    return pairs.map(lambda given: "&".join(f"{quote(name)}={quote(value)}" for name, value in given)) | texts()


@st.composite
def bodies(draw: st.DrawFn, route: Route) -> bytes:
    """A body: of the operation's type, of that type with a part that is something else, or anything at all."""
    if route.body is None or not draw(st.integers(0, 5)):
        anything = json_values().map(lambda value: json.dumps(value).encode())
        return draw(anything | st.binary(max_size=30) | st.sampled_from([b"[" * 100_000, b'{"args":' * 50_000]))
    body = msgspec.to_builtins(draw(values_of(route.body)))
    if draw(st.booleans()):
        body.update(workflow_type=draw(st.sampled_from(TYPES))) if "workflow_type" in body else None
        body.update(wait=draw(st.sampled_from((0, 1, 25)))) if "wait" in body else None
        for name in ("payloads", "args"):
            if draw(st.booleans()):
                body.pop(name, None)
    if route.name == "reportActivity" and draw(st.booleans()):
        body.pop("task_token", None)
        body.update(workflow_id="asking", activity_id="ask", run_id="")
        if draw(st.booleans()):
            body["failure"] = draw(failures())
    if body and draw(st.integers(0, 2)) == 0:
        body[draw(st.sampled_from(sorted(body)))] = draw(json_values(1))
    encoded = json.dumps(body).encode()
    return draw(damaged(st.just(encoded))) if draw(st.integers(0, 5)) == 0 else encoded


def _one_failure() -> st.SearchStrategy[dict[str, Any]]:
    anything = json_values(1)
    payload = st.fixed_dictionaries({}, optional={"metadata": anything, "data": anything})
    info = st.fixed_dictionaries(
        {},
        optional={
            "type": anything,
            "nonRetryable": anything,
            "details": st.fixed_dictionaries({"payloads": st.lists(payload | anything, max_size=2)}),
            "nextRetryDelay": st.sampled_from(("1s", "-1s", "1e99s", "nans", "infs", "", "5")) | anything,
            "category": anything,
            "timeoutType": anything,
            "scheduledEventId": anything,
            "activityType": anything,
            "workflowExecution": anything,
        },
    )
    kinds = ("application", "timeout", "canceled", "terminated", "server", "activity", "childWorkflowExecution")
    fields = {name: anything for name in ("message", "source", "stackTrace")}
    fields |= {f"{kind}FailureInfo": info | anything for kind in kinds}
    return st.fixed_dictionaries({}, optional={**fields, "encodedAttributes": payload | anything})


ONE_FAILURE = _one_failure()  # made once: strategies that are made anew for every example take longer than the examples


@st.composite
def failures(draw: st.DrawFn) -> Any:
    """Failures in Temporal's JSON form, with parts that are something else."""
    body = draw(ONE_FAILURE)
    for _ in range(draw(st.integers(0, 2))):
        body = {**draw(ONE_FAILURE), "cause": body}
    return body


@st.composite
def requests(draw: st.DrawFn, route: Route) -> Request:
    path = "/" + "/".join(
        draw(segments(part[1:-1])) if part.startswith("{") else part for part in route.path.strip("/").split("/")
    )
    headers = {"content-type": "application/json"}
    if draw(st.integers(0, 3)) == 0:
        names = st.sampled_from(
            ("content-type", "content-length", "idempotency-key", "webhook-id", "x-github-delivery", "x")
        )
        headers |= draw(st.dictionaries(names, header_texts(), max_size=2))
    query = draw(query_strings(route)) if draw(st.booleans()) else ""
    body = draw(bodies(route)) if route.method == "POST" else b""
    return Request(route.method, path, query, headers, body)


def prepare(deployed: Deployment) -> None:
    """Workflows that wait for messages, for a report, for a callback, and one that has ended."""
    for workflow_id, workflow_type, args in (
        ("shop", "Shop", [{"item": "tea"}, 3]),
        ("asking", "Asking", []),
        ("caller", "Caller", []),
        ("done", "Answer", ["x"]),
    ):
        started = {"workflow_type": workflow_type, "workflow_id": workflow_id, "args": args}
        assert deployed.post("/workflows", started).status == 201


def check(deployed: Deployment, answer: Answer) -> None:
    assert answer.status < 500, answer
    if answer.status >= 400:
        assert answer.body["error"]["message"]
        assert not answer.changes, "an error has changed the table"
    assert not deployed.failing()


@pytest.mark.parametrize("name", ROUTES)
def test_an_operation_takes_anything(name: str) -> None:
    @given(st.lists(requests(ROUTES[name]), min_size=1, max_size=4))
    @examples(10)
    def play(planned: list[Request]) -> None:
        with deployment() as deployed:
            prepare(deployed)
            for request in planned:
                answer = deployed.request(
                    request.method, request.path, query=request.query, headers=request.headers, body=request.body
                )
                check(deployed, answer)

    play()


@given(st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "TRACE", "X"]), texts(60))
@examples(25)
def test_any_path_is_answered(method: str, path: str) -> None:
    with deployment() as deployed:
        answer = deployed.request(method, "/" + path)
        assert answer.status < 500
        assert not answer.changes


@given(damaged(values_of(TaskToken).map(TaskToken.encode)) | st.binary(max_size=40), failures())
@examples(10)
def test_task_tokens_that_are_none_change_nothing(token: bytes, failure: Any) -> None:
    body = msgspec.to_builtins({"task_token": token, "failure": failure})
    with deployment() as deployed:
        prepare(deployed)
        answer = deployed.post("/activities/failed", body)
        check(deployed, answer)
        assert answer.status in (400, 404)
