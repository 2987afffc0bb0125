"""Decorators that make a class a workflow, and what they note about it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from durability._core.type_hints import type_hints_from_func
from durability.common import RawValue, VersioningBehavior
from durability.common._raw_value import is_raw_sequence
from durability.types import CallableAsyncType, CallableType, ClassType, MethodSyncNoParam, SelfType
from durability.workflow._handlers import (
    _QUERY,
    _SIGNAL,
    _HandlerDefinition,
    _QueryDefinition,
    _SignalDefinition,
    _UpdateDefinition,
)
from durability.workflow._signatures import parameters_match

_DEFINITION = "__durability_workflow_definition"
_RUN = "__durability_workflow_run"
_INIT = "__durability_workflow_init"
_DYNAMIC_CONFIG = "__durability_workflow_dynamic_config"

_H = TypeVar("_H", bound=_HandlerDefinition)


@overload
def defn(cls: ClassType) -> ClassType: ...
@overload
def defn(
    *,
    name: str | None = None,
    sandboxed: bool = True,
    failure_exception_types: Sequence[type[BaseException]] = ...,
    versioning_behavior: VersioningBehavior = ...,
) -> Callable[[ClassType], ClassType]: ...
@overload
def defn(
    *, sandboxed: bool = True, dynamic: bool = False, versioning_behavior: VersioningBehavior = ...
) -> Callable[[ClassType], ClassType]: ...
def defn(
    cls: type | None = None,
    *,
    name: str | None = None,
    sandboxed: bool = True,
    dynamic: bool = False,
    failure_exception_types: Sequence[type[BaseException]] = [],
    versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED,
) -> Any:
    """Make a class a workflow.

    Args:
        cls: The class, when the decorator is used without parentheses.
        name: The workflow type's name; the class's own by default.
        sandboxed: Whether the guard refuses what does not replay (docs/determinism.md).
        dynamic: Run every workflow type that has no class; ``run`` takes a single ``Sequence[RawValue]``.
        failure_exception_types: Exceptions that fail the workflow or update instead of the workflow task, besides
            those of ``durability.exceptions``.
        versioning_behavior: Accepted for compatibility; runs are pinned to the build that started them.

    Returns:
        The class, or a decorator.

    Raises:
        ValueError: The class is not a valid workflow; the message lists every reason.
        TypeError: A dynamic workflow's ``run`` has other parameters.
    """

    def decorate(cls: ClassType) -> ClassType:
        _apply(
            cls,
            name=None if dynamic else name or cls.__name__,
            sandboxed=sandboxed,
            failure_exception_types=failure_exception_types,
            versioning_behavior=versioning_behavior,
        )
        return cls

    return decorate if cls is None else decorate(cls)


def init(init_fn: CallableType) -> CallableType:
    """Have ``__init__`` receive the run's arguments; its parameters must be those of the ``run`` method.

    Args:
        init_fn: The ``__init__`` method.

    Returns:
        The method.

    Raises:
        ValueError: The method is not ``__init__``.
    """
    if init_fn.__name__ != "__init__":
        raise ValueError("@workflow.init may only be used on the __init__ method")
    setattr(init_fn, _INIT, True)
    return init_fn


def run(fn: CallableAsyncType) -> CallableAsyncType:
    """Make an async method the workflow itself. Exactly one method of the class has this decorator.

    Args:
        fn: The method.

    Returns:
        The method.

    Raises:
        ValueError: The method is not async, or its class is local to a function.
    """
    unknown: Any = fn
    if not inspect.iscoroutinefunction(unknown):
        raise ValueError("Workflow run method must be an async function")
    if "<locals>" in fn.__qualname__:
        raise ValueError("Local classes unsupported, @workflow.run cannot be on a local class")
    setattr(fn, _RUN, True)
    return fn


@dataclass(frozen=True)
class DynamicWorkflowConfig:
    """What a ``dynamic_config`` method answers: settings of this one run.

    Attributes:
        failure_exception_types: As in ``defn``, which it replaces when it is not None.
        versioning_behavior: As in ``defn``.
    """

    failure_exception_types: Sequence[type[BaseException]] | None = None
    versioning_behavior: VersioningBehavior = VersioningBehavior.UNSPECIFIED


def dynamic_config(
    fn: MethodSyncNoParam[SelfType, DynamicWorkflowConfig],
) -> MethodSyncNoParam[SelfType, DynamicWorkflowConfig]:
    """Have a method of a dynamic workflow choose settings for the run, after ``__init__`` and before ``run``.

    Args:
        fn: The method; not async, without parameters.

    Returns:
        The method.

    Raises:
        ValueError: The method is async or has parameters.
    """
    if inspect.iscoroutinefunction(fn):
        raise ValueError("Workflow dynamic_config method must be synchronous")
    if len(inspect.signature(fn).parameters) != 1:
        raise ValueError("Workflow dynamic_config method must only take self parameter")
    setattr(fn, _DYNAMIC_CONFIG, True)
    return fn


@dataclass(frozen=True, eq=False)
class _Definition:
    """What is known of a workflow class; ``name`` is None for a dynamic one."""

    name: str | None
    cls: type
    run_fn: Callable[..., Awaitable[Any]]
    signals: Mapping[str | None, _SignalDefinition]
    queries: Mapping[str | None, _QueryDefinition]
    updates: Mapping[str | None, _UpdateDefinition]
    sandboxed: bool
    failure_exception_types: Sequence[type[BaseException]]
    arg_types: list[type] | None
    ret_type: type | None
    versioning_behavior: VersioningBehavior
    dynamic_config_fn: Callable[..., DynamicWorkflowConfig] | None
    has_init: bool

    @staticmethod
    def from_class(workflow_class: type) -> _Definition | None:
        definition: _Definition | None = getattr(workflow_class, _DEFINITION, None)
        # A subclass inherits the attribute, but is no workflow unless it is decorated itself.
        return definition if definition is not None and definition.cls is workflow_class else None

    @staticmethod
    def must_from_class(workflow_class: type) -> _Definition:
        definition = _Definition.from_class(workflow_class)
        if definition is None:
            name = getattr(workflow_class, "__name__", repr(workflow_class))
            raise ValueError(f"Workflow {name} missing attributes, was it decorated with @workflow.defn?")
        return definition

    @staticmethod
    def from_run_fn(fn: Callable[..., Any]) -> _Definition | None:
        return getattr(fn, _DEFINITION, None)

    @staticmethod
    def must_from_run_fn(fn: Callable[..., Any]) -> _Definition:
        definition = _Definition.from_run_fn(fn)
        if definition is None:
            name = getattr(fn, "__qualname__", repr(fn))
            raise ValueError(
                f"Function {name} missing attributes, was it decorated with @workflow.run and was its class "
                "decorated with @workflow.defn?"
            )
        return definition

    @classmethod
    def get_name_and_result_type(cls, name_or_run_fn: str | Callable[..., Any]) -> tuple[str, type | None]:
        if isinstance(name_or_run_fn, str):
            return name_or_run_fn, None
        if not callable(name_or_run_fn):
            raise TypeError("Workflow must be a string or callable")
        definition = cls.must_from_run_fn(name_or_run_fn)
        if definition.name is None:
            raise ValueError("Cannot invoke dynamic workflow explicitly")
        return definition.name, definition.ret_type


def _apply(
    cls: type,
    *,
    name: str | None,
    sandboxed: bool,
    failure_exception_types: Sequence[type[BaseException]],
    versioning_behavior: VersioningBehavior,
) -> None:
    if _Definition.from_class(cls) is not None:
        raise ValueError("Class already contains workflow definition")
    members = _Members(cls, dynamic=name is None)
    if members.issues:
        if len(members.issues) == 1:
            raise ValueError(f"Invalid workflow class: {members.issues[0]}")
        raise ValueError(f"Invalid workflow class for {len(members.issues)} reasons: {', '.join(members.issues)}")
    assert members.run_fn is not None
    arg_types, ret_type = type_hints_from_func(members.run_fn)
    if name is None and (arg_types is None or len(arg_types) != 1 or not is_raw_sequence(arg_types[0])):
        raise TypeError(f"Dynamic workflow must accept a single Sequence[{RawValue.__module__}.RawValue]")
    definition = _Definition(
        name=name,
        cls=cls,
        run_fn=members.run_fn,
        signals=members.signals,
        queries=members.queries,
        updates=members.updates,
        sandboxed=sandboxed,
        failure_exception_types=tuple(failure_exception_types),
        arg_types=arg_types,
        ret_type=ret_type,
        versioning_behavior=versioning_behavior,
        dynamic_config_fn=members.dynamic_config_fn,
        has_init=members.init_fn is not None,
    )
    setattr(cls, _DEFINITION, definition)
    setattr(members.run_fn, _DEFINITION, definition)


class _Members:
    """The decorated members of a class, and every reason why they do not make a workflow."""

    def __init__(self, cls: type, *, dynamic: bool) -> None:
        self.issues: list[str] = []
        self.run_fn: Callable[..., Awaitable[Any]] | None = None
        self.init_fn: Callable[..., None] | None = None
        self.dynamic_config_fn: Callable[..., DynamicWorkflowConfig] | None = None
        self.signals: dict[str | None, _SignalDefinition] = {}
        self.queries: dict[str | None, _QueryDefinition] = {}
        self.updates: dict[str | None, _UpdateDefinition] = {}
        self._cls = cls
        self._dynamic = dynamic
        self._seen_run = False
        for name, member in inspect.getmembers(cls):
            self._take(name, member)
        for base, member in _base_methods(cls):
            self._check_override(base, member)
        self._check()

    def _check(self) -> None:
        if not self._seen_run:
            self.issues.append("Missing @workflow.run method")
        if self.init_fn and self.run_fn and not parameters_match(self.init_fn, self.run_fn):
            self.issues.append("@workflow.init and @workflow.run method parameters do not match")

    def _take(self, name: str, member: Any) -> None:
        if hasattr(member, _RUN):
            self._take_run(name, member)
        elif hasattr(member, _SIGNAL):
            self._add("signal", self.signals, getattr(member, _SIGNAL), name)
        elif hasattr(member, _QUERY):
            self._add("query", self.queries, getattr(member, _QUERY), name)
        elif name == "__init__" and hasattr(member, _INIT):
            self.init_fn = member
        elif hasattr(member, _DYNAMIC_CONFIG):
            self._take_dynamic_config(member)
        elif isinstance(getattr(member, "_defn", None), _UpdateDefinition):
            self._take_update(name, member._defn)

    def _take_run(self, name: str, member: Callable[..., Awaitable[Any]]) -> None:
        self._seen_run = True
        if not _is_unbound_method_on_cls(member, self._cls):
            self.issues.append(f"@workflow.run method {name} must be defined on {self._cls.__qualname__}")
        elif self.run_fn is not None:
            self.issues.append(f"Multiple @workflow.run methods found (at least on {name} and {self.run_fn.__name__})")
        else:
            self.run_fn = member

    def _take_dynamic_config(self, member: Callable[..., DynamicWorkflowConfig]) -> None:
        if not self._dynamic:
            self.issues.append(
                "@workflow.dynamic_config can only be used in dynamic workflows, but "
                f"workflow class {self._cls.__name__} is not dynamic"
            )
        if self.dynamic_config_fn is not None:
            self.issues.append("@workflow.dynamic_config can only be defined once per workflow")
        self.dynamic_config_fn = member

    def _take_update(self, name: str, definition: _UpdateDefinition) -> None:
        validator = definition.validator
        if validator is not None and not parameters_match(definition.fn, validator):
            self.issues.append(
                f"Update validator method {validator.__name__} parameters "
                f"do not match update method {definition.fn.__name__} parameters"
            )
        else:
            self._add("update", self.updates, definition, name)

    def _add(self, kind: str, known: dict[str | None, _H], definition: _H, name: str) -> None:
        other = known.setdefault(definition.name, definition)
        if other is not definition:
            self.issues.append(
                f"Multiple {kind} methods found for {definition.name or '<dynamic>'} "
                f"(at least on {name} and {other.fn.__name__})"
            )

    def _check_override(self, base: type, member: Any) -> None:
        kind = ""
        if hasattr(member, _RUN):
            self._seen_run = True
            if self.run_fn is None or member.__name__ != self.run_fn.__name__:
                kind = "run"
        elif hasattr(member, _SIGNAL) and getattr(member, _SIGNAL).name not in self.signals:
            kind = "signal"
        elif hasattr(member, _QUERY) and getattr(member, _QUERY).name not in self.queries:
            kind = "query"
        elif isinstance(getattr(member, "_defn", None), _UpdateDefinition) and member._defn.name not in self.updates:
            kind = "update"
        if kind:
            self.issues.append(f"@workflow.{kind} defined on {member.__qualname__} but not on the override")


def _base_methods(cls: type) -> Iterator[tuple[type, Any]]:
    for base in inspect.getmro(cls)[1:]:
        for _, member in inspect.getmembers(base):
            if _is_unbound_method_on_cls(member, base):
                yield base, member


def _is_unbound_method_on_cls(fn: Any, cls: type) -> bool:
    return (
        inspect.isfunction(fn)
        and inspect.getmodule(fn) is inspect.getmodule(cls)
        and fn.__qualname__.rsplit(".", 1)[0] == cls.__name__
    )
