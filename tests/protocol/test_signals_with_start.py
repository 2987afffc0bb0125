"""A workflow's signal-with-start that is carried out again, after whatever has become of it the first time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durability._runtime.frontend import Started, StartRequest, Status
from durability._runtime.starting import CONFLICT_TERMINATE_EXISTING, CONFLICT_USE_EXISTING
from tests.protocol.programs import Patient, Race
from tests.protocol.simulation import Created, Simulation


def play(scenario: Any) -> Simulation:
    simulation = Simulation([Patient, Race], [])
    simulation.run(scenario)
    return simulation


class Decision:
    """One that has been made durable, and may be carried out any number of times."""

    def __init__(self, simulation: Simulation, workflow: str, *arguments: Any, policy: int) -> None:
        self._simulation = simulation
        self._decided = simulation.loop.milliseconds()
        self._request = StartRequest(
            workflow_id="target",
            workflow_type=workflow,
            task_queue="queue",
            arguments=simulation.payloads(*arguments),
            request_id="sender:signal-with-start:1",
            id_conflict_policy=policy,
            signal_name="poke",
            signal_arguments=simulation.payloads("sent"),
        )

    async def carry_out(self) -> Started:
        started: Started = await self._simulation.client(
            lambda gateway: gateway.start_as(self._request, parent=None, root=None, decided=self._decided)
        )
        return started


def runs(simulation: Simulation) -> int:
    return sum(isinstance(entry, Created) and entry.key.workflow_id == "target" for entry in simulation.log)


@pytest.mark.parametrize("policy", [CONFLICT_USE_EXISTING, CONFLICT_TERMINATE_EXISTING])
@pytest.mark.parametrize("another", [False, True], ids=["closed", "closed and followed by another"])
def test_what_it_started_is_found_again(policy: int, another: bool) -> None:
    async def scenario(simulation: Simulation) -> None:
        decision = Decision(simulation, "Patient", policy=policy)
        first = await decision.carry_out()
        assert await simulation.result("target") == ["sent"]
        if another:
            await asyncio.sleep(1000)
            await simulation.start(Race, 2, id="target", request_id="another")
        again = await decision.carry_out()
        assert again.run_id == first.run_id
        if another:
            assert (await simulation.client(lambda gateway: gateway.describe("target", None))).status == Status.RUNNING

    assert runs(play(scenario)) == 1 + another


@pytest.mark.parametrize("ends", [False, True], ids=["still open", "ended since"])
def test_the_run_that_had_the_signal_is_found_again(ends: bool) -> None:
    async def scenario(simulation: Simulation) -> None:
        await simulation.start(Race, 2, id="target", request_id="existing")
        decision = Decision(simulation, "Patient", policy=CONFLICT_USE_EXISTING)
        first = await decision.carry_out()
        assert first.existing
        if ends:
            await simulation.signal("target", "poke", "other", request_id="other")
            assert await simulation.result("target") == ["other", "sent"]
        again = await decision.carry_out()
        assert again.run_id == first.run_id
        if not ends:
            await simulation.signal("target", "poke", "other", request_id="other")
            assert await simulation.result("target") == ["other", "sent"]

    assert runs(play(scenario)) == 1
