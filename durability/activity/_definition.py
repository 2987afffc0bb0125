"""Definitions: what ``@activity.defn`` knows of a function."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from durability._core.type_hints import type_hints_from_func
from durability.common._raw_value import is_raw_sequence

CallableType = TypeVar("CallableType", bound=Callable[..., Any])
_ATTRIBUTE = "__durability_activity_definition"


@overload
def defn(fn: CallableType) -> CallableType: ...


@overload
def defn(
    *, name: str | None = None, no_thread_cancel_exception: bool = False
) -> Callable[[CallableType], CallableType]: ...


@overload
def defn(
    *, no_thread_cancel_exception: bool = False, dynamic: bool = False
) -> Callable[[CallableType], CallableType]: ...


def defn(
    fn: CallableType | None = None,
    *,
    name: str | None = None,
    no_thread_cancel_exception: bool = False,
    dynamic: bool = False,
) -> CallableType | Callable[[CallableType], CallableType]:
    """Decorate a function or method that is an activity. It may be ``async`` or not; if not, it runs in a thread.

    Args:
        fn: The function.
        name: Type of the activity; the function's name by default. Has no effect on a dynamic activity.
        no_thread_cancel_exception: Whether a cancellation is not to be raised inside the function while it runs in
            a thread.
        dynamic: Whether this is the activity for all types that no other activity has. It takes one parameter of
            type ``Sequence[RawValue]``.

    Raises:
        TypeError: The function has parameters that activities cannot have.
        ValueError: The function is decorated already.
    """

    def decorate(fn: CallableType) -> CallableType:
        definition = _Definition._of_function(
            fn,
            name=None if dynamic else name or fn.__name__,
            no_thread_cancel_exception=no_thread_cancel_exception,
        )
        setattr(fn, _ATTRIBUTE, definition)
        return fn

    return decorate if fn is None else decorate(fn)


@dataclass(frozen=True)
class _Definition:
    """An activity: its type, None if it is dynamic, its function, and the types of the function's parameters."""

    name: str | None
    fn: Callable[..., Any]
    is_async: bool
    no_thread_cancel_exception: bool
    arg_types: list[type] | None = None
    ret_type: type | None = None

    @staticmethod
    def from_callable(fn: Callable[..., Any]) -> _Definition | None:
        """Definition of a decorated function, bound to ``fn``; None if it is not decorated."""
        definition = getattr(fn, _ATTRIBUTE, None)
        if not isinstance(definition, _Definition):
            return None
        return definition if definition.fn is fn else dataclasses.replace(definition, fn=fn)

    @staticmethod
    def must_from_callable(fn: Callable[..., Any]) -> _Definition:
        """Definition of a decorated function, bound to ``fn``.

        Raises:
            TypeError: It is not decorated.
        """
        definition = _Definition.from_callable(fn)
        if definition is None:
            name = getattr(fn, "__name__", "<unknown>")
            raise TypeError(f"Activity {name} missing attributes, was it decorated with @activity.defn?")
        return definition

    @classmethod
    def get_name_and_result_type(cls, name_or_run_fn: str | Callable[..., Any]) -> tuple[str, type | None]:
        """Type and result type of an activity that is given by its type or by its function.

        Raises:
            TypeError: It is neither, or the function is not decorated.
            ValueError: The activity is dynamic.
        """
        if isinstance(name_or_run_fn, str):
            return name_or_run_fn, None
        if not callable(name_or_run_fn):
            raise TypeError("Activity must be a string or callable")
        definition = cls.must_from_callable(name_or_run_fn)
        if not definition.name:
            raise ValueError(f"Activity {name_or_run_fn} definition has no name")
        return definition.name, definition.ret_type

    @staticmethod
    def _of_function(fn: Callable[..., Any], *, name: str | None, no_thread_cancel_exception: bool) -> _Definition:
        if hasattr(fn, _ATTRIBUTE):
            raise ValueError("Function already contains activity definition")
        if not callable(fn):
            raise TypeError("Activity is not callable")
        parameters = inspect.signature(fn).parameters.values()
        if any(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters):
            raise TypeError("Activity cannot have keyword-only arguments")
        arg_types, ret_type = type_hints_from_func(fn)
        if name is None and (arg_types is None or len(arg_types) != 1 or not is_raw_sequence(arg_types[0])):
            raise TypeError("Dynamic activity must accept a single Sequence[durability.common.RawValue]")
        return _Definition(
            name=name,
            fn=fn,
            is_async=is_async_callable(fn),
            no_thread_cancel_exception=no_thread_cancel_exception,
            arg_types=arg_types,
            ret_type=ret_type,
        )


def is_async_callable(fn: Callable[..., Any]) -> bool:
    """Whether calling gives a coroutine, also for objects whose ``__call__`` is asynchronous."""
    called = fn if isinstance(fn, type) else type(fn)  # of a class, it is the instances that are called
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(called.__call__)
