"""The same run on both engines: this project's instance, and the reference's with what its core would do."""

from __future__ import annotations

import asyncio
import json
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import temporalio.api.failure.v1
import temporalio.bridge.proto.activity_result as activity_result
import temporalio.bridge.proto.workflow_activation as wa
import temporalio.common
import temporalio.converter
import temporalio.worker._workflow_instance as reference
import temporalio.workflow
from temporalio.api.common.v1 import Payloads

from durability._core import history as h
from tests.core import driving

START = driving.START


@dataclass
class Pending:
    """What the commands so far leave open."""

    timers: list[int] = field(default_factory=list)
    activities: list[int] = field(default_factory=list)

    def note(self, commands: list[tuple[Any, ...]]) -> None:
        for kind, *rest in commands:
            if kind == "timer":
                self.timers.append(rest[0])
            elif kind == "cancel timer":
                self.timers.remove(rest[0])
            elif kind == "activity":
                self.activities.append(rest[0])


def load(prefix: str) -> type:
    """The interpreter with the imports of one engine."""
    name = f"tests_oracle_interpreter_{prefix}"
    source = Path(__file__).with_name("interpreter.py").read_text(encoding="utf-8")
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source.replace("from durability", f"from {prefix}"), name, "exec"), module.__dict__)
    cls = module.Interpreter
    assert isinstance(cls, type)
    return cls


OURS = load("durability")
THEIRS = load("temporalio")


class Ours:
    def __init__(self, program: list[Any]) -> None:
        self.driver = driving.Driver(OURS, program)

    def do(self, events: list[tuple[Any, ...]], time: int) -> list[tuple[Any, ...]]:
        self.driver.now = time
        return [_from_record(c) for c in self.driver.do(*(self._input(e) for e in events), after=0)]

    def _input(self, event: tuple[Any, ...]) -> h.Input:
        match event:
            case ("start",):
                return self.driver.started
            case ("signal", name, program):
                return driving.signal("flag", name, program)
            case ("update", id, name, program):
                return driving.update("change", name, program, id=id)
            case ("fire", sequence):
                return driving.fired(sequence)
            case ("complete", sequence):
                return driving.completed(sequence, "done")
            case ("fail", sequence):
                return driving.failed(sequence)
            case ("cancelled", sequence):
                return driving.canceled(sequence)
            case ("cancel",):
                return driving.cancel("please")
        raise AssertionError(event)

    def query(self) -> Any:
        return self.driver.query("so_far")


def _json(payload: Any) -> Any:
    return json.loads(payload.data) if payload is not None and payload.data else None


def _from_record(command: h.Command) -> tuple[Any, ...]:
    match command:
        case h.TimerStarted():
            return "timer", command.sequence, command.duration
        case h.TimerCanceled():
            return "cancel timer", command.sequence
        case h.ActivityTaskScheduled():
            return "activity", command.sequence, [_json(p) for p in command.arguments]
        case h.ActivityTaskCancelRequested():
            return "cancel activity", command.sequence
        case h.WorkflowExecutionUpdateAccepted():
            return "accepted", command.key
        case h.WorkflowExecutionUpdateRejected():
            return "rejected", command.key, command.failure.message
        case h.WorkflowExecutionUpdateCompleted(failure=None):
            return "completed", command.key, _json(command.result)
        case h.WorkflowExecutionUpdateCompleted(failure=failure):
            assert failure is not None
            return "rejected", command.key, failure.message
        case h.PatchMarkerRecorded():
            return "patch", command.patch_id
        case h.WorkflowExecutionCompleted():
            return "complete", _json(command.result)
        case h.WorkflowExecutionFailed():
            return "fail", command.failure.message
        case h.WorkflowExecutionCanceled():
            return ("cancel",)
    raise AssertionError(command)


_ENDS = ("fire", "complete", "fail", "cancelled")


class TaskFailed(Exception):
    """The workflow task failed."""


class Theirs:
    """The reference's instance, with the part of its core that decides about cancellation at once."""

    def __init__(self, program: list[Any]) -> None:
        self.converter = temporalio.converter.default()
        defn = temporalio.workflow._Definition.must_from_class(THEIRS)
        self.program = self.converter.payload_converter.to_payloads([program])
        info = _info()

        async def create() -> reference.WorkflowInstance:
            return reference.UnsandboxedWorkflowRunner().create_instance(
                reference.WorkflowInstanceDetails(
                    payload_converter_factory=self.converter.payload_converter_class,
                    failure_converter_class=self.converter.failure_converter_class,
                    interceptor_classes=[],
                    defn=defn,
                    info=info,
                    randomness_seed=1,
                    extern_functions={},
                    disable_eager_activity_execution=False,
                    worker_level_failure_exception_types=[],
                    patch_activation_callback=None,
                    last_completion_result=Payloads(),
                    last_failure=None,
                )
            )

        self.instance = asyncio.run(create())
        self.resolved: set[int] = set()

    def do(self, events: list[tuple[Any, ...]], time: int) -> list[tuple[Any, ...]]:
        # The core puts signals and updates first only in the instance; a start always comes first.
        events = [e for e in events if not (e[0] in ("complete", "fail", "cancelled") and e[1] in self.resolved)]
        jobs = [self._job(event) for event in events]
        self.over = {(event[0] == "fire", event[1]) for event in events if event[0] in _ENDS}
        commands: list[Any] = []
        while jobs:
            activation = wa.WorkflowActivation(run_id="run-1", jobs=jobs)
            activation.timestamp.FromMilliseconds(time)
            completion = self.instance.activate(activation)
            if completion.HasField("failed"):
                raise TaskFailed(completion.failed.failure.message)
            commands, resolve = self._like_core(commands, list(completion.successful.commands))
            closed = any(_is_closing(c) for c in commands)
            jobs = [] if closed else [self._cancelled(sequence) for sequence in resolve]
        normal = [_from_proto(c) for c in commands]
        terminal = [c for c in normal if c[0] in ("complete", "fail", "cancel")]
        return [c for c in normal if c[0] not in ("complete", "fail", "cancel")] + terminal[:1]

    def _like_core(self, before: list[Any], new: list[Any]) -> tuple[list[Any], list[int]]:
        commands, resolve = list(before), []
        for command in new:
            if command.HasField("cancel_timer"):
                if (True, command.cancel_timer.seq) in self.over:
                    continue
                started = _find(commands, "start_timer", command.cancel_timer.seq)
                if started is not None:
                    commands.remove(started)
                else:
                    commands.append(command)
            elif command.HasField("request_cancel_activity"):
                sequence = command.request_cancel_activity.seq
                if (False, sequence) in self.over:
                    continue
                scheduled = _find(commands, "schedule_activity", sequence)
                kind = self.types[sequence]
                if scheduled is not None:
                    commands.remove(scheduled)
                elif kind != 2:
                    commands.append(command)
                if scheduled is not None or kind != 1:
                    resolve.append(sequence)
                    self.resolved.add(sequence)
            else:
                if command.HasField("schedule_activity"):
                    self.types[command.schedule_activity.seq] = command.schedule_activity.cancellation_type
                commands.append(command)
        return commands, resolve

    @property
    def types(self) -> dict[int, int]:
        return self.__dict__.setdefault("_types", {})

    def _cancelled(self, sequence: int) -> wa.WorkflowActivationJob:
        result = activity_result.ActivityResolution(
            cancelled=activity_result.Cancellation(failure=_activity_failure("Activity cancelled", cancelled=True))
        )
        return wa.WorkflowActivationJob(resolve_activity=wa.ResolveActivity(seq=sequence, result=result))

    def _job(self, event: tuple[Any, ...]) -> wa.WorkflowActivationJob:
        to_payloads = self.converter.payload_converter.to_payloads
        match event:
            case ("start",):
                init = wa.InitializeWorkflow(workflow_type="Interpreter", workflow_id="wf", arguments=self.program)
                return wa.WorkflowActivationJob(initialize_workflow=init)
            case ("signal", name, program):
                signal = wa.SignalWorkflow(
                    signal_name="flag", input=to_payloads([name, program]), originating_event_id=1
                )
                return wa.WorkflowActivationJob(signal_workflow=signal)
            case ("update", id, name, program):
                update = wa.DoUpdate(
                    id=id,
                    protocol_instance_id=id,
                    name="change",
                    input=to_payloads([name, program]),
                    run_validator=True,
                )
                return wa.WorkflowActivationJob(do_update=update)
            case ("fire", sequence):
                return wa.WorkflowActivationJob(fire_timer=wa.FireTimer(seq=sequence))
            case ("complete", sequence):
                result = activity_result.ActivityResolution(
                    completed=activity_result.Success(result=to_payloads(["done"])[0])
                )
                return wa.WorkflowActivationJob(resolve_activity=wa.ResolveActivity(seq=sequence, result=result))
            case ("fail", sequence):
                result = activity_result.ActivityResolution(
                    failed=activity_result.Failure(failure=_activity_failure("Activity task failed", cancelled=False))
                )
                return wa.WorkflowActivationJob(resolve_activity=wa.ResolveActivity(seq=sequence, result=result))
            case ("cancelled", sequence):
                return self._cancelled(sequence)
            case ("cancel",):
                return wa.WorkflowActivationJob(cancel_workflow=wa.CancelWorkflow(reason="please"))
        raise AssertionError(event)

    def query(self) -> Any:
        job = wa.WorkflowActivationJob(query_workflow=wa.QueryWorkflow(query_id="q", query_type="so_far"))
        activation = wa.WorkflowActivation(run_id="run-1", jobs=[job])
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


def _find(commands: list[Any], field_name: str, sequence: int) -> Any:
    for command in commands:
        if command.HasField(field_name) and getattr(command, field_name).seq == sequence:
            return command
    return None


def _is_closing(command: Any) -> bool:
    return _from_proto(command)[0] in ("complete", "fail", "cancel")


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
    from datetime import UTC, datetime, timedelta

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
