"""Exceptions and versioning enums of workflow code."""

from __future__ import annotations

from enum import Enum, IntEnum

from durability._core.errors import NondeterminismError
from durability.exceptions import TemporalError

__all__ = [
    "ContinueAsNewError",
    "ContinueAsNewVersioningBehavior",
    "NondeterminismError",
    "ReadOnlyContextError",
    "VersioningIntent",
]


class ReadOnlyContextError(TemporalError):
    """Something that changes the workflow was attempted from a query or an update validator."""

    def __init__(self, message: str) -> None:
        """Create the error.

        Args:
            message: What was attempted.
        """
        super().__init__(message)
        self.message = message


class ContinueAsNewError(BaseException):
    """Raised by ``continue_as_new``; let it pass out of the workflow, never catch it."""

    def __init__(self, *args: object) -> None:
        """Refuse direct use: only ``continue_as_new`` makes one."""
        if type(self) is ContinueAsNewError:
            raise RuntimeError("ContinueAsNewError cannot be created directly; call workflow.continue_as_new()")
        super().__init__(*args)


class _NotInWorkflowEventLoopError(TemporalError):
    """A function of ``durability.workflow`` was called where no workflow runs."""

    def __init__(self, *args: object) -> None:
        super().__init__("Not in workflow event loop")
        self.message = "Not in workflow event loop"


class VersioningIntent(Enum):
    """Accepted for compatibility; runs are pinned to the build that started them."""

    COMPATIBLE = 1
    DEFAULT = 2


class ContinueAsNewVersioningBehavior(IntEnum):
    """Accepted for compatibility: which version the first task of the next run should use."""

    UNSPECIFIED = 0
    AUTO_UPGRADE = 1
    USE_RAMPING_VERSION = 2
