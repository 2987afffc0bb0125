"""The runner that workers have by default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from durability._core.activation import WorkflowInstance
from durability._guards.guard import Guard
from durability._guards.restrictions import SandboxRestrictions
from durability.worker._runner import UnsandboxedWorkflowRunner, WorkflowInstanceDetails, WorkflowRunner, instance_of
from durability.workflow._definition import _Definition


@dataclass(frozen=True, eq=False)
class SandboxedWorkflowRunner(WorkflowRunner):
    """Runs workflows under the guard, which refuses what does not replay.

    Modules are imported once, like any others: there is no sandbox around them.

    Attributes:
        restrictions: What is refused, and which modules may use everything.
        runner_class: Another runner has its instances run without the guard.
    """

    restrictions: SandboxRestrictions = SandboxRestrictions.default
    runner_class: type[WorkflowRunner] = UnsandboxedWorkflowRunner
    _guards: WeakKeyDictionary[type, Guard] = field(default_factory=WeakKeyDictionary, init=False, repr=False)

    def prepare_workflow(self, defn: _Definition) -> None:
        """See ``WorkflowRunner.prepare_workflow``.

        Args:
            defn: What ``@workflow.defn`` noted of the class.
        """
        if self.runner_class is not UnsandboxedWorkflowRunner:
            self.runner_class().prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See ``WorkflowRunner.create_instance``.

        Args:
            det: What it is made from.

        Returns:
            The instance.
        """
        if self.runner_class is not UnsandboxedWorkflowRunner:
            return self.runner_class().create_instance(det)
        return instance_of(det, None if self.restrictions.passthrough_all_modules else self._guard_of(det))

    def _guard_of(self, det: WorkflowInstanceDetails) -> Guard:
        cls = det.defn.cls
        guard = self._guards.get(cls)
        if guard is None:
            default = self.restrictions is SandboxRestrictions.default
            guard = Guard([cls], restrictions=None if default else self.restrictions)
            self._guards[cls] = guard
        return guard


SANDBOXED: Final = SandboxedWorkflowRunner()
