"""Headers through interceptors, search attributes, starts that race, handles and what they tell."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.client import Client, Interceptor, OutboundInterceptor
from durability.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from durability.converter import DataConverter
from durability.exceptions import ApplicationError
from durability.worker import (
    ActivityInboundInterceptor,
    WorkflowInboundInterceptor,
    WorkflowOutboundInterceptor,
)
from durability.worker import Interceptor as WorkerInterceptor
from tests.differential.stage import Stage, attempt, scenario

SECONDS = timedelta(seconds=10)
CONVERTER = DataConverter.default.payload_converter
WORD = SearchAttributeKey.for_keyword("Word")
NUMBER = SearchAttributeKey.for_int("Number")


def header(text: str) -> dict[str, Any]:
    return {"who": CONVERTER.to_payload(text)}


def who(headers: Any) -> str:
    return CONVERTER.from_payload(headers["who"], str) if "who" in headers else "nobody"


class Outbound(OutboundInterceptor):
    async def start_workflow(self, input: Any) -> Any:
        input.headers = header("client")
        return await super().start_workflow(input)

    async def signal_workflow(self, input: Any) -> Any:
        input.headers = header("signaller")
        return await super().signal_workflow(input)

    async def query_workflow(self, input: Any) -> Any:
        input.headers = header("asker")
        return await super().query_workflow(input)

    async def start_workflow_update(self, input: Any) -> Any:
        input.headers = header("updater")
        return await super().start_workflow_update(input)


class ClientInterceptor(Interceptor):
    def intercept_client(self, next: Any) -> Any:
        return Outbound(super().intercept_client(next))


class WorkflowInbound(WorkflowInboundInterceptor):
    def init(self, outbound: Any) -> None:
        super().init(WorkflowOutbound(outbound))

    async def execute_workflow(self, input: Any) -> Any:
        return [f"workflow by {who(input.headers)}", *await super().execute_workflow(input)]

    async def handle_signal(self, input: Any) -> None:
        input.args = [f"{input.args[0]} by {who(input.headers)}"]
        await super().handle_signal(input)

    async def handle_query(self, input: Any) -> Any:
        return [who(input.headers), await super().handle_query(input)]

    async def handle_update_handler(self, input: Any) -> Any:
        return [who(input.headers), await super().handle_update_handler(input)]


class WorkflowOutbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: Any) -> Any:
        input.headers = header("workflow")
        return super().start_activity(input)

    def start_local_activity(self, input: Any) -> Any:
        input.headers = header("workflow, nearby")
        return super().start_local_activity(input)

    async def start_child_workflow(self, input: Any) -> Any:
        input.headers = header("parent")
        return await super().start_child_workflow(input)

    def continue_as_new(self, input: Any) -> Any:
        input.headers = header("the run before")
        return super().continue_as_new(input)


class ActivityInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: Any) -> Any:
        return f"{await super().execute_activity(input)} by {who(input.headers)}"


class Intercepting(WorkerInterceptor):
    def intercept_activity(self, next: Any) -> Any:
        return ActivityInbound(super().intercept_activity(next))

    def workflow_interceptor_class(self, input: Any) -> Any:
        return WorkflowInbound


@activity.defn
async def work() -> str:
    return "activity"


@workflow.defn
class Carrying:
    def __init__(self) -> None:
        self.got: list[Any] = []

    @workflow.run
    async def run(self, depth: int) -> list[Any]:
        if depth == 2:
            await workflow.wait_condition(lambda: bool(self.got))
            workflow.continue_as_new(1)
        if depth == 0:
            return []
        return [
            *self.got,
            await workflow.execute_activity(work, start_to_close_timeout=SECONDS),
            await workflow.execute_local_activity(work, start_to_close_timeout=SECONDS),
            await workflow.execute_child_workflow(Carrying.run, 0, id=f"{workflow.info().workflow_id}-child"),
        ]

    @workflow.signal
    def put(self, value: str) -> None:
        self.got.append(value)

    @workflow.query
    def so_far(self) -> list[Any]:
        return self.got

    @workflow.update
    def change(self, value: str) -> str:
        return value


@scenario(Carrying, activities=[work], interceptors=[Intercepting()], histories=False)
async def headers_travel_through_interceptors(stage: Stage) -> Any:
    config = stage.client.config()
    config["interceptors"] = [ClientInterceptor()]
    client = Client(**config)
    handle = await client.start_workflow(Carrying.run, 2, id=stage.id(), task_queue=stage.task_queue)
    seen: list[Any] = [await handle.query(Carrying.so_far), await handle.execute_update(Carrying.change, "x")]
    await handle.signal(Carrying.put, "signal")
    return [*seen, await handle.result()]


@workflow.defn
class Attributed:
    @workflow.run
    async def run(self, how: str) -> Any:
        info = workflow.info()
        seen: list[Any] = [info.typed_search_attributes.get(WORD), info.typed_search_attributes.get(NUMBER)]
        if how == "child":
            return seen
        workflow.upsert_search_attributes([WORD.value_set("changed"), NUMBER.value_unset()])
        after = workflow.info().typed_search_attributes
        seen += [after.get(WORD), after.get(NUMBER), len(after)]
        if how == "continue":
            workflow.continue_as_new("child")
        if how == "child inherits":
            seen.append(await workflow.execute_child_workflow(Attributed.run, "child", id=f"{info.workflow_id}-child"))
        return seen


@scenario(Attributed, cases=["plain", "continue", "child inherits"])
async def search_attributes(stage: Stage, how: str) -> Any:
    given = TypedSearchAttributes([SearchAttributePair(WORD, "given"), SearchAttributePair(NUMBER, 7)])
    handle = await stage.start(Attributed.run, how, search_attributes=given)
    result = await handle.result()
    described = (await handle.describe()).typed_search_attributes
    return [result, described.get(WORD), described.get(NUMBER)]


@workflow.defn
class Idle:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@scenario(Idle, histories=False, cases=["FAIL", "USE_EXISTING"])
async def start_policies_hold_when_starts_race(stage: Stage, policy: str) -> Any:
    starts = [attempt(stage.start(Idle.run, id_conflict_policy=WorkflowIDConflictPolicy[policy])) for _ in range(8)]
    outcomes = await asyncio.gather(*starts)
    stage.handles.clear()
    runs = {outcome.result_run_id for outcome in outcomes if not isinstance(outcome, dict)}
    refused = [outcome["class"] for outcome in outcomes if isinstance(outcome, dict)]
    await stage.client.get_workflow_handle(stage.id()).terminate()
    return [len(runs), refused]


@workflow.defn
class Chain:
    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            workflow.continue_as_new(left - 1)
        return "end"


@scenario(Chain, histories=False)
async def handles_of_a_chain(stage: Stage) -> Any:
    handle = await stage.start(Chain.run, 2)
    seen: list[Any] = [await handle.result(), handle.run_id, handle.first_execution_run_id == handle.result_run_id]
    first = stage.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    latest = stage.client.get_workflow_handle(handle.id)
    by_type = stage.client.get_workflow_handle_for(Chain.run, handle.id)
    seen += [
        await attempt(first.result(follow_runs=False)),
        await first.result(),
        await latest.result(),
        await by_type.result(),
        (await first.describe()).status.name,
        (await latest.describe()).status.name,
        latest.result_run_id,
        first.result_run_id == handle.result_run_id,
    ]
    wrong = stage.client.get_workflow_handle(handle.id, first_execution_run_id=handle.result_run_id)
    return [*seen, (await attempt(wrong.terminate()))["class"]]


@workflow.defn
class Typed:
    @workflow.run
    async def run(self, fail: bool) -> dict[str, int]:
        if fail:
            raise ApplicationError("typed", {"a": 1}, type="T")
        return {"a": 1}


@scenario(Typed, cases=[False, True])
async def workflow_by_name_with_a_result_type(stage: Stage, fail: bool) -> Any:
    handle = await stage.client.start_workflow(
        "Typed", fail, id=stage.id(), task_queue=stage.task_queue, result_type=dict[str, int]
    )
    stage.handles.append(handle)
    return await attempt(handle.result())
