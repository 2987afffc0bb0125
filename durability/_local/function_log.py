"""The log of a function: one file that its processes and the local cloud append to."""

from __future__ import annotations

import os
from pathlib import Path


class FunctionLog:
    """A log file. Processes write to its descriptor themselves, so nothing is lost or reordered when one dies.

    Args:
        path: file; it is created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def write(self, line: str) -> None:
        """Append a line.

        Args:
            line: text without its end of line.
        """
        os.write(self.descriptor, (line + "\n").encode())

    def read(self) -> str:
        """Everything logged so far."""
        return self.path.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)
