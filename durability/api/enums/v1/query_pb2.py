"""Enumerations of ``temporal/api/enums/v1/query.proto``."""

from __future__ import annotations

from durability.api.enums.v1._values import QueryRejectCondition
from durability.api.enums.v1._values import value_of as __getattr__  # noqa: F401 - the values are names of the module

__all__ = [
    "QueryRejectCondition",
]
