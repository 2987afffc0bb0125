"""A run of the interpreter on this project's instance, in the terms that both engines share.

Events and commands are tuples: a kind, a sequence number or a name, and values.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from durability._core import history as h
from durability._core.activation import QueryRequest
from durability._core.failure import ApplicationFailureInfo, CanceledFailureInfo, Failure
from tests.core import driving

START = driving.START
SUMMONED_RUN = "summoned-run"


@dataclass
class Pending:
    """What the commands so far leave open."""

    timers: list[int] = field(default_factory=list)
    activities: list[int] = field(default_factory=list)
    initiated: list[int] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    cancels: list[int] = field(default_factory=list)
    summons: list[int] = field(default_factory=list)

    def note(self, commands: list[tuple[Any, ...]]) -> None:
        for kind, *rest in commands:
            match kind:
                case "timer":
                    self.timers.append(rest[0])
                case "cancel timer":
                    self.timers.remove(rest[0])
                case "activity" | "local activity":
                    self.activities.append(rest[0])
                case "child":
                    self.initiated.append(rest[0])
                case "signal external" | "signal child":
                    self.signals.append(rest[0])
                case "summon":
                    self.summons.append(rest[0])
                case "cancel external":
                    self.cancels.append(rest[0])


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


class Ours:
    def __init__(self, program: list[Any]) -> None:
        self.driver = driving.Driver(OURS, program)

    def do(self, events: list[tuple[Any, ...]], time: int) -> list[tuple[Any, ...]]:
        self.driver.now = time
        return list(_from_records(self.driver.do(*(self._input(e) for e in events), after=0)))

    def _input(self, event: tuple[Any, ...]) -> h.Input:
        match event:
            case ("start",):
                return self.driver.started
            case ("signal", name, program):
                return driving.signal("flag", name, program)
            case ("other signal", name, program):
                return driving.signal(name, "other", program)
            case ("update", id, name, program):
                return driving.update("change", name, program, id=id)
            case ("other update", id, name, program):
                return driving.update(name, "other", program, id=id)
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
            case (kind, sequence):
                return _OUTCOMES[kind](sequence)
        raise AssertionError(event)

    def query(self, name: str, *args: Any) -> Any:
        answer = self.driver.instance.query(QueryRequest(name, driving.payloads(*args)))
        return _json(answer)

    def replay(self) -> None:
        """The same history and the same code give the same commands."""
        assert self.driver.replay() == [commands for _, commands in self.driver.tasks]

    @property
    def rejected(self) -> bool:
        """Whether an update was rejected: it is not in the history, so the inputs are not what replay would get."""
        return any(isinstance(c, h.WorkflowExecutionUpdateRejected) for _, cs in self.driver.tasks for c in cs)


_FAILURE = Failure(message="boom", info=ApplicationFailureInfo(type="ValueError"))
_T = driving.START
_OUTCOMES: dict[str, Any] = {
    "child started": lambda n: h.ChildWorkflowExecutionStarted(_T, f"child-start:{n}", n, "child-run"),
    "child not started": lambda n: h.StartChildWorkflowExecutionFailed(_T, f"child-start:{n}", n, 1),
    "child completed": lambda n: h.ChildWorkflowExecutionCompleted(_T, f"child:{n}", n, driving.payload("done")),
    "child failed": lambda n: h.ChildWorkflowExecutionFailed(_T, f"child:{n}", n, _FAILURE),
    "child cancelled": lambda n: h.ChildWorkflowExecutionCanceled(
        _T, f"child:{n}", n, Failure(info=CanceledFailureInfo())
    ),
    "signalled": lambda n: h.ExternalWorkflowExecutionSignaled(_T, f"signal:{n}", n),
    "not signalled": lambda n: h.SignalExternalWorkflowExecutionFailed(_T, f"signal:{n}", n),
    "summoned": lambda n: h.SignalWithStartCompleted(_T, f"summon:{n}", n, SUMMONED_RUN, True),
    "not summoned": lambda n: h.SignalWithStartFailed(_T, f"summon:{n}", n, "refused"),
    "cancel delivered": lambda n: h.ExternalWorkflowExecutionCancelRequested(_T, f"cancel:{n}", n),
    "cancel not delivered": lambda n: h.RequestCancelExternalWorkflowExecutionFailed(_T, f"cancel:{n}", n),
}


def _json(payload: Any) -> Any:
    return json.loads(payload.data) if payload is not None and payload.data else None


def _from_records(commands: list[h.Command]) -> Iterator[tuple[Any, ...]]:
    """What was decided; a command that belongs to event groups has them for its last value."""
    groups: list[Any] = []
    for command in commands:
        if isinstance(command, h.CommandGrouped):
            groups = [[marker.signal or marker.update or marker.id for marker in command.markers]]
        else:
            yield (*_from_record(command), *groups)
            groups = []


def _from_record(command: h.Command) -> tuple[Any, ...]:
    match command:
        case h.TimerStarted():
            return "timer", command.sequence, command.duration
        case h.TimerCanceled():
            return "cancel timer", command.sequence
        case h.ActivityTaskScheduled():
            return (
                "local activity" if command.local else "activity",
                command.sequence,
                [_json(p) for p in command.arguments],
            )
        case h.ActivityTaskCancelRequested():
            return "cancel activity", command.sequence
        case h.StartChildWorkflowExecutionInitiated():
            return "child", command.sequence, command.workflow_id, [_json(p) for p in command.arguments]
        case h.CancelChildWorkflowExecutionRequested():
            return "cancel child", command.sequence, command.reason
        case h.SignalExternalWorkflowExecutionInitiated(child_sequence=0):
            return "signal external", command.sequence, command.workflow_id, [_json(p) for p in command.arguments]
        case h.SignalExternalWorkflowExecutionInitiated():
            return "signal child", command.sequence, command.workflow_id, [_json(p) for p in command.arguments]
        case h.SignalWithStartScheduled():
            arguments = [*command.arguments, *command.signal_arguments]
            return "summon", command.sequence, command.workflow_id, [_json(p) for p in arguments]
        case h.RequestCancelExternalWorkflowExecutionInitiated():
            return "cancel external", command.sequence, command.workflow_id, command.run_id
        case h.WorkflowPropertiesModified():
            return "memo", {key: _json(value) for key, value in command.memo.items()}
        case h.SearchAttributesUpserted():
            return "attributes", {key: _json(value) for key, value in command.search_attributes.items()}
        case h.WorkflowExecutionContinuedAsNew():
            memo = {key: _json(value) for key, value in (command.memo or {}).items()}
            return "continue", [_json(p) for p in command.arguments], memo
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
