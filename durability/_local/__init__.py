"""The local cloud: a SAM template on this machine, for development and for end-to-end tests."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durability._local.admission import EmulatorRefused, check_emulator
    from durability._local.cloud import FunctionError, LocalCloud
    from durability._local.template import TemplateError

__all__ = ["EmulatorRefused", "FunctionError", "LocalCloud", "TemplateError", "check_emulator"]

_MODULES = {
    "EmulatorRefused": "admission",
    "check_emulator": "admission",
    "FunctionError": "cloud",
    "LocalCloud": "cloud",
    "TemplateError": "template",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: the backend process and the command line are in this package too, and start faster.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
