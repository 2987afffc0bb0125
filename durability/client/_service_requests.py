"""Between the messages of Temporal's workflow service and what a ``Frontend`` is asked."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from durability._core.api_message import ApiMessage, milliseconds_of
from durability._core.history import RetryPolicyRecord
from durability._core.options import priority_record
from durability._core.payload import Payload, Payloads
from durability._runtime.frontend import StartRequest, UpdateStage, UpdateState
from durability._runtime.validation import check_run_id
from durability.api.common.v1 import RetryPolicy, WorkflowExecution
from durability.api.update.v1 import Outcome, UpdateRef, WaitPolicy
from durability.api.workflowservice.v1 import (
    PollWorkflowExecutionUpdateRequest,
    PollWorkflowExecutionUpdateResponse,
    SignalWithStartWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)
from durability.client._service_calls import invalid
from durability.common import Priority
from durability.common import RetryPolicy as Policy

if TYPE_CHECKING:
    from durability.client._client import Client


def target(message: ApiMessage, field: str) -> tuple[str, str | None]:
    """Workflow id and run id of the execution that a message names. Raises RPCError(INVALID_ARGUMENT)."""
    if not message.HasField(field):
        raise invalid("Execution is not set on request.")
    execution: WorkflowExecution = getattr(message, field)
    if not execution.workflow_id:
        raise invalid("WorkflowId is not set on request.")
    check_run_id(execution.run_id)
    return execution.workflow_id, execution.run_id or None


def start_request(req: StartWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest) -> StartRequest:
    """A start, with the signal that comes with it, if one does. Raises RPCError(INVALID_ARGUMENT)."""
    for name, given in (
        ("WorkflowId is not set on request.", req.workflow_id),
        ("WorkflowType is not set on request.", req.workflow_type.name),
        ("taskQueue is not set", req.task_queue.name),
    ):
        if not given:
            raise invalid(name)
    texts = req.user_metadata
    request = StartRequest(
        workflow_id=req.workflow_id,
        workflow_type=req.workflow_type.name,
        task_queue=req.task_queue.name,
        arguments=list(req.input.payloads),
        request_id=req.request_id or str(uuid.uuid4()),
        headers=dict(req.header.fields),
        memo=dict(req.memo.fields),
        search_attributes=dict(req.search_attributes.indexed_fields),
        execution_timeout=milliseconds_of(req.workflow_execution_timeout),
        run_timeout=milliseconds_of(req.workflow_run_timeout),
        task_timeout=milliseconds_of(req.workflow_task_timeout),
        id_reuse_policy=req.workflow_id_reuse_policy or 1,
        id_conflict_policy=req.workflow_id_conflict_policy,
        retry_policy=_retry_policy(req.retry_policy) if req.HasField("retry_policy") else None,
        cron_schedule=req.cron_schedule,
        start_delay=milliseconds_of(req.workflow_start_delay),
        identity=req.identity,
        static_summary=texts.summary if texts.HasField("summary") else None,
        static_details=texts.details if texts.HasField("details") else None,
        priority=_priority(req),
    )
    if isinstance(req, SignalWithStartWorkflowExecutionRequest):
        if not req.signal_name:
            raise invalid("SignalName is not set on request.")
        request.signal_name, request.signal_arguments = req.signal_name, list(req.signal_input.payloads)
    return request


def _priority(req: StartWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest) -> list[Payload] | None:
    priority = req.priority
    return priority_record(
        Priority(
            priority_key=priority.priority_key or None,
            fairness_key=priority.fairness_key or None,
            fairness_weight=priority.fairness_weight or None,
        )
    )


def _retry_policy(policy: RetryPolicy) -> RetryPolicyRecord:
    try:
        given = Policy.from_proto(policy)
        if not policy.HasField("initial_interval"):
            given.initial_interval = Policy().initial_interval
        given.backoff_coefficient = policy.backoff_coefficient or Policy().backoff_coefficient
        return given._to_record()
    except ValueError as error:
        raise invalid(str(error)) from None


def update_answer(state: UpdateState) -> UpdateWorkflowExecutionResponse:
    """What became of an update that was sent."""
    answer = UpdateWorkflowExecutionResponse(update_ref=_reference(state), stage=int(state.stage))
    if state.stage >= UpdateStage.COMPLETED:
        answer.outcome = _outcome(state)
    return answer


def poll_answer(state: UpdateState) -> PollWorkflowExecutionUpdateResponse:
    """What has become of an update so far."""
    answer = PollWorkflowExecutionUpdateResponse(update_ref=_reference(state), stage=int(state.stage))
    if state.stage >= UpdateStage.COMPLETED:
        answer.outcome = _outcome(state)
    return answer


def poll_request(
    client: Client, workflow_id: str, run_id: str | None, update_id: str
) -> PollWorkflowExecutionUpdateRequest:
    """Asks for the outcome of an update."""
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id or "")
    return PollWorkflowExecutionUpdateRequest(
        namespace=client.namespace,
        update_ref=UpdateRef(workflow_execution=execution, update_id=update_id),
        identity=client.identity,
        wait_policy=WaitPolicy(lifecycle_stage=int(UpdateStage.COMPLETED)),
    )


def completed_state(answer: PollWorkflowExecutionUpdateResponse) -> UpdateState | None:
    """The state of an update that has an outcome; None if it has none yet."""
    if not answer.HasField("outcome"):
        return None
    execution, outcome = answer.update_ref.workflow_execution, answer.outcome
    return UpdateState(
        workflow_id=execution.workflow_id,
        run_id=execution.run_id,
        update_id=answer.update_ref.update_id,
        stage=UpdateStage.COMPLETED,
        result=single(outcome.success),
        failure=outcome.failure if outcome.HasField("failure") else None,
    )


def _reference(state: UpdateState) -> UpdateRef:
    return UpdateRef(
        workflow_execution=WorkflowExecution(workflow_id=state.workflow_id, run_id=state.run_id),
        update_id=state.update_id,
    )


def _outcome(state: UpdateState) -> Outcome:
    if state.failure is not None:
        return Outcome(failure=state.failure)
    return Outcome(success=payloads(state.result))


def payloads(payload: Payload | None) -> Payloads:
    """A result that may be missing."""
    return Payloads([] if payload is None else [payload])


def single(result: Payloads) -> Payload | None:
    """The one result that an activity or an update has, if it has one."""
    return result.payloads[0] if result.payloads else None
