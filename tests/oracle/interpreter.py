"""A workflow that runs small programs. It is loaded twice: as it is, and with the import names of the reference."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from durability import workflow
from durability.common import RawValue, SearchAttributeKey
from durability.exceptions import ApplicationError, CancelledError

WORD = SearchAttributeKey.for_keyword("Word")


class InOrder(dict[Any, None]):
    """A set that keeps its order."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)

    def __iter__(self) -> Any:
        return iter(list(self.keys()))


class Group(asyncio.TaskGroup):
    """A task group that cancels its tasks in order; with the reference, that order depends on memory addresses."""

    def __init__(self) -> None:
        super().__init__()
        self._tasks: Any = InOrder()


def kind(value: Any) -> str:
    """The type of an error or result; the one that continues as new has a private name of its own in each engine."""
    return "ContinueAsNew" if isinstance(value, workflow.ContinueAsNewError) else type(value).__name__


@workflow.defn(name="Interpreter")
class Interpreter:
    def __init__(self) -> None:
        self.trace: list[str] = []
        self.flags: list[str] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.children: list[workflow.ChildWorkflowHandle[Any, Any]] = []
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        self.lock = asyncio.Lock()
        self.slots = asyncio.Semaphore(2)
        self.event = asyncio.Event()

    @workflow.run
    async def run(self, program: list[Any]) -> list[str]:
        await self.execute(program, "main")
        return self.trace

    @workflow.signal
    async def flag(self, name: str, program: list[Any]) -> None:
        self.trace.append(f"signal {name}")
        self.flags.append(name)
        self.queue.put_nowait(name)
        await self.execute(program, f"signal-{name}")

    @workflow.update
    async def change(self, name: str, program: list[Any]) -> str:
        info = workflow.current_update_info()
        self.trace.append(f"update {name} {info and info.id}")
        self.flags.append(name)
        await self.execute(program, f"update-{name}")
        return name

    @change.validator
    def check(self, name: str, program: list[Any]) -> None:
        if name == "bad":
            raise ApplicationError("rejected")
        if name == "worse":
            raise ValueError("rejected by a bug")

    @workflow.query
    def so_far(self) -> list[str]:
        return self.trace

    @workflow.query
    def breaks_rules(self, how: str) -> str:
        try:
            if how == "activity":
                self.start_activity(0, "query")
            elif how == "patch":
                workflow.patched("in a query")
            elif how == "memo":
                workflow.upsert_memo({"query": 1})
            elif how == "random":
                workflow.uuid4()
            elif how == "handler":
                workflow.set_signal_handler("query", None)
            elif how == "continue":
                workflow.continue_as_new([])
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "nothing"

    async def execute(self, program: list[Any], who: str) -> None:
        for number, (op, *args) in enumerate(program):
            step = f"{who}.{number} {op}"
            try:
                await self.execute_one(op, args, step)
                self.trace.append(step)
            except BaseException as error:
                self.trace.append(f"{step}: {kind(error)} {kind(error.__cause__)}")
                raise

    async def execute_one(self, op: str, args: list[Any], step: str) -> None:
        await getattr(self, f"op_{op}")(step, *args)

    # --- operations outside of the workflow ---

    def start_activity(self, cancellation_type: int, step: str) -> workflow.ActivityHandle[Any]:
        return workflow.start_activity(
            "act",
            args=[step, len(self.trace)],
            start_to_close_timeout=timedelta(seconds=10),
            cancellation_type=workflow.ActivityCancellationType(cancellation_type),
        )

    def start_local_activity(self, cancellation_type: int, step: str) -> workflow.ActivityHandle[Any]:
        return workflow.start_local_activity(
            "act",
            args=[step, len(self.trace)],
            start_to_close_timeout=timedelta(seconds=10),
            cancellation_type=workflow.ActivityCancellationType(cancellation_type),
        )

    async def start_child(self, cancellation_type: int, step: str) -> workflow.ChildWorkflowHandle[Any, Any]:
        handle: workflow.ChildWorkflowHandle[Any, Any] = await workflow.start_child_workflow(
            "Child",
            args=[step, len(self.trace)],
            id=f"child {step} {len(self.trace)}",
            cancellation_type=workflow.ChildWorkflowCancellationType(cancellation_type),
        )
        self.children.append(handle)
        return handle

    async def execute_child(self, cancellation_type: int, step: str) -> None:
        await (await self.start_child(cancellation_type, step))

    async def op_activity(self, step: str, cancellation_type: int) -> None:
        await self.start_activity(cancellation_type, step)

    async def op_spawn_activity(self, step: str, cancellation_type: int) -> None:
        self.tasks.append(self.start_activity(cancellation_type, step))

    async def op_local(self, step: str, cancellation_type: int) -> None:
        await self.start_local_activity(cancellation_type, step)

    async def op_spawn_local(self, step: str, cancellation_type: int) -> None:
        self.tasks.append(self.start_local_activity(cancellation_type, step))

    async def op_child(self, step: str, cancellation_type: int) -> None:
        await self.execute_child(cancellation_type, step)

    async def op_spawn_child(self, step: str, cancellation_type: int) -> None:
        self.tasks.append(asyncio.create_task(self.execute_child(cancellation_type, step)))

    async def op_start_child(self, step: str, cancellation_type: int) -> None:
        self.tasks.append(await self.start_child(cancellation_type, step))  # type: ignore[arg-type]

    async def op_signal_child(self, step: str, number: int) -> None:
        if self.children:
            await self.children[number % len(self.children)].signal("hello", step)

    async def op_signal_external(self, step: str, name: str) -> None:
        await workflow.get_external_workflow_handle(name).signal("hello", args=[step, 1])

    async def op_summon(self, step: str, name: str) -> None:
        handle = await workflow.signal_with_start_workflow(
            "Friend", step, id=name, task_queue="queue", signal="hello", signal_args=[step, 1]
        )
        self.trace.append(f"{handle.id} {handle.run_id}")

    async def op_cancel_external(self, step: str, name: str) -> None:
        await workflow.get_external_workflow_handle(name, run_id="a run").cancel()

    async def op_sleep(self, step: str, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def op_workflow_sleep(self, step: str, seconds: float) -> None:
        await workflow.sleep(seconds)

    async def op_patch(self, step: str, name: str) -> None:
        self.trace.append(f"patched {workflow.patched(name)}")

    async def op_scope(self, step: str, name: str, program: list[Any]) -> None:
        with workflow.create_event_group(name).scope():
            await self.execute(program, step)

    async def op_sleep_in_groups(self, step: str, first: str, second: str) -> None:
        groups = [workflow.create_event_group(first), workflow.create_event_group(second, label="a label")]
        await workflow.sleep(1, event_groups=groups)

    async def op_activity_in_group(self, step: str, name: str, cancellation_type: int) -> None:
        await workflow.execute_activity(
            "act",
            args=[step, len(self.trace)],
            start_to_close_timeout=timedelta(seconds=10),
            cancellation_type=workflow.ActivityCancellationType(cancellation_type),
            event_groups=[workflow.create_event_group(name)],
        )

    async def op_wait_in_group(self, step: str, name: str) -> None:
        group = workflow.create_event_group(name)
        await workflow.wait_condition(lambda: len(self.flags) > 1, timeout=2, event_groups=[group])

    async def op_memo(self, step: str, key: str, value: Any) -> None:
        workflow.upsert_memo({key: value})
        self.trace.append(f"memo {sorted(workflow.memo().items())}")

    async def op_attribute(self, step: str, value: str | None) -> None:
        workflow.upsert_search_attributes([WORD.value_set(value) if value else WORD.value_unset()])
        self.trace.append(f"attribute {workflow.info().typed_search_attributes.get(WORD)}")

    async def op_continue(self, step: str) -> None:
        workflow.continue_as_new([[step]], memo={"step": step})

    async def op_raise(self, step: str, kind: str) -> None:
        if kind == "cancelled":
            raise CancelledError("raised")
        if kind == "asyncio cancelled":
            raise asyncio.CancelledError("raised")
        if kind == "timeout":
            raise TimeoutError("raised")
        if kind == "bug":
            raise ValueError("raised")
        raise ApplicationError("raised", step, type="Raised")

    # --- what the workflow can ask for ---

    async def op_random(self, step: str) -> None:
        self.trace.append(f"{workflow.random().random()} {workflow.uuid4()} {workflow.uuid7()}")

    async def op_info(self, step: str) -> None:
        seen = [workflow.now().isoformat(), workflow.cancellation_reason(), workflow.all_handlers_finished()]
        self.trace.append(f"info {seen} {workflow.time()}")

    async def op_details(self, step: str) -> None:
        workflow.set_current_details(step)
        self.trace.append(workflow.get_current_details())

    async def op_set_signal(self, step: str, name: str) -> None:
        async def handle(text: str, program: list[Any]) -> None:
            self.trace.append(f"{name} {text}")
            self.flags.append(name)
            await self.execute(program, f"{name}-{text}")

        workflow.set_signal_handler(name, handle)

    async def op_set_dynamic_signal(self, step: str) -> None:
        def handle(name: str, args: Sequence[RawValue]) -> None:
            self.trace.append(f"dynamic {name} {len(args)}")
            self.flags.append(name)

        workflow.set_dynamic_signal_handler(handle)

    async def op_unset_signal(self, step: str, name: str) -> None:
        workflow.set_signal_handler(name, None)

    async def op_set_update(self, step: str, name: str) -> None:
        async def handle(text: str, program: list[Any]) -> str:
            self.trace.append(f"{name} {text}")
            await self.execute(program, f"{name}-{text}")
            return step

        workflow.set_update_handler(name, handle)

    # --- waiting ---

    async def op_wait(self, step: str, count: int) -> None:
        await workflow.wait_condition(lambda: len(self.flags) >= count)

    async def op_wait_timeout(self, step: str, count: int, seconds: float) -> None:
        await workflow.wait_condition(lambda: len(self.flags) >= count, timeout=seconds)

    async def op_handlers(self, step: str) -> None:
        await workflow.wait_condition(workflow.all_handlers_finished)

    async def op_spawn(self, step: str, program: list[Any]) -> None:
        self.tasks.append(asyncio.create_task(self.execute(program, step)))

    async def op_cancel(self, step: str, number: int) -> None:
        if self.tasks:
            self.tasks[number % len(self.tasks)].cancel()

    async def op_join(self, step: str, number: int) -> None:
        if self.tasks:
            await self.tasks[number % len(self.tasks)]

    async def op_gather(self, step: str, programs: list[Any]) -> None:
        await asyncio.gather(*(self.execute(program, f"{step}/{i}") for i, program in enumerate(programs)))

    async def op_gather_all(self, step: str, programs: list[Any]) -> None:
        parts = (self.execute(program, f"{step}/{i}") for i, program in enumerate(programs))
        results = await asyncio.gather(*parts, return_exceptions=True)
        self.trace.append(f"{step} {[kind(result) for result in results]}")

    async def op_group(self, step: str, programs: list[Any]) -> None:
        async with Group() as group:
            for i, program in enumerate(programs):
                group.create_task(self.execute(program, f"{step}/{i}"))

    async def op_first_completed(self, step: str, programs: list[Any]) -> None:
        tasks = [asyncio.create_task(self.execute(program, f"{step}/{i}")) for i, program in enumerate(programs)]
        self.tasks += tasks
        done, pending = await workflow.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.trace.append(f"{step} {len(done)} {len(pending)}")

    async def op_as_completed(self, step: str, programs: list[Any]) -> None:
        parts = [self.execute(program, f"{step}/{i}") for i, program in enumerate(programs)]
        for part in workflow.as_completed(parts):
            await part

    async def op_timeout(self, step: str, seconds: float, program: list[Any]) -> None:
        async with asyncio.timeout(seconds):
            await self.execute(program, step)

    async def op_wait_for(self, step: str, seconds: float, program: list[Any]) -> None:
        await asyncio.wait_for(self.execute(program, step), seconds)

    async def op_shield(self, step: str, program: list[Any]) -> None:
        await asyncio.shield(self.execute(program, step))

    async def op_try(self, step: str, program: list[Any]) -> None:
        try:
            await self.execute(program, step)
        except (Exception, asyncio.CancelledError) as error:
            self.trace.append(f"{step} caught {kind(error)}")

    async def op_finally(self, step: str, program: list[Any], after: list[Any]) -> None:
        try:
            await self.execute(program, step)
        finally:
            await self.execute(after, f"{step} finally")

    async def op_get(self, step: str) -> None:
        await self.queue.get()

    async def op_put(self, step: str) -> None:
        await self.queue.put(step)

    async def op_lock(self, step: str, program: list[Any]) -> None:
        async with self.lock:
            await self.execute(program, step)

    async def op_semaphore(self, step: str, program: list[Any]) -> None:
        async with self.slots:
            await self.execute(program, step)

    async def op_event_set(self, step: str) -> None:
        self.event.set()

    async def op_event_wait(self, step: str) -> None:
        await self.event.wait()

    async def op_yield(self, step: str) -> None:
        await asyncio.sleep(0)
