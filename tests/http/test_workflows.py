"""Operations on workflows over HTTP, against the engine in memory."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest

from durability._http.requests import BODY_LIMIT
from durability._memory.cloud import MemoryCloud
from durability._rest.bodies import decode_segment, encode_segment
from durability._runtime.frontend import ListFilter

from .conftest import Api

ORDER = {"item": "tea"}


async def start(api: Api, **body: Any) -> dict[str, Any]:
    response = await api.post("/workflows", json={"workflow_type": "Shop", "args": [ORDER, 1], **body})
    assert response.status_code == 201, response.text
    return dict(response.json())


async def count(cloud: MemoryCloud) -> int:
    return len((await cloud.gateway.list(ListFilter())).executions)


def error(response: Any, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.json()["error"]["code"] == code
    return str(response.json()["error"]["message"])


async def test_a_workflow_from_start_to_result(api: Api) -> None:
    started = await start(api, workflow_id="order 1/ü", memo={"a": [1]}, search_attributes={"Customer": "c1"})
    assert started["status"] == "running"
    path = f"/workflows/{encode_segment('order 1/ü')}"
    running = await api.get(f"{path}/result")
    assert running.status_code == 202
    assert (await api.get(path)).json()["memo"] == {"a": [1]}
    assert (await api.post(f"{path}/signals/note", json={"args": ["hot"]})).status_code == 202
    result = await api.get(f"{path}/result?wait=5")
    assert result.status_code == 200
    assert result.json()["result"] == {"item": "tea", "notes": ["hot"]}
    described = (await api.get("/workflows/order%201%2F%C3%BC")).json()
    assert described["status"] == "completed"
    assert described["search_attributes"] == {"Customer": "c1"}


@pytest.mark.parametrize("value", [None, 1, "x", [1, {"a": None}], {"deep": [True]}])
async def test_start_and_wait_gives_the_result(api: Api, value: Any) -> None:
    response = await api.post("/workflows", json={"workflow_type": "Answer", "args": [value], "wait": 5})
    assert response.status_code == 200
    assert response.json()["result"] == value


async def test_start_and_wait_in_vain_says_that_it_is_running(api: Api) -> None:
    response = await api.post("/workflows", json={"workflow_type": "Sleeper", "wait": 0.05})
    assert response.status_code == 202
    assert response.json()["status"] == "running"


async def test_a_failure_is_told_with_its_causes(api: Api) -> None:
    started = await start(api, workflow_id="a")
    await api.post("/workflows/a/terminate", json={"reason": "enough"})
    outcome = (await api.get(f"/workflows/a/result?wait=5&run_id={started['run_id']}")).json()
    assert outcome["status"] == "terminated"
    assert outcome["failure"]["message"] == "enough"


async def test_cancel_reaches_the_workflow(api: Api) -> None:
    await api.post("/workflows", json={"workflow_type": "Sleeper", "workflow_id": "s"})
    assert (await api.post("/workflows/s/cancel")).status_code == 202
    assert (await api.get("/workflows/s/result?wait=5")).json()["status"] == "canceled"


async def test_a_repeated_start_with_the_same_key_starts_once(api: Api, cloud: MemoryCloud) -> None:
    body = {"workflow_type": "Sleeper"}
    first = await api.post("/workflows", json=body, headers={"Idempotency-Key": "k"})
    second = await api.post("/workflows", json=body, headers={"Idempotency-Key": "k"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["run_id"] == second.json()["run_id"]
    assert second.json()["existing"]
    assert await count(cloud) == 1


async def test_a_repeated_signal_with_the_same_key_counts_once(api: Api) -> None:
    await start(api, workflow_id="a", args=[ORDER, 3])
    for key in ("k", "k", "l"):
        await api.post("/workflows/a/signals/note", json={"args": [key]}, headers={"Idempotency-Key": key})
    assert (await api.get("/workflows/a/queries/noted")).json()["result"] == ["k", "l"]


async def test_queries(api: Api) -> None:
    await start(api, workflow_id="a", args=[ORDER, 3])
    await api.post("/workflows/a/signals/note", json={"args": ["hot"]})
    assert (await api.post("/workflows/a/queries/noted", json={"args": ["h"]})).json()["result"] == ["hot"]
    assert (await api.get('/workflows/a/queries/noted?args=["x"]')).json()["result"] == []
    as_payload = (await api.get("/workflows/a/queries/noted?payloads=true")).json()["payload"]
    assert base64.b64decode(as_payload["data"]) == b'["hot"]'
    assert error(await api.get('/workflows/a/queries/noted?args=["!"]'), 422, "QUERY_FAILED") == "no such prefix"
    assert "unheard" in error(await api.get("/workflows/a/queries/unheard"), 422, "QUERY_FAILED")


async def test_payloads_are_taken_as_they_are(api: Api) -> None:
    data = base64.b64encode(b"\xff\0").decode()
    payload = {"metadata": {"encoding": base64.b64encode(b"binary/plain").decode()}, "data": data}
    body = {"workflow_type": "Answer", "payloads": [payload], "wait": 5}
    answer = (await api.post("/workflows", json=body)).json()
    assert "result" not in answer
    assert answer["payload"] == payload


async def test_history_as_events_and_as_records(api: Api) -> None:
    await api.post("/workflows", json={"workflow_type": "Answer", "workflow_id": "a", "wait": 5})
    events = (await api.get("/workflows/a/history")).json()["events"]
    assert [event["eventType"] for event in events][-1] == "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED"
    assert len((await api.get("/workflows/a/history?view=deltas")).json()["deltas"]) == 1
    error(await api.get("/workflows/a/history?view=x"), 400, "INVALID_ARGUMENT")


async def test_listing(api: Api) -> None:
    for number in range(3):
        await start(api, workflow_id=f"w{number}")
    await api.post("/workflows", json={"workflow_type": "Sleeper"})
    page = (await api.get("/workflows?type=Shop&status=running&page_size=2")).json()
    rest = (await api.get("/workflows", params={"type": "Shop", "page_token": page["next_page_token"]})).json()
    assert [len(page["executions"]), len(rest["executions"])] == [2, 1]
    later = (await api.get("/workflows?started_after=2999-01-01T00:00:00Z")).json()
    assert later["executions"] == []


BAD_STARTS: list[tuple[Any, str]] = [
    ({"workflow_type": "Nothing"}, "Answer, Asking, Caller, Shop, Sleeper"),
    ({}, "workflow_type"),
    ({"workflow_type": "Shop"}, "takes 2 arguments, but 0"),
    ({"workflow_type": "Shop", "args": [ORDER, 1, 2]}, "but 3"),
    ({"workflow_type": "Shop", "args": ["tea", 1]}, "argument 1 of 'Shop' does not fit the type Order"),
    ({"workflow_type": "Shop", "args": [{"item": 5}, 1]}, "argument 1"),
    ({"workflow_type": "Shop", "args": [ORDER, "many"]}, "argument 2 of 'Shop' does not fit the type int"),
    ({"workflow_type": "Answer", "args": [1], "payloads": [{}]}, "not both"),
    ({"workflow_type": "Answer", "payloads": [{"data": "***"}]}, "does not fit"),
    ({"workflow_type": "Answer", "workflow_id": ""}, "the workflow id is empty"),
    ({"workflow_type": "Answer", "workflow_id": "a\nb"}, "control characters"),
    ({"workflow_type": "Answer", "workflow_id": "x" * 1001}, "1001 bytes"),
    ({"workflow_type": "Answer", "wait": 26}, "wait"),
    ({"workflow_type": "Answer", "run_timeout": -1}, "run_timeout"),
    ({"workflow_type": "Answer", "typo": 1}, "typo"),
    ({"workflow_type": "Answer", "retry_policy": {"backoff_coefficient": 0.5}}, "backoff_coefficient"),
    ({"workflow_type": "Answer", "id_reuse_policy": "maybe"}, "id_reuse_policy"),
    ([], "object"),
    ("Shop", "object"),
]


@pytest.mark.parametrize(("body", "says"), BAD_STARTS)
async def test_a_bad_start_is_refused_and_starts_nothing(api: Api, cloud: MemoryCloud, body: Any, says: str) -> None:
    message = error(await api.post("/workflows", json=body), 400, "INVALID_ARGUMENT")
    assert says in message
    assert await count(cloud) == 0


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'{"workflow_type": }', b'{"args": ' + b"[" * 100_000])
async def test_malformed_json_is_refused(api: Api, cloud: MemoryCloud, content: bytes) -> None:
    response = await api.post("/workflows", content=content, headers={"content-type": "application/json"})
    assert "JSON" in error(response, 400, "INVALID_ARGUMENT")
    assert await count(cloud) == 0


async def test_oversized_bodies_and_payloads_are_refused(api: Api, cloud: MemoryCloud) -> None:
    large = {"workflow_type": "Answer", "args": ["x" * BODY_LIMIT]}
    error(await api.post("/workflows", json=large), 413, "PAYLOAD_TOO_LARGE")
    payload = {"workflow_type": "Answer", "args": ["x" * 2_200_000]}
    assert "2,097,152" in error(await api.post("/workflows", json=payload), 413, "PAYLOAD_TOO_LARGE")

    async def endless() -> Any:
        while True:
            yield b" " * 100_000

    error(await api.post("/workflows", content=endless()), 413, "PAYLOAD_TOO_LARGE")
    assert await count(cloud) == 0
    await start(api, workflow_id="a")
    signal = await api.post("/workflows/a/signals/note", json={"args": ["x" * 2_200_000]})
    error(signal, 413, "PAYLOAD_TOO_LARGE")
    assert (await api.get("/workflows/a/queries/noted")).json()["result"] == []


async def test_another_media_type_is_refused(api: Api) -> None:
    response = await api.post("/workflows", content=b"<a/>", headers={"content-type": "text/xml"})
    error(response, 415, "UNSUPPORTED_MEDIA_TYPE")


async def test_unknown_and_closed_workflows(api: Api) -> None:
    for method, path in [
        ("GET", "/workflows/none"),
        ("GET", "/workflows/none/result"),
        ("GET", "/workflows/none/history"),
        ("POST", "/workflows/none/signals/note"),
        ("POST", "/workflows/none/cancel"),
        ("POST", "/workflows/none/terminate"),
        ("GET", "/workflows/none/queries/noted"),
    ]:
        assert "none" in error(await api.request(method, path), 404, "NOT_FOUND")
    await api.post("/workflows", json={"workflow_type": "Answer", "workflow_id": "a", "wait": 5})
    before = (await api.get("/workflows/a/history")).json()
    assert "completed" in error(await api.post("/workflows/a/signals/note"), 404, "NOT_FOUND")
    assert (await api.get("/workflows/a/history")).json() == before
    error(await api.get("/workflows/a?run_id=none"), 400, "INVALID_ARGUMENT")
    error(await api.get(f"/workflows/a?run_id={uuid.uuid4()}"), 404, "NOT_FOUND")


async def test_an_id_in_use_is_a_conflict(api: Api) -> None:
    started = await start(api, workflow_id="a")
    response = await api.post("/workflows", json={"workflow_type": "Sleeper", "workflow_id": "a"})
    error(response, 409, "ALREADY_EXISTS")
    assert response.json()["error"]["details"]["run_id"] == started["run_id"]
    body = {"workflow_type": "Sleeper", "workflow_id": "a", "id_conflict_policy": "use_existing"}
    assert (await api.post("/workflows", json=body)).json()["run_id"] == started["run_id"]


@pytest.mark.parametrize(
    "path",
    [
        "/workflows?status=asleep",
        "/workflows?page_size=0",
        "/workflows?page_size=x",
        "/workflows?started_after=today",
        "/workflows/a/result?wait=26",
        "/workflows/a/result?wait=nan",
        "/workflows/a?payloads=perhaps",
        "/workflows/~***",
        "/workflows/a%00b",
        "/workflows/%FF",
        "/workflows/a/queries/noted?args={",
        "/workflows/a/queries/noted?args={}",
    ],
)
async def test_bad_parameters_are_refused(api: Api, path: str) -> None:
    error(await api.get(path), 400, "INVALID_ARGUMENT")


async def test_what_is_not_there_and_what_is_not_possible(api: Api) -> None:
    error(await api.get("/"), 404, "NOT_FOUND")
    error(await api.get("/workflows/a/b/c/d"), 404, "NOT_FOUND")
    response = await api.put("/workflows/a")
    error(response, 405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "GET, DELETE"
    assert (await api.get("/health")).json()["status"] == "ok"


@pytest.mark.parametrize("value", ["a", "a.b:c@d-e_f", "", ".", "..", "~", "a/b", "ü %41", "x" * 1000, "{}?#&+"])
def test_every_id_survives_a_path(value: str) -> None:
    assert "/" not in encode_segment(value)
    assert decode_segment(encode_segment(value)) == value


async def test_deleting(api: Api, cloud: MemoryCloud) -> None:
    await start(api, workflow_id="a")
    assert (await api.delete("/workflows/a")).json() == {"accepted": True}
    error(await api.get("/workflows/a"), 404, "NOT_FOUND")
    error(await api.delete("/workflows/a"), 404, "NOT_FOUND")
    assert await count(cloud) == 0
