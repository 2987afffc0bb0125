"""The innermost link of a client's chain of interceptors: what turns calls into requests to the engine."""

from __future__ import annotations

import asyncio
import builtins
import logging
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from durability._core.failure import CanceledFailureInfo, Failure
from durability._core.history import RetryPolicyRecord
from durability._core.options import milliseconds, priority_record
from durability._core.payload import Payload, payload_size
from durability._rest.chain import call_run
from durability._runtime.frontend import (
    ActivityReport,
    Outcome,
    StartRequest,
    Status,
    UpdateRequest,
    UpdateStage,
    UpdateState,
)
from durability._runtime.queries import QueryFailedError
from durability._runtime.validation import check_identifier, check_memo, check_payloads
from durability.activity import ActivityCancellationDetails
from durability.client._connect import say_ignored
from durability.client._descriptions import raw_description
from durability.client._exceptions import (
    AsyncActivityCancelledError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    update_call_errors,
)
from durability.client._executions import (
    WorkflowExecutionAsyncIterator,
    WorkflowExecutionCount,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    count_by_status,
)
from durability.client._history import WorkflowHistoryEventAsyncIterator
from durability.client._interceptor import (
    CancelWorkflowInput,
    CompleteAsyncActivityInput,
    CountWorkflowsInput,
    DescribeWorkflowInput,
    FailAsyncActivityInput,
    FetchWorkflowHistoryEventsInput,
    HeartbeatAsyncActivityInput,
    ListWorkflowsInput,
    OutboundInterceptor,
    QueryWorkflowInput,
    ReportCancellationAsyncActivityInput,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    TerminateWorkflowInput,
    UpdateWithStartUpdateWorkflowInput,
)
from durability.client._updates import WorkflowUpdateHandle, WorkflowUpdateStage
from durability.client._workflow_handle import WorkflowHandle
from durability.common import HeaderCodecBehavior, QueryRejectCondition, RetryPolicy
from durability.common._arguments import _arg_unset
from durability.converter import DataConverter, StorageDriverWorkflowInfo, WorkflowSerializationContext
from durability.converter._search_attributes import search_attributes_to_payloads
from durability.exceptions import CancelledError, TerminatedError, TimeoutError, TimeoutType
from durability.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from durability.client._client import Client

logger = logging.getLogger("durability.client")

_LONG_POLL = 20.0

_AsyncActivityInput = (
    HeartbeatAsyncActivityInput
    | CompleteAsyncActivityInput
    | FailAsyncActivityInput
    | ReportCancellationAsyncActivityInput
)


@asynccontextmanager
async def deadline(timeout: timedelta | None) -> AsyncIterator[None]:
    """Limit a call to its ``rpc_timeout``. Raises RPCError(DEADLINE_EXCEEDED)."""
    limit = asyncio.timeout(timeout.total_seconds() if timeout is not None else None)
    try:
        async with limit:
            yield
    except builtins.TimeoutError as error:
        if not limit.expired():
            raise
        raise RPCError(
            f"the call took longer than its rpc_timeout of {timeout}", RPCStatusCode.DEADLINE_EXCEEDED, b""
        ) from error


class _HasEndedError(RPCError):
    """The run is closed: another one may go on where it ended; if none does, there is nothing to cancel."""


class ClientImpl(OutboundInterceptor):
    """Makes requests to a ``Frontend``."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def converter(
        self, workflow_id: str, *, run_id: str | None = None, workflow_type: str | None = None
    ) -> DataConverter:
        """The data converter, in the context of a workflow."""
        namespace = self._client.namespace
        converter = self._client.data_converter.with_context(
            WorkflowSerializationContext(namespace=namespace, workflow_id=workflow_id)
        )
        if converter.external_storage is None:
            return converter
        return converter._for_target(
            StorageDriverWorkflowInfo(namespace=namespace, id=workflow_id, run_id=run_id, type=workflow_type)
        )

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        async with deadline(input.rpc_timeout):
            request = await self._start_request(input)
            started = await self._client.frontend.start(request)
        handle = WorkflowHandle[Any, Any](
            self._client,
            input.id,
            result_run_id=started.run_id,
            first_execution_run_id=started.first_run_id or started.run_id,
            result_type=input.ret_type,
        )
        starts_eagerly = getattr(self._client.frontend, "starts_eagerly", False)
        setattr(handle, "__temporal_eagerly_started", input.request_eager_start and starts_eagerly)
        return handle

    async def _start_request(self, input: StartWorkflowInput) -> StartRequest:
        check_identifier("workflow id", input.id)
        check_identifier("workflow type", input.workflow)
        check_identifier("task queue", input.task_queue)
        if input.start_signal is not None:
            check_identifier("signal name", input.start_signal)
        say_ignored(
            "start_workflow",
            request_eager_start=input.request_eager_start,
            rpc_metadata=input.rpc_metadata,
            versioning_override=input.versioning_override,
        )
        converter = self.converter(input.id, workflow_type=input.workflow)
        arguments = await self._encode(converter, "the arguments", input.args)
        memo = {key: (await converter.encode([value]))[0] for key, value in (input.memo or {}).items()}
        check_memo(memo)
        self._warn("the memo", memo.values(), self._client._payload_limits.memo_warn_size)
        summary, details = input.static_summary, input.static_details
        return StartRequest(
            workflow_id=input.id,
            workflow_type=input.workflow,
            task_queue=input.task_queue,
            arguments=arguments,
            request_id=str(uuid.uuid4()),
            headers=await self._headers(input.headers, converter),
            memo=memo,
            search_attributes=search_attributes_to_payloads(input.search_attributes, guess_types=True),
            execution_timeout=_timeout("execution_timeout", input.execution_timeout),
            run_timeout=_timeout("run_timeout", input.run_timeout),
            task_timeout=_timeout("task_timeout", input.task_timeout),
            id_reuse_policy=int(input.id_reuse_policy),
            id_conflict_policy=int(input.id_conflict_policy),
            retry_policy=_policy(input.retry_policy),
            cron_schedule=input.cron_schedule,
            start_delay=_timeout("start_delay", input.start_delay),
            identity=self._client.identity,
            static_summary=None if summary is None else (await converter.encode([summary]))[0],
            static_details=None if details is None else (await converter.encode([details]))[0],
            priority=priority_record(input.priority),
            signal_name=input.start_signal or "",
            signal_arguments=await self._encode(converter, "the signal's arguments", input.start_signal_args),
        )

    async def cancel_workflow(self, input: CancelWorkflowInput) -> None:
        check_identifier("workflow id", input.id)
        request_id = str(uuid.uuid4())

        async def cancel(run_id: str | None) -> None:
            accepted = await self._client.frontend.cancel(
                input.id, run_id, request_id=request_id, reason=input.reason, identity=self._client.identity
            )
            if not accepted:
                raise _HasEndedError("workflow execution already completed", RPCStatusCode.NOT_FOUND, b"")

        async with deadline(input.rpc_timeout):
            with suppress(_HasEndedError):
                await call_run(self._client.frontend, input.id, input.run_id, input.first_execution_run_id, cancel)

    async def terminate_workflow(self, input: TerminateWorkflowInput) -> None:
        check_identifier("workflow id", input.id)
        details = await self._encode(
            self.converter(input.id, run_id=input.run_id), "the details", input.args, refuse=False
        )

        async def terminate(run_id: str | None) -> None:
            await self._client.frontend.terminate(
                input.id,
                run_id,
                reason=input.reason or "",
                details=details or None,
                identity=self._client.identity,
            )

        async with deadline(input.rpc_timeout):
            await call_run(self._client.frontend, input.id, input.run_id, input.first_execution_run_id, terminate)

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        check_identifier("workflow id", input.id)
        check_identifier("signal name", input.signal)
        converter = self.converter(input.id, run_id=input.run_id)
        arguments = await self._encode(converter, "the signal's arguments", input.args)
        async with deadline(input.rpc_timeout):
            await self._client.frontend.signal(
                input.id,
                input.run_id,
                input.signal,
                arguments,
                request_id=str(uuid.uuid4()),
                headers=await self._headers(input.headers, converter),
                identity=self._client.identity,
            )

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        check_identifier("workflow id", input.id)
        async with update_call_errors(input.rpc_timeout):
            request = await self._update_request(input.id, input)

            async def update(run_id: str | None) -> UpdateState:
                request.run_id = run_id or ""
                return await self._until_taken(request)

            state = await call_run(self._client.frontend, input.id, input.run_id, input.first_execution_run_id, update)
            handle = self._update_handle(state, input.ret_type)
            if input.wait_for_stage == WorkflowUpdateStage.COMPLETED:
                await handle._wait_for_outcome()
        return handle

    async def start_update_with_start_workflow(
        self, input: StartWorkflowUpdateWithStartInput
    ) -> WorkflowUpdateHandle[Any]:
        start, update = input.start_workflow_input, input.update_workflow_input
        try:
            async with update_call_errors(input.rpc_timeout):
                request = await self._update_request(start.id, update)
                request.start = await self._start_request(
                    StartWorkflowInput(
                        **vars(start),
                        start_signal=None,
                        start_signal_args=(),
                        rpc_metadata={},
                        rpc_timeout=None,
                        request_eager_start=False,
                    )
                )
                state = await self._until_taken(request)
                input._on_start(
                    WorkflowHandle(
                        self._client,
                        start.id,
                        result_run_id=state.run_id,
                        first_execution_run_id=state.first_run_id or state.run_id,
                        result_type=start.ret_type,
                    )
                )
                handle = self._update_handle(state, update.ret_type)
                if update.wait_for_stage == WorkflowUpdateStage.COMPLETED:
                    await handle._wait_for_outcome()
        except BaseException as error:
            input._on_start_error(error)
            raise
        return handle

    async def _update_request(
        self, workflow_id: str, input: StartWorkflowUpdateInput | UpdateWithStartUpdateWorkflowInput
    ) -> UpdateRequest:
        check_identifier("update name", input.update)
        converter = self.converter(workflow_id)
        return UpdateRequest(
            workflow_id=workflow_id,
            update_id=input.update_id or str(uuid.uuid4()),
            name=input.update,
            arguments=await self._encode(converter, "the update's arguments", input.args),
            headers=await self._headers(input.headers, converter),
            identity=self._client.identity,
            stage=UpdateStage.ACCEPTED,  # whoever waits for more has a handle to wait with
        )

    async def _until_taken(self, request: UpdateRequest) -> UpdateState:
        """Send an update again and again, with its one id, until a run has accepted or rejected it."""
        while True:
            state = await self._client.frontend.update(request, wait=_LONG_POLL)
            if state.stage >= UpdateStage.ACCEPTED:
                return state

    def _update_handle(self, state: UpdateState, result_type: type | None) -> WorkflowUpdateHandle[Any]:
        return WorkflowUpdateHandle(
            self._client,
            state.update_id,
            state.workflow_id,
            workflow_run_id=state.run_id,
            result_type=result_type,
            known_outcome=state if state.stage == UpdateStage.COMPLETED else None,
        )

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        check_identifier("workflow id", input.id)
        check_identifier("query name", input.query)
        converter = self.converter(input.id, run_id=input.run_id)
        arguments = await self._encode(converter, "the query's arguments", input.args)
        async with deadline(input.rpc_timeout):
            if input.reject_condition:
                await self._reject_query(input, input.reject_condition)
            try:
                payload = await self._client.frontend.query(
                    input.id,
                    input.run_id,
                    input.query,
                    arguments,
                    headers=await self._headers(input.headers, converter),
                )
            except QueryFailedError as error:
                failure = await converter.decode_failure(error.failure)
                raise WorkflowQueryFailedError(getattr(failure, "message", str(failure))) from None
            except RPCError as error:
                if error.status == RPCStatusCode.INVALID_ARGUMENT:
                    raise WorkflowQueryFailedError(error.message) from None
                raise
        if payload is None:
            return None
        return (await converter.decode([payload], [input.ret_type] if input.ret_type else None))[0]

    async def _reject_query(self, input: QueryWorkflowInput, condition: QueryRejectCondition) -> None:
        if condition == QueryRejectCondition.NONE:
            return
        outcome = await self._client.frontend.outcome(input.id, input.run_id, wait=0)
        if outcome is None:
            return
        if condition == QueryRejectCondition.NOT_OPEN or outcome.status != Status.COMPLETED:
            raise WorkflowQueryRejectedError(WorkflowExecutionStatus(outcome.status))

    async def heartbeat_async_activity(self, input: HeartbeatAsyncActivityInput) -> None:
        report = self._report("heartbeat", input)
        report.details = await self._encode(self._activity_converter(input), "the details", input.details, refuse=False)
        async with deadline(input.rpc_timeout):
            if await self._client.frontend.report_activity(report):
                raise AsyncActivityCancelledError(ActivityCancellationDetails(cancel_requested=True))

    async def complete_async_activity(self, input: CompleteAsyncActivityInput) -> None:
        report = self._report("completed", input)
        if input.result is not _arg_unset:
            report.result = (
                await self._encode(self._activity_converter(input), "the result", [input.result], refuse=False)
            )[0]
        async with deadline(input.rpc_timeout):
            await self._client.frontend.report_activity(report)

    async def fail_async_activity(self, input: FailAsyncActivityInput) -> None:
        report = self._report("failed", input)
        converter = self._activity_converter(input)
        report.failure = Failure()
        await converter.encode_failure(input.error, report.failure)
        report.details = await self._encode(converter, "the details", input.last_heartbeat_details, refuse=False)
        async with deadline(input.rpc_timeout):
            await self._client.frontend.report_activity(report)

    async def report_cancellation_async_activity(self, input: ReportCancellationAsyncActivityInput) -> None:
        report = self._report("canceled", input)
        report.details = await self._encode(self._activity_converter(input), "the details", input.details, refuse=False)
        async with deadline(input.rpc_timeout):
            await self._client.frontend.report_activity(report)

    def _report(
        self, kind: Literal["completed", "failed", "canceled", "heartbeat"], input: _AsyncActivityInput
    ) -> ActivityReport:
        identity = self._client.identity
        reference = input.id_or_token
        if isinstance(reference, bytes):
            return ActivityReport(kind=kind, task_token=reference, identity=identity)
        workflow_id, run_id = reference.workflow_id or "", reference.run_id or ""
        check_identifier("workflow id", workflow_id)
        check_identifier("activity id", reference.activity_id)
        return ActivityReport(
            kind=kind, workflow_id=workflow_id, run_id=run_id, activity_id=reference.activity_id, identity=identity
        )

    def _activity_converter(self, input: _AsyncActivityInput) -> DataConverter:
        return input.data_converter_override or self._client.data_converter

    async def describe_workflow(self, input: DescribeWorkflowInput) -> WorkflowExecutionDescription:
        check_identifier("workflow id", input.id)
        async with deadline(input.rpc_timeout):
            description = await self._client.frontend.describe(input.id, input.run_id)
        return WorkflowExecutionDescription._from_description(
            description,
            self._client,
            raw_description=raw_description(description),
        )

    def fetch_workflow_history_events(
        self, input: FetchWorkflowHistoryEventsInput
    ) -> WorkflowHistoryEventAsyncIterator:
        check_identifier("workflow id", input.id)
        return WorkflowHistoryEventAsyncIterator(self._client, input)

    def list_workflows(self, input: ListWorkflowsInput) -> WorkflowExecutionAsyncIterator:
        return WorkflowExecutionAsyncIterator(self._client, input)

    async def count_workflows(self, input: CountWorkflowsInput) -> WorkflowExecutionCount:
        async with deadline(input.rpc_timeout):
            return await count_by_status(self._client.frontend, input.query)

    async def _encode(
        self, converter: DataConverter, what: str, values: Sequence[Any], *, refuse: bool = True
    ) -> list[Payload]:
        """Without ``refuse``, what is too large is for the engine to deal with: it fails the activity."""
        if not values:
            return []
        payloads = await converter.encode(values)
        if refuse:
            check_payloads(what, payloads)
        self._warn(what, payloads, self._client._payload_limits.payloads_warn_size)
        return payloads

    def _warn(self, what: str, payloads: Iterable[Payload], limit: int) -> None:
        size = sum(map(payload_size, payloads))
        if 0 < limit < size:
            logger.warning(
                "[TMPRL1103] Attempted to upload payloads with size that exceeded the warning limit. %s: %d bytes, "
                "the limit is %d",
                what,
                size,
                limit,
            )

    async def _headers(self, headers: Mapping[str, Payload], converter: DataConverter) -> dict[str, Payload]:
        if self._client._config["header_codec_behavior"] != HeaderCodecBehavior.CODEC:
            return dict(headers)
        return {name: (await converter._outbound([payload]))[0] for name, payload in headers.items()}


async def failure_of(outcome: Outcome, converter: DataConverter) -> WorkflowFailureError:
    """The error that tells how a run ended that did not complete."""
    failure = outcome.failure
    info = failure.info if failure else None
    cause: BaseException
    if outcome.status == Status.CANCELED:
        details = info.details if isinstance(info, CanceledFailureInfo) else None
        cause = CancelledError("Workflow cancelled", *(await converter.decode(details) if details else ()))
    elif outcome.status == Status.TERMINATED:
        details = outcome.details
        reason = failure.message if failure else ""
        cause = TerminatedError(reason or "Workflow terminated", *(await converter.decode(details) if details else ()))
    elif outcome.status == Status.TIMED_OUT or failure is None:
        cause = TimeoutError("Workflow timed out", type=TimeoutType.START_TO_CLOSE, last_heartbeat_details=[])
    else:
        cause = await converter.decode_failure(failure)
    return WorkflowFailureError(cause=cause)


def _timeout(name: str, value: timedelta | None) -> int:
    if value is not None and value < timedelta(0):
        raise RPCError(f"{name} is negative: {value}", RPCStatusCode.INVALID_ARGUMENT, b"")
    return milliseconds(value)


def _policy(policy: RetryPolicy | None) -> RetryPolicyRecord | None:
    return None if policy is None else policy._to_record()
