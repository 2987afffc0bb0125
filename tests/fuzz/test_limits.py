"""What no item or key can hold is refused before anything is recorded: no run is stuck because of it."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from durability import activity, workflow
from durability._aws.dynamodb import DynamoDBStore
from durability._aws.message_items import SPILL_FROM
from durability._memory.payloads import MemoryPayloadStore
from durability._runtime.frontend import Outcome, Status
from durability._simulation.table import Table, TableCaller
from durability.common import RetryPolicy
from durability.exceptions import ActivityError, ApplicationError, ChildWorkflowError, FailureError
from tests.fuzz.deployment import Deployment, deployment
from tests.protocol.simulation import Simulation

_random = random.Random(4)
NOISE = "".join(
    _random.choice("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZäöüß€") for _ in range(600_000)
)
LONG = "x" * 1_001


@activity.defn
async def boom() -> None:
    raise ApplicationError(NOISE, type="Boom")


@workflow.defn
class Failing:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError(NOISE, type="Boom", non_retryable=True)


@workflow.defn
class Limits:
    @workflow.run
    async def run(self, what: str) -> str:
        try:
            await self._do(what)
        except FailureError as error:
            cause = error.cause if isinstance(error, ActivityError | ChildWorkflowError) else error
            assert isinstance(cause, ApplicationError)
            return f"{cause.type} {cause.message[:10]}"
        return "done"

    async def _do(self, what: str) -> None:
        seconds = timedelta(seconds=10)
        once, twice = RetryPolicy(maximum_attempts=1), RetryPolicy(maximum_attempts=2)
        elsewhere = workflow.get_external_workflow_handle
        match what:
            case "a message of a dispatched activity":
                await workflow.execute_activity(
                    boom, start_to_close_timeout=seconds, heartbeat_timeout=seconds, retry_policy=once
                )
            case "messages of a dispatched activity's attempts":
                await workflow.execute_activity(
                    boom, start_to_close_timeout=seconds, heartbeat_timeout=seconds, retry_policy=twice
                )
            case "messages of an eager activity's attempts":
                await workflow.execute_activity(boom, start_to_close_timeout=seconds, retry_policy=twice)
            case "a child's message":
                await workflow.execute_child_workflow(Failing.run, id="child", retry_policy=twice)
            case "a child's id":
                await workflow.execute_child_workflow(Failing.run, id=LONG)
            case "a child's type":
                await workflow.execute_child_workflow(LONG, id="child")
            case "a child's task queue":
                await workflow.execute_child_workflow(Failing.run, id="child", task_queue=LONG)
            case "a child's memo":
                await workflow.execute_child_workflow(Failing.run, id="child", memo={NOISE: 1})
            case "another workflow's id":
                await elsewhere(LONG).signal("s")
            case "an id in four bytes a character":
                await elsewhere("\U0001f600" * 251).cancel()
            case "a signal's name":
                await elsewhere("w").signal(LONG)
            case "an activity's type":
                await workflow.execute_activity(LONG, start_to_close_timeout=seconds)
            case "an activity's id":
                await workflow.execute_activity(boom, activity_id=LONG, start_to_close_timeout=seconds)
            case "a memo":
                workflow.upsert_memo({NOISE[n * 500 : n * 500 + 500]: n for n in range(1_000)})
                await workflow.sleep(1)
            case "the next run's memo":
                workflow.continue_as_new("done", memo={NOISE: 1})


TEXTS = [
    "a message of a dispatched activity",
    "messages of a dispatched activity's attempts",
    "messages of an eager activity's attempts",
    "a child's message",
]
REFUSED = {
    "a child's id": "1001 bytes",
    "a child's type": "1001 bytes",
    "a child's task queue": "1001 bytes",
    "a child's memo": "StartChildWorkflowExecutionInitiated",
    "another workflow's id": "1001 bytes",
    "an id in four bytes a character": "1004 bytes",
    "a signal's name": "1001 bytes",
    "an activity's type": "1001 bytes",
    "an activity's id": "1001 bytes",
    "a memo": "memo with the search attributes",
    "the next run's memo": "WorkflowExecutionContinuedAsNew",
}


def world() -> Simulation:
    store = DynamoDBStore(TableCaller(Table(lambda: 0)), "table")
    return Simulation([Limits, Failing], [boom], other_store=store)


@pytest.mark.parametrize("what", TEXTS)
def test_texts_of_failures_are_cut_to_what_an_item_can_hold(what: str) -> None:
    simulated = world()

    async def scenario(running: Simulation) -> Any:
        await running.start(Limits, what)
        return await running.result(within=60)

    assert simulated.run(scenario) == f"Boom {NOISE[:10]}"
    assert not simulated.errors


@pytest.mark.parametrize(("what", "told"), REFUSED.items())
def test_a_decision_that_cannot_be_carried_out_fails_the_workflow_task_alone(what: str, told: str) -> None:
    simulated = world()

    async def scenario(running: Simulation) -> Outcome:
        await running.start(Limits, what)
        await running.until(lambda: any(told in text for text in shown))
        await running.client(lambda gateway: gateway.terminate("w", None))
        return await running.outcome(within=60)

    shown: list[str] = []
    store = simulated.other_store
    assert isinstance(store, DynamoDBStore)
    caller = store._requests.caller
    assert isinstance(caller, TableCaller)
    caller.table.observers.append(lambda key, before, after: shown.append(str((after or {}).get("task_failure", ""))))
    outcome = simulated.run(scenario)
    assert outcome.status == Status.TERMINATED
    assert not simulated.errors


# --- what clients send ----------------------------------------------------------------------------------------------


def start(deployed: Deployment, **body: Any) -> Any:
    return deployed.post("/workflows", {"workflow_type": "Answer", "workflow_id": "w", "args": [1], **body})


def test_a_refused_start_leaves_nothing_behind() -> None:
    with deployment() as deployed:
        assert start(deployed).status == 201
        refused = start(deployed, args=[NOISE[: 3 * SPILL_FROM]], id_reuse_policy="reject_duplicate")
        assert (refused.status, refused.body["error"]["code"]) == (409, "ALREADY_EXISTS")
        assert "m#" not in str(sorted(deployed.table.partitions["default#w"]))


def test_a_start_that_no_head_can_hold_is_refused_and_leaves_nothing_behind() -> None:
    with deployment() as deployed:
        refused = start(deployed, memo={NOISE[n * 500 : n * 500 + 500]: n for n in range(900)})
        assert (refused.status, refused.body["error"]["code"]) == (400, "INVALID_ARGUMENT")
        assert not any(deployed.table.partitions.values())


def test_a_large_message_with_the_longest_name_is_kept() -> None:
    with deployment() as deployed:
        assert start(deployed, workflow_type="Shop", args=[{"item": "tea"}, 1]).status == 201
        text = NOISE[: 3 * SPILL_FROM]
        assert deployed.post("/workflows/w/signals/note", {"args": [text], "request_id": "r" * 1_000}).status == 202
        assert deployed.request("GET", "/workflows/w/result").body["result"]["notes"] == [text]
        assert isinstance(deployed.cloud.engine.payload_store, MemoryPayloadStore)
        assert not deployed.failing()
