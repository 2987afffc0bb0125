"""Runs that end just when somebody was about to end them: their ends are as good."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from durability._runtime.frontend import StartRequest, Status
from durability._runtime.gateway import Gateway
from durability._runtime.ports import Head, HistoryStore, WorkflowKey
from durability._runtime.starting import CONFLICT_TERMINATE_EXISTING
from tests.protocol.programs import Patient
from tests.protocol.simulation import Simulation


class EndsMeanwhile:
    """A store whose open run comes to its end as soon as its head has been read, by ``method``."""

    def __init__(self, simulation: Simulation, store: Any, method: str) -> None:
        self._simulation = simulation
        self._store = store
        self._method = method

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name != self._method:
            return method

        async def read(*arguments: Any) -> Head | None:
            head: Head | None = await method(*arguments)
            if head is not None and head.open:
                await self._simulation.signal("w", "poke", "now", request_id="now")
                assert await self._simulation.result("w") == ["now"]
            return head

        return read


def play(method: str, scenario: Any) -> None:
    async def body(simulation: Simulation) -> None:
        await simulation.start(Patient, id="w")

        async def call(gateway: Gateway) -> None:
            store = EndsMeanwhile(simulation, gateway.store, method)
            await scenario(dataclasses.replace(gateway, store=cast(HistoryStore, store)))

        await simulation.client(call)

    Simulation([Patient], []).run(body)


@pytest.mark.parametrize("update_id", ["", "update"], ids=["start", "update with start"])
def test_a_start_that_was_to_terminate_a_run_that_has_just_ended_goes_on(update_id: str) -> None:
    async def scenario(gateway: Gateway) -> None:
        request = StartRequest(
            workflow_id="w",
            workflow_type="Patient",
            task_queue="queue",
            arguments=[],
            request_id="second",
            id_conflict_policy=CONFLICT_TERMINATE_EXISTING,
        )
        started = await gateway.start(request, update_id=update_id)
        assert not started.existing
        assert (await gateway.describe("w", started.run_id)).status == Status.RUNNING

    play("create", scenario)


def test_a_run_that_ends_when_it_is_about_to_be_terminated_is_deleted() -> None:
    async def scenario(gateway: Gateway) -> None:
        await gateway.delete("w", None)
        assert await gateway.store.head(WorkflowKey(gateway.namespace, "w")) is None

    play("head", scenario)
