"""The names of Temporal's workflow sandbox.

They are accepted so that code which names them runs. Workflows run without a sandbox: their modules are imported once,
like any others, and nothing here changes how.
"""

from __future__ import annotations

from durability.worker.workflow_sandbox._restrictions import (
    RestrictedWorkflowAccessError,
    SandboxMatcher,
    SandboxRestrictions,
    UnintentionalPassthroughError,
)
from durability.worker.workflow_sandbox._runner import SandboxedWorkflowRunner

__all__ = [
    "RestrictedWorkflowAccessError",
    "SandboxMatcher",
    "SandboxRestrictions",
    "SandboxedWorkflowRunner",
    "UnintentionalPassthroughError",
]
