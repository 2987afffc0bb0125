"""Testing workflows and activities: environments in the test's own process, and simulated deployments."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from durability.testing._activity import ActivityEnvironment
from durability.testing._workflow import WorkflowEnvironment

if TYPE_CHECKING:
    from durability.testing._simulation import NoProgressError, Simulated, simulate

__all__ = ["ActivityEnvironment", "NoProgressError", "Simulated", "WorkflowEnvironment", "simulate"]


def __getattr__(name: str) -> Any:
    # Imported when asked for: it has the functions' handlers and twins of all services, and most tests need neither.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("durability.testing._simulation"), name)
