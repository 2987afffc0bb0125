"""Where the soak runs: what it needs to know of a deployment."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .application import SETTINGS

ROOT = Path(__file__).parents[2]
WORKFLOW_TIMEOUT = 15
PERIOD = 60
"""Seconds between two rounds of the reconciler: the template's default, and the least that AWS offers."""
PARAMETERS = {
    "Application": "tests.soak.application:app",
    "HttpAuthorization": "NONE",
    "WorkflowTimeout": str(WORKFLOW_TIMEOUT),
    "ActivityTimeout": "15",
    "LogLevel": "WARN",
}
CONCURRENCY = 6
"""Invocations of one function at once: each is a process that the machine has to start."""
SLACK = 20.0
"""Seconds for a machine that is busy with other things, and for looking."""


@dataclass(frozen=True)
class Victim:
    """A function process in the middle of an invocation.

    Args:
        function: its function.
        pid: its process.
        event: what it handles; empty if that cannot be told.
        alive: whether it is still there, and at that invocation.
    """

    function: str
    pid: int
    event: bytes
    alive: Callable[[], bool]

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal, unless the process has got on or has gone; whether it was sent."""
        if not self.alive():
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False


class Target(Protocol):
    """A deployment of the template under the soak."""

    name: str
    http_url: str
    table: str
    dead_letter_queues: Mapping[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client that goes past the proxy."""

    def victims(self) -> list[Victim]:
        """The function processes that are at work."""

    def redeploy(self) -> None:
        """Have what comes next run in new processes."""

    def invocations(self) -> int:
        """Invocations so far; 0 if they are not counted."""


def bound() -> float:
    """Seconds that a run may stand still after a fault, by the settings: docs/reliability.md.

    A wake-up that is lost is found when it is overdue, at the reconciler's next round; its invocation then takes time.
    """
    return SETTINGS.overdue / 1000 + PERIOD + WORKFLOW_TIMEOUT + SLACK
