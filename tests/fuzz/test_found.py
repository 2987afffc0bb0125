"""Requests that were answered with a 5xx, or accepted although no workflow task could take them: each once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fuzz.deployment import deployment
from tests.fuzz.test_http import prepare

UNREADABLE = {"metadata": {"encoding": "AAAA"}, "data": "AAAA"}
START = {"workflow_type": "Sleeper"}


def failure(**fields: Any) -> dict[str, Any]:
    return {"workflow_id": "asking", "activity_id": "ask", "failure": fields}


FOUND: dict[str, tuple[str, Any]] = {
    "a message that is no text": ("/activities/failed", failure(message=5)),
    "a type that is no text": ("/activities/failed", failure(applicationFailureInfo={"type": [1]})),
    "a flag that is no boolean": ("/activities/failed", failure(applicationFailureInfo={"nonRetryable": "x"})),
    "a delay beyond 64 bits": ("/activities/failed", failure(applicationFailureInfo={"nextRetryDelay": "1e99s"})),
    "attempts beyond 64 bits": ("/workflows", {**START, "retry_policy": {"maximum_attempts": 10**30}}),
    "an interval beyond 64 bits": ("/workflows", {**START, "cron_schedule": f"@every {10**20}h"}),
    "an endless interval": ("/workflows", {**START, "cron_schedule": f"@every {'9' * 400}h"}),
    "search attributes": ("/workflows", {**START, "search_attribute_payloads": {"a": UNREADABLE}}),
    "a priority": ("/workflows", {**START, "priority": [UNREADABLE]}),
    "a task queue": ("/workflows", {**START, "task_queue": "q" * 1_001}),
    "an id in four bytes a character": ("/workflows", {**START, "workflow_id": "\U0001f600" * 600}),
    "a signal's name": ("/workflows", {**START, "signal": {"name": "n" * 1_001}}),
    "bounds out of order": (
        "/workflows?started_after=2026-01-01T00:00:00Z&started_before=2025-01-01T00:00:00Z&type=Shop",
        None,
    ),
    "bounds before the epoch": (
        "/workflows?started_after=1901-01-01T00:00:00Z&started_before=1902-01-01T00:00:00Z&type=Shop",
        None,
    ),
    "a page token": ("/workflows?page_token=%C2%B2:x", None),
    "a long id": (f"/workflows?id={'x' * 3_000}", None),
    "a long type": (f"/workflows?type={'x' * 3_000}", None),
}
EMPTY = ("bounds out of order", "bounds before the epoch")


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_is_refused(what: str) -> None:
    target, body = FOUND[what]
    path, _, query = target.partition("?")
    content = b"" if body is None else json.dumps(body).encode()
    with deployment() as deployed:
        prepare(deployed)
        answer = deployed.request("GET" if body is None else "POST", path, query=query, body=content)
        if what in EMPTY:
            assert (answer.status, answer.body) == (200, {"executions": []})
        else:
            assert (answer.status, answer.body["error"]["code"]) == (400, "INVALID_ARGUMENT")
        assert not answer.changes
        assert not deployed.failing()
