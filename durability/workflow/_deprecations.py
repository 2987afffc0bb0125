"""Warnings of forms that Temporal has deprecated."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any


def warn_untyped(attributes: Any) -> None:
    """Warn of search attributes that are given as a mapping."""
    if isinstance(attributes, Mapping) and attributes:
        warnings.warn(
            "Dictionary-based search attributes are deprecated, use typed search attributes",
            DeprecationWarning,
            stacklevel=3,
        )
