"""The guard of workflow code, under the names of Temporal's workflow sandbox.

Workflow modules are imported once, like any others: nothing here isolates them. What workflow code may not use is
refused when it is used.
"""

from __future__ import annotations

from durability._guards.errors import RestrictedWorkflowAccessError, UnintentionalPassthroughError
from durability._guards.restrictions import SandboxMatcher, SandboxRestrictions
from durability.worker.workflow_sandbox._runner import SandboxedWorkflowRunner

__all__ = [
    "RestrictedWorkflowAccessError",
    "SandboxMatcher",
    "SandboxRestrictions",
    "SandboxedWorkflowRunner",
    "UnintentionalPassthroughError",
]
