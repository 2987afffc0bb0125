"""Testing workflows and activities: whole environments in the test's own process and event loop."""

from __future__ import annotations

from durability.testing._activity import ActivityEnvironment
from durability.testing._workflow import WorkflowEnvironment

__all__ = ["ActivityEnvironment", "WorkflowEnvironment"]
