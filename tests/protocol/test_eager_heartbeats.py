"""What an eager activity told with its heartbeats reaches its next attempt, whatever became of the one before."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.common import RetryPolicy
from tests.protocol.invariants import check_all
from tests.protocol.simulation import Action, Simulation


@activity.defn
async def long_and_talkative() -> list[Any]:
    info = activity.info()
    if info.attempt == 1:
        for position in range(5):
            activity.heartbeat("at", position)
            await asyncio.sleep(2)
    return [info.attempt, *info.heartbeat_details]


@activity.defn
async def fails_after_talking() -> list[Any]:
    info = activity.info()
    if info.attempt == 1:
        activity.heartbeat("got", 3)
    if info.attempt < 3:
        raise RuntimeError("again")
    return [info.attempt, *info.heartbeat_details]


@activity.defn
async def too_slow_after_talking() -> list[Any]:
    info = activity.info()
    if info.attempt == 1:
        activity.heartbeat("late")
        await asyncio.sleep(100)
    return [info.attempt, *info.heartbeat_details]


@workflow.defn
class Talkative:
    @workflow.run
    async def run(self, name: str) -> list[Any]:
        return await workflow.execute_activity(
            name,
            start_to_close_timeout=timedelta(seconds=20),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100)),
            result_type=list[Any],
        )


def play(name: str, **faults: Any) -> tuple[list[Any], Simulation]:
    world = Simulation([Talkative], [long_and_talkative, fails_after_talking, too_slow_after_talking], **faults)

    async def scenario(world: Simulation) -> list[Any]:
        await world.start(Talkative, name)
        result: list[Any] = await world.result()
        return result

    result = world.run(scenario)
    check_all(world)
    return result, world


def heartbeats(world: Simulation) -> list[int]:
    """The points at which a heartbeat was written."""
    return [number for number, point in enumerate(world.points, 1) if "heartbeat" in point]


def test_details_survive_a_failed_attempt_and_cost_nothing() -> None:
    result, world = play("fails_after_talking")
    assert result == [3, "got", 3]
    assert not heartbeats(world)


def test_details_survive_a_timeout() -> None:
    result, world = play("too_slow_after_talking")
    assert result == [2, "late"]
    assert len(heartbeats(world)) == 1, "written when the run was released, as others count the attempt as lost"


def test_details_survive_the_death_of_the_process() -> None:
    result, world = play("long_and_talkative")
    assert result == [1]
    written = heartbeats(world)
    assert len(written) == 2, "ten seconds, one write in five"
    for number, point in enumerate(written):
        result, world = play("long_and_talkative", faults={point: Action.DIE_AFTER})
        assert world.happened
        assert result == [2, "at", [0, 3][number]]


def test_a_heartbeat_that_was_not_written_is_lost_with_the_process() -> None:
    _, world = play("long_and_talkative")
    result, world = play("long_and_talkative", faults={heartbeats(world)[0]: Action.DIE_BEFORE})
    assert world.happened
    assert result == [2]
