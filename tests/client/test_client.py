"""The client against the engine itself, in memory."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durability._memory.cloud import MemoryCloud
from durability.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    Plugin,
    RPCError,
    RPCStatusCode,
    SignalWorkflowInput,
    StartWorkflowInput,
    WithStartWorkflowOperation,
    WorkflowContinuedAsNewError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowHistory,
    WorkflowHistoryEventFilterType,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from durability.common import (
    QueryRejectCondition,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from durability.exceptions import ApplicationError, CancelledError, TerminatedError, WorkflowAlreadyStartedError
from durability.testing import WorkflowEnvironment
from durability.worker import Worker

from .conftest import Counter, Order, Shop, Sleeper, charge

QUEUE = "shop"


def new_id() -> str:
    return f"w-{uuid.uuid4()}"


async def test_a_workflow_is_started_signalled_queried_and_awaited(client: Client) -> None:
    handle = await client.start_workflow(Shop.run, Order("tea", 2), id=new_id(), task_queue=QUEUE)
    await handle.signal(Shop.note, "hot")
    await handle.signal("note", "sweet")
    assert await handle.query(Shop.noted) == ["hot", "sweet"]
    await handle.signal(Shop.finish_it)
    assert await handle.result() == "2 x tea: hot, sweet"
    assert await client.get_workflow_handle_for(Shop.run, handle.id).result() == "2 x tea: hot, sweet"


async def test_execute_workflow_returns_the_result(client: Client) -> None:
    result = await client.execute_workflow(Shop.run, Order("tea"), id=new_id(), task_queue=QUEUE, start_signal="finish")
    assert result == "1 x tea: "


async def test_a_failure_keeps_its_chain_of_causes(client: Client) -> None:
    with pytest.raises(WorkflowFailureError) as caught:
        await client.execute_workflow(Shop.run, Order("broken"), id=new_id(), task_queue=QUEUE)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type, list(cause.details)) == ("out of stock", "Stock", ["detail"])
    assert isinstance(cause.cause, ApplicationError)
    assert (cause.cause.type, cause.cause.message) == ("ValueError", "zero left")


async def test_result_follows_runs_unless_told_otherwise(client: Client) -> None:
    handle = await client.start_workflow(Counter.run, 2, id=new_id(), task_queue=QUEUE)
    assert await handle.result() == "landed"
    with pytest.raises(WorkflowContinuedAsNewError) as caught:
        await handle.result(follow_runs=False)
    assert caught.value.new_execution_run_id not in ("", handle.result_run_id)


async def test_cancel_and_terminate_reach_the_chain_that_the_handle_started(client: Client) -> None:
    first = await client.start_workflow(Sleeper.run, id=new_id(), task_queue=QUEUE)
    await first.terminate("one", 2, reason="enough")
    with pytest.raises(WorkflowFailureError) as caught:
        await first.result()
    assert isinstance(caught.value.cause, TerminatedError)
    assert caught.value.cause.message == "enough"
    assert list(caught.value.cause.details) == ["one", 2]

    second = await client.start_workflow(Sleeper.run, id=first.id, task_queue=QUEUE)
    with pytest.raises(RPCError) as refused:
        await first.cancel()
    assert refused.value.status == RPCStatusCode.NOT_FOUND
    assert (await second.describe()).status == WorkflowExecutionStatus.RUNNING

    await second.cancel(reason="changed my mind")
    with pytest.raises(WorkflowFailureError) as caught:
        await second.result()
    assert isinstance(caught.value.cause, CancelledError)


async def test_describe_tells_what_the_start_said(client: Client) -> None:
    key = SearchAttributeKey.for_keyword("Customer")
    handle = await client.start_workflow(
        Sleeper.run,
        id=new_id(),
        task_queue=QUEUE,
        memo={"note": {"a": 1}},
        search_attributes=TypedSearchAttributes([SearchAttributePair(key, "c1")]),
    )
    description = await handle.describe()
    assert description.id == handle.id
    assert description.run_id == handle.result_run_id
    assert description.workflow_type == "Sleeper"
    assert description.task_queue == QUEUE
    assert description.typed_search_attributes[key] == "c1"
    assert await description.memo() == {"note": {"a": 1}}
    assert await description.memo_value("none", "default") == "default"
    with pytest.raises(KeyError):
        await description.memo_value("none")
    assert abs(description.start_time - datetime.now(UTC)) < timedelta(minutes=1)


async def test_start_policies(client: Client) -> None:
    workflow_id = new_id()
    running = await client.start_workflow(Sleeper.run, id=workflow_id, task_queue=QUEUE)
    with pytest.raises(WorkflowAlreadyStartedError) as caught:
        await client.start_workflow(Sleeper.run, id=workflow_id, task_queue=QUEUE)
    assert caught.value.run_id == running.result_run_id
    again = await client.start_workflow(
        Sleeper.run,
        id=workflow_id,
        task_queue=QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    assert again.result_run_id == running.result_run_id
    with pytest.raises(RPCError, match="TERMINATE_IF_RUNNING"):
        await client.start_workflow(
            Sleeper.run,
            id=workflow_id,
            task_queue=QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.TERMINATE_IF_RUNNING,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
        )


async def test_query_errors(client: Client) -> None:
    handle = await client.start_workflow(Shop.run, Order("tea"), id=new_id(), task_queue=QUEUE)
    with pytest.raises(WorkflowQueryFailedError, match="no way"):
        await handle.query(Shop.fails, "no way")
    with pytest.raises(WorkflowQueryFailedError, match="unheard_of"):
        await handle.query("unheard_of")
    assert await handle.query(Shop.noted, reject_condition=QueryRejectCondition.NOT_OPEN) == []
    await handle.signal("finish")
    await handle.result()
    with pytest.raises(WorkflowQueryRejectedError) as caught:
        await handle.query(Shop.noted, reject_condition=QueryRejectCondition.NOT_OPEN)
    assert caught.value.status == WorkflowExecutionStatus.COMPLETED
    condition = QueryRejectCondition.NOT_COMPLETED_CLEANLY
    assert await handle.query(Shop.noted, reject_condition=condition) == []


async def test_history_has_temporals_shape_and_survives_json(client: Client) -> None:
    handle = await client.start_workflow(Shop.run, Order("tea"), id=new_id(), task_queue=QUEUE, start_signal="finish")
    await handle.result()
    history = await handle.fetch_history()
    assert [event.name for event in history.events] == [
        "WorkflowExecutionStarted",
        "WorkflowExecutionSignaled",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "ActivityTaskScheduled",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "WorkflowExecutionCompleted",
    ]
    assert history.run_id == handle.result_run_id
    assert history.events[5].activity_task_scheduled_event_attributes.activity_type.name == "charge"
    assert len(history.events) == (await handle.describe()).history_length
    assert WorkflowHistory.from_json(handle.id, history.to_json()) == history
    closing = await handle.fetch_history(event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT)
    assert [event.event_id for event in closing.events] == [12]
    pages = handle.fetch_history_events(page_size=5)
    assert [event.event_id async for event in pages] == list(range(1, 13))


async def test_listing_and_counting(client: Client) -> None:
    handles = [await client.start_workflow(Sleeper.run, id=new_id(), task_queue=QUEUE) for _ in range(5)]
    await client.start_workflow(Shop.run, Order("tea"), id=new_id(), task_queue=QUEUE)
    await handles[0].terminate()
    with pytest.raises(WorkflowFailureError):
        await handles[0].result()
    query = "WorkflowType = 'Sleeper' AND ExecutionStatus = 'Running'"
    listed = {execution.id async for execution in client.list_workflows(query, page_size=2)}
    assert listed == {handle.id for handle in handles[1:]}
    assert (await client.count_workflows(query)).count == 4
    assert len([execution async for execution in client.list_workflows(query, limit=3, page_size=2)]) == 3
    one = [execution.id async for execution in client.list_workflows(f"WorkflowId = '{handles[2].id}'")]
    assert one == [handles[2].id]


BAD_QUERIES = [
    "WorkflowType",
    "WorkflowType = 'a' OR WorkflowType = 'b'",
    "WorkflowType = 'a' AND",
    "CloseTime = 'x'",
    "Color != 'x'",
    "WorkflowType = 3",
    "ExecutionStatus = 'Sleeping'",
    "StartTime > 'yesterday'",
    "WorkflowType != 'a'",
    "WorkflowType = 'a' AND WorkflowType = 'b'",
]


@pytest.mark.parametrize("query", BAD_QUERIES)
async def test_a_list_query_that_is_not_supported_is_refused(client: Client, query: str) -> None:
    with pytest.raises(RPCError) as caught:
        client.list_workflows(query)
    assert caught.value.status == RPCStatusCode.INVALID_ARGUMENT


class Recorder:
    """Stands for an engine that must not be asked at all."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the engine was asked to {name}")


@pytest.mark.parametrize("bad", ["", "x" * 1001, "a\nb", "nul\0"])
async def test_bad_ids_are_refused_before_anything_is_sent(bad: str) -> None:
    client = Client(Recorder())
    handle = client.get_workflow_handle(bad)
    for call in (
        client.start_workflow("Shop", id=bad, task_queue=QUEUE),
        handle.signal("note"),
        handle.query("noted"),
        handle.cancel(),
        handle.terminate(),
        handle.describe(),
    ):
        with pytest.raises(RPCError) as caught:
            await call
        assert caught.value.status == RPCStatusCode.INVALID_ARGUMENT


async def test_oversized_payloads_are_refused_before_anything_is_sent() -> None:
    client = Client(Recorder())
    with pytest.raises(RPCError, match="limit") as caught:
        await client.start_workflow("Shop", "x" * 3_000_000, id="a", task_queue=QUEUE)
    assert caught.value.status == RPCStatusCode.INVALID_ARGUMENT
    with pytest.raises(RPCError, match="limit"):
        await client.get_workflow_handle("a").signal("note", "x" * 3_000_000)


async def test_details_of_a_termination_may_be_as_large_as_a_message(client: Client) -> None:
    handle = await client.start_workflow(Sleeper.run, id=new_id(), task_queue=QUEUE)
    with pytest.raises(RPCError, match="limit") as caught:
        await handle.terminate("x" * 4_200_000)
    assert caught.value.status == RPCStatusCode.RESOURCE_EXHAUSTED
    await handle.terminate("x" * 3_000_000)
    with pytest.raises(WorkflowFailureError) as ended:
        await handle.result()
    assert isinstance(ended.value.cause, TerminatedError)
    assert [len(detail) for detail in ended.value.cause.details] == [3_000_000]


async def test_unknown_and_closed_workflows(client: Client) -> None:
    unknown = client.get_workflow_handle(new_id())
    for call in (unknown.signal("note", "x"), unknown.describe(), unknown.cancel(), unknown.result()):
        with pytest.raises(RPCError) as caught:
            await call
        assert caught.value.status == RPCStatusCode.NOT_FOUND
    closed = await client.start_workflow(Counter.run, 0, id=new_id(), task_queue=QUEUE)
    await closed.result()
    before = len((await closed.fetch_history()).events)
    with pytest.raises(RPCError, match="completed") as caught:
        await closed.signal("note", "late")
    assert caught.value.status == RPCStatusCode.NOT_FOUND
    assert len((await closed.fetch_history()).events) == before


async def test_a_call_ends_at_its_rpc_timeout(client: Client) -> None:
    handle = await client.start_workflow(Sleeper.run, id=new_id(), task_queue=QUEUE)
    with pytest.raises(RPCError) as caught:
        await handle.result(rpc_timeout=timedelta(milliseconds=30))
    assert caught.value.status == RPCStatusCode.DEADLINE_EXCEEDED


class Tracing(Interceptor):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        calls = self.calls

        class Outbound(OutboundInterceptor):
            async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
                calls.append(f"start {input.workflow}")
                input.args = [Order("coffee")]
                return await super().start_workflow(input)

            async def signal_workflow(self, input: SignalWorkflowInput) -> None:
                calls.append(f"signal {input.signal}")
                await super().signal_workflow(input)

        return Outbound(next)


class AddsInterceptor(Plugin):
    def __init__(self, interceptor: Interceptor) -> None:
        self.interceptor = interceptor

    def configure_client(self, config: Any) -> Any:
        return {**config, "interceptors": [*config["interceptors"], self.interceptor]}


async def test_interceptors_and_plugins_see_and_change_calls(cloud: MemoryCloud) -> None:
    tracing = Tracing()
    client = Client(cloud.gateway, plugins=[AddsInterceptor(tracing)])
    handle = await client.start_workflow(Shop.run, Order("tea"), id=new_id(), task_queue=QUEUE)
    await handle.signal("finish")
    assert await handle.result() == "1 x coffee: "
    assert tracing.calls == ["start Shop", "signal finish"]
    assert list(client.config()["interceptors"]) == []
    assert list(client.config(active_config=True)["interceptors"]) == [tracing]


async def test_many_starts_at_once(client: Client) -> None:
    limit = asyncio.Semaphore(50)

    async def start(number: int) -> str:
        async with limit:
            handle = await client.start_workflow(Counter.run, 0, id=f"bulk-{number}", task_queue=QUEUE)
            return await handle.result()

    assert await asyncio.gather(*[start(number) for number in range(200)]) == ["landed"] * 200


async def test_the_environment_must_name_the_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    from durability.exceptions import ConfigurationError

    monkeypatch.delenv("DURABILITY_TABLE", raising=False)
    with pytest.raises(ConfigurationError, match="DURABILITY_TABLE"):
        await Client.connect()


async def test_a_lazy_client_connects_with_its_first_call() -> None:
    target_host = ""
    async with await WorkflowEnvironment.start_local() as env:
        target_host = env.client.service_client.config.target_host
        lazy = await Client.connect(target_host, lazy=True)
        with pytest.raises(RuntimeError, match="Lazy clients cannot be used for workers"):
            Worker(lazy, task_queue=QUEUE, workflows=[Shop])
        async with Worker(env.client, task_queue=QUEUE, workflows=[Shop], activities=[charge]):
            handle = await lazy.start_workflow(Shop.run, Order("tea", 2), id=new_id(), task_queue=QUEUE)
            await handle.signal(Shop.finish_it)
            assert await handle.result() == "2 x tea: "
            assert len((await handle.fetch_history()).events) > 3
            assert [one.id async for one in lazy.list_workflows()] == [handle.id]
        await lazy.close()

    late = await Client.connect(target_host, lazy=True)  # it is gone
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no environment"):
            await late.count_workflows()
    await late.close()


async def test_a_lazy_client_of_a_local_cloud_looks_for_it_with_its_first_call() -> None:
    client = await Client.connect("localhost:1", lazy=True)
    assert client.service_client.config.lazy
    with pytest.raises(RPCError, match="no local cloud at localhost:1"):
        await client.get_workflow_handle("w").describe()


async def test_untyped_search_attributes_are_deprecated_where_they_are_given(client: Client) -> None:
    order = Order("tea", 1)
    options: Any = {"task_queue": QUEUE, "search_attributes": {"Colour": ["red"]}, "start_signal": "finish"}
    with pytest.warns(DeprecationWarning, match="Dictionary-based search attributes are deprecated") as started:
        await client.start_workflow(Shop.run, order, id=new_id(), **options)
    with pytest.warns(DeprecationWarning, match="Dictionary-based search attributes are deprecated") as executed:
        await client.execute_workflow(Shop.run, order, id=new_id(), **options)
    del options["start_signal"]
    policy = WorkflowIDConflictPolicy.USE_EXISTING
    with pytest.warns(DeprecationWarning, match="Dictionary-based search attributes are deprecated") as described:
        WithStartWorkflowOperation(Shop.run, order, id=new_id(), id_conflict_policy=policy, **options)
    assert {warning.filename for warning in (*started, *executed, *described)} == {__file__}
