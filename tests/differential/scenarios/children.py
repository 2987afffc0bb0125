"""Child workflows: how they end for their parent, how the parent's end reaches them, their ids and options."""

import asyncio
from datetime import timedelta
from typing import Any

from durability import workflow
from durability.common import RetryPolicy, WorkflowIDReusePolicy
from durability.exceptions import ApplicationError, ChildWorkflowError
from tests.differential.stage import Stage, attempt, scenario


@workflow.defn
class Child:
    def __init__(self) -> None:
        self.told: list[Any] = []

    @workflow.run
    async def run(self, kind: str) -> Any:
        if kind == "fail":
            raise ApplicationError("child failed", "d", type="ChildKind")
        if kind == "deep":
            return await workflow.execute_child_workflow(Child.run, "fail", id=f"{workflow.info().workflow_id}-deeper")
        if kind == "again":
            workflow.continue_as_new("plain")
        if kind == "plain":
            return "done"
        if kind == "info":
            info = workflow.info()
            return [
                info.parent and [info.parent.workflow_id, info.parent.namespace],
                info.root and info.root.workflow_id,
                info.workflow_type,
                info.task_queue,
                info.attempt,
                info.run_timeout.total_seconds() if info.run_timeout else None,
                info.execution_timeout.total_seconds() if info.execution_timeout else None,
                info.task_timeout.total_seconds(),
                workflow.memo(),
                info.retry_policy and info.retry_policy.maximum_attempts,
            ]
        try:
            await workflow.wait_condition(lambda: bool(self.told))
        except asyncio.CancelledError:
            if kind == "swallow":
                return "went on"
            if kind == "fail on cancel":
                raise ApplicationError("on cancellation") from None
            if kind == "slow":
                await asyncio.sleep(0.2)
            raise
        return self.told

    @workflow.signal
    def tell(self, value: Any) -> None:
        self.told.append(value)


@workflow.defn
class Executing:
    @workflow.run
    async def run(self, kind: str, id: str | None) -> Any:
        return await workflow.execute_child_workflow(Child.run, kind, id=id)


@scenario(Executing, Child, cases=["deep", "again", "info"])
async def child(stage: Stage, kind: str) -> Any:
    return await stage.execute(Executing.run, kind, stage.id("-child"))


@workflow.defn
class Unnamed:
    @workflow.run
    async def run(self) -> Any:
        handle = await workflow.start_child_workflow(Child.run, "plain")
        info = workflow.info()
        return [
            handle.id != info.workflow_id,
            len(handle.id),
            handle.first_execution_run_id != info.run_id,
            await handle,
            handle.done(),
            handle.result(),
        ]


@scenario(Unnamed, Child)
async def child_without_an_id(stage: Stage) -> Any:
    return await stage.execute(Unnamed.run)


@workflow.defn
class Optioned:
    @workflow.run
    async def run(self, id: str) -> Any:
        return await workflow.execute_child_workflow(
            "Child",
            "info",
            id=id,
            execution_timeout=timedelta(seconds=30),
            run_timeout=timedelta(seconds=20),
            task_timeout=timedelta(seconds=5),
            memo={"kept": [1, 2], "by": "parent"},
            retry_policy=RetryPolicy(maximum_attempts=4),
            static_summary="a child",
            static_details="with details",
            result_type=list,
        )


@scenario(Optioned, Child)
async def child_options(stage: Stage) -> Any:
    result = await stage.execute(Optioned.run, stage.id("-child"))
    description = await stage.client.get_workflow_handle(stage.id("-child")).describe()
    return [
        result,
        description.parent_id,
        description.root_id,
        await description.memo(),
        await description.static_summary(),
        await description.static_details(),
    ]


@workflow.defn
class Persistent:
    @workflow.run
    async def run(self) -> int:
        if workflow.info().attempt < 3:
            raise ApplicationError(f"attempt {workflow.info().attempt}")
        return workflow.info().attempt


@workflow.defn
class Retrying:
    @workflow.run
    async def run(self, id: str, attempts: int) -> int:
        retry_policy = RetryPolicy(initial_interval=timedelta(milliseconds=20), maximum_attempts=attempts)
        return await workflow.execute_child_workflow(Persistent.run, id=id, retry_policy=retry_policy)


@scenario(Retrying, Persistent, cases=[0, 2])
async def child_with_attempts(stage: Stage, attempts: int) -> Any:
    return await stage.execute(Retrying.run, stage.id("-child"), attempts)


@workflow.defn
class Cancelling:
    @workflow.run
    async def run(self, type: str, kind: str, id: str) -> Any:
        handle = await workflow.start_child_workflow(
            Child.run, kind, id=id, cancellation_type=workflow.ChildWorkflowCancellationType[type]
        )
        # The child has had its first task when its time has come to be cancelled.
        await asyncio.sleep(0.2)
        handle.cancel()
        return await attempt(handle)


CANCELLATIONS = [
    (type, kind)
    for type in ("TRY_CANCEL", "WAIT_CANCELLATION_COMPLETED", "WAIT_CANCELLATION_REQUESTED", "ABANDON")
    for kind in ("wait", "swallow", "fail on cancel", "slow")
]


@scenario(Cancelling, Child, cases=CANCELLATIONS)
async def cancel_child(stage: Stage, case: tuple[str, str]) -> Any:
    """Cause chains of cancelled children, by cancellation type and by what the child makes of it."""
    return await stage.execute(Cancelling.run, *case, stage.id("-child"))


@workflow.defn
class Waiting:
    @workflow.run
    async def run(self, type: str, id: str) -> Any:
        return await workflow.execute_child_workflow(
            Child.run, "wait", id=id, cancellation_type=workflow.ChildWorkflowCancellationType[type]
        )


async def _cancel_parent(stage: Stage, type: str) -> Any:
    handle = await stage.start(Waiting.run, type, stage.id("-child"))
    await stage.reached(handle, "ChildWorkflowExecutionStarted", "WorkflowTaskCompleted", "WorkflowTaskCompleted")
    await handle.cancel()
    return await handle.result()


@scenario(Waiting, Child, cases=["TRY_CANCEL", "WAIT_CANCELLATION_REQUESTED", "ABANDON"])
async def cancel_parent_of_child(stage: Stage, type: str) -> Any:
    return await _cancel_parent(stage, type)


# Whether the end of the child comes before the next workflow task, or while it runs, is up to the server.
@scenario(Waiting, Child, histories=False)
async def cancel_parent_of_child_wait_cancellation_completed(stage: Stage) -> Any:
    return await _cancel_parent(stage, "WAIT_CANCELLATION_COMPLETED")


@workflow.defn
class Closing:
    @workflow.run
    async def run(self, policy: str, end: str, id: str) -> str:
        if workflow.info().continued_run_id is None:
            await workflow.start_child_workflow(
                Child.run,
                "wait",
                id=id,
                parent_close_policy=workflow.ParentClosePolicy[policy],
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
            )
            if end == "continue":
                workflow.continue_as_new(args=[policy, end, id])
        if end == "fail":
            raise ApplicationError("on purpose")
        if end in ("terminate", "cancel"):
            await workflow.wait_condition(lambda: False)
        return end


POLICIES = [
    (policy, end)
    for policy in ("TERMINATE", "ABANDON", "REQUEST_CANCEL")
    for end in ("return", "fail", "continue", "terminate", "cancel")
]


@scenario(Closing, Child, histories=False, cases=POLICIES)
async def parent_closes(stage: Stage, case: tuple[str, str]) -> Any:
    handle = await stage.start(Closing.run, *case, stage.id("-child"))
    child = stage.client.get_workflow_handle(stage.id("-child"))
    if case[1] in ("terminate", "cancel"):
        await stage.reached(handle, "ChildWorkflowExecutionStarted")
        await getattr(handle, case[1])()
    seen = [await attempt(handle.result())]
    if case[0] == "ABANDON":
        await child.signal(Child.tell, "still there")
    return [*seen, await attempt(child.result())]


@workflow.defn
class Succeeding:
    @workflow.run
    async def run(self, first: str, policy: str, id: str) -> Any:
        seen = [await attempt(workflow.execute_child_workflow(Child.run, first, id=id))]
        seen.append(
            await attempt(
                workflow.execute_child_workflow(
                    Child.run, "plain", id=id, id_reuse_policy=WorkflowIDReusePolicy[policy]
                )
            )
        )
        return seen


REUSES = [
    (first, policy)
    for first in ("plain", "fail")
    for policy in ("ALLOW_DUPLICATE", "ALLOW_DUPLICATE_FAILED_ONLY", "REJECT_DUPLICATE")
]


@scenario(Succeeding, Child, cases=REUSES)
async def child_id_again(stage: Stage, case: tuple[str, str]) -> Any:
    return await stage.execute(Succeeding.run, *case, stage.id("-child"))


@workflow.defn
class Signalling:
    @workflow.run
    async def run(self, id: str) -> Any:
        handle = await workflow.start_child_workflow(Child.run, "wait", id=id)
        await handle.signal("tell", args=[{"a": [1]}])
        result = await handle
        return [result, await attempt(handle.signal(Child.tell, "too late"))]


@scenario(Signalling, Child, histories=False)
async def child_signalled_before_and_after_its_end(stage: Stage) -> Any:
    return await stage.execute(Signalling.run, stage.id("-child"))


@workflow.defn
class Many:
    @workflow.run
    async def run(self, id: str) -> Any:
        children = [workflow.execute_child_workflow(Child.run, kind, id=f"{id}-{kind}") for kind in ("plain", "fail")]
        results = await asyncio.gather(*children, return_exceptions=True)
        return [value if isinstance(value, str) else type(value).__name__ for value in results]


@scenario(Many, Child, histories=False)
async def children_in_parallel(stage: Stage) -> Any:
    return await stage.execute(Many.run, stage.id("-child"))


@workflow.defn
class Abandoning:
    @workflow.run
    async def run(self, id: str) -> Any:
        task = asyncio.create_task(workflow.start_child_workflow(Child.run, "plain", id=id))
        task.cancel()
        return await attempt(task)


@scenario(Abandoning, Child)
async def child_cancelled_before_its_task_began(stage: Stage) -> Any:
    return await stage.execute(Abandoning.run, stage.id("-child"))


@workflow.defn
class Timing:
    @workflow.run
    async def run(self, id: str) -> Any:
        try:
            async with asyncio.timeout(0.3):
                await workflow.execute_child_workflow(Child.run, "wait", id=id)
        except TimeoutError:
            return "timed out"
        return "in time"


@scenario(Timing, Child, histories=False)
async def asyncio_timeout_around_child(stage: Stage) -> Any:
    return await stage.execute(Timing.run, stage.id("-child"))


@workflow.defn
class Stubborn:
    """Goes on when it is cancelled, until it is told to stop."""

    def __init__(self) -> None:
        self.over = False

    @workflow.signal
    def stop(self) -> None:
        self.over = True

    @workflow.run
    async def run(self) -> list[str | None]:
        while not self.over:
            try:
                await workflow.wait_condition(lambda: self.over)
            except asyncio.CancelledError:
                continue
        return [workflow.cancellation_reason()]


@workflow.defn
class Insistent:
    """Cancels a child again and again: in one go, or after each request was delivered."""

    @workflow.run
    async def run(self, kind: str, pause: float) -> Any:
        handle = await workflow.start_child_workflow(
            Stubborn.run,
            id=f"{workflow.info().workflow_id}-child",
            cancellation_type=workflow.ChildWorkflowCancellationType[kind],
        )
        for number in range(3):
            handle.cancel(f"reason {number}")
            await asyncio.sleep(pause)
        await handle.signal(Stubborn.stop)
        try:
            return await handle
        except ChildWorkflowError as error:
            return str(error)


@scenario(
    Insistent,
    Stubborn,
    cases=[(kind, pause) for kind in ("TRY_CANCEL", "WAIT_CANCELLATION_COMPLETED", "ABANDON") for pause in (0, 0.05)],
    histories=False,  # when the child has a request is up to the server
)
async def cancel_child_again(stage: Stage, case: tuple[str, float]) -> Any:
    handle = await stage.start(Insistent.run, *case)
    result = await handle.result()
    events = (await handle.fetch_history()).to_json_dict()["events"]
    reasons = [
        event["requestCancelExternalWorkflowExecutionInitiatedEventAttributes"].get("reason")
        for event in events
        if "requestCancelExternalWorkflowExecutionInitiatedEventAttributes" in event
    ]
    # Of requests that are sent together, the server may deliver any one.
    return [reasons, result if case[1] else type(result).__name__]
