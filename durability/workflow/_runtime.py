"""How the functions of ``durability.workflow`` find the workflow instance that they are called from."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from durability.workflow._exceptions import _NotInWorkflowEventLoopError

if TYPE_CHECKING:
    from durability._core.instance import Instance


def maybe_current() -> Instance | None:
    """The instance whose event loop runs in this thread, or None outside of workflows."""
    # The instance's event loop carries it; a user's own loop has no such attribute.
    return getattr(asyncio._get_running_loop(), "workflow_instance", None)


def current() -> Instance:
    """The instance whose event loop runs in this thread.

    Raises:
        TemporalError: The caller is not workflow code.
    """
    instance: Instance | None = getattr(asyncio._get_running_loop(), "workflow_instance", None)
    if instance is None:
        raise _NotInWorkflowEventLoopError
    return instance
