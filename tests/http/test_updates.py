"""Updates over HTTP: by themselves, and through the client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durability.client import (
    Client,
    RPCError,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from durability.common import WorkflowIDConflictPolicy
from durability.exceptions import ApplicationError, WorkflowAlreadyStartedError

from .conftest import Api, Order, Shop

ORDER: dict[str, Any] = {"workflow_type": "Shop", "args": [{"item": "tea"}, 9]}


async def test_an_update_is_waited_for(api: Api) -> None:
    await api.post("/workflows", json={**ORDER, "workflow_id": "w"})
    response = await api.post("/workflows/w/updates/add", json={"args": ["first"]})
    assert response.status_code == 200
    body = response.json()
    assert (body["stage"], body["result"]) == ("completed", 1)
    again = await api.post("/workflows/w/updates/add", json={"args": ["x"], "update_id": body["update_id"]})
    assert again.json()["result"] == 1


async def test_an_update_that_takes_time_is_fetched_later(api: Api) -> None:
    await api.post("/workflows", json={**ORDER, "workflow_id": "w"})
    path = "/workflows/w/updates/wait_for"
    response = await api.post(path, json={"args": [1], "wait": 0}, headers={"Idempotency-Key": "u/1"})
    assert (response.status_code, response.json()["stage"]) == (202, "accepted")
    accepted = await api.post(path, json={"args": [1], "update_id": "u/1", "wait_for_stage": "accepted"})
    assert (accepted.status_code, accepted.json()["update_id"]) == (200, "u/1")
    await api.post("/workflows/w/updates/add", json={"args": ["first"]})
    result = await api.get("/workflows/w/updates/~dS8x/result?wait=5")
    assert (result.status_code, result.json()["result"]) == (200, ["first"])


async def test_a_rejection_is_an_outcome(api: Api) -> None:
    await api.post("/workflows", json={**ORDER, "workflow_id": "w"})
    response = await api.post("/workflows/w/updates/add", json={"args": [""]})
    assert response.status_code == 200
    assert response.json()["failure"]["applicationFailureInfo"]["type"] == "Empty"
    assert "result" not in response.json()


async def test_errors(api: Api) -> None:
    assert (await api.post("/workflows/none/updates/add", json={"args": ["x"]})).status_code == 404
    await api.post("/workflows", json={**ORDER, "workflow_id": "w"})
    assert (await api.get("/workflows/w/updates/none/result")).status_code == 404
    assert (await api.get("/workflows/w/updates/none/result?stage=begun")).status_code == 400
    start = {**ORDER, "workflow_id": "another"}
    assert (await api.post("/workflows/w/updates/add", json={"args": ["x"], "start": start})).status_code == 400


async def test_update_with_start(api: Api) -> None:
    start = {**ORDER, "id_conflict_policy": "use_existing"}
    first = await api.post("/workflows/w/updates/add", json={"args": ["a"], "start": start})
    second = await api.post("/workflows/w/updates/add", json={"args": ["b"], "start": start})
    assert (first.json()["result"], second.json()["result"]) == (1, 2)
    assert second.json()["existing"]
    failing = {"args": ["c"], "start": {**ORDER, "id_conflict_policy": "fail"}}
    assert (await api.post("/workflows/w/updates/add", json=failing)).status_code == 409


async def test_the_client_does_the_same_over_http(client: Client) -> None:
    start = WithStartWorkflowOperation(
        Shop.run,
        args=[Order("tea"), 3],
        id="w",
        task_queue="q",
        id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
    )
    waiting = await client.start_update_with_start_workflow(
        Shop.wait_for, 2, start_workflow_operation=start, wait_for_stage=WorkflowUpdateStage.ACCEPTED, id="first"
    )
    handle = await start.workflow_handle()
    result = asyncio.ensure_future(waiting.result())
    assert await handle.execute_update(Shop.add, "a") == 1
    assert await handle.execute_update(Shop.add, "b") == 2
    assert await result == ["a", "b"]
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(Shop.add, "")
    assert isinstance(caught.value.cause, ApplicationError)
    with pytest.raises(RPCError):
        await client.get_workflow_handle("nobody").execute_update("add", "x")
    refused = WithStartWorkflowOperation(
        Shop.run, args=[Order("tea"), 3], id="w", task_queue="q", id_conflict_policy=WorkflowIDConflictPolicy.FAIL
    )
    with pytest.raises(WorkflowAlreadyStartedError):
        await client.execute_update_with_start_workflow(Shop.add, "c", start_workflow_operation=refused)
