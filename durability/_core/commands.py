"""The commands that one activation decides."""

from __future__ import annotations

from durability._core.history import CLOSING_COMMANDS, Command


class CommandBuffer:
    """Commands in program order, of which one may be withdrawn as long as nobody outside has seen it."""

    __slots__ = ("_commands", "_offset", "closed")

    def __init__(self) -> None:
        self._commands: list[Command | None] = []
        self._offset = 0
        self.closed = False

    def add(self, command: Command) -> int:
        """Append a command and return its ticket, for ``withdraw``."""
        self._commands.append(command)
        return self._offset + len(self._commands) - 1

    def close(self, command: Command) -> None:
        """Append a command that ends the run."""
        self.closed = True
        self._commands.append(command)

    def withdraw(self, ticket: int) -> bool:
        """Take a command back; False if an earlier activation has already given it out."""
        index = ticket - self._offset
        if index < 0:
            return False
        self._commands[index] = None
        return True

    def take(self, *, drop_after_end: bool = False) -> list[Command]:
        """Return the commands of this activation and begin the next.

        Everything goes before the first command that ends the run; further ones that would end it are dropped. With
        ``drop_after_end``, so is everything else that was decided after it.
        """
        commands = [command for command in self._commands if command is not None]
        self._offset += len(self._commands)
        self._commands = []
        if not self.closed:
            return commands
        end = next(n for n, command in enumerate(commands) if isinstance(command, CLOSING_COMMANDS))
        after = () if drop_after_end else commands[end + 1 :]
        return [*commands[:end], *(c for c in after if not isinstance(c, CLOSING_COMMANDS)), commands[end]]
