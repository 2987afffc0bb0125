"""Event groups: names for commands that belong together, for people who look at a history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Final

from durability._core.history import EventGroupMarker
from durability.converter import PayloadConverter
from durability.workflow._runtime import current

_active: Final[ContextVar[tuple[EventGroupMarker, ...]]] = ContextVar("event_groups", default=())
"""What the commands of a task belong to. What brought the task about, if anything did, comes first and has no id."""


class EventGroup:
    """A group that commands can be given to; made by ``create_event_group``.

    A command may belong to several groups, and shows them in the history. They make no difference to anything else:
    code that names other groups replays the history all the same.
    """

    def __init__(self, id: str, label: str | None) -> None:
        """Use ``create_event_group`` instead."""
        # Always the default converter: labels are for people, who have not the application's own.
        payload = None if label is None else PayloadConverter.default.to_payload(label)
        self._marker = EventGroupMarker(id, payload)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Give every command of a block of workflow code to this group, those of tasks that it starts among them.

        Scopes nest: a command belongs to the groups of all scopes around it.
        """
        current()
        with _belonging_to((self,)):
            yield


def create_event_group(id: str, *, label: str | None = None) -> EventGroup:
    """Make a group that commands can be given to.

    Args:
        id: What identifies the group; not empty. No codec encodes it.
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


def _captured(groups: Sequence[EventGroup] | None = None) -> tuple[EventGroupMarker, ...]:
    """What a command belongs to that is decided now: what is around it, and groups that it is given to itself.

    Raises:
        TypeError: One of them is no group.
    """
    active = _active.get()
    if not groups:
        return active
    markers = {marker.id: marker for marker in active}
    for group in groups:
        if not isinstance(group, EventGroup):
            raise TypeError("Event groups must be created with workflow.create_event_group()")
        markers[group._marker.id] = group._marker
    return tuple(markers.values())


@contextmanager
def _belonging_to(groups: Sequence[EventGroup] | None) -> Iterator[None]:
    """Have everything that is decided in a block of code belong to groups, too."""
    token = _active.set(_captured(groups))
    try:
        yield
    finally:
        # A coroutine that is thrown away inside of the block is closed in another context.
        with suppress(ValueError):
            _active.reset(token)


def _brought_about_by(*, signal: int = 0, update: str = "") -> None:
    """Have what the running task decides belong to a signal or update, and not to the scope of who began the task."""
    _active.set((EventGroupMarker(signal=signal, update=update),))
