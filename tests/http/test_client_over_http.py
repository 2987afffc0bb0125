"""The client over the HTTP API: the same calls, results and errors as without it."""

from __future__ import annotations

import argparse
import socket
from datetime import timedelta
from typing import Any

import pytest

from durability.api.common.v1 import WorkflowExecution
from durability.api.operatorservice.v1 import ListSearchAttributesRequest
from durability.api.update.v1 import UpdateRef
from durability.api.workflowservice import v1
from durability.client import (
    Client,
    RPCError,
    RPCStatusCode,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHistory,
    WorkflowQueryFailedError,
)
from durability.client._history_command import add_command, history_text
from durability.client._http import HttpFrontend, _Signer
from durability.common import Priority, RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from durability.exceptions import TerminatedError, WorkflowAlreadyStartedError

from .conftest import Answer, Order, Shop, Sleeper

QUEUE = "default"


async def test_a_workflow_from_start_to_result(client: Client) -> None:
    key = SearchAttributeKey.for_keyword("Customer")
    handle = await client.start_workflow(
        Shop.run,
        args=[Order("tea"), 2],
        id="order/1 ü",
        task_queue=QUEUE,
        execution_timeout=timedelta(minutes=5),
        retry_policy=RetryPolicy(maximum_attempts=2),
        memo={"note": b"\xff"},
        search_attributes=TypedSearchAttributes([SearchAttributePair(key, "c1")]),
        priority=Priority(priority_key=2),
        static_summary="tea",
        start_signal="note",
        start_signal_args=["first"],
    )
    await handle.signal(Shop.note, "second")
    assert await handle.query(Shop.noted, "s") == ["second"]
    assert await handle.result() == {"item": "tea", "notes": ["first", "second"]}
    description = await handle.describe()
    assert description.status == WorkflowExecutionStatus.COMPLETED
    assert description.typed_search_attributes[key] == "c1"
    assert await description.memo() == {"note": b"\xff"}
    started = (await handle.fetch_history()).events[0]
    assert started.attributes["workflowExecutionTimeout"] == "300s"
    assert started.attributes["retryPolicy"]["maximumAttempts"] == 2
    assert [e.id async for e in client.list_workflows("ExecutionStatus = 'Completed'")] == ["order/1 ü"]


async def test_the_services(client: Client) -> None:
    handle = await client.start_workflow(Sleeper.run, id="s", task_queue=QUEUE)
    execution = WorkflowExecution(workflow_id="s", run_id=handle.result_run_id or "")
    described = await client.workflow_service.describe_workflow_execution(
        v1.DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    )
    assert described.workflow_execution_info.execution == execution
    history = await client.workflow_service.get_workflow_execution_history(
        v1.GetWorkflowExecutionHistoryRequest(namespace=client.namespace, execution=execution, maximum_page_size=1)
    )
    assert [event.event_id for event in history.history.events] == [1]
    with pytest.raises(RPCError, match='update "u" not found') as caught:
        await client.workflow_service.poll_workflow_execution_update(
            v1.PollWorkflowExecutionUpdateRequest(
                namespace=client.namespace, update_ref=UpdateRef(workflow_execution=execution, update_id="u")
            )
        )
    assert caught.value.status == RPCStatusCode.NOT_FOUND
    await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))


async def test_values_that_are_not_json_and_failures(client: Client) -> None:
    assert await client.execute_workflow(Answer.run, b"\0\xff", id="a", task_queue=QUEUE) == b"\0\xff"
    handle = await client.start_workflow(Sleeper.run, id="b", task_queue=QUEUE)
    with pytest.raises(WorkflowAlreadyStartedError) as taken:
        await client.start_workflow(Sleeper.run, id="b", task_queue=QUEUE)
    assert taken.value.run_id == handle.result_run_id
    await handle.terminate("why", reason="enough")
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, TerminatedError)
    assert (caught.value.cause.message, list(caught.value.cause.details)) == ("enough", ["why"])


async def test_errors_are_those_of_the_engine(client: Client) -> None:
    unknown = client.get_workflow_handle("none")
    with pytest.raises(RPCError, match="none") as caught:
        await unknown.signal("note", "x")
    assert caught.value.status == RPCStatusCode.NOT_FOUND
    with pytest.raises(RPCError, match="no workflow type") as caught:
        await client.start_workflow("Nothing", id="a", task_queue=QUEUE)
    assert caught.value.status == RPCStatusCode.INVALID_ARGUMENT
    with pytest.raises(RPCError, match="limit") as caught:
        await client.start_workflow("Answer", "x" * 2_200_000, id="a", task_queue=QUEUE)
    assert caught.value.status == RPCStatusCode.INVALID_ARGUMENT
    handle = await client.start_workflow(Shop.run, args=[Order("tea"), 1], id="a", task_queue=QUEUE)
    with pytest.raises(WorkflowQueryFailedError, match="no such prefix"):
        await handle.query(Shop.noted, "!")


async def test_a_url_that_is_not_the_api(unused_port: int) -> None:
    with pytest.raises(RPCError, match="cannot reach") as caught:
        await Client.connect(f"http://127.0.0.1:{unused_port}")
    assert caught.value.status == RPCStatusCode.UNAVAILABLE


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_requests_to_api_gateway_are_signed() -> None:
    frontend = HttpFrontend("https://abc.execute-api.eu-central-1.amazonaws.com/")
    assert isinstance(frontend._signer, _Signer)
    headers: Any = await frontend._signer.sign("GET", "https://abc.execute-api.eu-central-1.amazonaws.com/x", {}, b"")
    assert "/eu-central-1/execute-api/aws4_request" in headers["Authorization"]
    assert HttpFrontend("https://api.example.com")._signer is None
    assert HttpFrontend("https://abc.execute-api.eu-central-1.amazonaws.com", api_key="t")._signer is None


async def test_the_history_command(url: str, client: Client) -> None:
    await client.execute_workflow(Answer.run, "tea", id="a", task_queue=QUEUE)
    parser = argparse.ArgumentParser()
    add_command(parser.add_subparsers())
    story = await history_text(parser.parse_args(["history", "a", "--address", url, "--values"]))
    assert story.startswith("Answer a completed after")
    assert 'started Answer("tea")' in story
    document = await history_text(parser.parse_args(["history", "a", "--address", url, "--json"]))
    assert WorkflowHistory.from_json("a", document).events[-1].name == "WorkflowExecutionCompleted"
    with pytest.raises(RPCError, match="nothing-there"):
        await history_text(parser.parse_args(["history", "nothing-there", "--address", url]))


async def test_parameters_without_meaning_are_named_once(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "durability.client")
    for _ in range(2):
        await (await Client.connect(url, tls=True, rpc_metadata={"a": "b"})).close()
    messages = [record.getMessage() for record in caplog.records if record.name == "durability.client"]
    assert len(messages) == 1
    assert "rpc_metadata, tls" in messages[0]
