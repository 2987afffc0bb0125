"""The runner that Temporal's workers have by default."""

from __future__ import annotations

from typing import Final

from durability.worker._runner import UnsandboxedWorkflowRunner, WorkflowRunner
from durability.worker.workflow_sandbox._restrictions import SandboxRestrictions


class SandboxedWorkflowRunner(WorkflowRunner):
    """Accepted for compatibility: workflows run without a sandbox."""

    def __init__(
        self,
        restrictions: SandboxRestrictions = SandboxRestrictions.default,
        runner_class: type[WorkflowRunner] = UnsandboxedWorkflowRunner,
    ) -> None:
        """Create the runner.

        Args:
            restrictions: Kept, and without effect.
            runner_class: Kept, and without effect.
        """
        super().__init__()
        self.restrictions = restrictions
        self.runner_class = runner_class


SANDBOXED: Final = SandboxedWorkflowRunner()
