"""Workflow runners: what makes the instances of workflows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final

from durability._core.activation import RunDetails, WorkflowInstance
from durability._core.deadlock import DeadlockDetector
from durability._core.instance import create_instance
from durability._core.interceptors import WorkflowInboundInterceptor
from durability.common import MetricMeter
from durability.converter import FailureConverter, PayloadConverter
from durability.workflow import Info
from durability.workflow._definition import _Definition


@dataclass(frozen=True)
class PatchActivationInput:
    """Input of a worker's ``patch_activation_callback``.

    Attributes:
        workflow_info: The run that asks.
        patch_id: Id of the patch.
    """

    workflow_info: Info
    patch_id: str


@dataclass(frozen=True)
class WorkflowInstanceDetails:
    """What an instance is made from. Hand it on to another runner; what is in it may change.

    Attributes:
        defn: What ``@workflow.defn`` noted of the class.
        run: The run.
        payload_converter: Converts values.
        failure_converter: Converts exceptions.
        interceptor_classes: Classes of inbound interceptors, outermost first.
        extern_functions: Functions that the worker lends to workflow code.
        disable_eager_activity_execution: Whether every activity is dispatched.
        worker_level_failure_exception_types: Exceptions that fail a workflow instead of its workflow task.
        deadlock_detector: Watches for code that does not yield; nobody does if None.
        patch_activation_callback: Asked whether a new patch is to be taken; always if None.
        metric_meter: For the workflow's metrics.
    """

    defn: _Definition
    run: RunDetails
    payload_converter: PayloadConverter
    failure_converter: FailureConverter
    interceptor_classes: Sequence[type[WorkflowInboundInterceptor]]
    extern_functions: Mapping[str, Callable[..., Any]]
    disable_eager_activity_execution: bool
    worker_level_failure_exception_types: Sequence[type[BaseException]]
    deadlock_detector: DeadlockDetector | None
    patch_activation_callback: Callable[[Info, str], bool] | None
    metric_meter: MetricMeter


class WorkflowRunner(ABC):
    """Makes the instances of workflows. One of your own wraps ``UnsandboxedWorkflowRunner``, or what it makes."""

    @abstractmethod
    def prepare_workflow(self, defn: _Definition) -> None:
        """Called once for each workflow class of a worker, before any instance is made.

        Args:
            defn: What ``@workflow.defn`` noted of the class.
        """

    @abstractmethod
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Make the instance of a run.

        Args:
            det: What it is made from.

        Returns:
            The instance: activations in, commands out.
        """

    def set_worker_level_failure_exception_types(  # noqa: B027 - may be left as it is
        self, types: Sequence[type[BaseException]]
    ) -> None:
        """Called once, with the exceptions that fail a worker's workflows instead of their workflow tasks.

        Args:
            types: The exceptions; they come with the details of each instance, too.
        """


class UnsandboxedWorkflowRunner(WorkflowRunner):
    """Runs workflows without a guard: what does not replay is not refused."""

    def prepare_workflow(self, defn: _Definition) -> None:
        """See ``WorkflowRunner.prepare_workflow``; there is nothing to prepare.

        Args:
            defn: What ``@workflow.defn`` noted of the class.
        """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See ``WorkflowRunner.create_instance``.

        Args:
            det: What it is made from.

        Returns:
            The instance.
        """
        return instance_of(det, None)


def instance_of(det: WorkflowInstanceDetails, guard: AbstractContextManager[object] | None) -> WorkflowInstance:
    """The engine's own instance."""
    return create_instance(
        det.defn,
        replace(det.run, extern_functions=det.extern_functions),
        payload_converter=det.payload_converter,
        failure_converter=det.failure_converter,
        interceptors=det.interceptor_classes,
        failure_exception_types=det.worker_level_failure_exception_types,
        disable_eager_activity_execution=det.disable_eager_activity_execution,
        deadlock_detector=det.deadlock_detector,
        patch_activation_callback=det.patch_activation_callback,
        metric_meter=det.metric_meter,
        guard=guard,
    )


UNSANDBOXED: Final = UnsandboxedWorkflowRunner()
