"""A workflow task as a history tells of it, and what is kept in mind while the history is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from durability._core import history
from durability._core.history import Delta
from durability._core.local_retries import LocalRetries


@dataclass(frozen=True)
class LocalOutcome:
    """How a local activity ended, as its marker tells."""

    activity_id: str
    activity_type: str
    outcome: history.ActivityOutcome


@dataclass
class RecordedTask:
    """One workflow task of a history.

    Attributes:
        delta: What it consumed and decided, local activities left out.
        local_outcomes: Local activities that ended in it, in order.
        history_length: Events until it was started.
        history_size: Bytes of them, if the history tells.
        completed: Whether its decisions are part of the history; only the last task's may not be.
        drop_after_end: Whether the SDK that wrote the history left out what was decided after the end of the run.
        outcomes_win: Whether it lost cancellations that arrived together with an outcome.
    """

    delta: Delta
    local_outcomes: list[LocalOutcome] = field(default_factory=list)
    history_length: int = 0
    history_size: int = 0
    completed: bool = True
    drop_after_end: bool = False
    outcomes_win: bool = False


@dataclass
class ReaderState:
    """What is known of a run so far, while its events are read.

    Attributes:
        retries: Which events are retries of local activities.
        tasks: The workflow tasks that were completed.
        task_inputs: What the last of them consumed, with the events that told of it.
        task_queue: The task queue that the run was started on.
        activity_number: Number of the last activity.
        activities: Numbers of activities, by the events that scheduled them.
        attempts: The last start of each activity, by the same.
        timers: Numbers of timers, by their ids.
        children: Numbers of children, by the events that initiated them.
        children_by_id: The same, by workflow id.
        signals: Numbers of signals to other workflows, by the events that initiated them.
        signals_with_start: Numbers of signals-with-start, by the events that scheduled them.
        cancels: Numbers of cancellations of other workflows, by the events that initiated them.
        child_cancels: Child and count of each cancellation of a child, by the same.
    """

    retries: LocalRetries
    tasks: list[RecordedTask] = field(default_factory=list)
    task_inputs: list[tuple[int, history.Input]] = field(default_factory=list)
    task_queue: str = ""
    activity_number: int = 0
    activities: dict[int, int] = field(default_factory=dict)
    attempts: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    children: dict[int, int] = field(default_factory=dict)
    children_by_id: dict[str, int] = field(default_factory=dict)
    signals: dict[int, int] = field(default_factory=dict)
    signals_with_start: dict[int, int] = field(default_factory=dict)
    cancels: dict[int, int] = field(default_factory=dict)
    child_cancels: dict[int, tuple[int, int]] = field(default_factory=dict)
