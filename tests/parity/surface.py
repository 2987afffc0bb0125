"""The public surface of the reference and of this project, as flat lists of names and parameters.

How things are counted:

- A *name* is what a public module exports: what its ``__all__`` says, or, where it has none, what it defines itself
  without a leading underscore.
- A *member* belongs to an exported class: public methods, properties, fields of dataclasses and typed dictionaries, and
  members of enums, inherited ones included where the class that has them is the reference's own.
- A *parameter* belongs to an exported function, to the constructor of an exported class or to one of its public
  methods; its shape is its name, its kind, and its default.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import typing
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

MODULES: Final = (
    "activity",
    "client",
    "common",
    "contrib.pydantic",
    "converter",
    "envconfig",
    "exceptions",
    "plugin",
    "runtime",
    "service",
    "testing",
    "types",
    "worker",
    "worker.workflow_sandbox",
    "workflow",
)
REQUIRED: Final = "required"
REFERENCE: Final = "temporalio"
OURS: Final = "durability"


def load(root: str, name: str) -> ModuleType | None:
    """A module; None if there is none."""
    try:
        return importlib.import_module(f"{root}.{name}")
    except ModuleNotFoundError as error:
        if error.name and f"{root}.{name}".startswith(error.name):
            return None
        raise


def exported(module: ModuleType) -> list[str]:
    """The names that a module of the reference exports."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name, value in vars(module).items() if _is_defined_in(module, name, value)]
    return sorted(name for name in names if not name.startswith("_"))


def _is_defined_in(module: ModuleType, name: str, value: Any) -> bool:
    if name.startswith("_") or isinstance(value, ModuleType | bool):
        return False
    home = getattr(value, "__module__", None)
    if isinstance(value, typing.TypeVar | typing.ParamSpec) or inspect.isclass(value) or inspect.isroutine(value):
        return home == module.__name__
    # Aliases of types, and constants, which are written in capitals.
    return name == name.upper() or (typing.get_origin(value) is not None and name in module.__annotations__)


def members(cls: type) -> list[str]:
    """Public methods, properties, fields and enum members of a class of the reference."""
    found = {name for base in _own_bases(cls) for name in vars(base)} | {
        name for base in _own_bases(cls) for name in vars(base).get("__annotations__", ())
    }
    if dataclasses.is_dataclass(cls):
        found |= {field.name for field in dataclasses.fields(cls)}
    return sorted(name for name in found if not name.startswith("_"))


def _own_bases(cls: type) -> Iterator[type]:
    root = REFERENCE + "."
    yield from (base for base in cls.__mro__ if base.__module__.startswith(root) and "_pb2" not in base.__module__)


def has_member(cls: type, name: str) -> bool:
    """Whether one of our classes has a member."""
    if hasattr(cls, name):
        return True
    if any(name in vars(base).get("__annotations__", ()) for base in cls.__mro__):
        return True
    return dataclasses.is_dataclass(cls) and name in {field.name for field in dataclasses.fields(cls)}


def callables(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Whose parameters count: names to show, and attribute paths from the exported name (empty: itself)."""
    if inspect.isclass(value):
        if issubclass(value, enum.Enum) or typing.is_typeddict(value) or value.__module__.endswith("_pb2"):
            return
        if any("__init__" in vars(base) for base in _own_bases(value)) and not getattr(value, "_is_protocol", False):
            yield f"{name}()", "__init__"
        for member in members(value):
            if inspect.isroutine(inspect.getattr_static(value, member, None)) and callable(getattr(value, member)):
                yield f"{name}.{member}", member
    elif inspect.isroutine(value):
        yield name, ""


def parameters(function: Any) -> dict[str, tuple[str, str]]:
    """Kind and default of the parameters of a function, by name, in their order."""
    if function is object.__init__:
        return {"self": ("POSITIONAL_OR_KEYWORD", REQUIRED)}
    return {
        parameter.name: (parameter.kind.name, _default(parameter.default))
        for parameter in inspect.signature(function).parameters.values()
    }


def _default(value: Any) -> str:
    """A default for comparison: the same kind of thing counts as the same."""
    if value is inspect.Parameter.empty:
        return REQUIRED
    if isinstance(value, list | tuple | dict) and not value:
        return "empty"
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if type(value).__module__.split(".")[0] in (REFERENCE, OURS):
        return type(value).__name__
    text = repr(value)
    if " object at 0x" in text or text.startswith("<"):
        return "an object"
    return text.replace(REFERENCE, OURS)
