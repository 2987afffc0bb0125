"""Activities that are completed from outside, over HTTP."""

from __future__ import annotations

import base64

import pytest

from durability.client import Client, RPCError, WorkflowFailureError
from durability.exceptions import ActivityError, ApplicationError
from durability.service import RPCStatusCode

from .conftest import Api, Asking

IDS = {"workflow_id": "asking", "activity_id": "ask"}


async def begun(api: Api) -> None:
    """Start the workflow and wait until its activity's attempt is under way."""
    await api.post("/workflows", json={"workflow_type": "Asking", "workflow_id": "asking"})
    for _ in range(1000):
        if (await api.post("/activities/heartbeat", json={**IDS, "details": [1]})).status_code == 200:
            return
    raise AssertionError("the attempt does not begin")


async def test_completed(api: Api) -> None:
    await begun(api)
    response = await api.post("/activities/completed", json={**IDS, "result": {"answer": 42}})
    assert (response.status_code, response.json()) == (200, {"cancel_requested": False})
    result = await api.get("/workflows/asking/result?wait=20")
    assert result.json()["result"] == {"answer": 42}
    assert (await api.post("/activities/completed", json=IDS)).status_code == 404


async def test_failed(api: Api) -> None:
    await begun(api)
    failure = {"message": "no", "applicationFailureInfo": {"type": "Closed"}}
    assert (await api.post("/activities/failed", json={**IDS, "failure": failure})).status_code == 200
    body = (await api.get("/workflows/asking/result?wait=20")).json()
    assert body["failure"]["cause"]["applicationFailureInfo"]["type"] == "Closed"


async def test_errors(api: Api) -> None:
    await begun(api)
    assert (await api.post("/activities/done", json=IDS)).status_code == 404
    assert (await api.post("/activities/completed", json={})).status_code == 400
    assert (await api.post("/activities/canceled", json=IDS)).status_code == 400
    assert (await api.post("/activities/completed", json={"task_token": "wQ=="})).status_code == 400
    no_text = base64.b64encode(b"\x95\xa1\xc2\xa0\xa0\x01\x01").decode()
    assert (await api.post("/activities/completed", json={"task_token": no_text})).status_code == 400


async def test_the_client_does_the_same_over_http(client: Client, api: Api) -> None:
    handle = await client.start_workflow(Asking.run, id="asking", task_queue="q")
    await begun(api)
    answer = client.get_async_activity_handle(workflow_id="asking", run_id=None, activity_id="ask")
    await answer.heartbeat("alive")
    with pytest.raises(RPCError) as caught:
        await answer.report_cancellation()
    assert caught.value.status == RPCStatusCode.INVALID_ARGUMENT
    await answer.fail(ApplicationError("no", type="Closed"))
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, ActivityError)
    assert isinstance(failed.value.cause.cause, ApplicationError)
    assert failed.value.cause.cause.type == "Closed"
