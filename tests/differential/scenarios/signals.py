"""Signals: dynamic and replaced handlers, order, buffering, failures; external handles; unfinished handlers."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.common import RawValue
from durability.exceptions import ApplicationError
from tests.differential.stage import Stage, attempt, scenario

SECONDS = timedelta(seconds=10)


@activity.defn
async def note(text: str) -> str:
    return text


@workflow.defn
class Dynamic:
    def __init__(self) -> None:
        self.got: list[Any] = []

    @workflow.run
    async def run(self, expected: int) -> list[Any]:
        await workflow.wait_condition(lambda: len(self.got) >= expected)
        return self.got

    @workflow.signal
    def exact(self, value: int) -> None:
        self.got.append(["exact", value])

    @workflow.signal(dynamic=True)
    async def anything(self, name: str, args: Sequence[RawValue]) -> None:
        self.got.append([name, len(args)])


@scenario(Dynamic, histories=False)
async def signals_to_a_dynamic_handler(stage: Stage) -> Any:
    handle = await stage.start(Dynamic.run, 4)
    await handle.signal("exact", 1)
    await handle.signal("other", args=[1, "b"])
    await handle.signal("empty")
    await handle.signal("exact", 2)
    return await handle.result()


@workflow.defn
class DynamicValues:
    def __init__(self) -> None:
        self.got: list[Any] = []

    @workflow.run
    async def run(self) -> list[Any]:
        await workflow.wait_condition(lambda: len(self.got) >= 2)
        return self.got

    @workflow.signal(dynamic=True)
    def anything(self, name: str, args: Sequence[RawValue]) -> None:
        values = [workflow.payload_converter().from_payload(arg.payload) for arg in args]
        self.got.append([name, values])


@scenario(DynamicValues, histories=False)
async def raw_values_of_a_dynamic_handler(stage: Stage) -> Any:
    handle = await stage.start(DynamicValues.run)
    await handle.signal("a", args=[1, {"b": None}])
    await handle.signal("c", "text")
    return await handle.result()


@workflow.defn
class LateDynamic:
    @workflow.run
    async def run(self) -> list[Any]:
        got: list[Any] = []
        await asyncio.sleep(0.05)

        def anything(name: str, args: Sequence[RawValue]) -> None:
            got.append([name, len(args)])

        workflow.set_signal_handler("second", lambda value: got.append(["exact", value]))
        workflow.set_dynamic_signal_handler(anything)
        await workflow.wait_condition(lambda: len(got) >= 3)
        return got


@scenario(LateDynamic, histories=False)
async def signals_buffered_until_a_dynamic_handler_is_set(stage: Stage) -> Any:
    handle = await stage.start(LateDynamic.run, start_signal="first", start_signal_args=[1, 2])
    await handle.signal("second", "x")
    await handle.signal("third")
    return await handle.result()


@workflow.defn
class Replacing:
    def __init__(self) -> None:
        self.got: list[Any] = []

    @workflow.run
    async def run(self) -> list[Any]:
        await workflow.wait_condition(lambda: len(self.got) == 1)
        workflow.set_signal_handler("put", lambda value: self.got.append(["replaced", value]))
        self.got.append(workflow.get_signal_handler("put") is not None)
        await workflow.wait_condition(lambda: len(self.got) == 3)
        workflow.set_signal_handler("put", None)
        self.got.append(workflow.get_signal_handler("put") is None)
        return self.got

    @workflow.signal
    def put(self, value: Any) -> None:
        self.got.append(value)


@scenario(Replacing, histories=False)
async def signal_handler_replaced(stage: Stage) -> Any:
    handle = await stage.start(Replacing.run, start_signal="put", start_signal_args=["a"])
    await stage.reached(handle, "WorkflowTaskCompleted")
    await handle.signal("put", "b")
    return await handle.result()


@workflow.defn
class Ordered:
    def __init__(self) -> None:
        self.log: list[str] = []

    @workflow.run
    async def run(self, expected: int) -> list[str]:
        self.log.append("run")
        await workflow.wait_condition(lambda: sum(" ends" in entry for entry in self.log) >= expected)
        return self.log

    @workflow.signal
    async def work(self, name: str, steps: int) -> None:
        self.log.append(f"{name} begins")
        for step in range(steps):
            await workflow.execute_activity(note, f"{name}{step}", start_to_close_timeout=SECONDS)
        self.log.append(f"{name} ends")

    @workflow.signal
    def quick(self, name: str) -> None:
        self.log.append(f"{name} ends")

    @workflow.signal
    async def typed(self, number: int, factor: float = 2.0) -> None:
        self.log.append(f"{number * factor} ends")


@scenario(Ordered, activities=[note])
async def signal_handler_with_an_activity_before_run(stage: Stage) -> Any:
    return await stage.execute(Ordered.run, 1, start_signal="work", start_signal_args=["a", 1])


@scenario(Ordered, activities=[note], histories=False)
async def signal_handlers_run_concurrently(stage: Stage) -> Any:
    handle = await stage.start(Ordered.run, 3, start_signal="work", start_signal_args=["a", 2])
    await handle.signal("work", args=["b", 1])
    await handle.signal("quick", "c")
    return sorted(await handle.result())


@scenario(Ordered, histories=False)
async def signal_arguments_that_do_not_fit(stage: Stage) -> Any:
    """What does not decode is dropped, what is missing has its default."""
    handle = await stage.start(Ordered.run, 2)
    await stage.reached(handle, "WorkflowTaskCompleted")
    await handle.signal("typed", args=["not a number", 2.0])
    await handle.signal("typed", 3)
    await handle.signal("typed", args=[4, 0.5])
    return await handle.result()


@workflow.defn
class Misbehaving:
    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        if workflow.info().continued_run_id:
            return ["continued"]
        await workflow.wait_condition(lambda: len(self.got) > 1)
        return self.got

    @workflow.signal
    async def act_up(self, kind: str) -> None:
        self.got.append(kind)
        if kind == "continue":
            workflow.continue_as_new()
        if kind == "cancelled":
            raise asyncio.CancelledError("in a signal")
        if kind == "caused":
            try:
                raise KeyError("inner")
            except KeyError as error:
                raise ApplicationError("outer", {"a": 1}, type="T", non_retryable=True) from error


@scenario(Misbehaving, cases=["continue", "caused"])
async def signal_handler_raises(stage: Stage, kind: str) -> Any:
    handle = await stage.start(Misbehaving.run)
    await stage.reached(handle, "WorkflowTaskCompleted")
    await handle.signal("act_up", kind)
    return await attempt(handle.result())


@workflow.defn
class Unfinished:
    def __init__(self) -> None:
        self.done = False

    @workflow.run
    async def run(self, wait: bool) -> Any:
        await workflow.wait_condition(lambda: self.done)
        before = workflow.all_handlers_finished()
        if wait:
            await workflow.wait_condition(workflow.all_handlers_finished)
        return [before, workflow.all_handlers_finished()]

    @workflow.signal
    async def linger(self) -> None:
        self.done = True
        await asyncio.sleep(0.05)

    @workflow.signal(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def abandoned(self) -> None:
        self.done = True
        await asyncio.sleep(0.05)


@scenario(Unfinished, cases=[(True, "linger"), (False, "linger"), (True, "abandoned"), (False, "abandoned")])
async def all_handlers_finished(stage: Stage, case: tuple[bool, str]) -> Any:
    return await stage.execute(Unfinished.run, case[0], start_signal=case[1])


@workflow.defn
class Target:
    def __init__(self) -> None:
        self.got: list[Any] = []

    @workflow.run
    async def run(self) -> list[Any]:
        try:
            await workflow.wait_condition(lambda: len(self.got) > 1)
        except asyncio.CancelledError:
            return ["cancelled", workflow.cancellation_reason()]
        return self.got

    @workflow.signal
    def put(self, value: Any) -> None:
        self.got.append(value)


@workflow.defn
class Sender:
    @workflow.run
    async def run(self, id: str, run_id: str | None, what: str) -> Any:
        handle = workflow.get_external_workflow_handle_for(Target.run, id, run_id=run_id)
        seen: list[Any] = [handle.id == id, handle.run_id == run_id]
        if what == "cancel":
            return [*seen, await attempt(handle.cancel())]
        if what == "both at once":
            await asyncio.gather(handle.signal(Target.put, "a"), handle.signal(Target.put, "b"))
            return seen
        await handle.signal(Target.put, {"n": 1})
        return [*seen, await attempt(handle.signal("put", "last"))]


@scenario(Target, Sender, cases=["signal", "cancel", "both at once"], histories=False)
async def external_workflow(stage: Stage, what: str) -> Any:
    target = await stage.client.start_workflow(Target.run, id=stage.id("-target"), task_queue=stage.task_queue)
    await stage.reached(target, "WorkflowTaskCompleted")
    sent = await stage.execute(Sender.run, target.id, None, what)
    got = [
        text.replace(stage.handles[0].result_run_id, "RUN") if what == "cancel" else text
        for text in await target.result()
    ]
    return [sent, sorted(got) if what == "both at once" else got]


@scenario(Target, Sender)
async def external_workflow_by_run_id(stage: Stage) -> Any:
    target = await stage.client.start_workflow(Target.run, id=stage.id("-target"), task_queue=stage.task_queue)
    await stage.reached(target, "WorkflowTaskCompleted")
    sent = await stage.execute(Sender.run, target.id, target.result_run_id, "signal")
    return [sent, await target.result()]


@scenario(Target, Sender, cases=["signal", "cancel"])
async def external_workflow_already_closed(stage: Stage, what: str) -> Any:
    target = await stage.client.start_workflow(Target.run, id=stage.id("-target"), task_queue=stage.task_queue)
    await target.signal(Target.put, 1)
    await target.signal(Target.put, 2)
    await target.result()
    return await attempt(stage.execute(Sender.run, target.id, None, what))


@workflow.defn
class SendingToItself:
    @workflow.run
    async def run(self) -> Any:
        handle = workflow.get_external_workflow_handle(workflow.info().workflow_id)
        return [await attempt(handle.signal("put", 1)), await attempt(handle.cancel())]


@workflow.defn
class Asking:
    @workflow.run
    async def run(self, id: str, how: str) -> Any:
        handle = await workflow.start_child_workflow(
            Target.run, id=id, parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL
        )
        await asyncio.sleep(0.1)
        if how == "external":
            await workflow.get_external_workflow_handle(id).cancel(reason="enough of it")
        elif how == "child":
            handle.cancel("for a reason")
        elif how == "child without reason":
            handle.cancel()
        if how == "close":
            return "closed"
        return await handle


@scenario(Asking, Target, histories=False, cases=["external", "child", "child without reason", "close"])
async def cancellation_reason_by(stage: Stage, how: str) -> Any:
    """The reason that a child finds says which run asked."""
    target = stage.id("-target")
    parent = await stage.start(Asking.run, target, how)
    seen = await parent.result()
    if how == "close":
        seen = await stage.client.get_workflow_handle(target).result()
    return [text.replace(parent.result_run_id, "RUN") for text in seen]


@scenario(SendingToItself, histories=False)
async def external_handle_of_oneself(stage: Stage) -> Any:
    handle = await stage.start(SendingToItself.run)
    outcome = await attempt(handle.result())
    return [outcome, (await handle.describe()).status.name]
