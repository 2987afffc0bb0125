"""Signal-with-start from workflows: what it starts, what it reaches, what refuses it, and how it is cancelled."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import workflow
from durability.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from durability.worker import (
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from tests.differential.stage import Stage, attempt, describe, scenario

WORD = SearchAttributeKey.for_keyword("Word")


@workflow.defn
class Collector:
    def __init__(self) -> None:
        self.got: list[Any] = []

    @workflow.signal
    async def put(self, value: Any) -> None:
        self.got.append(value)

    @workflow.signal
    def both(self, first: int, second: str) -> None:
        self.got.append([first, second])

    @workflow.signal
    def nothing(self) -> None:
        self.got.append(None)

    @workflow.run
    async def run(self, expected: int, again: bool = False) -> list[Any]:
        self.got.append("run")
        await workflow.wait_condition(lambda: len(self.got) > expected)
        if again:
            workflow.continue_as_new(args=[1, False])
        return self.got


@workflow.defn
class Sender:
    @workflow.run
    async def run(self, target: str, queue: str, count: int, options: dict[str, Any]) -> Any:
        policies: dict[str, Any] = {}
        if "reuse" in options:
            policies["id_reuse_policy"] = WorkflowIDReusePolicy[options["reuse"]]
        if "conflict" in options:
            policies["id_conflict_policy"] = WorkflowIDConflictPolicy[options["conflict"]]
        handle = await workflow.signal_with_start_workflow(
            Collector.run,
            count,
            id=target,
            task_queue=queue,
            signal=Collector.put,
            signal_args=workflow.info().workflow_id,
            **policies,
        )
        if options.get("more"):
            await handle.signal(Collector.put, "more")
        return [type(handle).__name__.strip("_"), handle.id, bool(handle.run_id)]


def target_of(stage: Stage) -> Any:
    handle = stage.client.get_workflow_handle(stage.id("-target"))
    stage.handles.append(handle)
    return handle


async def send(stage: Stage, name: str, count: int = 1, **options: Any) -> Any:
    return await stage.execute(Sender.run, stage.id("-target"), stage.task_queue, count, options, id=stage.id(name))


@scenario(Collector, Sender)
async def signal_with_start_starts(stage: Stage) -> Any:
    sent = await send(stage, "-1")
    return [sent, await target_of(stage).result()]


@scenario(Collector, Sender)
async def signal_with_start_reaches_the_open_run(stage: Stage) -> Any:
    await stage.start(Collector.run, 3, id=stage.id("-target"))
    first = await send(stage, "-1")
    second = await send(stage, "-2", more=True)
    return [first, second, await target_of(stage).result()]


@scenario(Collector, Sender)
async def signal_with_start_follows_a_closed_run(stage: Stage) -> Any:
    before = await stage.execute(Collector.run, 0, id=stage.id("-target"))
    sent = await send(stage, "-1")
    return [before, sent, await target_of(stage).result()]


@scenario(
    Collector,
    Sender,
    cases=["ALLOW_DUPLICATE", "ALLOW_DUPLICATE_FAILED_ONLY", "REJECT_DUPLICATE", "TERMINATE_IF_RUNNING"],
    histories=False,
)
async def signal_with_start_after_a_completed_run(stage: Stage, policy: str) -> Any:
    handle = await stage.start(Collector.run, 0, id=stage.id("-target"))
    await handle.result()
    outcome = await attempt(send(stage, "-1", reuse=policy))
    return _without(outcome, handle.result_run_id)


@scenario(Collector, Sender)
async def signal_with_start_refused(stage: Stage) -> Any:
    handle = await stage.start(Collector.run, 0, id=stage.id("-target"))
    await handle.result()
    return _without(await attempt(send(stage, "-1", reuse="REJECT_DUPLICATE")), handle.result_run_id)


def _without(outcome: Any, run_id: str) -> Any:
    """The outcome with a run id in its texts replaced."""
    if isinstance(outcome, dict):
        return {key: _without(value, run_id) for key, value in outcome.items()}
    return outcome.replace(run_id, "RUN") if isinstance(outcome, str) else outcome


@scenario(Collector, Sender, cases=["TERMINATE_EXISTING", "USE_EXISTING"], histories=False)
async def signal_with_start_at_an_open_run(stage: Stage, policy: str) -> Any:
    before = await stage.start(Collector.run, 1, id=stage.id("-target"))
    sent = await send(stage, "-1", conflict=policy)
    after = stage.client.get_workflow_handle(stage.id("-target"))
    ended = await attempt(before.result())
    return [sent, ended["cause"]["class"] if isinstance(ended, dict) else ended, await after.result()]


@workflow.defn
class Both:
    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.signal
    def put(self, value: str) -> None:
        self.got.append(value)

    @workflow.run
    async def run(self, own: str, queue: str) -> Any:
        handle = await workflow.signal_with_start_workflow(
            "Both", own, queue, id=own, task_queue=queue, signal="put", signal_args="x"
        )
        same = handle.run_id == workflow.info().run_id
        return [same, self.got]


@scenario(Both, histories=False)  # the server schedules the next task before the operation has ended
async def signal_with_start_to_oneself(stage: Stage) -> Any:
    return await stage.execute(Both.run, stage.id(), stage.task_queue)


@workflow.defn
class Shapes:
    """The ways to name workflow and signal, and to give their arguments."""

    @workflow.run
    async def run(self, queue: str) -> list[Any]:
        me = workflow.info().workflow_id
        sent = [
            await workflow.signal_with_start_workflow(
                "Collector", 1, id=f"{me}-1", task_queue=queue, signal="put", signal_args=["text"]
            ),
            await workflow.signal_with_start_workflow(
                Collector.run, args=[1], id=f"{me}-2", task_queue=queue, signal=Collector.both, signal_args=[1, "b"]
            ),
            await workflow.signal_with_start_workflow(
                Collector.run, 1, id=f"{me}-3", task_queue=queue, signal=Collector.nothing
            ),
            await workflow.signal_with_start_workflow(
                Collector.run, 1, id=f"{me}-4", task_queue=queue, signal=Collector.put, signal_args=[["a", "list"]]
            ),
        ]
        try:
            await workflow.signal_with_start_workflow(  # type: ignore[call-overload]
                "Collector", 1, args=[1], id=f"{me}-5", task_queue=queue, signal="put"
            )
        except TypeError as error:
            sent.append(str(error))
        return [sent[-1], len(sent)]


@scenario(Collector, Shapes)
async def signal_with_start_arguments(stage: Stage) -> Any:
    said = await stage.execute(Shapes.run, stage.task_queue)
    results = [await stage.client.get_workflow_handle(stage.id(f"-{n}")).result() for n in (1, 2, 3, 4)]
    return [said, results]


@workflow.defn
class WithOptions:
    @workflow.run
    async def run(self, target: str, queue: str) -> str | None:
        handle = await workflow.signal_with_start_workflow(
            Collector.run,
            1,
            id=target,
            task_queue=queue,
            signal=Collector.put,
            signal_args="value",
            execution_timeout=timedelta(minutes=5),
            run_timeout=timedelta(minutes=2),
            memo={"note": [1, 2]},
            search_attributes=TypedSearchAttributes([SearchAttributePair(WORD, "with-start")]),
            static_summary="in short",
            static_details="at length",
        )
        return handle.run_id


@scenario(Collector, WithOptions)
async def signal_with_start_options(stage: Stage) -> Any:
    run_id = await stage.execute(WithOptions.run, stage.id("-target"), stage.task_queue)
    handle = target_of(stage)
    result = await handle.result()
    told = await handle.describe()
    started = (await handle.fetch_history()).to_json_dict()["events"][0]["workflowExecutionStartedEventAttributes"]
    return [
        result,
        told.run_id == run_id,
        told.parent_id,
        await told.memo(),
        told.typed_search_attributes.get(WORD),
        await told.static_summary(),
        await told.static_details(),
        started["workflowExecutionTimeout"],
        started["workflowRunTimeout"],
    ]


@scenario(Collector, Sender)
async def signal_with_start_of_one_that_continues(stage: Stage) -> Any:
    handle = await stage.start(Collector.run, 1, True, id=stage.id("-target"))
    await send(stage, "-1")
    first = stage.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    await stage.reached(first, "WorkflowExecutionContinuedAsNew")
    second = stage.client.get_workflow_handle(handle.id)
    await stage.reached(second, "WorkflowTaskCompleted")  # Temporal puts its first task off, as it comes so soon
    await send(stage, "-2")
    return await second.result()


@workflow.defn
class Cancelling:
    @workflow.run
    async def run(self, target: str, queue: str, early: bool) -> Any:
        sending = asyncio.create_task(
            workflow.signal_with_start_workflow(
                Collector.run, 1, id=target, task_queue=queue, signal=Collector.put, signal_args="late"
            )
        )
        if not early:
            await asyncio.sleep(0)
        sending.cancel()
        try:
            await sending
        except BaseException as error:
            return describe(error)


@scenario(Cancelling, cases=[True, False])
async def signal_with_start_cancelled_before_it_is_sent(stage: Stage, early: bool) -> Any:
    return await stage.execute(Cancelling.run, stage.id("-target"), stage.task_queue, early)


@workflow.defn
class Leaving:
    """Ends in the task that sends."""

    @workflow.run
    async def run(self, target: str, queue: str) -> str:
        task = asyncio.create_task(
            workflow.signal_with_start_workflow(
                Collector.run, 1, id=target, task_queue=queue, signal=Collector.put, signal_args="left behind"
            )
        )
        await asyncio.sleep(0)
        return "gone" if not task.done() else "done"


@scenario(Collector, Leaving)
async def signal_with_start_in_the_last_task(stage: Stage) -> Any:
    return await stage.execute(Leaving.run, stage.id("-target"), stage.task_queue)


@workflow.defn
class Parallel:
    @workflow.run
    async def run(self, target: str, queue: str, count: int) -> int:
        handles = await asyncio.gather(
            *(
                workflow.signal_with_start_workflow(
                    Collector.run, count, id=target, task_queue=queue, signal=Collector.put, signal_args=n
                )
                for n in range(count)
            )
        )
        return len({handle.run_id for handle in handles})


@scenario(Collector, Parallel, histories=False)
async def signal_with_start_several_at_once(stage: Stage) -> Any:
    runs = await stage.execute(Parallel.run, stage.id("-target"), stage.task_queue, 5)
    return [runs, sorted(map(str, await stage.client.get_workflow_handle(stage.id("-target")).result()))]


class Renaming(WorkflowOutboundInterceptor):
    async def start_signal_with_start_workflow(self, request: Any) -> Any:
        request.signal_args = [f"{request.signal_args[0]}, intercepted"]
        return await super().start_signal_with_start_workflow(request)


class RenamingInbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(Renaming(outbound))


class RenamingInterceptor(Interceptor):
    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        return RenamingInbound


@scenario(Collector, Sender, interceptors=[RenamingInterceptor()])
async def signal_with_start_intercepted(stage: Stage) -> Any:
    await send(stage, "-1")
    return await target_of(stage).result()


@workflow.defn
class Twice:
    """Awaits one signal-with-start while other tasks run: the order of what follows."""

    @workflow.run
    async def run(self, target: str, queue: str) -> list[str]:
        order: list[str] = []

        async def send(name: str) -> None:
            await workflow.signal_with_start_workflow(
                Collector.run, 2, id=f"{target}-{name}", task_queue=queue, signal=Collector.put, signal_args=name
            )
            order.append(f"sent {name}")

        async def wait() -> None:
            await workflow.wait_condition(lambda: bool(order))
            order.append("seen")

        await asyncio.gather(wait(), send("a"))
        return order


@scenario(Collector, Twice)
async def signal_with_start_order(stage: Stage) -> Any:
    order = await stage.execute(Twice.run, stage.id("-target"), stage.task_queue)
    handle = stage.client.get_workflow_handle(stage.id("-target-a"))
    await handle.terminate()
    return order
