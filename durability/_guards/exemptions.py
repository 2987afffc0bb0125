"""What users exempt from the guard: blocks of code, and modules by how they import them."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from types import FrameType, ModuleType, TracebackType
from typing import Any, Final

unrestricted: Final = ContextVar("sandbox_unrestricted", default=False)
"""Whether the calling code has asked to be let alone."""

passed_through: Final[set[str]] = set()
"""Modules that were imported in a ``PassThrough`` block."""

in_block: Final = ContextVar("imports_passed_through", default=False)


class PassThrough:
    """A block whose imports are noted: what they bind, and what they load."""

    def __enter__(self) -> None:
        # The caller of the function that made this object is what imports; between them is only `with`.
        self._frame: FrameType | None = sys._getframe(1)
        self._bound = self._frame.f_globals.copy()
        self._loaded = set(sys.modules)
        self._token = in_block.set(True)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._frame is not None
        in_block.reset(self._token)
        namespace, self._frame = self._frame.f_globals, None
        passed_through.update(sys.modules.keys() - self._loaded)
        for name, bound in list(namespace.items()):
            if name not in self._bound or self._bound[name] is not bound:
                passed_through.update(_module_of(bound))
        passed_through.discard(namespace.get("__name__", ""))
        self._bound = {}


def _module_of(value: Any) -> list[str]:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return [name] if isinstance(name, str) else []
