"""The commands that one activation decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from durability._core.history import CLOSING_COMMANDS, Command, CommandGrouped, EventGroupMarker


class CommandBuffer:
    """Commands in program order, of which one may be withdrawn as long as nobody outside has seen it."""

    __slots__ = ("_commands", "_markers", "_offset", "closed")

    def __init__(self) -> None:
        self._commands: list[Command | None] = []
        self._markers: dict[int, list[EventGroupMarker]] = {}
        """Event groups by identity of the command: commands that are equal need not belong to the same."""
        self._offset = 0
        self.closed = False

    def add(self, command: Command, groups: Sequence[EventGroupMarker] = ()) -> int:
        """Append a command that belongs to event groups, and return its ticket, for ``withdraw``."""
        if groups:
            self._markers[id(command)] = list(groups)
        self._commands.append(command)
        return self._offset + len(self._commands) - 1

    def close(self, command: Command, groups: Sequence[EventGroupMarker] = ()) -> None:
        """Append a command that ends the run."""
        self.closed = True
        self.add(command, groups)

    def withdraw(self, ticket: int) -> bool:
        """Take a command back; False if an earlier activation has already given it out."""
        index = ticket - self._offset
        if index < 0:
            return False
        self._markers.pop(id(self._commands[index]), None)
        self._commands[index] = None
        return True

    def take(self, *, drop_after_end: bool = False) -> list[Command]:
        """Return the commands of this activation and begin the next.

        Everything goes before the first command that ends the run; further ones that would end it are dropped. With
        ``drop_after_end``, so is everything else that was decided after it.
        """
        commands = [command for command in self._commands if command is not None]
        markers = self._markers
        self._offset += len(self._commands)
        self._commands = []
        if self.closed:
            end = next(n for n, command in enumerate(commands) if isinstance(command, CLOSING_COMMANDS))
            after = () if drop_after_end else commands[end + 1 :]
            commands = [*commands[:end], *(c for c in after if not isinstance(c, CLOSING_COMMANDS)), commands[end]]
        if markers:
            self._markers = {}
            commands = list(_grouped(commands, markers))
        return commands


def _grouped(commands: Iterable[Command], markers: dict[int, list[EventGroupMarker]]) -> Iterator[Command]:
    for command in commands:
        groups = markers.get(id(command))
        if groups is not None:
            yield CommandGrouped(groups)
        yield command
