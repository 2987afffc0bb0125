"""Types of a function's parameters and of its result."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any, Self, get_type_hints

_BUILTIN_CALLABLES = (types.WrapperDescriptorType, types.MethodWrapperType, types.BuiltinFunctionType)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def type_hints_from_func(func: Callable[..., Any]) -> tuple[list[type] | None, type | None]:
    """Return the parameter types and the result type of a function, method, class or callable object.

    Args:
        func: What will be called. A leading ``self`` without annotation is left out.

    Returns:
        The types of the parameters, with None in place of a type that is not annotated, or None for all of them if
        one is not positional; and the type of the result, None if it is not annotated.
    """
    target = _annotated(func)
    if isinstance(target, _BUILTIN_CALLABLES):
        return None, None
    hints = get_type_hints(target)
    result = hints.get("return")
    parameter_types: list[Any] = []
    for index, parameter in enumerate(inspect.signature(target).parameters.values()):
        if index == 0 and _is_self(parameter):
            continue
        if parameter.kind not in _POSITIONAL:
            return None, result
        parameter_types.append(hints.get(parameter.name))
    return parameter_types, result


def _annotated(func: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind a class or a callable object, where the annotations are."""
    if isinstance(func, (types.FunctionType, types.MethodType, *_BUILTIN_CALLABLES)):
        return func
    return (func if isinstance(func, type) else type(func)).__call__


def _is_self(parameter: inspect.Parameter) -> bool:
    return parameter.name == "self" and parameter.annotation in (inspect.Parameter.empty, Self, "Self", "typing.Self")
