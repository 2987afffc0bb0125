"""Names, parameters, defaults and numbers of ``durability.workflow`` are those of the reference."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
import temporalio.workflow as reference

from durability import workflow

MISSING = {
    # Nexus is no part of this project; in the reference, signal-with-start from a workflow is a Nexus operation.
    "NexusClient",
    "NexusOperationCancellationType",
    "NexusOperationHandle",
    "create_nexus_client",
    "signal_with_start_workflow",
}
"""Public names of the reference that do not exist here, without those that it re-exports from ``temporalio.types``."""


def _own_names() -> set[str]:
    names = {name for name in reference.__all__ if not name.startswith("_")}
    return {name for name in names if getattr(getattr(reference, name), "__module__", "") != "temporalio.types"}


def test_the_missing_names_are_known() -> None:
    assert _own_names() - set(workflow.__all__) == MISSING


def _shape(function: Any) -> list[tuple[str, Any, str]]:
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, "" if "object object" in repr(p.default) else repr(p.default)) for p in parameters]


FUNCTIONS = [n for n in sorted(workflow.__all__) if inspect.isfunction(getattr(reference, n, None))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_the_same_parameters_and_defaults(name: str) -> None:
    assert _shape(getattr(workflow, name)) == _shape(getattr(reference, name))


@pytest.mark.parametrize(
    "name",
    [
        "ActivityCancellationType",
        "ChildWorkflowCancellationType",
        "ContinueAsNewVersioningBehavior",
        "HandlerUnfinishedPolicy",
        "ParentClosePolicy",
        "SandboxImportNotificationPolicy",
        "VersioningIntent",
    ],
)
def test_enums_have_the_same_members(name: str) -> None:
    ours, theirs = getattr(workflow, name), getattr(reference, name)
    assert [(m.name, m.value) for m in ours] == [(m.name, m.value) for m in theirs]


@pytest.mark.parametrize("name", ["Info", "ParentInfo", "RootInfo", "UpdateInfo", "DynamicWorkflowConfig"])
def test_dataclasses_have_the_same_fields(name: str) -> None:
    ours, theirs = getattr(workflow, name), getattr(reference, name)
    assert [f.name for f in dataclasses.fields(ours)] == [f.name for f in dataclasses.fields(theirs)]


@pytest.mark.parametrize("name", ["ActivityConfig", "LocalActivityConfig", "ChildWorkflowConfig"])
def test_configurations_have_the_same_keys(name: str) -> None:
    assert list(getattr(workflow, name).__annotations__) == list(getattr(reference, name).__annotations__)


@pytest.mark.parametrize("name", ["unsafe", "ActivityHandle", "ChildWorkflowHandle", "ExternalWorkflowHandle"])
def test_classes_have_the_same_methods(name: str) -> None:
    ours, theirs = getattr(workflow, name), getattr(reference, name)
    methods = [m for m, _ in inspect.getmembers(theirs, callable) if not m.startswith("_") and m in vars(theirs)]
    assert [m for m in methods if _shape(getattr(ours, m)) != _shape(getattr(theirs, m))] == []
