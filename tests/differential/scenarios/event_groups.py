"""Event groups: which commands show which, as Temporal's history has them."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from durability import activity, workflow
from durability.client import WorkflowHistory
from durability.common import RawValue, SearchAttributeKey
from durability.exceptions import ActivityError, ApplicationError, ChildWorkflowError
from tests.differential.stage import Stage, attempt, scenario

SECONDS = timedelta(seconds=10)
NUMBER = SearchAttributeKey.for_int("Number")
Groups = Sequence[workflow.EventGroup] | None


def shown(history: Any) -> list[list[Any]]:
    """The commands of a history that have an id or a name, by it, with their groups; and all others that have any.

    Sorted, as what came first is not what is compared.
    """
    signals = {
        e.event_id: e.workflow_execution_signaled_event_attributes.signal_name
        for e in history.events
        if e.WhichOneof("attributes") == "workflow_execution_signaled_event_attributes"
    }
    found = []
    for event in history.events:
        kind = event.WhichOneof("attributes").removesuffix("_event_attributes")
        name = ""
        if kind == "activity_task_scheduled":
            name = event.activity_task_scheduled_event_attributes.activity_id
        elif kind == "marker_recorded":
            name = event.marker_recorded_event_attributes.marker_name
        markers = [_marker(marker, signals) for marker in event.event_group_markers]
        if name or markers:
            found.append([kind, name, *markers])
    return sorted(found)


def _marker(marker: Any, signals: dict[int, str]) -> Any:
    if marker.HasField("inbound_event"):
        return ["signal", signals[marker.inbound_event.inbound_event_id]]
    if marker.HasField("inbound_update"):
        return ["update", marker.inbound_update.inbound_update_id]
    if not marker.label.HasField("label"):
        return marker.label.id
    return [marker.label.id, marker.label.label.metadata["encoding"].decode(), marker.label.label.data.decode()]


async def told(stage: Stage, handle: Any) -> Any:
    """What came of a run, and the groups in its history, which have to survive being written and read."""
    handle = stage.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    result = await attempt(handle.result(follow_runs=False))
    history = await handle.fetch_history()
    again = WorkflowHistory.from_json(history.workflow_id, history.to_json())
    assert shown(again) == shown(history)
    return [result, shown(history)]


@activity.defn
async def pass_by() -> None:
    pass


@activity.defn
async def linger() -> None:
    await asyncio.sleep(5)


async def act(id: str, groups: Groups = None) -> None:
    await workflow.execute_activity(pass_by, start_to_close_timeout=SECONDS, activity_id=id, event_groups=groups)


async def swallowed(work: Awaitable[Any]) -> None:
    with suppress(asyncio.CancelledError, TimeoutError, ActivityError, ChildWorkflowError, ApplicationError):
        await work


@workflow.defn
class Nothing:
    @workflow.run
    async def run(self) -> None:
        pass


@workflow.defn
class Told:
    def __init__(self) -> None:
        self.done = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.done)

    @workflow.signal
    def end(self) -> None:
        self.done = True


@workflow.defn
class Commands:
    """Each kind of command, in a scope and with a group of its own."""

    @workflow.run
    async def run(self, kind: str) -> None:
        self.direct = [workflow.create_event_group("direct", label="Direct")]
        child = None
        if kind == "signal-child":
            child = await workflow.start_child_workflow(Told.run, id=f"{workflow.info().workflow_id}-child")
        with workflow.create_event_group("scope").scope():
            await getattr(self, kind.replace("-", "_"))(child)
        await act("outside")

    async def timers(self, _: Any) -> None:
        await workflow.sleep(0.001, event_groups=self.direct)
        await asyncio.sleep(0.001)
        await swallowed(asyncio.wait_for(asyncio.Event().wait(), 0.001))
        await swallowed(workflow.wait_condition(lambda: False, timeout=0.001, event_groups=self.direct))

    async def cancelled_timer(self, _: Any) -> None:
        long = asyncio.create_task(workflow.sleep(60, event_groups=self.direct))
        await workflow.sleep(0.001)
        with workflow.create_event_group("where it was cancelled").scope():
            long.cancel()
            await swallowed(long)

    async def activity(self, _: Any) -> None:
        await act("act", self.direct)

    async def cancelled_activity(self, _: Any) -> None:
        handle = workflow.start_activity(
            linger,
            start_to_close_timeout=SECONDS,
            heartbeat_timeout=SECONDS,
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
            activity_id="long",
            event_groups=self.direct,
        )
        await workflow.sleep(0.01)
        handle.cancel()
        await swallowed(handle)

    async def local_activity(self, _: Any) -> None:
        await workflow.execute_local_activity(pass_by, start_to_close_timeout=SECONDS, event_groups=self.direct)
        await workflow.execute_local_activity(pass_by, start_to_close_timeout=SECONDS)

    async def child(self, _: Any) -> None:
        id = f"{workflow.info().workflow_id}-child"
        await workflow.execute_child_workflow(Nothing.run, id=id, event_groups=self.direct)

    async def cancelled_child(self, _: Any) -> None:
        id = f"{workflow.info().workflow_id}-child"
        handle = await workflow.start_child_workflow(Told.run, id=id, event_groups=self.direct)
        handle.cancel()
        await swallowed(handle)

    async def signal_child(self, child: Any) -> None:
        await child.signal(Told.end, event_groups=self.direct)
        await child

    async def externals(self, _: Any) -> None:
        handle = workflow.get_external_workflow_handle(f"{workflow.info().workflow_id}-nobody")
        await swallowed(handle.signal("anything", event_groups=self.direct))
        await swallowed(handle.cancel(event_groups=self.direct))

    async def signal_with_start(self, _: Any) -> None:
        await workflow.signal_with_start_workflow(
            Told.run,
            id=f"{workflow.info().workflow_id}-other",
            task_queue=workflow.info().task_queue,
            signal=Told.end,
        )

    async def about_the_run(self, _: Any) -> None:
        workflow.upsert_memo({"key": "value"}, event_groups=self.direct)
        workflow.upsert_search_attributes([NUMBER.value_set(1)], event_groups=self.direct)
        workflow.patched("one", event_groups=self.direct)
        workflow.deprecate_patch("two", event_groups=self.direct)

    async def continue_as_new(self, _: Any) -> None:
        workflow.continue_as_new("activity", event_groups=self.direct)

    async def nothing_of_a_failure(self, _: Any) -> None:
        raise ApplicationError("boom", non_retryable=True)


KINDS = (
    *("timers", "cancelled-timer", "activity", "cancelled-activity", "local-activity", "child", "cancelled-child"),
    *("signal-child", "externals", "signal-with-start", "about-the-run", "continue-as-new", "nothing-of-a-failure"),
)


@scenario(Commands, Nothing, Told, activities=[pass_by, linger], histories=False, cases=KINDS)
async def event_groups_of_commands(stage: Stage, kind: str) -> Any:
    return await told(stage, await stage.start(Commands.run, kind))


@workflow.defn
class Scopes:
    @workflow.run
    async def run(self, kind: str) -> None:
        self.a, self.b, self.c = (workflow.create_event_group(id) for id in "abc")
        await getattr(self, kind)()
        await act("outside")

    async def nested(self) -> None:
        with self.a.scope():
            await act("before")
            with self.b.scope():
                await act("inner")
            await act("after")

    async def entered_twice(self) -> None:
        with self.a.scope():
            with self.a.scope():
                await act("inner")
            await act("after")

    async def concurrent(self) -> None:
        async def branch(outer: workflow.EventGroup, inner: workflow.EventGroup, name: str) -> None:
            with outer.scope():
                with self.a.scope():
                    with inner.scope():
                        await act(f"{name}-3")
                    await act(f"{name}-2")
                await act(f"{name}-1")

        await asyncio.gather(branch(self.b, self.c, "left"), branch(self.c, self.b, "right"))

    async def of_tasks(self) -> None:
        released = False

        async def task(name: str) -> None:
            await act(f"{name}-before")
            await workflow.wait_condition(lambda: released)
            await act(f"{name}-after")

        outsider = asyncio.create_task(task("outsider"))
        with self.a.scope():
            insider = asyncio.create_task(task("insider"))
            await act("in-between")
            released = True
            await outsider
        await insider

    async def left_by_an_error(self) -> None:
        with self.a.scope():
            with suppress(RuntimeError), self.b.scope():
                await act("inner")
                raise RuntimeError
            await act("after")

    async def given_repeatedly(self) -> None:
        other_a = workflow.create_event_group("a")
        first, second = (workflow.create_event_group("x", label=label) for label in ("1", "2"))
        await act("direct", [other_a, first, self.a, first, self.a])
        await act("two-labels", [first, second])
        with self.a.scope(), other_a.scope(), first.scope():
            await act("scopes")
            await act("both", [first, self.a, self.b])
            await act("both-labels", [second])

    async def no_groups(self) -> None:
        with self.a.scope():
            await act("empty", [])
        for create in (
            lambda: workflow.create_event_group(""),
            lambda: workflow.create_event_group("id", label=""),
        ):
            try:
                create()
            except ValueError as error:
                workflow.upsert_memo({str(error): True})
        try:
            workflow.upsert_memo({"never": 1}, event_groups=["a"])  # type: ignore[list-item]
        except TypeError as error:
            workflow.upsert_memo({str(error): True})


SCOPES = ("nested", "entered-twice", "concurrent", "of-tasks", "left-by-an-error", "given-repeatedly", "no-groups")


@scenario(Scopes, activities=[pass_by], histories=False, cases=SCOPES)
async def event_group_scopes(stage: Stage, kind: str) -> Any:
    handle = await stage.start(Scopes.run, kind.replace("-", "_"))
    memo = await (await handle.describe()).memo() if not await handle.result() else None
    return [await told(stage, handle), memo]


@workflow.defn
class Handlers:
    def __init__(self) -> None:
        self.handled: list[str] = []
        self.group = workflow.create_event_group("group")

    @workflow.run
    async def run(self) -> None:
        with workflow.create_event_group("where it was registered").scope():
            await act("main-before")
            await workflow.wait_condition(lambda: "signal" in self.handled)
            workflow.set_signal_handler("late", self.late)
            workflow.set_update_handler("late", self.late)
        await workflow.wait_condition(lambda: len(self.handled) == 6)
        await act("main-after")

    async def within(self, name: str) -> None:
        id = f"{name} {'update' if workflow.current_update_info() else 'signal'}"
        await act(id)
        with self.group.scope():
            await act(f"{id} in a scope")
            await asyncio.create_task(act(f"{id} in a task"))
        self.handled.append(name)

    @workflow.signal
    async def signal(self) -> None:
        await self.within("signal")

    async def late(self) -> None:
        await self.within("late")

    @workflow.signal(dynamic=True)
    async def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        await self.within("any")

    @workflow.update
    async def update(self) -> None:
        await self.within("update")

    @workflow.update(dynamic=True)
    async def any_update(self, name: str, args: Sequence[RawValue]) -> None:
        await self.within("any")


@scenario(Handlers, activities=[pass_by], histories=False)
async def event_groups_of_handlers(stage: Stage) -> Any:
    handle = await stage.start(Handlers.run)
    await stage.reached(handle, "ActivityTaskCompleted")
    await handle.signal("signal")
    await stage.reached(handle, *["ActivityTaskCompleted"] * 4)
    await handle.execute_update(Handlers.update, id="first update")
    await handle.signal("late")
    await stage.reached(handle, *["ActivityTaskCompleted"] * 10)
    await handle.execute_update("late", id="late update")
    await handle.execute_update("unknown", id="unknown update")
    await handle.signal("unknown")
    return await told(stage, handle)


@workflow.defn
class Buffered:
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.open = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.open)
        with workflow.create_event_group("where it was registered").scope():
            workflow.set_signal_handler("early", self.early)
            workflow.set_signal_handler("earlier", self.early)
        await workflow.wait_condition(lambda: len(self.numbers) == 3)

    async def early(self, number: int) -> None:
        await act(f"from-{number}")
        self.numbers.append(number)

    @workflow.signal
    def opened(self) -> None:
        self.open = True


@scenario(Buffered, activities=[pass_by], histories=False)
async def event_groups_of_buffered_signals(stage: Stage) -> Any:
    handle = await stage.start(Buffered.run, start_signal="earlier", start_signal_args=[1])
    await handle.signal("early", 2)
    await handle.signal("earlier", 3)
    await handle.signal("opened")
    return await told(stage, handle)
