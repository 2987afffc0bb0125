"""A workflow that runs small programs. It is loaded twice: as it is, and with the import names of the reference."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from durability import workflow
from durability.exceptions import ApplicationError


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


@workflow.defn(name="Interpreter")
class Interpreter:
    def __init__(self) -> None:
        self.trace: list[str] = []
        self.flags: list[str] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        self.lock = asyncio.Lock()

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
        self.trace.append(f"update {name}")
        self.flags.append(name)
        await self.execute(program, f"update-{name}")
        return name

    @change.validator
    def check(self, name: str, program: list[Any]) -> None:
        if name == "bad":
            raise ApplicationError("rejected")

    @workflow.query
    def so_far(self) -> list[str]:
        return self.trace

    async def execute(self, program: list[Any], who: str) -> None:
        for number, (op, *args) in enumerate(program):
            step = f"{who}.{number} {op}"
            try:
                await self.execute_one(op, args, step)
                self.trace.append(step)
            except BaseException as error:
                self.trace.append(f"{step}: {type(error).__name__} {type(error.__cause__).__name__}")
                raise

    async def execute_one(self, op: str, args: list[Any], step: str) -> None:
        if op == "activity":
            await self.start_activity(args[0], step)
        elif op == "sleep":
            await asyncio.sleep(args[0])
        elif op == "workflow_sleep":
            await workflow.sleep(args[0])
        elif op == "wait":
            count = args[0]
            await workflow.wait_condition(lambda: len(self.flags) >= count)
        elif op == "wait_timeout":
            count = args[0]
            await workflow.wait_condition(lambda: len(self.flags) >= count, timeout=args[1])
        elif op == "spawn":
            self.tasks.append(asyncio.create_task(self.execute(args[0], step)))
        elif op == "spawn_activity":
            self.tasks.append(self.start_activity(args[0], step))
        elif op == "cancel":
            if self.tasks:
                self.tasks[args[0] % len(self.tasks)].cancel()
        elif op == "join":
            if self.tasks:
                await self.tasks[args[0] % len(self.tasks)]
        elif op == "gather":
            await asyncio.gather(*(self.execute(program, f"{step}/{i}") for i, program in enumerate(args[0])))
        elif op == "group":
            async with Group() as group:
                for i, program in enumerate(args[0]):
                    group.create_task(self.execute(program, f"{step}/{i}"))
        elif op == "timeout":
            async with asyncio.timeout(args[0]):
                await self.execute(args[1], step)
        elif op == "wait_for":
            await asyncio.wait_for(self.execute(args[1], step), args[0])
        elif op == "shield":
            await asyncio.shield(self.execute(args[0], step))
        elif op == "try":
            try:
                await self.execute(args[0], step)
            except (Exception, asyncio.CancelledError):
                self.trace.append(f"{step} caught")
        elif op == "get":
            await self.queue.get()
        elif op == "lock":
            async with self.lock:
                await self.execute(args[0], step)
        elif op == "patch":
            self.trace.append(f"patched {workflow.patched(args[0])}")
        elif op == "yield":
            await asyncio.sleep(0)
        elif op == "fail":
            raise ApplicationError("failed")
        elif op == "handlers":
            await workflow.wait_condition(workflow.all_handlers_finished)

    def start_activity(self, cancellation_type: int, step: str) -> workflow.ActivityHandle[Any]:
        return workflow.start_activity(
            "act",
            args=[step, len(self.trace)],
            start_to_close_timeout=timedelta(seconds=10),
            cancellation_type=workflow.ActivityCancellationType(cancellation_type),
        )
