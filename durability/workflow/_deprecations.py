"""Warnings of forms that Temporal has deprecated."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any


def warn_untyped(attributes: Any, stack_level: int = 2) -> None:
    """Warn of search attributes that are given as a mapping. Level 2 names who calls the function that calls this."""
    if isinstance(attributes, Mapping) and attributes:
        warnings.warn(
            "Dictionary-based search attributes are deprecated, use typed search attributes",
            DeprecationWarning,
            stacklevel=1 + stack_level,
        )
