"""Driving a workflow instance by hand."""

from __future__ import annotations

from typing import Any

from durability._core import history as h
from durability._core.activation import Activation, QueryRequest, RunDetails
from durability._core.failure import ApplicationFailureInfo, CanceledFailureInfo, Failure
from durability._core.instance import Instance, create_instance
from durability._core.payload import Payload
from durability.converter import DataConverter
from durability.workflow import _Definition

START = 1_700_000_000_000
CONVERTER = DataConverter.default.payload_converter


def payload(value: Any) -> Payload:
    return CONVERTER.to_payloads([value])[0]


def payloads(*values: Any) -> list[Payload]:
    return CONVERTER.to_payloads(values) if values else []


def started(*args: Any, **fields: Any) -> h.WorkflowExecutionStarted:
    fields = {"workflow_type": "Workflow", "task_queue": "queue", **fields}
    return h.WorkflowExecutionStarted(time=START, key="start", arguments=payloads(*args), **fields)


def signal(name: str, *args: Any) -> h.WorkflowExecutionSignaled:
    return h.WorkflowExecutionSignaled(time=START, key="", name=name, arguments=payloads(*args))


def update(name: str, *args: Any, id: str = "u1") -> h.WorkflowExecutionUpdateAdmitted:
    return h.WorkflowExecutionUpdateAdmitted(time=START, key=id, name=name, arguments=payloads(*args))


def cancel(reason: str = "") -> h.WorkflowExecutionCancelRequested:
    return h.WorkflowExecutionCancelRequested(time=START, key="", reason=reason)


def fired(sequence: int) -> h.TimerFired:
    return h.TimerFired(time=START, sequence=sequence)


def completed(sequence: int, value: Any = None) -> h.ActivityTaskCompleted:
    return h.ActivityTaskCompleted(START, "", sequence, 1, START, "", payload(value))


def failed(sequence: int, message: str = "boom", type: str = "ValueError") -> h.ActivityTaskFailed:
    failure = Failure(message=message, info=ApplicationFailureInfo(type=type))
    return h.ActivityTaskFailed(START, "", sequence, 1, START, "", failure)


def canceled(sequence: int) -> h.ActivityTaskCanceled:
    return h.ActivityTaskCanceled(START, "", sequence, 1, START, "", Failure(info=CanceledFailureInfo()))


class Driver:
    """One run; every call is one workflow task. It keeps what it did, for replay."""

    def __init__(self, workflow: type, *args: Any, start: dict[str, Any] | None = None, **options: Any) -> None:
        self.workflow = workflow
        self.options = options
        self.started = started(*args, **(start or {}))
        self.now = START
        self.tasks: list[tuple[Activation, list[h.Command]]] = []
        self.instance = self._create()

    def _create(self) -> Instance:
        return create_instance(
            _Definition.must_from_class(self.workflow),
            RunDetails("default", "wf", "run-1", self.started),
            payload_converter=CONVERTER,
            failure_converter=DataConverter.default.failure_converter,
            **self.options,
        )

    def begin(self, *inputs: h.Input) -> list[h.Command]:
        """The first workflow task."""
        return self.do(self.started, *inputs)

    def do(self, *inputs: h.Input, after: int = 1000) -> list[h.Command]:
        """A workflow task, ``after`` milliseconds after the one before."""
        self.now += after
        activation = Activation(time=self.now, inputs=list(inputs))
        commands = self.instance.activate(activation)
        self.tasks.append((activation, commands))
        return commands

    def query(self, name: str, *args: Any) -> Any:
        answer = self.instance.query(QueryRequest(name, payloads(*args)))
        return None if answer is None else CONVERTER.from_payloads([answer])[0]

    def replay(self) -> list[list[h.Command]]:
        """Let a new instance decide everything again."""
        instance = self._create()
        try:
            return [
                instance.activate(
                    Activation(
                        time=activation.time,
                        inputs=activation.inputs,
                        is_replaying=True,
                        patches=tuple(c.patch_id for c in commands if isinstance(c, h.PatchMarkerRecorded)),
                    )
                )
                for activation, commands in self.tasks
            ]
        finally:
            instance.close()

    def close(self) -> None:
        self.instance.close()


def result(commands: list[h.Command]) -> Any:
    """What the workflow returned, or raise."""
    [last] = [c for c in commands if isinstance(c, h.CLOSING_COMMANDS)]
    assert isinstance(last, h.WorkflowExecutionCompleted), last
    return None if last.result is None else CONVERTER.from_payloads([last.result])[0]


def names(commands: list[h.Command]) -> list[str]:
    """What was decided, by name; what commands belong to aside."""
    return [type(command).__name__ for command in commands if not isinstance(command, h.CommandGrouped)]
