"""Comparing signatures."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def parameters_match(left: Callable[..., Any], right: Callable[..., Any]) -> bool:
    """Whether two functions have the same parameters, whatever their names."""
    return _nameless(left) == _nameless(right)


def _nameless(fn: Callable[..., Any]) -> list[inspect.Parameter]:
    return [parameter.replace(name="x") for parameter in inspect.signature(fn).parameters.values()]
