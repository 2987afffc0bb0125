"""Answers of workers that do not fit into the item that they are laid down in."""

from __future__ import annotations

import json
import uuid

import pytest

from durability._aws import items
from durability._aws.mailbox import Mailbox, Request
from durability._core.failure import Failure
from durability._core.payload import Payload
from durability._runtime import queries, updates
from durability._runtime.frontend import UpdateRequest, UpdateStage, UpdateState
from durability._runtime.queries import QueryAnswer, WorkflowQuery
from durability._runtime.updates import UpdateAnswer
from durability.service import RPCError, RPCStatusCode
from tests.protocol.conftest import TwiceCaller

LARGE = Payload({"encoding": b"binary/plain"}, b"x" * 500_000)
QUERY = queries.encode(WorkflowQuery("w", "", "name", []))
REQUEST = UpdateRequest(workflow_id="w", update_id="u", name="name", arguments=[])
UPDATE = updates.encode(REQUEST)


async def answered(caller: TwiceCaller, table: str, event: bytes, answer: dict[str, str]) -> bytes:
    """What the asker finds."""
    reply = uuid.uuid4().hex
    await Mailbox(caller, table).answer(Request(json.loads(event), reply, 2**40), answer)
    found = await caller.call("dynamodb", "get_item", TableName=table, Key=items.reply_key(reply))
    return bytes(found["Item"]["answer"]["B"])


async def test_the_answer_to_a_query(caller: TwiceCaller, table: str) -> None:
    answer = await answered(caller, table, QUERY, queries.encode_answer(QueryAnswer(result=LARGE)))
    with pytest.raises(RPCError, match=r"the answer has .* return less") as caught:
        queries.read_answer(answer)
    assert caught.value.status == RPCStatusCode.RESOURCE_EXHAUSTED


async def test_the_result_of_an_update_is_left_to_be_read_from_the_history(caller: TwiceCaller, table: str) -> None:
    state = UpdateState(workflow_id="w", run_id="run", update_id="u", stage=UpdateStage.COMPLETED, result=LARGE)
    answer = await answered(caller, table, UPDATE, updates.encode_answer(UpdateAnswer(state=state)))
    found = updates.read_answer(REQUEST, answer).state
    assert found is not None
    assert (found.stage, found.result, found.run_id) == (UpdateStage.ACCEPTED, None, "run")


async def test_the_failure_of_an_update(caller: TwiceCaller, table: str) -> None:
    failed = Failure(message="x" * 500_000)
    state = UpdateState(workflow_id="w", run_id="run", update_id="u", stage=UpdateStage.COMPLETED, failure=failed)
    answer = await answered(caller, table, UPDATE, updates.encode_answer(UpdateAnswer(state=state)))
    with pytest.raises(RPCError, match="the answer has") as caught:
        updates.read_answer(REQUEST, answer)
    assert caught.value.status == RPCStatusCode.RESOURCE_EXHAUSTED
