"""Whose call is it: workflow code's, or that of something which may?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final

from durability._guards.errors import RestrictedWorkflowAccessError
from durability._guards.exemptions import passed_through, unrestricted
from durability._guards.names import OBSERVERS, PASSED_THROUGH
from durability._guards.patches import Patches

if TYPE_CHECKING:
    from durability._guards.restrictions import SandboxRestrictions

_ENGINE: Final = "durability"
_PATHS: Final = ("genericpath", "ntpath", "posixpath")

_patches: Patches | None = None


class Guard:
    """Refuses, while workflow code runs, what does not replay.

    Entering it keeps the refusals in place; who it is that calls is only looked at when one of them is hit.
    """

    def __init__(
        self,
        workflows: Iterable[type] = (),
        *,
        restrictions: SandboxRestrictions | None = None,
    ) -> None:
        """Create the guard.

        Args:
            workflows: Classes whose modules are workflow code, however they were imported.
            restrictions: What the user changed about what is refused.
        """
        global _patches
        if _patches is None:
            _patches = Patches()
        self._patches = _patches
        self._restrictions = restrictions
        self._workflow_modules = {cls.__module__ for cls in workflows}
        self._passed = set(restrictions.passthrough_modules) - sys.stdlib_module_names if restrictions else set()
        for module in _modules_of(self._workflow_modules):
            self._patches.cover(module)
        self._added = set(restrictions.added()) if restrictions else set()
        for name in self._added:
            self._patches.add(name)

    def __enter__(self) -> None:
        self._patches.__enter__()

    def __exit__(self, *_: object) -> None:
        self._patches.__exit__()

    def check(self, name: str, depth: int = 2) -> bool:
        """Raise if the caller is workflow code that may not use ``name``.

        Args:
            name: What is used, as a dotted path.
            depth: How many frames above this one the use is.

        Returns:
            Whether it is workflow code at all.

        Raises:
            RestrictedWorkflowAccessError: It is, and it may not.
        """
        loop: Any = asyncio._get_running_loop()
        if unrestricted.get() or loop.closing or (name in self._patches.added and name not in self._added):
            return False
        used = self._used_by_workflow(sys._getframe(depth), name, loop.workflow_instance.extern_functions)
        if used is None or (self._restrictions is not None and self._restrictions.allow(name, used)):
            return False
        if not name.startswith("asyncio."):
            raise RestrictedWorkflowAccessError(used)
        return True

    def _used_by_workflow(
        self, frame: FrameType | None, name: str, lent: Mapping[str, Callable[..., Any]]
    ) -> str | None:
        """The function that workflow code called to get here; None if somebody else did.

        Between the call and the engine that runs the workflow there must be workflow code, and nobody who may.
        """
        used, found = name, False
        while frame is not None:
            module = frame.f_globals.get("__name__") or ""
            package = module.partition(".")[0]
            if package == _ENGINE:
                break
            if package in OBSERVERS or self._may(module, package) or _is_no_workflow_code(frame, lent):
                return None
            if package not in sys.stdlib_module_names:
                found = True
            elif not found and package != "collections":  # as in os.environ.get
                used = _name(module, frame.f_code)
            frame = frame.f_back
        return used if found else None

    def _may(self, module: str, package: str) -> bool:
        if module in self._workflow_modules:
            return module in self._passed
        return package in PASSED_THROUGH or any(
            name in self._passed or name in passed_through for name in _with_parents(module)
        )


def _is_no_workflow_code(frame: FrameType, lent: Mapping[str, Callable[..., Any]]) -> bool:
    """Whether a function of the user serves the engine, or workflow code, from outside: the worker brought it along."""
    code = frame.f_code
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    return isinstance(first, _parts_of_the_engine()) or any(
        getattr(function, "__code__", None) is code for function in lent.values()
    )


def _name(module: str, code: CodeType) -> str:
    module = "os.path" if module in _PATHS else ".".join(part for part in module.split(".") if part[0] != "_")
    return f"{module}.{code.co_qualname}".removesuffix(".__init__")


def _with_parents(module: str) -> Iterator[str]:
    while module:
        yield module
        module = module.rpartition(".")[0]


@cache
def _parts_of_the_engine() -> tuple[type, ...]:
    from durability._core.interceptors import WorkflowInboundInterceptor, WorkflowOutboundInterceptor
    from durability.converter import EncodingPayloadConverter, FailureConverter, JSONTypeConverter, PayloadConverter

    interceptors = (WorkflowInboundInterceptor, WorkflowOutboundInterceptor)
    return (*interceptors, EncodingPayloadConverter, FailureConverter, JSONTypeConverter, PayloadConverter)


def _modules_of(names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The modules of workflows and those of the user that they refer to, as far as a package is one program."""
    waiting = list(names)
    seen = set(waiting)
    own = {name.partition(".")[0] for name in waiting}
    while waiting:
        name = waiting.pop()
        module = sys.modules.get(name)
        if module is None:
            continue
        yield vars(module)
        if name.partition(".")[0] not in own:
            continue  # one step out of the program is enough: a library is not searched
        for value in vars(module).copy().values():
            found = value.__name__ if isinstance(value, type(sys)) else getattr(value, "__module__", None)
            if isinstance(found, str) and found not in seen:
                seen.add(found)
                package = found.partition(".")[0]
                if package != _ENGINE and package not in sys.stdlib_module_names:
                    waiting.append(found)
