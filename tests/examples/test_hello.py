"""The smallest application, over HTTP as the README starts it."""

from __future__ import annotations

from examples.hello.app import app
from tests.examples.deployment import Deployment, play


def test_it_greets() -> None:
    async def scenario(deployment: Deployment) -> None:
        began = deployment.clock()
        start = {"workflow_type": "Greeting", "workflow_id": "greeting-1", "args": ["Ada"]}
        assert (await deployment.http.post("/workflows", json=start)).status_code == 201
        answer = await deployment.http.get("/workflows/greeting-1/result?wait=20")
        assert (answer.status_code, answer.json()["result"]) == (200, "Hello, Ada!")
        assert deployment.clock() - began >= 2

    play(app, scenario)


def test_it_can_be_cancelled() -> None:
    async def scenario(deployment: Deployment) -> None:
        start = {"workflow_type": "Greeting", "workflow_id": "greeting-1", "args": ["Ada"]}
        await deployment.http.post("/workflows", json=start)
        assert (await deployment.http.post("/workflows/greeting-1/cancel", json={})).status_code == 202
        answer = await deployment.http.get("/workflows/greeting-1/result?wait=20")
        assert answer.json()["status"] == "canceled"

    play(app, scenario)
