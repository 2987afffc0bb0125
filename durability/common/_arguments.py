"""How calls take either one argument or a list of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_arg_unset: Any = object()
"""Default of ``arg`` parameters, where None is an argument like any other."""


def _arg_or_args(arg: Any, args: Sequence[Any]) -> Sequence[Any]:
    """Return the arguments of a call that takes ``arg`` or ``args``.

    Raises:
        ValueError: Both were given.
    """
    if arg is _arg_unset:
        return args
    if args:
        raise ValueError("Cannot have arg and args")
    return [arg]
