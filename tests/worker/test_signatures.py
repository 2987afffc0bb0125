"""Names and parameters are those of the reference, but for what is listed here."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

MISSING = {
    "worker": {
        "CustomSlotSupplier",
        "ActivitySlotInfo",
        "LocalActivitySlotInfo",
        "WorkflowSlotInfo",
        "NexusSlotInfo",
        "SlotInfo",
        "SlotMarkUsedContext",
        "SlotPermit",
        "SlotReleaseContext",
        "SlotReserveContext",
        "ExecuteNexusOperationCancelInput",
        "ExecuteNexusOperationStartInput",
        "NexusOperationInboundInterceptor",
        "StartNexusOperationInput",
        "SharedHeartbeatSender",
        "SharedStateManager",
        "WorkflowInstance",
        "WorkflowInstanceDetails",
    },
    "worker.workflow_sandbox": set(),
    "testing": {"TimeSkipper", "TimeSkippingConfig"},
}
MISSING_METHODS = {
    "Interceptor.intercept_nexus_operation",
    "SandboxMatcher.access_matcher",
    "SandboxMatcher.child_matcher",
    "SandboxMatcher.match_access",
    "SandboxedWorkflowRunner.create_instance",
    "SandboxedWorkflowRunner.prepare_workflow",
    "SandboxedWorkflowRunner.runner_class",  # an attribute of instances
    "SandboxedWorkflowRunner.set_worker_level_failure_exception_types",
    "UnsandboxedWorkflowRunner.create_instance",
    "UnsandboxedWorkflowRunner.prepare_workflow",
    "WorkflowEnvironment.create_nexus_endpoint",
    "WorkflowEnvironment.delete_nexus_endpoint",
    "WorkflowEnvironment.get_time_skipping_info",
    "WorkflowEnvironment.start_time_skipping_v2",
    "WorkflowOutboundInterceptor.start_nexus_operation",
    "WorkflowOutboundInterceptor.start_system_nexus_operation",
    "WorkflowRunner.create_instance",
    "WorkflowRunner.prepare_workflow",
    "WorkflowRunner.set_worker_level_failure_exception_types",
}
OWN_CONSTRUCTORS = {"WorkerTuner"}


def modules(name: str) -> tuple[Any, Any]:
    return importlib.import_module(f"durability.{name}"), importlib.import_module(f"temporalio.{name}")


@pytest.mark.parametrize("name", MISSING)
def test_names(name: str) -> None:
    mine, theirs = modules(name)
    assert set(theirs.__all__) - set(mine.__all__) == MISSING[name]
    assert set(mine.__all__) <= set(theirs.__all__)
    assert all(hasattr(mine, exported) for exported in mine.__all__)


def test_parameters() -> None:
    missing: set[str] = set()
    different: dict[str, object] = {}
    for name in MISSING:
        mine, theirs = modules(name)
        for exported in mine.__all__:
            cls = getattr(theirs, exported)
            if not inspect.isclass(cls):
                continue
            for method in ["__init__", *(key for key in vars(cls) if not key.startswith("_"))]:
                reference = getattr(cls, method, None)
                if (method == "__init__" and exported in OWN_CONSTRUCTORS) or not callable(reference):
                    continue
                own = getattr(getattr(mine, exported), method, None)
                if own is None:
                    missing.add(f"{exported}.{method}")
                elif _parameters(own) != _parameters(reference):
                    different[f"{exported}.{method}"] = (_parameters(own), _parameters(reference))
    assert missing == MISSING_METHODS
    assert different == {}


def _parameters(function: Any) -> list[tuple[str, str, bool]]:
    return [
        (parameter.name, parameter.kind.name, parameter.default is inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
    ]
