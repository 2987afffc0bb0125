"""Errors of the core that the public modules re-export."""

from __future__ import annotations

from typing import Final

from durability.exceptions import TemporalError


class NondeterminismError(TemporalError):
    """The workflow code does not decide what its history says it decided.

    It fails the workflow task, not the workflow, unless the workflow's failure exception types include it: the run goes
    on by itself when fitting code is deployed.

    Attributes:
        message: What was decided, and what the history says.
    """

    def __init__(self, message: str) -> None:
        """Create the error.

        Args:
            message: What was decided, and what the history says.
        """
        super().__init__(message)
        self.message = message


NONDETERMINISM: Final = "[TMPRL1100] Nondeterminism error: "
"""What messages begin with: the code of Temporal's rules, which people search for."""
