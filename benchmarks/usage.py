"""What some work used: requests and capacity units of the table, bytes, messages, schedules, invocations.

The units are computed by ``durability._local.metering`` from the items before and after every request. The rules are
in that module, with their source; ``tests/benchmarks`` holds them against worked examples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})


@dataclass(frozen=True)
class Usage:
    """Counted, or a difference or a mean of what was counted.

    Attributes:
        operations: Requests to the table by operation.
        write_units: Write request units, index entries included.
        read_units: Read request units.
        written_bytes: Sizes of the items that were written, added up.
        read_bytes: Sizes of the items that were read, added up.
        messages: Queue messages that were delivered to a function.
        sends: Requests that put them on a queue.
        schedules: One-time schedules that were created.
        invocations: Of the functions.
    """

    operations: Counter[str] = field(default_factory=Counter)
    write_units: float = 0
    read_units: float = 0
    written_bytes: float = 0
    read_bytes: float = 0
    messages: float = 0
    sends: float = 0
    schedules: float = 0
    invocations: float = 0

    @property
    def requests(self) -> float:
        """Requests to the table."""
        return sum(self.operations.values())

    @property
    def write_requests(self) -> float:
        """Requests to the table that write."""
        return sum(count for operation, count in self.operations.items() if operation in WRITES)

    def __sub__(self, other: Usage) -> Usage:
        return self._combined(other, -1, 1)

    def __truediv__(self, divisor: float) -> Usage:
        return self._combined(Usage(), 0, divisor)

    def _combined(self, other: Usage, factor: float, divisor: float) -> Usage:
        numbers = {
            each.name: (getattr(self, each.name) + factor * getattr(other, each.name)) / divisor
            for each in fields(Usage)
            if each.name != "operations"
        }
        names = self.operations.keys() | other.operations.keys()
        # Not a Counter's own subtraction: it drops what is not positive.
        operations: Counter[str] = Counter()
        for name in names:
            operations[name] = (self.operations[name] + factor * other.operations[name]) / divisor  # type: ignore[assignment]
        return Usage(operations=operations, **numbers)


def table_usage(records: Iterable[Mapping[str, Any]]) -> Usage:
    """Add up what the backend recorded of the requests to the table.

    Args:
        records: Of ``LocalCloud.records``.
    """
    operations: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for record in records:
        if record["service"] != "dynamodb":
            continue
        operation, size = record["operation"], sum(record["item_sizes"])
        operations[operation] += 1
        totals["write_units"] += record["write_units"]
        totals["read_units"] += record["read_units"]
        totals["written_bytes" if operation in WRITES else "read_bytes"] += size
    return Usage(operations=operations, **totals)
