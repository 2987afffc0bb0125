"""What took effect, in the order in which it did: written by the table and by activities, read by the checks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from durability._aws import items
from durability._runtime.frontend import Status
from durability._runtime.ports import ActivityAttempt
from durability._simulation.expressions import Item
from durability._simulation.table import Key

_DELTA: Final = re.compile(r"([0-9a-f-]{36})#(\d{10})")


@dataclass(frozen=True)
class Appended:
    partition: str
    run_id: str
    sequence: int
    process: int
    time: float


@dataclass(frozen=True)
class Changed:
    """History that was written once is written again, or gone."""

    key: Key


@dataclass(frozen=True)
class Created:
    partition: str
    run_id: str
    request_id: str
    time: float


@dataclass(frozen=True)
class Closed:
    partition: str
    run_id: str
    status: Status
    time: float


@dataclass(frozen=True)
class Accepted:
    """A message was put into an inbox."""

    partition: str
    run_id: str
    name: str
    time: float


@dataclass(frozen=True)
class Sent:
    attempt: ActivityAttempt


@dataclass(frozen=True)
class Begun:
    run_id: str
    activity_id: str
    attempt: int
    time: float = field(compare=False)


@dataclass(frozen=True)
class Ended:
    run_id: str
    activity_id: str
    attempt: int


Entry = Appended | Changed | Created | Closed | Accepted | Sent | Begun | Ended


@dataclass
class Log:
    """The entries, and where their time and process come from."""

    entries: list[Entry] = field(default_factory=list)
    time: Callable[[], float] = lambda: 0.0
    process: Callable[[], int] = lambda: 0
    _laid: dict[int, str] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Note something."""
        self.entries.append(entry)

    def wrote(self, key: Key, before: Item | None, after: Item | None) -> None:
        """Observe the table."""
        match = _DELTA.fullmatch(key[1])
        if match is not None:
            if before is not None or after is None:
                self.add(Changed(key))
            else:
                self.add(Appended(key[0], match[1], int(match[2]), self.process(), self.time()))
        elif key[1].startswith("INBOX#") and after is not None:
            self._laid[self.process()] = after["name"]["S"]
        elif key[1] == items.HEAD and after is not None:
            self._head(key[0], before, after)

    def _head(self, partition: str, before: Item | None, after: Item) -> None:
        run_id, time = after["run_id"]["S"], self.time()
        status = Status(int(after["status"]["N"]))
        known: Any = {}
        if before is None:
            self.add(Created(partition, run_id, after["request_id"]["S"], time))
        elif before["run_id"] != after["run_id"]:
            if Status(int(before["status"]["N"])) == Status.RUNNING:
                self.add(Closed(partition, before["run_id"]["S"], Status.CONTINUED_AS_NEW, time))
                self.add(Created(partition, run_id, f"after:{before['run_id']['S']}", time))
            else:
                self.add(Created(partition, run_id, after["request_id"]["S"], time))
        else:
            known = before["inbox"]["M"]
            if status != Status.RUNNING and before["status"] != after["status"]:
                self.add(Closed(partition, run_id, status, time))
            if before["counter"] != after["counter"] and items.APART in after and self.process() in self._laid:
                self.add(Accepted(partition, run_id, self._laid.pop(self.process()), time))
        for name in after["inbox"]["M"]:
            if name not in known:
                self.add(Accepted(partition, run_id, name, time))
