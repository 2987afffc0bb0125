"""Event groups: names for commands that belong together, for people who look at a history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from durability.workflow._runtime import current


class EventGroup:
    """A group that commands can be given to; made by ``create_event_group``.

    Groups are checked and accepted wherever Temporal's API takes them, but not recorded: the history has no place for
    them.
    """

    def __init__(self, id: str, label: str | None) -> None:
        """Use ``create_event_group`` instead."""
        self._id = id
        self._label = label

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Give every command of a block of workflow code to this group."""
        current()
        yield


def create_event_group(id: str, *, label: str | None = None) -> EventGroup:
    """Make a group that commands can be given to.

    Args:
        id: What identifies the group; not empty.
        label: What people see.

    Returns:
        The group.

    Raises:
        ValueError: ``id`` or ``label`` is empty.
    """
    current()
    if not id:
        raise ValueError("Event group id cannot be empty")
    if label is not None and not label:
        raise ValueError("Event group label cannot be empty")
    return EventGroup(id, label)
