"""Faults at named points of the protocol: a process is killed or stopped there, or waits for others to come.

A test arms a point by a file ``faults/<workflow id>@<point>`` in the application's folder. The points are
``<function>.<port>.<method>.before`` and ``.after``, and what activities call ``reach`` with.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from durability import Application
from durability._runtime.engine import Engine
from durability._runtime.ports import Head

HOME = Path(os.environ.get("LAMBDA_TASK_ROOT", "."))
FAULTS = HOME / "faults"
CLOCK = HOME / "clock"
"""Holds the milliseconds by which the engine's clock in the functions is ahead of the machine's."""


def reach(workflow_id: str, point: str) -> None:
    """Come to a point. Does not return if a kill is armed there; after a stop, returns when the process is continued.

    The file says what happens and how many times the point is to be passed before it does, once; or, for "meet", how
    many processes are to have come before any goes on.
    """
    marker = FAULTS / f"{workflow_id}@{point}"
    try:
        action, passes = marker.read_text().split()
    except FileNotFoundError:
        return
    if action == "meet":
        (FAULTS / f"{marker.name}.met.{os.getpid()}").touch()
        while len(list(FAULTS.glob(f"{marker.name}.met.*"))) < int(passes):
            time.sleep(0.002)
        return
    if int(passes):
        marker.write_text(f"{action} {int(passes) - 1}")
        return
    (FAULTS / f"{marker.name}.pid").write_text(str(os.getpid()))
    marker.unlink()
    os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)


class WatchedPort:
    """A port that comes to a point before and after every call."""

    def __init__(self, port: Any, name: str) -> None:
        self._port = port
        self._name = f"{os.environ.get('AWS_LAMBDA_FUNCTION_NAME', 'client').rpartition('-')[2]}.{name}"

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._port, method)

        async def watched(*arguments: Any, **options: Any) -> Any:
            workflow_id = _workflow_id(arguments[0])
            reach(workflow_id, f"{self._name}.{method}.before")
            answer = await call(*arguments, **options)
            reach(workflow_id, f"{self._name}.{method}.after")
            return answer

        return watched


def _workflow_id(argument: Any) -> str:
    if isinstance(argument, list):
        argument = argument[0]
    if isinstance(argument, Head):
        argument = argument.key
    return getattr(argument, "workflow_id", "") if not isinstance(argument, str) else ""


def ahead() -> int:
    """Milliseconds since the epoch, as far ahead as the test says."""
    try:
        shift = int(CLOCK.read_text())
    except FileNotFoundError:
        shift = 0
    return time.time_ns() // 1_000_000 + shift


class FaultyApplication(Application):
    """An application whose engine has the faults."""

    @cached_property
    def _engine(self) -> Engine:
        engine = super()._engine
        return replace(
            engine,
            store=WatchedPort(engine.store, "store"),
            queue=WatchedPort(engine.queue, "queue"),
            timers=WatchedPort(engine.timers, "timers"),
            clock=ahead,
        )
