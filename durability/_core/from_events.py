"""From Temporal's events back to workflow tasks: the inverse of ``events_view``, for replaying.

Every event belongs to a workflow task. What happened to the run until the task was started are its inputs; the events
that follow its completion and name it are its commands. Attempts of tasks that failed or timed out leave nothing
behind: their inputs are consumed by the attempt that completed.

Numbers that events do not have (which child, which signal) follow from the order; ids of timers and activities that
are numbers are the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from durability._core import history
from durability._core.events_json import UNREADABLE
from durability._core.events_view import HistoryEvent
from durability._core.history import FORMAT, Delta
from durability._core.local_retries import LocalRetries
from durability._core.read_commands import COMMANDS, CommandReader
from durability._core.read_inputs import INPUTS, InputReader
from durability._core.recorded_task import RecordedTask

_MOVES_ENDS_LAST: Final = 3
"""Flag of Temporal's core: what is decided after the end of a run goes before it. SDKs before it dropped that."""
_RAISES_CANCELLATIONS: Final = 1
"""Flag of Temporal's Python SDK: a cancellation that arrives together with an activity's outcome is raised."""


def recorded_tasks(events: Iterable[HistoryEvent]) -> list[RecordedTask]:
    """The workflow tasks of a history.

    Raises:
        ValueError: The history does not begin with the start of a workflow, or has an event that refers to nothing or
            has not the fields of its type.
    """
    events = list(events)
    try:
        reader = _Reader(LocalRetries(events))
    except UNREADABLE as error:
        raise ValueError(f"a marker of a local activity cannot be read: {error}") from error
    for event in events:
        try:
            reader.read(event)
        except KeyError as error:
            raise ValueError(f"the history is not whole: nothing has been told of {error}") from error
        except UNREADABLE as error:
            raise ValueError(f"event {event.event_id} of the history ({event.name}) cannot be read: {error}") from error
    return reader.finish()


class _Reader(InputReader, CommandReader):
    """Reads the events of one run, one after the other."""

    def __init__(self, retries: LocalRetries) -> None:
        super().__init__(retries)
        self._inputs: list[tuple[int, history.Input]] = []
        self._started: tuple[int, int] | None = None
        self._history_size = 0
        self._suggests = False
        self._core_flags: set[int] = set()
        self._sdk_flags: set[int] = set()

    def read(self, event: HistoryEvent) -> None:
        """Take one event in."""
        name, attributes = event.name, event.attributes
        if not self.tasks and not self._inputs and name != "WorkflowExecutionStarted":
            raise ValueError(f"a history begins with WorkflowExecutionStarted, not with {name}")
        if name == "WorkflowTaskStarted":
            self._started = (event.event_id, event.time)
            self._history_size = int(attributes.get("historySizeBytes", 0))
            self._suggests = bool(attributes.get("suggestContinueAsNew"))
        elif name == "WorkflowTaskCompleted":
            self._complete(attributes)
        elif (read_command := COMMANDS.get(name)) is not None:
            command = read_command(self, event)
            if command is not None:
                self.tasks[-1].delta.commands.append(command)
        elif (read_input := INPUTS.get(name)) is not None:
            message = read_input(self, event)
            if message is not None:
                self._inputs.append((event.event_id, message))
        elif name == "ActivityTaskStarted":
            self.attempts[int(attributes["scheduledEventId"])] = {**attributes, "time": event.time}

    def finish(self) -> list[RecordedTask]:
        """All tasks; what nobody has consumed is one that was not completed."""
        if self._inputs:
            length, time = self._started or (self._inputs[-1][0], self._inputs[-1][1].time)
            inputs = [message for _, message in self._inputs]
            self.tasks.append(RecordedTask(Delta(FORMAT, time, inputs, []), history_length=length, completed=False))
        return self.tasks

    def _complete(self, attributes: Mapping[str, Any]) -> None:
        length, time = self._started or (0, 0)
        self.task_inputs, self._inputs = self._inputs, []
        inputs = [message for _, message in self.task_inputs]
        build = attributes.get("workerVersion", {}).get("buildId", "")
        identity, suggests = attributes.get("identity", ""), self._suggests
        delta = Delta(FORMAT, time, inputs, [], build, identity, suggests_continue_as_new=suggests)
        metadata = attributes.get("sdkMetadata", {})
        self._core_flags.update(metadata.get("coreUsedFlags", ()))
        self._sdk_flags.update(metadata.get("langUsedFlags", ()))
        self.tasks.append(
            RecordedTask(
                delta,
                history_length=length,
                history_size=self._history_size,
                drop_after_end=_MOVES_ENDS_LAST not in self._core_flags,
                outcomes_win=_RAISES_CANCELLATIONS not in self._sdk_flags,
            )
        )
