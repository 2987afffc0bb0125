"""The client's services, beyond what the differential scenarios show of both engines."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from durability import __version__, activity, workflow
from durability.api.common.v1 import WorkflowExecution
from durability.api.enums.v1 import IndexedValueType
from durability.api.operatorservice.v1 import AddSearchAttributesRequest
from durability.api.update.v1 import UpdateRef, WaitPolicy
from durability.api.workflowservice import v1
from durability.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from durability.common import SearchAttributeKey
from durability.converter import DataConverter
from durability.service import RPCError, RPCStatusCode
from durability.testing import WorkflowEnvironment
from durability.worker import Worker

QUEUE = "services"


@activity.defn
async def later() -> str:
    activity.raise_complete_async()


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.updates: list[int] = []

    @workflow.run
    async def run(self) -> list[int]:
        await workflow.wait_condition(lambda: bool(self.updates))
        return self.updates

    @workflow.update
    async def add(self, number: int) -> int:
        self.updates.append(number)
        return number


@workflow.defn
class HasActivity:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(later, activity_id="a", schedule_to_close_timeout=timedelta(minutes=1))


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with await WorkflowEnvironment.start_local() as environment:
        yield environment.client


def worker(client: Client) -> Worker:
    return Worker(client, task_queue=QUEUE, workflows=[Waits, HasActivity], activities=[later])


def poll(client: Client, workflow_id: str, update_id: str, stage: int = 0, **options: Any) -> Any:
    return client.workflow_service.poll_workflow_execution_update(
        v1.PollWorkflowExecutionUpdateRequest(
            namespace=client.namespace,
            update_ref=UpdateRef(workflow_execution=WorkflowExecution(workflow_id=workflow_id), update_id=update_id),
            wait_policy=WaitPolicy(lifecycle_stage=stage),
        ),
        **options,
    )


async def admitted(client: Client, workflow_id: str, update_id: str) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                answer = await poll(client, workflow_id, update_id)
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise
                await asyncio.sleep(0.01)
            else:
                assert (answer.stage, answer.HasField("outcome")) == (1, False)
                return


async def test_an_update_whose_sender_went_away_is_delivered_once_a_worker_is_there(client: Client) -> None:
    handle = await client.start_workflow(Waits.run, id="w", task_queue=QUEUE)
    update = asyncio.create_task(handle.execute_update(Waits.add, 7, id="u"))
    await admitted(client, "w", "u")
    update.cancel()
    with pytest.raises(WorkflowUpdateRPCTimeoutOrCancelledError):
        await update
    with pytest.raises(RPCError, match="Timeout expired") as caught:
        await poll(client, "w", "u", 2, timeout=timedelta(seconds=0.1))
    assert caught.value.status == RPCStatusCode.CANCELLED
    async with worker(client):
        assert await handle.result() == [7]
    assert (await poll(client, "w", "u")).outcome.success.payloads[0].data == b"7"


async def test_what_is_not_served_says_so(client: Client) -> None:
    for service in (client.workflow_service, client.operator_service):
        with pytest.raises(RPCError, match="unknown method list_batch_operations of") as caught:
            await service.list_batch_operations(v1.ListBatchOperationsRequest())
        assert caught.value.status == RPCStatusCode.UNIMPLEMENTED
        with pytest.raises(AttributeError):
            _ = service._private


async def test_namespaces_and_the_system(client: Client) -> None:
    service = client.workflow_service
    assert service is client.workflow_service
    system = await service.get_system_info(v1.GetSystemInfoRequest())
    assert system.server_version == __version__
    assert system.capabilities.upsert_memo
    assert not system.capabilities.nexus
    described = await service.describe_namespace(v1.DescribeNamespaceRequest(namespace="default"))
    assert (described.namespace_info.name, described.namespace_info.state) == ("default", 1)
    for namespace, status in (("", "INVALID_ARGUMENT"), ("other", "NOT_FOUND")):
        with pytest.raises(RPCError) as caught:
            await service.describe_namespace(v1.DescribeNamespaceRequest(namespace=namespace))
        assert caught.value.status.name == status


async def test_lists_and_counts(client: Client) -> None:
    for name in ("one", "two"):
        await client.start_workflow(Waits.run, id=name, task_queue=QUEUE)
    request = v1.ListWorkflowExecutionsRequest(namespace="default", page_size=1)
    first = await client.workflow_service.list_workflow_executions(request)
    request.next_page_token = first.next_page_token
    second = await client.workflow_service.list_workflow_executions(request)
    assert {info.execution.workflow_id for page in (first, second) for info in page.executions} == {"one", "two"}
    counted = await client.workflow_service.count_workflow_executions(
        v1.CountWorkflowExecutionsRequest(namespace="default", query="GROUP BY ExecutionStatus")
    )
    [group] = counted.groups
    assert (counted.count, group.count, group.group_values[0].data) == (2, 2, b'"Running"')


async def test_histories_come_in_pages(client: Client) -> None:
    async with worker(client):
        handle = await client.start_workflow(Waits.run, id="w", task_queue=QUEUE)
        await handle.execute_update(Waits.add, 1)
        await handle.result()
    request = v1.GetWorkflowExecutionHistoryRequest(
        namespace="default", execution=WorkflowExecution(workflow_id="w"), maximum_page_size=2
    )
    seen: list[int] = []
    while not seen or request.next_page_token:
        page = await client.workflow_service.get_workflow_execution_history(request)
        assert 0 < len(page.history.events) <= 2
        seen += [event.event_id for event in page.history.events]
        request.next_page_token = page.next_page_token
    assert seen == list(range(1, len((await handle.fetch_history()).events) + 1))


@pytest.mark.parametrize("end", ["completed", "failed"])
async def test_activities_that_are_completed_from_outside(client: Client, end: str) -> None:
    service, by_id = client.workflow_service, {"namespace": "default", "workflow_id": "w", "activity_id": "a"}
    async with worker(client):
        handle = await client.start_workflow(HasActivity.run, id="w", task_queue=QUEUE)
        async with asyncio.timeout(10):
            while True:
                try:
                    beat = await service.record_activity_task_heartbeat_by_id(
                        v1.RecordActivityTaskHeartbeatByIdRequest(**by_id)
                    )
                    break
                except RPCError as error:
                    if error.status != RPCStatusCode.NOT_FOUND:
                        raise
                    await asyncio.sleep(0.01)
        assert not beat.cancel_requested
        if end == "failed":
            request = v1.RespondActivityTaskFailedByIdRequest(**by_id)
            error = ValueError("not this time")
            await DataConverter.default.encode_failure(error, request.failure)
            await service.respond_activity_task_failed_by_id(request)
            assert (await handle.describe()).raw_description.pending_activities[0].attempt == 2
        else:
            result = await DataConverter.default.encode_wrapper(["done"])
            await service.respond_activity_task_completed_by_id(
                v1.RespondActivityTaskCompletedByIdRequest(**by_id, result=result)
            )
            assert await handle.result() == "done"


async def test_untyped_search_attributes_have_the_types_that_were_added(client: Client) -> None:
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace="default",
            search_attributes={
                "Story": IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
                "Weight": IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
                "Wrong": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
            },
        )
    )
    given: Any = {"Story": ["long"], "Weight": [2], "Wrong": ["text"]}
    with pytest.warns(DeprecationWarning, match="Dictionary-based search attributes"):
        handle = await client.start_workflow(Waits.run, id="w", task_queue=QUEUE, search_attributes=given)
    typed = (await handle.describe()).typed_search_attributes
    assert typed[SearchAttributeKey.for_text("Story")] == "long"
    assert typed[SearchAttributeKey.for_float("Weight")] == 2.0
    assert typed[SearchAttributeKey.for_keyword("Wrong")] == "text"


def test_a_client_does_not_import_the_messages_before_they_are_needed() -> None:
    code = "import sys, durability.client, durability.worker; print([m for m in sys.modules if 'service.v1' in m])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
