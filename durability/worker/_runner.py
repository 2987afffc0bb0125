"""Workflow runners. There is one way of running workflows here; the names are those that users pass to workers."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import Final

from durability.workflow import Info


class WorkflowRunner(ABC):  # noqa: B024 - a name to pass, without anything to implement
    """How workflow code is run. Accepted for compatibility: it runs in the worker's process, without a sandbox."""


class UnsandboxedWorkflowRunner(WorkflowRunner):
    """What every worker does, whichever runner it is given."""


UNSANDBOXED: Final = UnsandboxedWorkflowRunner()


@dataclass(frozen=True)
class PatchActivationInput:
    """Input of a worker's ``patch_activation_callback``.

    Attributes:
        workflow_info: The run that asks.
        patch_id: Id of the patch.
    """

    workflow_info: Info
    patch_id: str
