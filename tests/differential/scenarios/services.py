"""The client's services: requests and responses of Temporal's API, their errors, and updates that wait for a worker."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from durability import workflow
from durability.api.common.v1 import WorkflowExecution, WorkflowType
from durability.api.enums.v1 import IndexedValueType, UpdateWorkflowExecutionLifecycleStage
from durability.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
    RemoveSearchAttributesRequest,
)
from durability.api.query.v1 import WorkflowQuery
from durability.api.taskqueue.v1 import TaskQueue
from durability.api.update.v1 import Input, Meta, Request, UpdateRef, WaitPolicy
from durability.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    PollWorkflowExecutionUpdateRequest,
    QueryWorkflowRequest,
    RecordActivityTaskHeartbeatByIdRequest,
    RequestCancelWorkflowExecutionRequest,
    ResetStickyTaskQueueRequest,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedRequest,
    SignalWithStartWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)
from durability.service import RPCError
from tests.differential.stage import Stage, scenario

COMPLETED = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED


@workflow.defn
class Served:
    def __init__(self) -> None:
        self.ended = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.ended)
        return "ended"

    @workflow.signal
    def end(self) -> None:
        self.ended = True

    @workflow.query
    def has_ended(self) -> bool:
        return self.ended

    @workflow.query
    def fails(self) -> None:
        raise ValueError("no answer")

    @workflow.update
    async def echo(self) -> str:
        return "echo"


async def _said(call: Any, *hidden: str) -> Any:
    """What a call is refused with, without ids that differ from run to run; "accepted" if it is not."""
    try:
        await call
    except RPCError as error:
        text = error.message
        for one in hidden:
            text = text.replace(one, "…")
        return error.status.name, text
    return "accepted"


@scenario(Served)
async def workflow_service_tells_what_it_has(stage: Stage) -> Any:
    service, namespace, workflow_id = stage.client.workflow_service, stage.client.namespace, stage.id("served")
    start: dict[str, Any] = {
        "namespace": namespace,
        "workflow_id": workflow_id,
        "workflow_type": WorkflowType(name="Served"),
        "task_queue": TaskQueue(name=stage.task_queue),
    }
    started = await service.start_workflow_execution(
        StartWorkflowExecutionRequest(**start, request_id=str(uuid.uuid4()))
    )
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=started.run_id)
    asked = await service.query_workflow(
        QueryWorkflowRequest(namespace=namespace, execution=execution, query=WorkflowQuery(query_type="has_ended"))
    )
    updated = await service.update_workflow_execution(
        UpdateWorkflowExecutionRequest(
            namespace=namespace,
            workflow_execution=execution,
            wait_policy=WaitPolicy(lifecycle_stage=COMPLETED),
            request=Request(meta=Meta(update_id="u"), input=Input(name="echo")),
        )
    )
    polled = await service.poll_workflow_execution_update(
        PollWorkflowExecutionUpdateRequest(
            namespace=namespace, update_ref=UpdateRef(workflow_execution=execution, update_id="u")
        )
    )
    again = await service.signal_with_start_workflow_execution(
        SignalWithStartWorkflowExecutionRequest(**start, signal_name="end", request_id=str(uuid.uuid4()))
    )
    closing = await service.get_workflow_execution_history(
        GetWorkflowExecutionHistoryRequest(
            namespace=namespace, execution=execution, wait_new_event=True, history_event_filter_type=2
        )
    )
    events: list[int] | None = None
    request = GetWorkflowExecutionHistoryRequest(namespace=namespace, execution=execution)
    while events is None or request.next_page_token:
        page = await service.get_workflow_execution_history(request)
        events = [*(events or ()), *(event.event_type for event in page.history.events)]
        request.next_page_token = page.next_page_token
    described = await service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=namespace, execution=execution)
    )
    info = described.workflow_execution_info
    rejected = await service.query_workflow(
        QueryWorkflowRequest(
            namespace=namespace,
            execution=execution,
            query=WorkflowQuery(query_type="has_ended"),
            query_reject_condition=2,
        )
    )
    return {
        "started": (started.started, started.status, started.first_execution_run_id == started.run_id),
        "asked": (asked.query_result.payloads[0].data, asked.HasField("query_rejected")),
        "updated": (updated.stage, updated.outcome.WhichOneof("value"), updated.outcome.success.payloads[0].data),
        "polled": (polled.stage, polled.update_ref.update_id, polled.update_ref.workflow_execution == execution),
        "again": (again.started, again.run_id == started.run_id),
        "closing": [event.event_type for event in closing.history.events],
        "events": events,
        "described": (info.execution == execution, info.type.name, info.status, info.HasField("close_time")),
        "open": described.HasField("pending_workflow_task"),
        "rejected": (rejected.HasField("query_rejected"), rejected.query_rejected.status),
    }


@scenario(Served)
async def workflow_service_refuses(stage: Stage) -> Any:
    service, namespace = stage.client.workflow_service, stage.client.namespace
    handle = await stage.start(Served.run)
    run_id = handle.result_run_id or ""
    own = WorkflowExecution(workflow_id=handle.id)
    nobody = WorkflowExecution(workflow_id="nobody")
    kind, queue = WorkflowType(name="Served"), TaskQueue(name=stage.task_queue)
    hidden = (handle.id, run_id)
    open_ones = {
        "start without id": service.start_workflow_execution(StartWorkflowExecutionRequest(namespace=namespace)),
        "start without queue": service.start_workflow_execution(
            StartWorkflowExecutionRequest(namespace=namespace, workflow_id=handle.id, workflow_type=kind)
        ),
        "start again": service.start_workflow_execution(
            StartWorkflowExecutionRequest(
                namespace=namespace, workflow_id=handle.id, workflow_type=kind, task_queue=queue, request_id="r"
            )
        ),
        "signal nobody": service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(namespace=namespace, workflow_execution=nobody, signal_name="end")
        ),
        "signal nothing": service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(namespace=namespace, signal_name="end")
        ),
        "signal without id": service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(
                namespace=namespace, workflow_execution=WorkflowExecution(run_id=run_id), signal_name="end"
            )
        ),
        "signal elsewhere": service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(namespace="elsewhere", workflow_execution=own, signal_name="end")
        ),
        "cancel nobody": service.request_cancel_workflow_execution(
            RequestCancelWorkflowExecutionRequest(namespace=namespace, workflow_execution=nobody)
        ),
        "delete nobody": service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(namespace=namespace, workflow_execution=nobody)
        ),
        "describe nobody": service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(namespace=namespace, execution=nobody)
        ),
        "describe a bad run": service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(
                namespace=namespace, execution=WorkflowExecution(workflow_id=handle.id, run_id="bad")
            )
        ),
        "history of nobody": service.get_workflow_execution_history(
            GetWorkflowExecutionHistoryRequest(namespace=namespace, execution=nobody)
        ),
        "query nothing": service.query_workflow(QueryWorkflowRequest(namespace=namespace, execution=own)),
        "a query that fails": service.query_workflow(
            QueryWorkflowRequest(namespace=namespace, execution=own, query=WorkflowQuery(query_type="fails"))
        ),
        "poll nothing": service.poll_workflow_execution_update(
            PollWorkflowExecutionUpdateRequest(
                namespace=namespace, update_ref=UpdateRef(workflow_execution=own, update_id="nothing")
            )
        ),
        "reset nobody": service.reset_sticky_task_queue(
            ResetStickyTaskQueueRequest(namespace=namespace, execution=nobody)
        ),
        "reset": service.reset_sticky_task_queue(ResetStickyTaskQueueRequest(namespace=namespace, execution=own)),
        "complete nothing": service.respond_activity_task_completed(
            RespondActivityTaskCompletedRequest(namespace=namespace)
        ),
        "complete no activity": service.respond_activity_task_completed_by_id(
            RespondActivityTaskCompletedByIdRequest(namespace=namespace, workflow_id=handle.id, activity_id="1")
        ),
        "heartbeat of no activity": service.record_activity_task_heartbeat_by_id(
            RecordActivityTaskHeartbeatByIdRequest(namespace=namespace, workflow_id=handle.id, activity_id="1")
        ),
    }
    told = {name: await _said(call, *hidden) for name, call in open_ones.items()}
    await handle.signal(Served.end)
    await handle.result()
    closed = {
        "signal": service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(namespace=namespace, workflow_execution=own, signal_name="end")
        ),
        "cancel": service.request_cancel_workflow_execution(
            RequestCancelWorkflowExecutionRequest(namespace=namespace, workflow_execution=own)
        ),
        "terminate": service.terminate_workflow_execution(
            TerminateWorkflowExecutionRequest(namespace=namespace, workflow_execution=own)
        ),
        "update": service.update_workflow_execution(
            UpdateWorkflowExecutionRequest(
                namespace=namespace,
                workflow_execution=own,
                request=Request(meta=Meta(update_id="late"), input=Input(name="echo")),
            )
        ),
        "reject duplicates": service.start_workflow_execution(
            StartWorkflowExecutionRequest(
                namespace=namespace,
                workflow_id=handle.id,
                workflow_type=kind,
                task_queue=queue,
                request_id="r2",
                workflow_id_reuse_policy=3,
            )
        ),
    }
    return {"open": told, "closed": {name: await _said(call, *hidden) for name, call in closed.items()}}


@scenario(Served)
async def update_that_waits_for_a_worker_is_admitted(stage: Stage) -> Any:
    client = stage.client
    nobody_serves = f"nobody-serves-{uuid.uuid4()}"
    handle = await client.start_workflow(Served.run, id=stage.id("waits"), task_queue=nobody_serves)

    async def poll() -> Any:
        try:
            answer = await client.workflow_service.poll_workflow_execution_update(
                PollWorkflowExecutionUpdateRequest(
                    namespace=client.namespace,
                    update_ref=UpdateRef(
                        workflow_execution=WorkflowExecution(workflow_id=handle.id), update_id="waits"
                    ),
                )
            )
        except RPCError as error:
            return error.status.name
        return answer.stage, answer.HasField("outcome")

    before = await poll()
    update = asyncio.create_task(handle.execute_update(Served.echo, id="waits"))
    async with asyncio.timeout(10):
        while (waiting := await poll()) == "NOT_FOUND":  # noqa: ASYNC110 - there is nothing else to ask
            await asyncio.sleep(0.05)
    update.cancel()
    await asyncio.gather(update, return_exceptions=True)
    alone = await poll()
    await handle.terminate()
    return {"before": before, "waiting": waiting, "without its sender": alone, "of a closed run": await poll()}


@scenario(Served)
async def signal_with_start_of_an_open_workflow(stage: Stage) -> Any:
    handle = await stage.reached(await stage.start(Served.run), "WorkflowTaskCompleted")
    again = await stage.client.start_workflow(Served.run, id=handle.id, task_queue=stage.task_queue, start_signal="end")
    return await handle.result(), again.result_run_id == handle.result_run_id


@scenario(Served)
async def search_attributes_are_added(stage: Stage) -> Any:
    service, namespace, name = stage.client.operator_service, stage.client.namespace, f"Text{uuid.uuid4().hex[:8]}"
    text, keyword = IndexedValueType.INDEXED_VALUE_TYPE_TEXT, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD

    async def listed() -> Any:
        answer = await service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
        return answer.custom_attributes.get(name), answer.system_attributes["WorkflowType"]

    def add(attributes: dict[str, Any]) -> Any:
        return service.add_search_attributes(
            AddSearchAttributesRequest(namespace=namespace, search_attributes=attributes)
        )

    def remove(*names: str) -> Any:
        return service.remove_search_attributes(
            RemoveSearchAttributesRequest(namespace=namespace, search_attributes=list(names))
        )

    before = await listed()
    said = [await _said(add(attributes)) for attributes in ({name: text}, {name: keyword}, {"WorkflowType": text}, {})]
    after = await listed()
    removed = [await _said(remove(one)) for one in (name, "Unknown", "WorkflowType")]
    return {"before": before, "said": said, "after": after, "removed": removed, "at last": await listed()}
