"""Activities whose effects are lines in a file, appended by processes that may die at any moment."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from typing import Any

from durability import activity

from .faults import HOME, reach

LEDGER = HOME / "ledger"
GATES = HOME / "gates"


def record(phase: str, name: str) -> None:
    """Append a line to the ledger: one write, so lines of several processes do not mix."""
    info = activity.info()
    line = {
        "workflow_id": info.workflow_id,
        "run_id": info.workflow_run_id,
        "activity_id": info.activity_id,
        "attempt": info.attempt,
        "name": name,
        "phase": phase,
        "at": time.time_ns() // 1_000_000,
        "pid": os.getpid(),
    }
    descriptor = os.open(LEDGER, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    finally:
        os.close(descriptor)


def _reach(name: str) -> None:
    workflow_id = activity.info().workflow_id
    assert workflow_id is not None
    reach(workflow_id, name)


@activity.defn
async def effect(name: str) -> str:
    record("begin", name)
    _reach(f"in {name}")
    record("end", name)
    return name


@activity.defn
def blocking_effect(name: str) -> str:
    record("begin", name)
    record("end", name)
    return name


@activity.defn
async def gate(name: str) -> str:
    """Ends when the test opens the gate."""
    record("begin", name)
    door = GATES / f"{activity.info().workflow_id}.{name}"
    while not door.exists():  # noqa: ASYNC110 - another process opens it
        await asyncio.sleep(0.01)
    record("end", name)
    return name


@activity.defn
async def progress(steps: int) -> list[int]:
    """Heartbeats after every step and goes on where the attempt before it stopped. Returns the steps that it did."""
    details = activity.info().heartbeat_details
    first = int(details[0]) if details else 0
    record("begin", "progress")
    done = []
    for step in range(first + 1, steps + 1):
        done.append(step)
        activity.heartbeat(step)
        await asyncio.sleep(0.05)
        _reach(f"step {step}")
    record("end", "progress")
    return done


@activity.defn
async def fail_at_first(name: str) -> int:
    record("begin", name)
    if activity.info().attempt < 3:
        raise RuntimeError("not yet")
    record("end", name)
    return activity.info().attempt


@activity.defn
async def hang_at_first(name: str) -> int:
    """Blocks the whole process in its first attempt, so that only the service can end it."""
    record("begin", name)
    if activity.info().attempt == 1:
        time.sleep(3600)  # noqa: ASYNC251 - it is the point
    record("end", name)
    return activity.info().attempt


@activity.defn
async def echo(text: str) -> str:
    activity.heartbeat(text)
    return text


ACTIVITIES: list[Callable[..., Any]] = [
    effect,
    blocking_effect,
    gate,
    progress,
    fail_at_first,
    hang_at_first,
    echo,
]
