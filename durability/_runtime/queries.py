"""Queries on their way to a workflow function and back.

A query needs the user's code, so a client invokes the workflow function with it and waits. On the wire it is JSON
with the MessagePack of the request inside: Lambda takes JSON only.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import msgspec

from durability._core.failure import Failure
from durability._core.payload import Payload
from durability.service import RPCError, RPCStatusCode

EVENT_KEY: Final = "durability_query"
ANSWER_KEY: Final = "durability_answer"


class WorkflowQuery(msgspec.Struct, array_like=True):
    """What is asked of whom. An empty ``run_id`` is the current run."""

    workflow_id: str
    run_id: str
    name: str
    arguments: list[Payload]
    headers: dict[str, Payload] = {}


class QueryAnswer(msgspec.Struct, array_like=True):
    """A result, the failure of the handler, or an error with the number of its ``RPCStatusCode``."""

    result: Payload | None = None
    failure: Failure | None = None
    error: str = ""
    status: int = 0


class QueryFailedError(Exception):
    """The query's handler raised. ``failure`` is what it raised, in recorded form."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def encode(query: WorkflowQuery) -> bytes:
    """The event for the workflow function."""
    return json.dumps({EVENT_KEY: base64.b64encode(msgspec.msgpack.encode(query)).decode()}).encode()


def decode(event: dict[str, Any]) -> WorkflowQuery:
    """Read such an event."""
    return msgspec.msgpack.decode(base64.b64decode(event[EVENT_KEY]), type=WorkflowQuery)


def encode_answer(answer: QueryAnswer) -> dict[str, str]:
    """What the workflow function returns."""
    return {ANSWER_KEY: base64.b64encode(msgspec.msgpack.encode(answer)).decode()}


def read_answer(response: bytes) -> Payload | None:
    """The result of a query.

    Raises:
        QueryFailedError: The handler raised.
        RPCError: The query could not be asked.
    """
    decoded = json.loads(response)
    if not isinstance(decoded, dict) or ANSWER_KEY not in decoded:
        raise RPCError("the workflow function did not answer the query", RPCStatusCode.UNAVAILABLE, b"")
    answer = msgspec.msgpack.decode(base64.b64decode(decoded[ANSWER_KEY]), type=QueryAnswer)
    if answer.failure is not None:
        raise QueryFailedError(answer.failure)
    if answer.status:
        raise RPCError(answer.error, RPCStatusCode(answer.status), b"")
    return answer.result
