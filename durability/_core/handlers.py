"""Signals and updates: which handler takes them, and those that are being handled."""

from __future__ import annotations

import asyncio
import json
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from durability._core.history import (
    WorkflowExecutionSignaled,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateAdmitted,
    WorkflowExecutionUpdateCompleted,
    WorkflowExecutionUpdateRejected,
)
from durability._core.interceptors import HandleSignalInput, HandleUpdateInput
from durability._core.payload import Payload
from durability.common import RawValue
from durability.exceptions import CancelledError
from durability.workflow._event_groups import _brought_about_by
from durability.workflow._exceptions import ContinueAsNewError, ReadOnlyContextError
from durability.workflow._handlers import (
    HandlerUnfinishedPolicy,
    UnfinishedSignalHandlersWarning,
    UnfinishedUpdateHandlersWarning,
    _HandlerDefinition,
    _SignalDefinition,
    _UpdateDefinition,
    _warn_varargs,
)
from durability.workflow._info import UpdateInfo, current_update

if TYPE_CHECKING:
    from durability._core.instance import Instance

logger = logging.getLogger(__name__)

_D = TypeVar("_D", bound=_HandlerDefinition)


class Registry(dict[str | None, _D]):
    """Handlers by name; the one under None takes what has no other."""

    def for_name(self, name: str) -> _D | None:
        """The handler of a name, or the dynamic one."""
        return self.get(name) or self.get(None)


def decode_arguments(
    instance: Instance, definition: _HandlerDefinition, name: str, payloads: list[Payload]
) -> list[Any]:
    """The arguments that a handler is called with."""
    decode = instance.converters.decode
    if definition.name is not None:
        return decode(payloads, definition.arg_types)
    if definition.dynamic_vararg:
        return [name, *decode(payloads, None)]
    return [name, decode(payloads, [RawValue] * len(payloads))]


@dataclass(frozen=True)
class _Execution:
    name: str
    policy: HandlerUnfinishedPolicy
    id: str = ""


class Signals:
    """Signal handlers and the signals that wait for one."""

    def __init__(self, instance: Instance, definitions: Mapping[str | None, _SignalDefinition]) -> None:
        self.handlers: Registry[_SignalDefinition] = Registry(definitions)
        self.running: dict[asyncio.Task[None], _Execution] = {}
        self._instance = instance
        self._received = 0
        self._waiting: dict[str, list[tuple[int, WorkflowExecutionSignaled]]] = {}

    def receive(self, signal: WorkflowExecutionSignaled) -> None:
        """Begin handling a signal, or keep it until a handler is registered."""
        self._received += 1
        definition = self.handlers.for_name(signal.name)
        if definition is None:
            self._waiting.setdefault(signal.name, []).append((self._received, signal))
        else:
            self._handle(definition, self._received, signal)

    def set_handler(self, name: str | None, fn: Callable[..., Any] | None) -> None:
        """Register or remove a handler; a new one gets the signals that waited for it, in order."""
        self._instance.loop.refuse_changes("set signal handler")
        if fn is None:
            self.handlers.pop(name, None)
            return
        definition = self.handlers[name] = _SignalDefinition(name=name, fn=fn, is_method=False)
        _warn_varargs(definition, "signals")
        if name is not None:
            waiting = self._waiting.pop(name, [])
        else:
            waiting = [signal for signals in self._waiting.values() for signal in signals]
            self._waiting.clear()
        for number, signal in waiting:
            self._handle(definition, number, signal)

    def _handle(self, definition: _SignalDefinition, number: int, signal: WorkflowExecutionSignaled) -> None:
        instance = self._instance
        try:
            arguments = decode_arguments(instance, definition, signal.name, signal.arguments)
        except Exception:
            logger.exception(
                "dropped signal %r to workflow %r (run %s): its arguments do not fit the handler",
                signal.name,
                instance.details.workflow_id,
                instance.details.run_id,
            )
            return
        input = HandleSignalInput(signal=signal.name, args=arguments, headers=signal.headers)
        task = instance.loop.create_task(instance.main.guard(self._run(number, input)), name=f"signal: {signal.name}")
        self.running[task] = _Execution(signal.name, definition.unfinished_policy)
        task.add_done_callback(self.running.pop)

    async def _run(self, number: int, input: HandleSignalInput) -> None:
        _brought_about_by(signal=number)
        await self._instance.inbound.handle_signal(input)


class Updates:
    """Update handlers and the updates that are being handled."""

    def __init__(self, instance: Instance, definitions: Mapping[str | None, _UpdateDefinition]) -> None:
        self.handlers: Registry[_UpdateDefinition] = Registry(definitions)
        self.running: dict[str, _Execution] = {}
        self.accepted = False
        self._instance = instance

    def receive(self, update: WorkflowExecutionUpdateAdmitted) -> None:
        """Begin handling an update. Even the look-up is part of the task: ``run`` may register the handler first."""
        self._instance.loop.create_task(self._run(update), name=f"update: {update.name}")

    def set_handler(
        self, name: str | None, fn: Callable[..., Any] | None, validator: Callable[..., None] | None
    ) -> None:
        """Register or remove a handler."""
        self._instance.loop.refuse_changes("set update handler")
        if fn is None:
            self.handlers.pop(name, None)
            return
        definition = _UpdateDefinition(name=name, fn=fn, is_method=False)
        if validator is not None:
            definition.set_validator(validator)
        self.handlers[name] = definition

    async def _run(self, update: WorkflowExecutionUpdateAdmitted) -> None:
        instance = self._instance
        current_update.set(UpdateInfo(id=update.key, name=update.name))
        _brought_about_by(update=update.key)
        accepted = False
        try:
            input = self._validated(update)
            accepted = self.accepted = True
            instance.commands.add(WorkflowExecutionUpdateAccepted(update.key))
            result = await instance.inbound.handle_update_handler(input)
            payload = instance.converters.encode_one(result)
            instance.commands.add(WorkflowExecutionUpdateCompleted(update.key, result=payload))
        except ContinueAsNewError:
            instance.loop.failure = RuntimeError("Cannot continue as new from an update handler")
        except (Exception, asyncio.CancelledError) as error:
            if not instance.loop.closing:
                self._fail(update, error, accepted)
        finally:
            self.running.pop(update.key, None)

    def _validated(self, update: WorkflowExecutionUpdateAdmitted) -> HandleUpdateInput:
        instance = self._instance
        definition = self.handlers.for_name(update.name)
        if definition is None:
            known = " ".join(sorted(name for name in self.handlers if name is not None))
            raise RuntimeError(
                f"Update handler for '{update.name}' expected but not found, and there is no dynamic handler. "
                f"known updates: [{known}]"
            )
        self.running[update.key] = _Execution(update.name, definition.unfinished_policy, update.key)
        arguments = decode_arguments(instance, definition, update.name, update.arguments)
        input = HandleUpdateInput(id=update.key, update=update.name, args=arguments, headers=update.headers)
        if definition.validator is not None and not instance.activation.is_replaying:
            with instance.read_only(live=True):
                instance.inbound.handle_update_validator(input)
                # Decoded again: whatever the validator did to its arguments must not reach the handler.
                input.args = decode_arguments(instance, definition, update.name, update.arguments)
        return input

    def _fail(self, update: WorkflowExecutionUpdateAdmitted, error: BaseException, accepted: bool) -> None:
        instance = self._instance
        if isinstance(error, asyncio.CancelledError):
            error = CancelledError(f"Cancellation raised within update {error}")
        # Trying to change something while validating is a bug in the workflow, not a reason to reject.
        if isinstance(error, ReadOnlyContextError) or (accepted and not instance.is_failure_exception(error)):
            instance.loop.failure = error
            return
        failure = instance.converters.to_failure(error)
        if accepted:
            instance.commands.add(WorkflowExecutionUpdateCompleted(update.key, failure=failure))
        else:
            instance.commands.add(WorkflowExecutionUpdateRejected(update.key, failure))


def warn_unfinished(signals: Signals, updates: Updates) -> None:
    """Warn of handlers that the end of the workflow interrupts."""
    unfinished = _warnable(updates.running.values())
    if unfinished:
        names: Any = [{"name": execution.name, "id": execution.id} for execution in unfinished]
        warnings.warn(
            "[TMPRL1102] Workflow finished while update handlers are still running. What they were doing is "
            "interrupted, and their callers get an error instead of a result. " + _remedy("update", names),
            UnfinishedUpdateHandlersWarning,
            stacklevel=3,
        )
    unfinished = _warnable(signals.running.values())
    if unfinished:
        counts = Counter(execution.name for execution in unfinished)
        names = [{"name": name, "count": count} for name, count in counts.most_common()]
        warnings.warn(
            "[TMPRL1102] Workflow finished while signal handlers are still running. What they were doing is "
            "interrupted. " + _remedy("signal", names),
            UnfinishedSignalHandlersWarning,
            stacklevel=3,
        )


def _warnable(executions: Iterable[_Execution]) -> list[_Execution]:
    return [execution for execution in executions if execution.policy is HandlerUnfinishedPolicy.WARN_AND_ABANDON]


def _remedy(kind: str, names: Any) -> str:
    return (
        "Wait for them with `await workflow.wait_condition(workflow.all_handlers_finished)` before the end, or, if "
        f"interrupting them is fine, decorate them with `@workflow.{kind}(unfinished_policy="
        f"workflow.HandlerUnfinishedPolicy.ABANDON)`. The following {kind}s were unfinished: {json.dumps(names)}"
    )
