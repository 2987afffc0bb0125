"""``__all__`` of every public module is exactly what it offers."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

import durability

FOR_THE_ENGINE = {
    "durability.callbacks": {"built_in_activities", "deployment_secret"},
}


def public_modules() -> Iterator[str]:
    yield "durability"
    for found in pkgutil.walk_packages(durability.__path__, "durability."):
        # Importing durability.compat has an effect, and its tests are processes of their own.
        if found.name != "durability.compat" and not any(part.startswith("_") for part in found.name.split(".")):
            yield found.name


@pytest.mark.parametrize("name", list(public_modules()))
def test_all_is_exactly_what_a_module_offers(name: str) -> None:
    module = importlib.import_module(name)
    offered = {attribute for attribute, value in vars(module).items() if _is_offered(module, attribute, value)}
    listed = getattr(module, "__all__", [])
    assert len(listed) == len(set(listed))
    assert all(hasattr(module, attribute) for attribute in listed)
    assert offered - FOR_THE_ENGINE.get(name, set()) <= set(listed)


def _is_offered(module: ModuleType, name: str, value: object) -> bool:
    """A package offers what it imports, too: that is what it is for. A file offers what it defines, as do messages."""
    if name.startswith("_") or name == "annotations" or isinstance(value, ModuleType | bool):
        return False
    is_file = not hasattr(module, "__path__") or module.__name__.startswith("durability.api.")
    home = getattr(value, "__module__", None)
    if home is None or home.partition(".")[0] in sys.stdlib_module_names:
        return False
    if is_file and not (inspect.isclass(value) or inspect.isroutine(value)):
        return False
    return not is_file or home == module.__name__
