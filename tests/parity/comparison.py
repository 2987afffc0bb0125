"""How this project's public surface differs from the reference's: names, members, parameters."""

from __future__ import annotations

import enum
import inspect
from dataclasses import dataclass, field
from typing import Any

from tests.parity.surface import (
    MODULES,
    OURS,
    REFERENCE,
    REQUIRED,
    callables,
    exported,
    has_member,
    load,
    members,
    parameters,
)


@dataclass
class Comparison:
    """What was counted and what differs.

    Attributes:
        names: Exported names of the reference.
        members: Members of those of its classes that exist here.
        parameters: Parameters of those of its functions that exist here.
        missing_names: ``module.name``.
        missing_members: ``module.Class.member``.
        different_parameters: ``module.function(parameter)``, with what differs.
        different_enums: ``module.Enum``, by its members and their values.
        different_bases: ``module.Error``, by the classes that it can be caught as.
    """

    names: int = 0
    members: int = 0
    parameters: int = 0
    missing_names: set[str] = field(default_factory=set)
    missing_members: set[str] = field(default_factory=set)
    different_parameters: dict[str, str] = field(default_factory=dict)
    different_enums: set[str] = field(default_factory=set)
    different_bases: set[str] = field(default_factory=set)


def compare() -> Comparison:
    """Walk everything."""
    found = Comparison()
    seen: set[int] = set()
    for module_name in MODULES:
        theirs, ours = load(REFERENCE, module_name), load(OURS, module_name)
        assert theirs is not None
        for name in exported(theirs):
            found.names += 1
            path = f"{module_name}.{name}"
            if ours is None or not hasattr(ours, name):
                found.missing_names.add(path)
                continue
            reference = getattr(theirs, name)
            if id(reference) not in seen:  # what several modules export is compared once
                seen.add(id(reference))
                _compare(found, path, reference, getattr(ours, name))
    return found


def _compare(found: Comparison, path: str, theirs: Any, ours: Any) -> None:
    if inspect.isclass(theirs):
        names = members(theirs)
        found.members += len(names)
        found.missing_members |= {f"{path}.{name}" for name in names if not has_member(ours, name)}
        if issubclass(theirs, enum.Enum) and [(m.name, m.value) for m in theirs] != [(m.name, m.value) for m in ours]:
            found.different_enums.add(path)
        if issubclass(theirs, BaseException) and not _bases(theirs) <= _bases(ours):
            found.different_bases.add(path)
    for shown, attribute in callables(path, theirs):
        function = getattr(ours, attribute, None) if attribute else ours
        if function is not None:
            _compare_parameters(found, shown, getattr(theirs, attribute) if attribute else theirs, function)


def _bases(cls: type) -> set[str]:
    return {base.__name__ for base in cls.__mro__}


def _compare_parameters(found: Comparison, shown: str, theirs: Any, ours: Any) -> None:
    reference, own = parameters(theirs), parameters(ours)
    found.parameters += len(reference)
    shown = shown.removesuffix("()")
    for name, shape in reference.items():
        if name.startswith("_"):
            continue
        if name not in own:
            found.different_parameters[f"{shown}({name})"] = "missing"
        elif not _fits(shape, own[name]):
            found.different_parameters[f"{shown}({name})"] = f"{own[name]} instead of {shape}"
    for name, (_, default) in own.items():
        if name not in reference and default == REQUIRED:
            found.different_parameters[f"{shown}({name})"] = "not in the reference, and required"
    common = [name for name in own if name in reference and own[name][0] != "KEYWORD_ONLY"]
    if common != [name for name in reference if name in common]:
        found.different_parameters[f"{shown}()"] = "another order"


def _fits(theirs: tuple[str, str], ours: tuple[str, str]) -> bool:
    """Whether every call that fits the reference fits ours: a default where it has none does no harm."""
    return theirs == ours or (theirs[0] == ours[0] and theirs[1] == REQUIRED)
