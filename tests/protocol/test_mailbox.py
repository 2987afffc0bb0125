"""Answers of workers that do not fit into the item that they are laid down in."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import pytest

from durability._aws import items
from durability._aws.mailbox import Mailbox, Request, read_request
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


class WithAQueue:
    """Keeps the message that is sent to a queue; everything else goes to AWS."""

    def __init__(self, caller: TwiceCaller) -> None:
        self.caller = caller
        self.message = ""

    async def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if service == "sqs":
            self.message = parameters["MessageBody"]
            return {}
        return await self.caller.call(service, operation, **parameters)

    async def close(self) -> None: ...


async def test_an_update_that_waits_leaves_a_mark_until_it_is_answered(caller: TwiceCaller, table: str) -> None:
    mark = items.asked_key("default", "w", uuid.uuid4().hex)
    with_queue = WithAQueue(caller)
    mailbox = Mailbox(with_queue, table, patience=20)
    asking = asyncio.create_task(mailbox.ask("url", UPDATE, "queue", mark=mark))
    assert not await mailbox.is_marked(mark)
    async with asyncio.timeout(10):
        while not await mailbox.is_marked(mark):  # noqa: ASYNC110 - there is nothing else to ask
            await asyncio.sleep(0.05)
    request = read_request(with_queue.message)
    assert request is not None
    await mailbox.answer(request, updates.encode_answer(UpdateAnswer()))
    await asking
    assert not await mailbox.is_marked(mark)
