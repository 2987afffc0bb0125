"""Retries of local activities in Temporal's histories.

When the next attempt of a local activity is far off, Temporal's SDKs end the current one with a marker that has the
time to wait, start a timer for it, and ask for the activity again when the timer fires. Timer and repetition take
numbers of their own, which user code knows nothing of: here an activity keeps its number through all its attempts.
So these events are told apart, and the numbers of all later timers and activities are put right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Final

from durability._core.event_fields import duration, is_number, json_value
from durability._core.events_view import HistoryEvent

MARKER: Final = "core_local_activity"
"""Name of the marker that the outcome of a local activity's attempt is recorded in."""


def attempt_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What the marker says of the attempt: ``seq``, ``attempt``, ``backoff`` and more."""
    data: dict[str, Any] = json_value(attributes["details"]["data"])
    return data


class LocalRetries:
    """Which events of a history are retries of local activities."""

    def __init__(self, events: Iterable[HistoryEvent]) -> None:
        """Look through the events of a history.

        Raises:
            KeyError, TypeError, ValueError: A marker has not the fields that it must have.
        """
        self._timers: dict[str, int] = {}
        self._repeated: dict[int, int] = {}
        self._waiting: dict[tuple[object, ...], int] = {}
        delays: list[tuple[int, int]] = []
        numbers: set[int] = set()
        for event in events:
            if event.name == "WorkflowTaskCompleted":
                delays.clear()
            elif event.name == "MarkerRecorded" and event.attributes["markerName"] == MARKER:
                attempt = attempt_of(event.attributes)
                numbers.add(int(attempt["seq"]))
                delays += self._read(attempt)
            elif event.name == "ActivityTaskScheduled" and is_number(event.attributes["activityId"]):
                numbers.add(int(event.attributes["activityId"]))
            elif delays and event.name == "TimerStarted":
                self._take_timer(event.attributes, delays)
        for first in self._waiting.values():
            # Cancelled while it waited: its next attempt has taken a number that is seen nowhere.
            number = next(number for number in count(first + 1) if number not in numbers)
            self._repeated[number] = first
            numbers.add(number)

    def _read(self, attempt: Mapping[str, Any]) -> list[tuple[int, int]]:
        """The delay in milliseconds, and the activity's number, of an attempt that is to be followed by another."""
        sequence, tried = int(attempt["seq"]), int(attempt.get("attempt", 1))
        scheduled = attempt.get("original_schedule_time") or {}
        activity = (attempt.get("activity_type"), scheduled.get("seconds"), scheduled.get("nanos"))
        first = self._waiting.pop((*activity, tried), None)
        if first is not None and first != sequence:
            self._repeated[sequence] = first
        backoff = attempt.get("backoff")
        if not backoff:
            return []
        self._waiting[(*activity, tried + 1)] = sequence if first is None else first
        return [(int(backoff.get("seconds", 0)) * 1000 + int(backoff.get("nanos", 0)) // 1_000_000, sequence)]

    def _take_timer(self, attributes: Mapping[str, Any], delays: list[tuple[int, int]]) -> None:
        for delay in delays:
            if delay[0] == duration(attributes, "startToFireTimeout"):
                delays.remove(delay)
                self._timers[attributes["timerId"]] = delay[1]
                return

    def delays(self, timer_id: str) -> bool:
        """Whether a timer delays a local activity."""
        return timer_id in self._timers

    def delayed_by(self, timer_id: str) -> int:
        """Number of the local activity that a timer delays."""
        return self.activity(self._timers[timer_id])

    def timer(self, number: int) -> int:
        """Number of a timer of user code, from the one that the history has."""
        return number - sum(is_number(timer) and int(timer) < number for timer in self._timers)

    def activity(self, number: int) -> int:
        """Number of an activity, from the one that the history has for an attempt of it."""
        number = self._repeated.get(number, number)
        return number - sum(repeated < number for repeated in self._repeated)
