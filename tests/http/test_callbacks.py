"""Callback URLs: made in a workflow, called over HTTP, counted once."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from durability._http.requests import BODY_LIMIT
from durability.callbacks import CallbackAddress

from .conftest import Api, Clock, Secret


@pytest.fixture(autouse=True)
def real_time(clock: Clock) -> None:
    clock.now = time.time()


async def start(api: Api, workflow_id: str = "c", **body: Any) -> str:
    """Start a workflow that waits for a callback, and return the callback's path."""
    await api.post("/workflows", json={"workflow_type": "Caller", "workflow_id": workflow_id, **body})
    url = ""
    while not url:
        url = (await api.get(f"/workflows/{workflow_id}/queries/callback_url")).json()["result"]
    return url.removeprefix("http://api")


async def result(api: Api, workflow_id: str = "c") -> Any:
    await api.post(f"/workflows/{workflow_id}/signals/leave")
    return (await api.get(f"/workflows/{workflow_id}/result?wait=5")).json()["result"]


async def test_a_callback_brings_its_body_to_the_workflow(api: Api) -> None:
    path = await start(api)
    response = await api.post(path, json={"shipped": True})
    assert response.status_code == 200
    assert response.json() == {"accepted": True}
    assert await result(api) == [{"shipped": True}, True]


@pytest.mark.parametrize(
    ("content", "media_type", "value"),
    [
        (b"plain", "text/plain; charset=utf-8", "plain"),
        (b"a=1&b=", "application/x-www-form-urlencoded", {"a": "1", "b": ""}),
        (b"[1]", "application/cloudevents+json", [1]),
        (b"", "application/json", None),
    ],
)
async def test_bodies_of_several_kinds(api: Api, content: bytes, media_type: str, value: Any) -> None:
    path = await start(api)
    assert (await api.post(path, content=content, headers={"content-type": media_type})).status_code == 200
    assert await result(api) == [value, True]


async def test_get_brings_its_query_parameters(api: Api) -> None:
    path = await start(api)
    assert (await api.get(f"{path}?approved=yes")).status_code == 200
    assert await result(api) == [{"approved": "yes"}, True]


async def test_the_first_call_wins_and_a_replay_changes_nothing(api: Api) -> None:
    path = await start(api)
    await api.post(path, json="first")
    replay: dict[str, Any] = {}
    while not replay.get("duplicate"):  # until the workflow has consumed the first one
        replay = (await api.post(path, json="second")).json()
    assert replay == {"accepted": True, "duplicate": True}
    assert await result(api) == ["first", True]
    history = (await api.get("/workflows/c/history")).json()["events"]
    signals = [event for event in history if event["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"]
    assert len(signals) == 2  # the callback and "leave"


async def test_a_callback_survives_continue_as_new(api: Api) -> None:
    path = await start(api, args=[2, None])
    while (await api.get("/workflows/c")).json()["run_id"] == (await api.get("/workflows/c")).json()["first_run_id"]:
        pass
    assert (await api.post(path, json=1)).status_code == 200
    assert await result(api) == [1, True]


async def test_a_callback_does_not_reach_a_later_workflow_with_the_same_id(api: Api) -> None:
    path = await start(api)
    await api.post("/workflows/c/terminate")
    await api.get("/workflows/c/result?wait=5")
    other = await start(api)
    response = await api.post(path, json="stale")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert (await api.post(other, json="fresh")).status_code == 200
    assert await result(api) == ["fresh", True]


async def test_a_closed_workflow_is_told(api: Api) -> None:
    path = await start(api)
    await api.post(path, json=1)
    await result(api)
    assert (await api.post(path, json=2)).json() == {"accepted": True, "duplicate": True}
    other = await start(api, "d")
    await api.post("/workflows/d/terminate")
    await api.get("/workflows/d/result?wait=5")
    response = await api.post(other, json=1)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")


def forge(path: str, **changes: Any) -> str:
    content, _, signature = path.removeprefix("/callbacks/").partition(".")
    fields = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    fields[1] = changes["workflow_id"]
    forged = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
    return f"/callbacks/{forged}.{signature}"


async def test_forged_tokens_are_refused_and_change_nothing(api: Api) -> None:
    path = await start(api)
    await start(api, "victim")
    tampered = path[:-2] + ("A" if path[-2] != "A" else "B") + path[-1]
    for bad in (forge(path, workflow_id="victim"), tampered, "/callbacks/x", "/callbacks/a.b", path.partition(".")[0]):
        response = await api.post(bad, json="forged")
        assert (response.status_code, response.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    address = CallbackAddress("default", "victim", "r", "n", "i")
    response = await api.post(f"/callbacks/{address.sign(b'another secret')}")
    assert response.status_code == 401
    elsewhere = CallbackAddress("other-namespace", "victim", "r", "n", "i")
    assert (await api.post(f"/callbacks/{elsewhere.sign(b'first secret')}")).status_code == 401
    for workflow_id in ("c", "victim"):
        events = (await api.get(f"/workflows/{workflow_id}/history")).json()["events"]
        assert not any("SIGNALED" in event["eventType"] for event in events)


async def test_an_expired_token_is_gone(api: Api, clock: Clock) -> None:
    path = await start(api)
    clock.now += 3601
    response = await api.post(path, json=1)
    assert (response.status_code, response.json()["error"]["code"]) == (410, "EXPIRED")


async def test_a_rotated_secret_keeps_old_urls_alive(api: Api, secret: Secret) -> None:
    path = await start(api)
    secret.current = [b"second secret", b"first secret"]
    assert (await api.post(path, json=1)).status_code == 200
    secret.current = [b"third secret", b"second secret"]
    assert (await api.post(path, json=1)).status_code == 401
    assert secret.refreshed == 1


async def test_a_malformed_body_is_refused_and_does_not_use_up_the_callback(api: Api) -> None:
    path = await start(api)
    headers = {"content-type": "application/json"}
    assert (await api.head(path)).status_code == 405
    assert (await api.post(path, content=b"{", headers=headers)).status_code == 400
    assert (await api.post(path, content=b"\xff", headers={"content-type": "text/plain"})).status_code == 400
    assert (await api.post(path, content=b"x", headers={"content-type": "image/png"})).status_code == 415
    assert (await api.post(path, content=b"x" * (BODY_LIMIT + 1), headers=headers)).status_code == 413
    await api.post(path, json="good")
    assert await result(api) == ["good", True]
