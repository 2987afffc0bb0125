"""The protocol on DynamoDB: the same programs, and what they cost in requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from durability._aws.dynamodb import DynamoDBStore
from tests.protocol.conftest import TwiceCaller
from tests.protocol.programs import ACTIVITIES, PROGRAMS, WORKFLOWS, Parallel, Program, Steps
from tests.protocol.simulation import Simulation


def on_dynamodb(store: DynamoDBStore, namespace: str, **named: Any) -> Simulation:
    return Simulation(WORKFLOWS, ACTIVITIES, other_store=store, namespace=namespace, **named)


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_programs_end_as_they_should(dynamodb: DynamoDBStore, namespace: str, program: Program) -> None:
    world = on_dynamodb(dynamodb, namespace)
    assert world.run(program.drive) == program.expected
    assert not world.errors


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_programs_end_as_they_should_when_answers_are_lost(
    dynamodb: DynamoDBStore, caller: TwiceCaller, namespace: str, program: Program
) -> None:
    """Every write is sent a second time, as the client library does when it did not hear the answer."""
    caller.lost = {"put_item", "update_item", "transact_write_items", "delete_item"}
    world = on_dynamodb(dynamodb, namespace)
    assert world.run(program.drive) == program.expected
    assert not world.errors


def test_a_request_per_step(dynamodb: DynamoDBStore, caller: TwiceCaller, namespace: str) -> None:
    assert cost(dynamodb, caller, namespace, Steps, 10) == {"put_item": 1 + 11, "query": 1, "update_item": 1}


def test_parallel_steps_share_requests(dynamodb: DynamoDBStore, caller: TwiceCaller, namespace: str) -> None:
    calls = cost(dynamodb, caller, namespace, Parallel, 100)
    assert sum(calls.values()) <= 100 / 10 + 5


def cost(store: DynamoDBStore, caller: TwiceCaller, namespace: str, workflow: type, size: int) -> Counter[str]:
    """The requests of a run, those of waiting for its result left out."""

    async def scenario(world: Simulation) -> Counter[str]:
        await world.start(workflow, size)
        await asyncio.sleep(60)
        return Counter(caller.calls)

    return on_dynamodb(store, namespace, reconciling=False).run(scenario)
