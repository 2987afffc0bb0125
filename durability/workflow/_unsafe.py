"""What workflow code should rarely need, such as ways past the guard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from enum import Flag, auto
from typing import Final

from durability._guards.exemptions import PassThrough, in_block, unrestricted
from durability.workflow._runtime import current


class SandboxImportNotificationPolicy(Flag):
    """Accepted for compatibility: workflows run without a sandbox, so imports are nobody's business."""

    SILENT = auto()
    WARN_ON_DYNAMIC_IMPORT = auto()
    WARN_ON_UNINTENTIONAL_PASSTHROUGH = auto()
    RAISE_ON_UNINTENTIONAL_PASSTHROUGH = auto()


_policy: Final[ContextVar[SandboxImportNotificationPolicy | None]] = ContextVar("import_policy", default=None)


class unsafe:
    """Functions that workflow code should rarely need. Instead of a sandbox there is a guard (docs/determinism.md)."""

    def __init__(self) -> None:
        """Refuse: this is a namespace."""
        raise NotImplementedError("workflow.unsafe is a namespace; call its functions")

    @staticmethod
    def is_replaying() -> bool:
        """Whether the current workflow task is being replayed; true in queries and validators during it, too."""
        return current().is_replaying

    @staticmethod
    def is_replaying_history_events() -> bool:
        """Whether what happens now happened before; false in queries and validators, which are never repeated."""
        return current().is_replaying_history()

    @staticmethod
    def is_read_only() -> bool:
        """Whether a query or an update validator runs, which may change nothing."""
        return current().loop.read_only

    @staticmethod
    def in_sandbox() -> bool:
        """Whether the calling code is workflow code that the guard watches."""
        return getattr(asyncio._get_running_loop(), "guard", None) is not None

    @staticmethod
    def is_sandbox_unrestricted() -> bool:
        """Whether the calling code is in a ``sandbox_unrestricted`` block."""
        return unrestricted.get()

    @staticmethod
    @contextmanager
    def sandbox_unrestricted() -> Iterator[None]:
        """A block in which the guard refuses nothing. What it does must not change what the workflow decides."""
        token = unrestricted.set(True)
        try:
            yield
        finally:
            unrestricted.reset(token)

    @staticmethod
    def is_imports_passed_through() -> bool:
        """Whether the calling code is in an ``imports_passed_through`` block."""
        return in_block.get()

    @staticmethod
    def imports_passed_through() -> AbstractContextManager[None]:
        """A block whose imports are not workflow code: the guard refuses nothing to the modules."""
        return PassThrough()

    @staticmethod
    def current_import_notification_policy_override() -> SandboxImportNotificationPolicy | None:
        """The policy of the innermost ``sandbox_import_notification_policy`` block; None outside of one."""
        return _policy.get()

    @staticmethod
    @contextmanager
    def sandbox_import_notification_policy(policy: SandboxImportNotificationPolicy) -> Iterator[None]:
        """Accepted for compatibility."""
        token = _policy.set(policy)
        try:
            yield
        finally:
            _policy.reset(token)
