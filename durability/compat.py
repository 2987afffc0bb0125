"""Have ``import temporalio`` mean ``import durability``, in this process.

For packages of others that import Temporal's Python SDK by name: import this module before them.

    import durability.compat
    import their_package  # its ``from temporalio import workflow`` is now ``from durability import workflow``

Modules and everything in them are the same objects under both names. What is not there raises ``ModuleNotFoundError``
or ``ImportError``, as ever. A program that cannot be changed is run with ``python -m durability.compat program.py``,
or ``python -m durability.compat -m package``.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["install", "uninstall"]

_THEIRS = "temporalio"
_OURS = "durability"


def install() -> None:
    """Have ``temporalio`` mean ``durability`` from now on. Importing this module does it; more often does no harm.

    Raises:
        ImportError: Temporal's own SDK was imported before.
    """
    if any(map(_is_ours, sys.meta_path)):
        return
    real = sys.modules.get(_THEIRS)
    if real is not None:
        place = getattr(real, "__file__", None) or "an unknown place"
        raise ImportError(
            f"{_THEIRS} was already imported, from {place}: import durability.compat before anything that imports it",
            name=_THEIRS,
        )
    sys.meta_path.insert(0, _Finder())


def uninstall() -> None:
    """Have ``temporalio`` mean Temporal's own SDK again, for imports from now on."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_ours(finder)]
    for name in [name for name in sys.modules if name == _THEIRS or name.startswith(f"{_THEIRS}.")]:
        del sys.modules[name]


def _is_ours(finder: object) -> bool:
    # By name: a program run by this module as __main__ may import it once more.
    return type(finder).__qualname__ == _Finder.__qualname__ and hasattr(finder, "durability_compat")


class _Finder(MetaPathFinder):
    durability_compat = True

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, rest = fullname.partition(".")
        if package != _THEIRS:
            return None
        ours = f"{_OURS}.{rest}" if rest else _OURS
        # What begins with an underscore is something else here than there.
        if any(part.startswith("_") for part in rest.split(".")) or importlib.util.find_spec(ours) is None:
            raise ModuleNotFoundError(
                f"No module named {fullname!r}: it stands for {_OURS}, by durability.compat, which has no such module",
                name=fullname,
            )
        return ModuleSpec(fullname, _Loader(ours))


class _Loader(Loader):
    """Hands out a module that is imported under its own name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # It ran when it was imported; the import system has just given it the other name's spec.
        module.__spec__ = self._spec


def _run(arguments: list[str]) -> None:
    import os
    import runpy

    if not arguments or (arguments[0] == "-m" and len(arguments) == 1):
        sys.exit("usage: python -m durability.compat (-m module | program.py) [arguments]")
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")


install()

if __name__ == "__main__":
    _run(sys.argv[1:])
