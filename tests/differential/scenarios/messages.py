"""Signals, queries, and workflows that talk to each other."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import workflow
from durability.client import WorkflowQueryFailedError
from durability.common import QueryRejectCondition
from durability.exceptions import ApplicationError
from tests.differential.stage import Stage, describe, scenario


@workflow.defn
class Plain:
    def __init__(self) -> None:
        self.got: list[Any] = []

    @workflow.run
    async def run(self, expected: int) -> list[Any]:
        await workflow.wait_condition(lambda: len(self.got) >= expected)
        return self.got

    @workflow.signal
    def put(self, value: Any) -> None:
        self.got.append(value)

    @workflow.signal(name="pair")
    async def put_two(self, first: int, second: int) -> None:
        self.got += [first, second]

    @workflow.signal
    async def broken(self) -> None:
        raise ApplicationError("in a signal")

    @workflow.query
    def count(self) -> int:
        return len(self.got)

    @workflow.query
    def nth(self, position: int) -> Any:
        return self.got[position]

    @workflow.query
    def commands(self) -> None:
        workflow.start_activity("x", start_to_close_timeout=timedelta(seconds=1))


@scenario(Plain, histories=False)
async def signals(stage: Stage) -> Any:
    handle = await stage.start(Plain.run, 4)
    await handle.signal(Plain.put, "a")
    await handle.signal(Plain.put_two, args=[1, 2])
    await handle.signal("put", {"b": 1})
    return await handle.result()


@scenario(Plain)
async def signal_with_start(stage: Stage) -> Any:
    handle = await stage.start(Plain.run, 1, start_signal="put", start_signal_args=["first"])
    return await handle.result()


@scenario(Plain)
async def signal_handler_fails_workflow(stage: Stage) -> Any:
    handle = await stage.start(Plain.run, 1, start_signal="broken")
    return await handle.result()


@scenario(Plain, histories=False)
async def queries(stage: Stage) -> Any:
    handle = await stage.start(Plain.run, 2, start_signal="put", start_signal_args=["x"])
    seen: list[Any] = [await handle.query(Plain.count), await handle.query("nth", 0)]
    for name, args in (("nth", [5]), ("unknown", []), ("commands", [])):
        try:
            await handle.query(name, args=args)
        except WorkflowQueryFailedError as error:
            seen.append([name, str(error)])
    await handle.signal(Plain.put, "y")
    seen += [await handle.result(), await handle.query(Plain.count)]
    try:
        await handle.query(Plain.count, reject_condition=QueryRejectCondition.NOT_OPEN)
    except Exception as error:
        seen.append([type(error).__name__, str(error)])
    return seen


@workflow.defn
class Early:
    @workflow.init
    def __init__(self, name: str) -> None:
        self.order: list[str] = [f"init {name}"]

    @workflow.run
    async def run(self, name: str) -> list[str]:
        self.order.append("run")
        await asyncio.sleep(0.05)
        return self.order

    @workflow.signal
    async def note(self, text: str) -> None:
        self.order.append(f"{text} begins")
        await asyncio.sleep(0)
        self.order.append(f"{text} ends")


@scenario(Early)
async def signal_before_run(stage: Stage) -> Any:
    return await stage.execute(Early.run, "x", start_signal="note", start_signal_args=["early"])


@workflow.defn
class LateHandler:
    @workflow.run
    async def run(self) -> list[Any]:
        got: list[Any] = []
        await asyncio.sleep(0.05)
        workflow.set_signal_handler("late", lambda value: got.append(value))
        await workflow.wait_condition(lambda: bool(got))
        return got


@scenario(LateHandler)
async def signal_buffered_until_handler_is_set(stage: Stage) -> Any:
    return await stage.execute(LateHandler.run, start_signal="late", start_signal_args=[3])


@workflow.defn
class Child:
    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self, kind: str) -> str:
        if kind == "fail":
            raise ApplicationError("child failed", "d", type="ChildKind")
        if kind == "wait":
            await asyncio.sleep(100)
        if kind == "listen":
            await workflow.wait_condition(lambda: bool(self.told))
            return self.told[0]
        if kind == "slow cancel":
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                await asyncio.sleep(0.1)
                raise
        parent = workflow.info().parent
        return f"child of {parent.workflow_id if parent else None}"

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told.append(text)


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, kind: str, child_id: str) -> Any:
        if kind == "twice":
            await workflow.start_child_workflow(Child.run, "wait", id=child_id)
            await workflow.start_child_workflow(Child.run, "wait", id=child_id)
        if kind == "signal":
            handle = await workflow.start_child_workflow(Child.run, "listen", id=child_id)
            await handle.signal(Child.tell, "psst")
            return await handle
        if kind == "external signal":
            handle = await workflow.start_child_workflow(Child.run, "listen", id=child_id)
            await workflow.get_external_workflow_handle(child_id).signal("tell", "from outside")
            return await handle
        if kind == "external cancel":
            handle = await workflow.start_child_workflow(Child.run, "wait", id=child_id)
            await workflow.get_external_workflow_handle(child_id).cancel()
            return await handle
        if kind == "cancel":
            handle = await workflow.start_child_workflow(Child.run, "slow cancel", id=child_id)
            handle.cancel()
            return await handle
        if kind == "cancel at once":
            task = asyncio.create_task(workflow.execute_child_workflow(Child.run, "wait", id=child_id))
            await asyncio.sleep(0)
            task.cancel()
            return await task
        if kind == "timeout":
            return await workflow.execute_child_workflow(
                Child.run, "wait", id=child_id, run_timeout=timedelta(milliseconds=500)
            )
        return await workflow.execute_child_workflow(Child.run, kind, id=child_id)


@scenario(Parent, Child)
async def child_result(stage: Stage) -> Any:
    return await stage.execute(Parent.run, "plain", stage.id("-child"))


@scenario(Parent, Child)
async def child_fails(stage: Stage) -> Any:
    return await stage.execute(Parent.run, "fail", stage.id("-child"))


@scenario(Parent, Child)
async def child_id_in_use(stage: Stage) -> Any:
    return await stage.execute(Parent.run, "twice", stage.id("-child"))


@scenario(Parent, Child, histories=False)
async def child_signalled(stage: Stage) -> Any:
    return await stage.execute(Parent.run, "signal", stage.id("-child"))


@scenario(Parent, Child, histories=False)
async def external_signalled(stage: Stage) -> Any:
    return await stage.execute(Parent.run, "external signal", stage.id("-child"))


@scenario(Parent, Child, histories=False)
async def external_cancelled(stage: Stage) -> Any:
    return await stage.execute(Parent.run, "external cancel", stage.id("-child"))


@scenario(Parent, Child, histories=False)
async def child_cancelled(stage: Stage) -> Any:
    return await stage.execute(Parent.run, "cancel", stage.id("-child"))


@scenario(Parent, Child)
async def child_cancelled_before_it_is_started(stage: Stage) -> Any:
    return await stage.execute(Parent.run, "cancel at once", stage.id("-child"))


@scenario(Parent, Child)
async def child_times_out(stage: Stage) -> Any:
    return await stage.execute(Parent.run, "timeout", stage.id("-child"))


@scenario(Parent, Child, histories=False)
async def child_terminated(stage: Stage) -> Any:
    handle = await stage.start(Parent.run, "wait", stage.id("-child"))
    child = stage.client.get_workflow_handle(stage.id("-child"))
    for _ in range(100):
        try:
            await child.terminate(reason="by hand")
            break
        except Exception:
            await asyncio.sleep(0.05)
    return await handle.result()


@workflow.defn
class External:
    @workflow.run
    async def run(self, kind: str) -> Any:
        handle = workflow.get_external_workflow_handle("there-is-no-such-workflow")
        if kind == "signal":
            await handle.signal("x")
        await handle.cancel()
        return None


@scenario(External)
async def external_signal_to_nobody(stage: Stage) -> Any:
    return await stage.execute(External.run, "signal")


@scenario(External)
async def external_cancel_of_nobody(stage: Stage) -> Any:
    return await stage.execute(External.run, "cancel")


@workflow.defn
class Closing:
    @workflow.run
    async def run(self, policies: list[str], prefix: str) -> str:
        for policy in policies:
            await workflow.start_child_workflow(
                Child.run,
                "wait",
                id=f"{prefix}-{policy}",
                parent_close_policy=workflow.ParentClosePolicy[policy],
            )
        return "done"


@scenario(Closing, Child, histories=False)
async def parent_close_policies(stage: Stage) -> Any:
    policies = ["TERMINATE", "ABANDON", "REQUEST_CANCEL"]
    seen: list[Any] = [await stage.execute(Closing.run, policies, stage.id())]
    for policy in policies:
        handle = stage.client.get_workflow_handle(f"{stage.id()}-{policy}")
        if policy == "ABANDON":
            await asyncio.sleep(0.2)
            seen.append((await handle.describe()).status.name)
            await handle.terminate()
            continue
        try:
            await handle.result()
        except Exception as error:
            seen.append(describe(error))
    return seen
