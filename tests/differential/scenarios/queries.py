"""Queries: dynamic, failing, breaking the rules, on closed runs; details for people."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from durability import workflow
from durability.client import WorkflowQueryFailedError
from durability.common import QueryRejectCondition, RawValue
from durability.exceptions import ApplicationError
from tests.differential.stage import Stage, attempt, scenario

SECONDS = timedelta(seconds=10)


@workflow.defn
class Queried:
    def __init__(self) -> None:
        self.value = 1
        self.stop = False

    @workflow.run
    async def run(self, end: str = "") -> int:
        workflow.set_current_details("waiting **for** a signal")
        await workflow.wait_condition(lambda: self.stop)
        if end == "fail":
            raise ApplicationError("failed")
        return self.value

    @workflow.signal
    def finish(self) -> None:
        self.stop = True

    @workflow.query
    def get(self) -> int:
        return self.value

    @workflow.query(name="with-arguments", description="adds up")
    def add(self, first: int, second: int = 10) -> int:
        return self.value + first + second

    @workflow.query
    def details(self) -> str:
        return workflow.get_current_details()

    @workflow.query
    def fail(self, kind: str) -> None:
        if kind == "application":
            raise ApplicationError("query failed", 1, type="Kind") from ValueError("inner")
        raise KeyError(kind)

    @workflow.query
    def unserializable(self) -> Any:
        return {1, 2}

    @workflow.query
    def tells(self) -> Any:
        info = workflow.info()
        return [
            info.workflow_id,
            workflow.in_workflow(),
            workflow.unsafe.is_replaying(),
            workflow.unsafe.is_read_only(),
            workflow.all_handlers_finished(),
        ]

    @workflow.query
    def break_rules(self, how: str) -> Any:
        if how == "activity":
            workflow.start_activity("x", start_to_close_timeout=SECONDS)
        elif how == "memo":
            workflow.upsert_memo({"a": 1})
        elif how == "task":
            coroutine = asyncio.sleep(1)
            try:
                asyncio.create_task(coroutine)  # noqa: RUF006
            finally:
                coroutine.close()
        elif how == "patch":
            return workflow.patched("a")
        elif how == "continue":
            workflow.continue_as_new()
        elif how == "random":
            return workflow.random().random() < 2
        elif how == "uuid":
            return len(str(workflow.uuid4()))
        elif how == "handler":
            workflow.set_signal_handler("x", lambda: None)
        elif how == "details":
            workflow.set_current_details("changed")
        elif how == "timer":
            asyncio.get_running_loop().call_later(1, print)
        return None


@scenario(Queried, histories=False)
async def query_with_arguments(stage: Stage) -> Any:
    handle = await stage.start(Queried.run)
    return [
        await handle.query("with-arguments", args=[1, 2]),
        await handle.query("with-arguments", 5),
        await handle.query(Queried.add, args=[7]),
        await attempt(handle.query("with-arguments")),
        await attempt(handle.query("with-arguments", "text")),
        await attempt(handle.query("get", "surplus")),
    ]


@scenario(
    Queried,
    histories=False,
    cases=[
        "activity",
        "memo",
        "task",
        "patch",
        "continue",
        "random",
        "uuid",
        "handler",
        "details",
        "timer",
    ],
)
async def query_that_breaks_rules_with(stage: Stage, how: str) -> Any:
    handle = await stage.start(Queried.run)
    seen = await attempt(handle.query(Queried.break_rules, how))
    return [seen, await handle.query(Queried.get)]


@scenario(Queried, histories=False, cases=["application", "bug"])
async def query_fails(stage: Stage, kind: str) -> Any:
    handle = await stage.start(Queried.run)
    try:
        await handle.query(Queried.fail, kind)
    except WorkflowQueryFailedError as error:
        return [str(error), error.message, type(error.__cause__).__name__]
    return None


@scenario(Queried, histories=False)
async def query_result_that_does_not_serialize(stage: Stage) -> Any:
    handle = await stage.start(Queried.run)
    seen = await attempt(handle.query(Queried.unserializable))
    return [seen, await handle.query(Queried.get)]


@scenario(Queried, histories=False)
async def query_sees_the_context(stage: Stage) -> Any:
    handle = await stage.start(Queried.run)
    await stage.reached(handle, "WorkflowTaskCompleted")
    return [await handle.query(Queried.tells), await handle.query(Queried.details)]


@scenario(Queried, histories=False, cases=["complete", "fail", "terminate", "cancel"])
async def query_on_a_closed_workflow(stage: Stage, end: str) -> Any:
    handle = await stage.start(Queried.run, end)
    await stage.reached(handle, "WorkflowTaskCompleted")
    if end in ("terminate", "cancel"):
        await getattr(handle, end)()
    else:
        await handle.signal(Queried.finish)
    await attempt(handle.result())
    seen = [await handle.query(Queried.get)]
    for condition in QueryRejectCondition:
        seen.append(await attempt(handle.query(Queried.get, reject_condition=condition)))
    return seen


@scenario(Queried, histories=False)
async def query_on_an_unknown_workflow(stage: Stage) -> Any:
    return await attempt(stage.client.get_workflow_handle("nobody-at-all").query("get"))


@workflow.defn
class Dynamic:
    @workflow.run
    async def run(self) -> None:
        workflow.set_query_handler("set later", lambda: "set")
        await workflow.wait_condition(lambda: False)

    @workflow.query(dynamic=True)
    def anything(self, name: str, args: Sequence[RawValue]) -> Any:
        return [name, [workflow.payload_converter().from_payload(arg.payload) for arg in args]]

    @workflow.query
    def exact(self, value: Any) -> Any:
        return ["exact", value]


@scenario(Dynamic, histories=False)
async def queries_to_a_dynamic_handler(stage: Stage) -> Any:
    handle = await stage.start(Dynamic.run)
    await stage.reached(handle, "WorkflowTaskCompleted")
    return [
        await handle.query("anything else", args=[1, [2]]),
        await handle.query("exact", 3),
        await handle.query("set later"),
    ]


@scenario(Queried, histories=False)
async def query_for_metadata(stage: Stage) -> Any:
    handle = await stage.start(Queried.run)
    await stage.reached(handle, "WorkflowTaskCompleted")
    trace = await handle.query("__stack_trace")
    unknown = await attempt(handle.query("__unknown"))
    return ["await workflow.wait_condition(lambda: self.stop)" in trace or "run" in trace, unknown]
