"""Decorators of signal, query and update handlers, and what they note about a handler."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Literal, Protocol, overload, runtime_checkable

from durability._core.type_hints import type_hints_from_func
from durability.common._raw_value import is_raw_sequence
from durability.types import (
    CallableSyncOrAsyncReturnNoneType,
    CallableType,
    MultiParamSpec,
    ProtocolReturnType,
    ReturnType,
)

_SIGNAL = "__durability_signal_definition"
_QUERY = "__durability_query_definition"


class HandlerUnfinishedPolicy(Enum):
    """What happens when a workflow ends while a signal or update handler still runs."""

    WARN_AND_ABANDON = 1
    """Warn, and let go of the handler."""
    ABANDON = 2
    """Let go of the handler silently."""


class UnfinishedUpdateHandlersWarning(RuntimeWarning):
    """The workflow ended before all of its update handlers did."""


class UnfinishedSignalHandlersWarning(RuntimeWarning):
    """The workflow ended before all of its signal handlers did."""


_WARN = HandlerUnfinishedPolicy.WARN_AND_ABANDON


@dataclass(frozen=True, eq=False)
class _HandlerDefinition:
    """What is known of a handler; ``name`` is None for a dynamic one."""

    name: str | None
    fn: Callable[..., Any]
    is_method: bool
    description: str | None = None
    arg_types: list[type] | None = None
    ret_type: type | None = None
    is_async: bool = False
    dynamic_vararg: bool = False

    def __post_init__(self) -> None:
        if self.arg_types is None and self.ret_type is None:
            arg_types, ret_type = type_hints_from_func(self.fn)
            object.__setattr__(self, "arg_types", arg_types)
            object.__setattr__(self, "ret_type", ret_type)
            if self.name is None:
                object.__setattr__(self, "dynamic_vararg", _takes_varargs(self.fn, arg_types, self.is_method))
        object.__setattr__(self, "is_async", inspect.iscoroutinefunction(self.fn))

    def bind_fn(self, obj: Any) -> Callable[..., Any]:
        """The handler as a callable that needs no instance."""
        return _bind_method(obj, self.fn) if self.is_method else self.fn


@dataclass(frozen=True, eq=False)
class _SignalDefinition(_HandlerDefinition):
    unfinished_policy: HandlerUnfinishedPolicy = _WARN

    @staticmethod
    def from_fn(fn: Callable[..., Any]) -> _SignalDefinition | None:
        return getattr(fn, _SIGNAL, None)

    @staticmethod
    def must_name_from_fn_or_str(signal: str | Callable[..., Any]) -> str:
        if not callable(signal):
            return str(signal)
        definition = _SignalDefinition.from_fn(signal)
        if definition is None:
            name = getattr(signal, "__qualname__", repr(signal))
            raise RuntimeError(f"{name} is not a signal; decorate it with @workflow.signal")
        if definition.name is None:
            raise RuntimeError("a dynamic signal handler cannot be sent to; give the signal's name as a string")
        return definition.name


@dataclass(frozen=True, eq=False)
class _QueryDefinition(_HandlerDefinition):
    @staticmethod
    def from_fn(fn: Callable[..., Any]) -> _QueryDefinition | None:
        return getattr(fn, _QUERY, None)


@dataclass(frozen=True, eq=False)
class _UpdateDefinition(_HandlerDefinition):
    unfinished_policy: HandlerUnfinishedPolicy = _WARN
    validator: Callable[..., None] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dynamic_vararg:
            raise RuntimeError("a dynamic update handler takes Sequence[RawValue] as its last parameter, not varargs")

    def bind_validator(self, obj: Any) -> Callable[..., Any] | None:
        if self.validator is None:
            return None
        return _bind_method(obj, self.validator) if self.is_method else self.validator

    def set_validator(self, validator: Callable[..., None]) -> None:
        if inspect.iscoroutinefunction(validator):
            raise ValueError("Update validator must not be an async function")
        if self.validator is not None:
            raise RuntimeError(f"Validator already set for update {self.name}")
        object.__setattr__(self, "validator", validator)

    @classmethod
    def get_name_and_result_type(cls, name_or_update_fn: str | Callable[..., Any]) -> tuple[str, type | None]:
        definition = getattr(name_or_update_fn, "_defn", None)
        if isinstance(definition, _UpdateDefinition):
            if definition.name is None:
                raise RuntimeError("a dynamic update handler cannot be called; give the update's name as a string")
            return definition.name, definition.ret_type
        if callable(name_or_update_fn):
            name = getattr(name_or_update_fn, "__qualname__", repr(name_or_update_fn))
            raise RuntimeError(f"{name} is not an update; decorate it with @workflow.update")
        return name_or_update_fn, None


def _bind_method(obj: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(fn):

        async def bound(*args: Any, **kwargs: Any) -> Any:
            return await fn(obj, *args, **kwargs)

        return bound
    return partial(fn, obj)


def _takes_varargs(fn: Callable[..., Any], arg_types: list[type] | None, is_method: bool) -> bool:
    """Whether a dynamic handler has the older ``(name, *args)`` form; refuse forms that are neither."""
    parameters = list(inspect.signature(fn).parameters.values())
    if (
        len(parameters) == (3 if is_method else 2)
        and parameters[-2].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        and parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL
    ):
        return True
    if arg_types is None or len(arg_types) != 2 or arg_types[0] is not str or not is_raw_sequence(arg_types[1]):
        raise RuntimeError("Dynamic handler must have 3 arguments: self, str, and Sequence[RawValue]")
    return False


def _check_name_or_dynamic(name: str | None, dynamic: bool | None) -> None:
    if name is not None and dynamic:
        raise RuntimeError("Cannot provide name and dynamic boolean")


@overload
def signal(fn: CallableSyncOrAsyncReturnNoneType) -> CallableSyncOrAsyncReturnNoneType: ...
@overload
def signal(
    *, unfinished_policy: HandlerUnfinishedPolicy = ..., description: str | None = None
) -> Callable[[CallableSyncOrAsyncReturnNoneType], CallableSyncOrAsyncReturnNoneType]: ...
@overload
def signal(
    *, name: str, unfinished_policy: HandlerUnfinishedPolicy = ..., description: str | None = None
) -> Callable[[CallableSyncOrAsyncReturnNoneType], CallableSyncOrAsyncReturnNoneType]: ...
@overload
def signal(
    *, dynamic: Literal[True], unfinished_policy: HandlerUnfinishedPolicy = ..., description: str | None = None
) -> Callable[[CallableSyncOrAsyncReturnNoneType], CallableSyncOrAsyncReturnNoneType]: ...
def signal(
    fn: Callable[..., Awaitable[None] | None] | None = None,
    *,
    name: str | None = None,
    dynamic: bool | None = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Any:
    """Make a method, async or not, the handler of a signal.

    Args:
        fn: The method, when the decorator is used without parentheses.
        name: The signal's name; the method's own by default.
        dynamic: Handle every signal that has no handler; the method takes the name and ``Sequence[RawValue]``.
        unfinished_policy: What happens when the workflow ends while the handler runs.
        description: One line for people, shown by tools.

    Returns:
        The method, or a decorator.

    Raises:
        RuntimeError: Both ``name`` and ``dynamic`` were given, or a dynamic handler has the wrong parameters.
    """
    _check_name_or_dynamic(name, dynamic)

    def decorate(fn: CallableSyncOrAsyncReturnNoneType) -> CallableSyncOrAsyncReturnNoneType:
        definition = _SignalDefinition(
            name=None if dynamic else name or fn.__name__,
            fn=fn,
            is_method=True,
            description=description,
            unfinished_policy=unfinished_policy,
        )
        _warn_varargs(definition, "signals")
        setattr(fn, _SIGNAL, definition)
        return fn

    return decorate if fn is None else decorate(fn)


@overload
def query(fn: CallableType) -> CallableType: ...
@overload
def query(*, name: str, description: str | None = None) -> Callable[[CallableType], CallableType]: ...
@overload
def query(*, dynamic: Literal[True], description: str | None = None) -> Callable[[CallableType], CallableType]: ...
@overload
def query(*, description: str) -> Callable[[CallableType], CallableType]: ...
def query(
    fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    dynamic: bool | None = False,
    description: str | None = None,
) -> Any:
    """Make a method the handler of a query. It must not change the workflow.

    Args:
        fn: The method, when the decorator is used without parentheses.
        name: The query's name; the method's own by default.
        dynamic: Handle every query that has no handler; the method takes the name and ``Sequence[RawValue]``.
        description: One line for people, shown by tools.

    Returns:
        The method, or a decorator.

    Raises:
        RuntimeError: Both ``name`` and ``dynamic`` were given, or a dynamic handler has the wrong parameters.
    """
    _check_name_or_dynamic(name, dynamic)

    def decorate(fn: CallableType) -> CallableType:
        _warn_async_query(fn)
        definition = _QueryDefinition(
            name=None if dynamic else name or fn.__name__, fn=fn, is_method=True, description=description
        )
        _warn_varargs(definition, "queries")
        setattr(fn, _QUERY, definition)
        return fn

    return decorate if fn is None else decorate(fn)


def _warn_async_query(fn: Callable[..., Any]) -> None:
    if inspect.iscoroutinefunction(fn):
        warnings.warn("Queries as async def functions are deprecated", DeprecationWarning, stacklevel=4)


def _warn_varargs(definition: _HandlerDefinition, kind: str) -> None:
    if definition.dynamic_vararg:
        warnings.warn(
            f"Dynamic {kind} with vararg third param is deprecated, use Sequence[RawValue]",
            DeprecationWarning,
            stacklevel=4,
        )


@runtime_checkable
class UpdateMethodMultiParam(Protocol[MultiParamSpec, ProtocolReturnType]):
    """What ``@workflow.update`` makes of a method."""

    _defn: _UpdateDefinition

    def __call__(
        self, *args: MultiParamSpec.args, **kwargs: MultiParamSpec.kwargs
    ) -> ProtocolReturnType | Awaitable[ProtocolReturnType]:
        """Call the handler itself."""
        ...

    def validator(self, vfunc: Callable[MultiParamSpec, None]) -> Callable[MultiParamSpec, None]:
        """Make a method, which must not be async, the validator of this update.

        It runs before the update is accepted and may only read; raising rejects the update, without any history.
        """
        ...


@overload
def update(
    fn: Callable[MultiParamSpec, Awaitable[ReturnType]],
) -> UpdateMethodMultiParam[MultiParamSpec, ReturnType]: ...
@overload
def update(fn: Callable[MultiParamSpec, ReturnType]) -> UpdateMethodMultiParam[MultiParamSpec, ReturnType]: ...
@overload
def update(
    *, unfinished_policy: HandlerUnfinishedPolicy = ..., description: str | None = None
) -> Callable[[Callable[MultiParamSpec, ReturnType]], UpdateMethodMultiParam[MultiParamSpec, ReturnType]]: ...
@overload
def update(
    *, name: str, unfinished_policy: HandlerUnfinishedPolicy = ..., description: str | None = None
) -> Callable[[Callable[MultiParamSpec, ReturnType]], UpdateMethodMultiParam[MultiParamSpec, ReturnType]]: ...
@overload
def update(
    *, dynamic: Literal[True], unfinished_policy: HandlerUnfinishedPolicy = ..., description: str | None = None
) -> Callable[[Callable[MultiParamSpec, ReturnType]], UpdateMethodMultiParam[MultiParamSpec, ReturnType]]: ...
def update(
    fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    dynamic: bool | None = False,
    unfinished_policy: HandlerUnfinishedPolicy = HandlerUnfinishedPolicy.WARN_AND_ABANDON,
    description: str | None = None,
) -> Any:
    """Make a method, async or not, the handler of an update; its return value goes to the caller.

    ``@handler.validator`` decorates a method that may refuse the update before it is accepted.

    Args:
        fn: The method, when the decorator is used without parentheses.
        name: The update's name; the method's own by default.
        dynamic: Handle every update that has no handler; the method takes the name and ``Sequence[RawValue]``.
        unfinished_policy: What happens when the workflow ends while the handler runs.
        description: One line for people, shown by tools.

    Returns:
        The method, or a decorator.

    Raises:
        RuntimeError: Both ``name`` and ``dynamic`` were given, or a dynamic handler has the wrong parameters.
    """
    _check_name_or_dynamic(name, dynamic)

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        definition = _UpdateDefinition(
            name=None if dynamic else name or fn.__name__,
            fn=fn,
            is_method=True,
            description=description,
            unfinished_policy=unfinished_policy,
        )
        fn._defn = definition  # type: ignore[attr-defined]
        fn.validator = partial(_set_validator, definition)  # type: ignore[attr-defined]
        return fn

    return decorate if fn is None else decorate(fn)


def _set_validator(definition: _UpdateDefinition, vfunc: Callable[..., None]) -> Callable[..., None]:
    definition.set_validator(vfunc)
    return vfunc
