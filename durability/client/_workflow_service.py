"""Temporal's workflow service, as far as clients call it: the same calls as the client's own, message by message.

Payloads go as they are: no data converter and no interceptor has a part in it.
"""

from __future__ import annotations

import uuid
from typing import Literal

from durability import __version__
from durability._core.payload import Payload
from durability._core.payload_fields import PAYLOAD_LIMIT
from durability._rest.chain import call_run
from durability._rest.list_filter import parse_list_query
from durability._runtime.frontend import ActivityReport, Status, UpdateRequest, UpdateStage
from durability._runtime.queries import QueryFailedError
from durability._runtime.starting import already_started_text
from durability.api.enums.v1 import NamespaceState, WorkflowExecutionStatus
from durability.api.namespace.v1 import NamespaceConfig, NamespaceInfo
from durability.api.query.v1 import QueryRejected
from durability.api.workflowservice import v1
from durability.client._descriptions import raw_description, raw_info
from durability.client._executions import count_by_status
from durability.client._history import WorkflowHistoryEventAsyncIterator, WorkflowHistoryEventFilterType
from durability.client._interceptor import FetchWorkflowHistoryEventsInput
from durability.client._service_calls import Service, invalid, served
from durability.client._service_requests import (
    payloads,
    poll_answer,
    single,
    start_request,
    target,
    update_answer,
)
from durability.common import QueryRejectCondition
from durability.exceptions import WorkflowAlreadyStartedError
from durability.service import RPCError, RPCStatusCode

_LONG_POLL = 20.0
_PAGE = 1000

_ByToken = (
    v1.RecordActivityTaskHeartbeatRequest
    | v1.RespondActivityTaskCanceledRequest
    | v1.RespondActivityTaskCompletedRequest
    | v1.RespondActivityTaskFailedRequest
)
_ById = (
    v1.RecordActivityTaskHeartbeatByIdRequest
    | v1.RespondActivityTaskCanceledByIdRequest
    | v1.RespondActivityTaskCompletedByIdRequest
    | v1.RespondActivityTaskFailedByIdRequest
)


class WorkflowService(Service):
    """The calls of Temporal's workflow service that clients make, by request and response.

    Each takes a request and ``retry``, ``metadata`` and ``timeout``; errors are ``RPCError`` with the status that
    Temporal's server gives. Methods that are not here raise one, too (UNIMPLEMENTED).
    """

    @served
    async def get_system_info(self, req: v1.GetSystemInfoRequest) -> v1.GetSystemInfoResponse:
        """What the engine can do; makes a call to it, and so connects a lazy client."""
        await self._client.service_client.check_health()
        return v1.GetSystemInfoResponse(
            server_version=__version__,
            capabilities=v1.GetSystemInfoResponse.Capabilities(
                signal_and_query_header=True,
                internal_error_differentiation=True,
                activity_failure_include_heartbeat=True,
                encoded_failure_attributes=True,
                upsert_memo=True,
                eager_workflow_start=bool(getattr(self._client.frontend, "starts_eagerly", False)),
                sdk_metadata=True,
                count_group_by_execution_status=True,
            ),
        )

    @served
    async def describe_namespace(self, req: v1.DescribeNamespaceRequest) -> v1.DescribeNamespaceResponse:
        """The client's namespace, which is all that it knows of."""
        self._check_namespace(req.namespace)
        return v1.DescribeNamespaceResponse(
            namespace_info=NamespaceInfo(
                name=req.namespace,
                state=NamespaceState.NAMESPACE_STATE_REGISTERED,
                capabilities=NamespaceInfo.Capabilities(sync_update=True, async_update=True),
                limits=NamespaceInfo.Limits(blob_size_limit_error=PAYLOAD_LIMIT),
            ),
            config=NamespaceConfig(),
        )

    # --- starting and telling ---------------------------------------------------------------------------------------

    @served
    async def start_workflow_execution(
        self, req: v1.StartWorkflowExecutionRequest
    ) -> v1.StartWorkflowExecutionResponse:
        """Start a workflow."""
        run_id, first_run_id, started = await self._start(req)
        return v1.StartWorkflowExecutionResponse(
            run_id=run_id,
            first_execution_run_id=first_run_id,
            started=started,
            status=WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
        )

    @served
    async def signal_with_start_workflow_execution(
        self, req: v1.SignalWithStartWorkflowExecutionRequest
    ) -> v1.SignalWithStartWorkflowExecutionResponse:
        """Signal a workflow, and start it first unless it is open."""
        run_id, first_run_id, started = await self._start(req)
        return v1.SignalWithStartWorkflowExecutionResponse(
            run_id=run_id, first_execution_run_id=first_run_id, started=started
        )

    async def _start(
        self, req: v1.StartWorkflowExecutionRequest | v1.SignalWithStartWorkflowExecutionRequest
    ) -> tuple[str, str, bool]:
        self._check_namespace(req.namespace)
        request = start_request(req)
        try:
            started = await self._client.frontend.start(request)
        except WorkflowAlreadyStartedError as error:
            raise await self._refusal(error, request.id_reuse_policy) from error
        return started.run_id, started.first_run_id or started.run_id, not started.existing

    async def _refusal(self, error: WorkflowAlreadyStartedError, id_reuse_policy: int) -> RPCError:
        existing = f"WorkflowId: {error.workflow_id}, RunId: {error.run_id}."
        if await self._client.frontend.outcome(error.workflow_id, error.run_id, wait=0) is None:
            return RPCError(f"Workflow execution is already running. {existing}", RPCStatusCode.ALREADY_EXISTS)
        text = already_started_text(error.workflow_id, error.run_id or "", id_reuse_policy)
        return RPCError(text, RPCStatusCode.ALREADY_EXISTS)

    @served
    async def signal_workflow_execution(
        self, req: v1.SignalWorkflowExecutionRequest
    ) -> v1.SignalWorkflowExecutionResponse:
        """Signal a workflow."""
        self._check_namespace(req.namespace)
        workflow_id, run_id = target(req, "workflow_execution")
        if not req.signal_name:
            raise invalid("SignalName is not set on request.")
        await self._client.frontend.signal(
            workflow_id,
            run_id,
            req.signal_name,
            list(req.input.payloads),
            request_id=req.request_id or str(uuid.uuid4()),
            headers=dict(req.header.fields),
            identity=req.identity,
        )
        return v1.SignalWorkflowExecutionResponse()

    @served
    async def request_cancel_workflow_execution(
        self, req: v1.RequestCancelWorkflowExecutionRequest
    ) -> v1.RequestCancelWorkflowExecutionResponse:
        """Ask a workflow to cancel itself; nothing happens if it has ended."""
        self._check_namespace(req.namespace)
        workflow_id, run_id = target(req, "workflow_execution")
        request_id = req.request_id or str(uuid.uuid4())

        async def cancel(run_id: str | None) -> bool:
            return await self._client.frontend.cancel(
                workflow_id, run_id, request_id=request_id, reason=req.reason, identity=req.identity
            )

        await call_run(self._client.frontend, workflow_id, run_id, req.first_execution_run_id, cancel)
        return v1.RequestCancelWorkflowExecutionResponse()

    @served
    async def terminate_workflow_execution(
        self, req: v1.TerminateWorkflowExecutionRequest
    ) -> v1.TerminateWorkflowExecutionResponse:
        """End a workflow without asking it."""
        self._check_namespace(req.namespace)
        workflow_id, run_id = target(req, "workflow_execution")

        async def terminate(run_id: str | None) -> None:
            await self._client.frontend.terminate(
                workflow_id, run_id, reason=req.reason, details=list(req.details.payloads), identity=req.identity
            )

        await call_run(self._client.frontend, workflow_id, run_id, req.first_execution_run_id, terminate)
        return v1.TerminateWorkflowExecutionResponse()

    @served
    async def delete_workflow_execution(
        self, req: v1.DeleteWorkflowExecutionRequest
    ) -> v1.DeleteWorkflowExecutionResponse:
        """Delete a run; see ``Client.delete_workflow``."""
        self._check_namespace(req.namespace)
        await self._client.frontend.delete(*target(req, "workflow_execution"))
        return v1.DeleteWorkflowExecutionResponse()

    # --- queries and updates ----------------------------------------------------------------------------------------

    @served
    async def query_workflow(self, req: v1.QueryWorkflowRequest) -> v1.QueryWorkflowResponse:
        """Query a workflow. What its handler raises is an RPCError (INVALID_ARGUMENT)."""
        self._check_namespace(req.namespace)
        workflow_id, run_id = target(req, "execution")
        query = req.query
        if not req.HasField("query"):
            raise invalid("WorkflowQuery is not set on request.")
        rejected = await self._rejected(workflow_id, run_id, req.query_reject_condition)
        if rejected:
            return v1.QueryWorkflowResponse(query_rejected=QueryRejected(status=rejected))
        try:
            result = await self._client.frontend.query(
                workflow_id,
                run_id,
                query.query_type,
                list(query.query_args.payloads),
                headers=dict(query.header.fields),
            )
        except QueryFailedError as error:
            raise invalid(error.failure.message) from error
        return v1.QueryWorkflowResponse(query_result=payloads(result))

    async def _rejected(self, workflow_id: str, run_id: str | None, condition: int) -> int:
        """The status of a workflow that is not to be queried; 0 of one that is."""
        if condition <= QueryRejectCondition.NONE:
            return 0
        outcome = await self._client.frontend.outcome(workflow_id, run_id, wait=0)
        if outcome is None or (condition != QueryRejectCondition.NOT_OPEN and outcome.status == Status.COMPLETED):
            return 0
        return int(outcome.status)

    @served
    async def update_workflow_execution(
        self, req: v1.UpdateWorkflowExecutionRequest
    ) -> v1.UpdateWorkflowExecutionResponse:
        """Send an update, and wait for the stage asked for, or as long as the engine lets a call wait."""
        self._check_namespace(req.namespace)
        workflow_id, run_id = target(req, "workflow_execution")
        meta, given = req.request.meta, req.request.input
        if not given.name:
            raise invalid("UpdateName is not set on request.")

        async def update(run_id: str | None) -> v1.UpdateWorkflowExecutionResponse:
            request = UpdateRequest(
                workflow_id=workflow_id,
                run_id=run_id or "",
                update_id=update_id,
                name=given.name,
                arguments=list(given.args.payloads),
                headers=dict(given.header.fields),
                identity=meta.identity,
                stage=UpdateStage(req.wait_policy.lifecycle_stage or UpdateStage.COMPLETED),
            )
            return update_answer(await self._client.frontend.update(request, wait=_LONG_POLL))

        update_id = meta.update_id or str(uuid.uuid4())
        return await call_run(self._client.frontend, workflow_id, run_id, req.first_execution_run_id, update)

    @served
    async def poll_workflow_execution_update(
        self, req: v1.PollWorkflowExecutionUpdateRequest
    ) -> v1.PollWorkflowExecutionUpdateResponse:
        """What has become of an update; waits if the request has a stage to wait for.

        An update that no worker has taken yet is known as admitted for as long as somebody sends it.
        """
        self._check_namespace(req.namespace)
        workflow_id, run_id = target(req.update_ref, "workflow_execution")
        stage = UpdateStage(req.wait_policy.lifecycle_stage or UpdateStage.ADMITTED)
        wait = _LONG_POLL if stage > UpdateStage.ADMITTED else 0
        return poll_answer(
            await self._client.frontend.update_outcome(
                workflow_id, run_id, req.update_ref.update_id, stage=stage, wait=wait
            )
        )

    # --- reading ----------------------------------------------------------------------------------------------------

    @served
    async def describe_workflow_execution(
        self, req: v1.DescribeWorkflowExecutionRequest
    ) -> v1.DescribeWorkflowExecutionResponse:
        """A workflow as it stands."""
        self._check_namespace(req.namespace)
        return raw_description(await self._client.frontend.describe(*target(req, "execution")))

    @served
    async def list_workflow_executions(
        self, req: v1.ListWorkflowExecutionsRequest
    ) -> v1.ListWorkflowExecutionsResponse:
        """A page of workflows, newest first; queries as in ``Client.list_workflows``."""
        self._check_namespace(req.namespace)
        selected = parse_list_query(req.query)
        selected.page_size, selected.page_token = req.page_size or _PAGE, req.next_page_token.decode()
        page = await self._client.frontend.list(selected)
        return v1.ListWorkflowExecutionsResponse(
            executions=list(map(raw_info, page.executions)), next_page_token=page.next_page_token.encode()
        )

    @served
    async def count_workflow_executions(
        self, req: v1.CountWorkflowExecutionsRequest
    ) -> v1.CountWorkflowExecutionsResponse:
        """How many workflows a query selects; queries as in ``Client.count_workflows``."""
        self._check_namespace(req.namespace)
        counted = await count_by_status(self._client.frontend, req.query)
        keyword = {"encoding": b"json/plain", "type": b"Keyword"}
        groups = [
            v1.CountWorkflowExecutionsResponse.AggregationGroup(
                count=group.count, group_values=[Payload(dict(keyword), f'"{value}"'.encode())]
            )
            for group in counted.groups
            for value in group.group_values
        ]
        return v1.CountWorkflowExecutionsResponse(count=counted.count, groups=groups)

    @served
    async def get_workflow_execution_history(
        self, req: v1.GetWorkflowExecutionHistoryRequest
    ) -> v1.GetWorkflowExecutionHistoryResponse:
        """A page of a workflow's events. With ``wait_new_event``, waits until there are any after the page's token."""
        self._check_namespace(req.namespace)
        workflow_id, run_id = target(req, "execution")
        events = WorkflowHistoryEventAsyncIterator(
            self._client,
            FetchWorkflowHistoryEventsInput(
                id=workflow_id,
                run_id=run_id,
                page_size=req.maximum_page_size or None,
                next_page_token=req.next_page_token or None,
                wait_new_event=req.wait_new_event,
                event_filter_type=WorkflowHistoryEventFilterType(req.history_event_filter_type or 1),
                skip_archival=req.skip_archival,
                rpc_metadata={},
                rpc_timeout=None,
            ),
        )
        await events.fetch_next_page()
        response = v1.GetWorkflowExecutionHistoryResponse(next_page_token=events.next_page_token or b"")
        response.history.events.extend(events.current_page or ())
        return response

    @served
    async def reset_sticky_task_queue(self, req: v1.ResetStickyTaskQueueRequest) -> v1.ResetStickyTaskQueueResponse:
        """There is nothing to reset: no run waits for the process that had it last."""
        self._check_namespace(req.namespace)
        await self._client.frontend.outcome(*target(req, "execution"), wait=0)
        return v1.ResetStickyTaskQueueResponse()

    # --- activities that are completed from outside -----------------------------------------------------------------

    @served
    async def respond_activity_task_completed(
        self, req: v1.RespondActivityTaskCompletedRequest
    ) -> v1.RespondActivityTaskCompletedResponse:
        """Complete an activity."""
        report = self._by_token("completed", req)
        report.result = single(req.result)
        await self._client.frontend.report_activity(report)
        return v1.RespondActivityTaskCompletedResponse()

    @served
    async def respond_activity_task_completed_by_id(
        self, req: v1.RespondActivityTaskCompletedByIdRequest
    ) -> v1.RespondActivityTaskCompletedByIdResponse:
        """Complete an activity."""
        report = self._by_id("completed", req)
        report.result = single(req.result)
        await self._client.frontend.report_activity(report)
        return v1.RespondActivityTaskCompletedByIdResponse()

    @served
    async def respond_activity_task_failed(
        self, req: v1.RespondActivityTaskFailedRequest
    ) -> v1.RespondActivityTaskFailedResponse:
        """Fail an attempt of an activity."""
        report = self._by_token("failed", req)
        report.failure, report.details = req.failure, list(req.last_heartbeat_details.payloads)
        await self._client.frontend.report_activity(report)
        return v1.RespondActivityTaskFailedResponse()

    @served
    async def respond_activity_task_failed_by_id(
        self, req: v1.RespondActivityTaskFailedByIdRequest
    ) -> v1.RespondActivityTaskFailedByIdResponse:
        """Fail an attempt of an activity."""
        report = self._by_id("failed", req)
        report.failure, report.details = req.failure, list(req.last_heartbeat_details.payloads)
        await self._client.frontend.report_activity(report)
        return v1.RespondActivityTaskFailedByIdResponse()

    @served
    async def respond_activity_task_canceled(
        self, req: v1.RespondActivityTaskCanceledRequest
    ) -> v1.RespondActivityTaskCanceledResponse:
        """Say that an activity has ended by the cancellation that it was asked for."""
        report = self._by_token("canceled", req)
        report.details = list(req.details.payloads)
        await self._client.frontend.report_activity(report)
        return v1.RespondActivityTaskCanceledResponse()

    @served
    async def respond_activity_task_canceled_by_id(
        self, req: v1.RespondActivityTaskCanceledByIdRequest
    ) -> v1.RespondActivityTaskCanceledByIdResponse:
        """Say that an activity has ended by the cancellation that it was asked for."""
        report = self._by_id("canceled", req)
        report.details = list(req.details.payloads)
        await self._client.frontend.report_activity(report)
        return v1.RespondActivityTaskCanceledByIdResponse()

    @served
    async def record_activity_task_heartbeat(
        self, req: v1.RecordActivityTaskHeartbeatRequest
    ) -> v1.RecordActivityTaskHeartbeatResponse:
        """Say that an activity is still under way; the answer has whether its cancellation was asked for."""
        report = self._by_token("heartbeat", req)
        report.details = list(req.details.payloads)
        cancelled = await self._client.frontend.report_activity(report)
        return v1.RecordActivityTaskHeartbeatResponse(cancel_requested=cancelled)

    @served
    async def record_activity_task_heartbeat_by_id(
        self, req: v1.RecordActivityTaskHeartbeatByIdRequest
    ) -> v1.RecordActivityTaskHeartbeatByIdResponse:
        """Say that an activity is still under way; the answer has whether its cancellation was asked for."""
        report = self._by_id("heartbeat", req)
        report.details = list(req.details.payloads)
        cancelled = await self._client.frontend.report_activity(report)
        return v1.RecordActivityTaskHeartbeatByIdResponse(cancel_requested=cancelled)

    def _by_token(self, kind: Literal["completed", "failed", "canceled", "heartbeat"], req: _ByToken) -> ActivityReport:
        if req.namespace:  # the token has it, too
            self._check_namespace(req.namespace)
        if not req.task_token:
            raise invalid("Task token not set on request.")
        return ActivityReport(kind=kind, task_token=req.task_token, identity=req.identity)

    def _by_id(self, kind: Literal["completed", "failed", "canceled", "heartbeat"], req: _ById) -> ActivityReport:
        self._check_namespace(req.namespace)
        if not req.workflow_id:
            raise invalid("WorkflowId is not set on request.")
        if not req.activity_id:
            raise invalid("ActivityId is not set on request.")
        return ActivityReport(
            kind=kind,
            workflow_id=req.workflow_id,
            run_id=req.run_id,
            activity_id=req.activity_id,
            identity=req.identity,
        )
