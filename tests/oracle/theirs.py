"""A run of the interpreter on the reference's instance, with what its core would do around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import temporalio.api.failure.v1
import temporalio.bridge.proto.activity_result as activity_result
import temporalio.bridge.proto.workflow_activation as wa
import temporalio.common
import temporalio.converter
import temporalio.worker._workflow_instance as reference
import temporalio.workflow
from temporalio.api.common.v1 import Payloads
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    SignalWithStartWorkflowExecutionResponse,
)

from durability._core.children import _NEVER_SCHEDULED
from durability._core.external import _refused
from durability._core.randomness import Randomness
from durability._core.system_operation import FAILED
from tests.oracle.ours import START, SUMMONED_RUN, _json, load

THEIRS = load("temporalio")
CLOSING = ("complete", "fail", "cancel", "continue")
_ENDS = ("complete", "fail", "cancelled")
_CHILD_ENDS = ("child not started", "child completed", "child failed", "child cancelled")
_CHILD_CANCELLED = "Child Workflow execution cancelled"
_CHILD_EVENTS = ("child started", *_CHILD_ENDS)


class _Instance(reference._WorkflowInstanceImpl):
    """The reference's instance with two deviations.

    When a cancellation arrives together with an operation's outcome, the reference raises it for activities only; for
    children and messages to other workflows it gets lost unless a flag is set that is off by default. Here it never
    gets lost, see ``durability._core.operations``.
    """

    async def _await_temporal_operation(
        self,
        fut: asyncio.Future[Any],
        apply_cancel: Callable[[asyncio.CancelledError], None],
        *,
        completed_cancellation_flag: Any = None,
        reraise_on_workflow_cancellation: bool = False,
    ) -> Any:
        if not reraise_on_workflow_cancellation:
            completed_cancellation_flag = reference._WorkflowLogicFlag.RAISE_ON_CANCELLING_COMPLETED_ACTIVITY
        return await super()._await_temporal_operation(
            fut,
            apply_cancel,
            completed_cancellation_flag=completed_cancellation_flag,
            reraise_on_workflow_cancellation=reraise_on_workflow_cancellation,
        )

    async def workflow_wait_condition(self, *args: Any, **options: Any) -> None:
        # The reference leaves the options of the wait's timer behind for whatever asyncio times in the task later on.
        token = reference._TimerOptionsCtxVar.set(reference._TimerOptions())
        try:
            await super().workflow_wait_condition(*args, **options)
        finally:
            with suppress(ValueError):
                reference._TimerOptionsCtxVar.reset(token)


class TaskFailed(Exception):
    """The workflow task failed."""


class Theirs:
    """The reference's instance, with the part of its core that decides about cancellation at once."""

    def __init__(self, program: list[Any]) -> None:
        self.converter = temporalio.converter.default()
        defn = temporalio.workflow._Definition.must_from_class(THEIRS)
        self.program = self.converter.payload_converter.to_payloads([program])
        info = _info()

        async def create() -> _Instance:
            return _Instance(
                reference.WorkflowInstanceDetails(
                    payload_converter_factory=self.converter.payload_converter_class,
                    failure_converter_class=self.converter.failure_converter_class,
                    interceptor_classes=[],
                    defn=defn,
                    info=info,
                    randomness_seed=Randomness("run-1").seed,
                    extern_functions={"__temporal_assert_local_activity_valid": lambda _: None},
                    disable_eager_activity_execution=False,
                    worker_level_failure_exception_types=[],
                    patch_activation_callback=None,
                    last_completion_result=Payloads(),
                    last_failure=None,
                )
            )

        self.instance = asyncio.run(create())
        self.resolved: set[tuple[str, int]] = set()
        self.over: set[tuple[str, int]] = set()
        self.ended: set[tuple[str, int]] = set()
        self.started: set[int] = set()
        self.local: set[int] = set()
        self.types: dict[int, int] = {}
        self.child_types: dict[int, int] = {}
        self.signals = 0

    def do(self, events: list[tuple[Any, ...]], time: int) -> list[tuple[Any, ...]]:
        events = [event for event in events if not self._comes_too_late(event)]
        # The core sorts so: a start first, the outcomes of local activities last.
        events.sort(key=lambda event: event[0] in _ENDS and event[1] in self.local)
        jobs = [job for event in events for job in (*self._begun(event), self._job(event))]
        self.over = {("timer", event[1]) for event in events if event[0] == "fire"}
        self.over |= {("activity", event[1]) for event in events if event[0] in _ENDS}
        self.over |= {("child", event[1]) for event in events if event[0] in _CHILD_ENDS}
        commands: list[Any] = []
        while jobs:
            activation = wa.WorkflowActivation(run_id="run-1", jobs=jobs)
            activation.timestamp.FromMilliseconds(time)
            completion = self.instance.activate(activation)
            if completion.HasField("failed"):
                raise TaskFailed(completion.failed.failure.message)
            commands, resolutions = self._like_core(commands, list(completion.successful.commands))
            closed = any(_is_closing(c) for c in commands)
            jobs = [] if closed else resolutions
        self.ended |= self.over
        normal = [(*_from_proto(c), *_groups(c)) for c in commands]
        terminal = [c for c in normal if c[0] in CLOSING]
        return [c for c in normal if c[0] not in CLOSING] + terminal[:1]

    def close(self) -> None:
        """Evict it, as its tasks would otherwise end while another instance runs: whenever they are collected."""
        job = wa.WorkflowActivationJob(remove_from_cache=wa.RemoveFromCache(message="over"))
        for _ in range(10):
            # A program that catches its cancellation has to be evicted again.
            with suppress(RuntimeError):
                self.instance.activate(wa.WorkflowActivation(run_id="run-1", jobs=[job]))
                return

    def _comes_too_late(self, event: tuple[Any, ...]) -> bool:
        kind = "activity" if event[0] in _ENDS else "child" if event[0] in _CHILD_EVENTS else ""
        return bool(kind) and (kind, event[1]) in self.resolved

    def _like_core(self, before: list[Any], new: list[Any]) -> tuple[list[Any], list[wa.WorkflowActivationJob]]:
        """What the core makes of new commands: those that go to the server, and what it answers itself."""
        commands, answers = list(before), []
        for command in new:
            match command.WhichOneof("variant"):
                case "cancel_timer":
                    if ("timer", command.cancel_timer.seq) in self.over:
                        continue
                    started = _find(commands, "start_timer", command.cancel_timer.seq)
                    if started is not None:
                        commands.remove(started)
                    else:
                        commands.append(command)
                case "request_cancel_activity":
                    answers += self._cancel_activity(commands, command, command.request_cancel_activity.seq)
                case "request_cancel_local_activity":
                    answers += self._cancel_activity(commands, command, command.request_cancel_local_activity.seq)
                case "cancel_child_workflow_execution":
                    answers += self._cancel_child(commands, command)
                case "cancel_signal_workflow":
                    sequence = command.cancel_signal_workflow.seq
                    sent = _find(commands, "signal_external_workflow_execution", sequence)
                    if sent is not None:
                        commands.remove(sent)
                        answers.append(self._signal_outcome(sequence, "Signal was cancelled before being sent", True))
                case "request_cancel_nexus_operation":
                    # What has gone out cannot be called back, and this engine sends no request for it.
                    sequence = command.request_cancel_nexus_operation.seq
                    sent = _find(commands, "schedule_nexus_operation", sequence)
                    if sent is not None:
                        commands.remove(sent)
                        answers.append(_operation_refused(sequence, "Nexus Operation cancelled before scheduled", True))
                case "schedule_activity":
                    self.types[command.schedule_activity.seq] = command.schedule_activity.cancellation_type
                    commands.append(command)
                case "schedule_local_activity":
                    local = command.schedule_local_activity
                    self.types[local.seq] = local.cancellation_type
                    self.local.add(local.seq)
                    commands.append(command)
                case "start_child_workflow_execution":
                    child = command.start_child_workflow_execution
                    self.child_types[child.seq] = child.cancellation_type
                    commands.append(command)
                case _:
                    commands.append(command)
        return commands, answers

    def _cancel_activity(self, commands: list[Any], command: Any, sequence: int) -> list[wa.WorkflowActivationJob]:
        if ("activity", sequence) in self.over:
            return []
        scheduled = _find(commands, "schedule_activity", sequence) or _find(
            commands, "schedule_local_activity", sequence
        )
        kind = self.types[sequence]
        if scheduled is not None:
            commands.remove(scheduled)
        elif kind != 2:
            commands.append(command)
        if scheduled is None and kind == 1:
            return []
        self.resolved.add(("activity", sequence))
        return [self._cancelled(sequence)]

    def _cancel_child(self, commands: list[Any], command: Any) -> list[wa.WorkflowActivationJob]:
        sequence = command.cancel_child_workflow_execution.child_workflow_seq
        if ("child", sequence) in self.over | self.ended | self.resolved:
            return []
        started = _find(commands, "start_child_workflow_execution", sequence)
        kind = self.child_types[sequence]
        if started is not None:
            commands.remove(started)
        elif kind != 0:
            commands.append(command)
        if started is None and kind in (2, 3):
            return []
        self.resolved.add(("child", sequence))
        message = _NEVER_SCHEDULED if started is not None else _CHILD_CANCELLED
        return [self._child_cancelled(sequence, message, is_started=sequence in self.started)]

    def _cancelled(self, sequence: int) -> wa.WorkflowActivationJob:
        result = activity_result.ActivityResolution(
            cancelled=activity_result.Cancellation(
                failure=_activity_failure(
                    "Local Activity cancelled" if sequence in self.local else "Activity cancelled", cancelled=True
                )
            )
        )
        return self._resolve_activity(sequence, result)

    def _resolve_activity(self, sequence: int, result: activity_result.ActivityResolution) -> wa.WorkflowActivationJob:
        resolution = wa.ResolveActivity(seq=sequence, result=result, is_local=sequence in self.local)
        return wa.WorkflowActivationJob(resolve_activity=resolution)

    def _child_cancelled(self, sequence: int, message: str, *, is_started: bool) -> wa.WorkflowActivationJob:
        failure = _child_failure(message, cancelled=True)
        if not is_started:
            start = wa.ResolveChildWorkflowExecutionStart(seq=sequence)
            start.cancelled.failure.CopyFrom(failure)
            return wa.WorkflowActivationJob(resolve_child_workflow_execution_start=start)
        end = wa.ResolveChildWorkflowExecution(seq=sequence)
        end.result.cancelled.failure.CopyFrom(failure)
        return wa.WorkflowActivationJob(resolve_child_workflow_execution=end)

    def _child_job(self, kind: str, sequence: int) -> wa.WorkflowActivationJob:
        if kind == "child cancelled":
            return self._child_cancelled(sequence, _CHILD_CANCELLED, is_started=True)
        start = wa.ResolveChildWorkflowExecutionStart(seq=sequence)
        if kind == "child started":
            self.started.add(sequence)
            start.succeeded.run_id = "child-run"
            return wa.WorkflowActivationJob(resolve_child_workflow_execution_start=start)
        if kind == "child not started":
            start.failed.cause = 1  # type: ignore[assignment]
            return wa.WorkflowActivationJob(resolve_child_workflow_execution_start=start)
        end = wa.ResolveChildWorkflowExecution(seq=sequence)
        if kind == "child completed":
            end.result.completed.result.CopyFrom(self.converter.payload_converter.to_payloads(["done"])[0])
        else:
            end.result.failed.failure.CopyFrom(_child_failure("Child Workflow execution failed", cancelled=False))
        return wa.WorkflowActivationJob(resolve_child_workflow_execution=end)

    def _signal_outcome(self, sequence: int, failure: str, cancelled: bool = False) -> wa.WorkflowActivationJob:
        outcome = wa.ResolveSignalExternalWorkflow(seq=sequence)
        _fail(outcome, failure, cancelled)
        return wa.WorkflowActivationJob(resolve_signal_external_workflow=outcome)

    def _cancel_outcome(self, sequence: int, failure: str) -> wa.WorkflowActivationJob:
        outcome = wa.ResolveRequestCancelExternalWorkflow(seq=sequence)
        _fail(outcome, failure, False)
        return wa.WorkflowActivationJob(resolve_request_cancel_external_workflow=outcome)

    def _job(self, event: tuple[Any, ...]) -> wa.WorkflowActivationJob:
        to_payloads = self.converter.payload_converter.to_payloads
        match event:
            case ("start",):
                init = wa.InitializeWorkflow(workflow_type="Interpreter", workflow_id="wf", arguments=self.program)
                return wa.WorkflowActivationJob(initialize_workflow=init)
            case ("signal", name, program):
                return self._signal("flag", name, program)
            case ("other signal", name, program):
                return self._signal(name, "other", program)
            case ("update", id, name, program):
                return self._update("change", id, name, program)
            case ("other update", id, name, program):
                return self._update(name, id, "other", program)
            case ("fire", sequence):
                return wa.WorkflowActivationJob(fire_timer=wa.FireTimer(seq=sequence))
            case ("complete", sequence):
                result = activity_result.ActivityResolution(
                    completed=activity_result.Success(result=to_payloads(["done"])[0])
                )
                return self._resolve_activity(sequence, result)
            case ("fail", sequence):
                failure = _activity_failure("Activity task failed", cancelled=False)
                if sequence in self.local:
                    failure = failure.cause  # which is how the core hands it on
                result = activity_result.ActivityResolution(failed=activity_result.Failure(failure=failure))
                return self._resolve_activity(sequence, result)
            case ("cancelled", sequence):
                return self._cancelled(sequence)
            case ("cancel",):
                return wa.WorkflowActivationJob(cancel_workflow=wa.CancelWorkflow(reason="please"))
            case ("summoned", sequence):
                end = wa.ResolveNexusOperation(seq=sequence)
                response = SignalWithStartWorkflowExecutionResponse(run_id=SUMMONED_RUN, started=True)
                end.result.completed.data = response.SerializeToString()
                end.result.completed.metadata["encoding"] = b"binary/protobuf"
                end.result.completed.metadata["messageType"] = response.DESCRIPTOR.full_name.encode()
                return wa.WorkflowActivationJob(resolve_nexus_operation=end)
            case ("not summoned", sequence):
                return _operation_refused(sequence, FAILED, False)
            case ("signalled" | "not signalled" as kind, sequence):
                return self._signal_outcome(sequence, "" if kind == "signalled" else _refused("signal", 1).message)
            case ("cancel delivered" | "cancel not delivered" as kind, sequence):
                return self._cancel_outcome(
                    sequence, "" if kind == "cancel delivered" else _refused("cancel", 1).message
                )
            case (kind, sequence):
                return self._child_job(kind, sequence)
        raise AssertionError(event)

    def _begun(self, event: tuple[Any, ...]) -> list[wa.WorkflowActivationJob]:
        """That an operation has begun, which goes before its result."""
        if event[0] != "summoned":
            return []
        start = wa.ResolveNexusOperationStart(seq=event[1], started_sync=True)
        return [wa.WorkflowActivationJob(resolve_nexus_operation_start=start)]

    def _signal(self, signal: str, name: str, program: list[Any]) -> wa.WorkflowActivationJob:
        arguments = self.converter.payload_converter.to_payloads([name, program])
        self.signals += 1
        job = wa.SignalWorkflow(signal_name=signal, input=arguments, originating_event_id=self.signals)
        return wa.WorkflowActivationJob(signal_workflow=job)

    def _update(self, update: str, id: str, name: str, program: list[Any]) -> wa.WorkflowActivationJob:
        arguments = self.converter.payload_converter.to_payloads([name, program])
        job = wa.DoUpdate(id=id, protocol_instance_id=id, name=update, input=arguments, run_validator=True)
        return wa.WorkflowActivationJob(do_update=job)

    def query(self, name: str, *args: Any) -> Any:
        arguments = self.converter.payload_converter.to_payloads(args) if args else []
        query = wa.QueryWorkflow(query_id="q", query_type=name, arguments=arguments)
        job = wa.WorkflowActivationJob(query_workflow=query)
        activation = wa.WorkflowActivation(run_id="run-1", jobs=[job], is_replaying=True)
        completion = self.instance.activate(activation)
        return _json(completion.successful.commands[0].respond_to_query.succeeded.response)


def _activity_failure(message: str, *, cancelled: bool) -> temporalio.api.failure.v1.Failure:
    failure = temporalio.api.failure.v1.Failure(message=message)
    failure.activity_failure_info.activity_id = "1"
    if cancelled:
        failure.cause.canceled_failure_info.SetInParent()
    else:
        failure.cause.message = "boom"
        failure.cause.application_failure_info.type = "ValueError"
    return failure


def _child_failure(message: str, *, cancelled: bool) -> temporalio.api.failure.v1.Failure:
    failure = temporalio.api.failure.v1.Failure(message=message)
    failure.child_workflow_execution_failure_info.workflow_type.name = "Child"
    if cancelled:
        failure.cause.canceled_failure_info.SetInParent()
    else:
        failure.cause.message = "boom"
        failure.cause.application_failure_info.type = "ValueError"
    return failure


def _fail(outcome: Any, message: str, cancelled: bool) -> None:
    if message:
        outcome.failure.message = message
        if cancelled:
            outcome.failure.canceled_failure_info.SetInParent()
        else:
            outcome.failure.application_failure_info.SetInParent()


def _operation_refused(sequence: int, message: str, cancelled: bool) -> wa.WorkflowActivationJob:
    start = wa.ResolveNexusOperationStart(seq=sequence)
    start.failed.message = message
    start.failed.nexus_operation_execution_failure_info.SetInParent()
    if cancelled:
        start.failed.cause.canceled_failure_info.SetInParent()
    else:
        start.failed.cause.message = "refused"
        start.failed.cause.server_failure_info.non_retryable = True
    return wa.WorkflowActivationJob(resolve_nexus_operation_start=start)


def _find(commands: list[Any], field_name: str, sequence: int) -> Any:
    for command in commands:
        if command.HasField(field_name) and getattr(command, field_name).seq == sequence:
            return command
    return None


def _is_closing(command: Any) -> bool:
    return _from_proto(command)[0] in CLOSING


def _groups(command: Any) -> list[Any]:
    """A command's event groups, if there are any."""
    markers = [
        marker.inbound_event.inbound_event_id or marker.inbound_update.inbound_update_id or marker.label.id
        for marker in command.event_group_markers
    ]
    return [markers] if markers else []


def _from_proto(command: Any) -> tuple[Any, ...]:
    match command.WhichOneof("variant"):
        case "start_timer":
            timer = command.start_timer
            return "timer", timer.seq, round(timer.start_to_fire_timeout.ToNanoseconds() / 1e6)
        case "cancel_timer":
            return "cancel timer", command.cancel_timer.seq
        case "schedule_activity":
            activity = command.schedule_activity
            return "activity", activity.seq, [_json(p) for p in activity.arguments]
        case "request_cancel_activity":
            return "cancel activity", command.request_cancel_activity.seq
        case "update_response":
            response = command.update_response
            match response.WhichOneof("response"):
                case "accepted":
                    return "accepted", response.protocol_instance_id
                case "rejected":
                    return "rejected", response.protocol_instance_id, response.rejected.message
                case _:
                    return "completed", response.protocol_instance_id, _json(response.completed)
        case "schedule_local_activity":
            local = command.schedule_local_activity
            return "local activity", local.seq, [_json(p) for p in local.arguments]
        case "request_cancel_local_activity":
            return "cancel activity", command.request_cancel_local_activity.seq
        case "start_child_workflow_execution":
            child = command.start_child_workflow_execution
            return "child", child.seq, child.workflow_id, [_json(p) for p in child.input]
        case "cancel_child_workflow_execution":
            cancel = command.cancel_child_workflow_execution
            return "cancel child", cancel.child_workflow_seq, cancel.reason
        case "signal_external_workflow_execution":
            signal = command.signal_external_workflow_execution
            kind = "signal child" if signal.child_workflow_id else "signal external"
            target = signal.child_workflow_id or signal.workflow_execution.workflow_id
            return kind, signal.seq, target, [_json(p) for p in signal.args]
        case "schedule_nexus_operation":
            operation = command.schedule_nexus_operation
            asked = SignalWithStartWorkflowExecutionRequest.FromString(operation.input.data)
            arguments = [*asked.input.payloads, *asked.signal_input.payloads]
            return "summon", operation.seq, asked.workflow_id, [_json(p) for p in arguments]
        case "request_cancel_external_workflow_execution":
            request = command.request_cancel_external_workflow_execution
            target = request.workflow_execution
            return "cancel external", request.seq, target.workflow_id, target.run_id
        case "modify_workflow_properties":
            fields = command.modify_workflow_properties.upserted_memo.fields
            return "memo", {key: _json(value) for key, value in fields.items()}
        case "upsert_workflow_search_attributes":
            attributes = command.upsert_workflow_search_attributes.search_attributes.indexed_fields
            return "attributes", {key: _json(value) for key, value in attributes.items()}
        case "continue_as_new_workflow_execution":
            successor = command.continue_as_new_workflow_execution
            memo = {key: _json(value) for key, value in successor.memo.items()}
            return "continue", [_json(p) for p in successor.arguments], memo
        case "set_patch_marker":
            return "patch", command.set_patch_marker.patch_id
        case "complete_workflow_execution":
            return "complete", _json(command.complete_workflow_execution.result)
        case "fail_workflow_execution":
            return "fail", command.fail_workflow_execution.failure.message
        case "cancel_workflow_execution":
            return ("cancel",)
    raise AssertionError(command)


def _info() -> temporalio.workflow.Info:
    now = datetime.fromtimestamp(START / 1000, UTC)
    return temporalio.workflow.Info(
        attempt=1,
        continued_run_id=None,
        cron_schedule=None,
        execution_timeout=None,
        first_execution_run_id="run-1",
        headers={},
        namespace="default",
        original_execution_run_id="run-1",
        parent=None,
        root=None,
        priority=temporalio.common.Priority.default,
        raw_memo={},
        retry_policy=None,
        run_id="run-1",
        run_timeout=None,
        search_attributes={},
        start_time=now,
        task_queue="queue",
        task_timeout=timedelta(seconds=10),
        typed_search_attributes=temporalio.common.TypedSearchAttributes.empty,
        workflow_id="wf",
        workflow_start_time=now,
        workflow_type="Interpreter",
    )
