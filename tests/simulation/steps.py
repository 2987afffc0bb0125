"""What may happen next in a stepped world, and which of it commutes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from durability._aws import items
from durability._runtime.ports import WorkflowKey
from durability._simulation.table import Item, Key
from durability._simulation.world import NAMESPACE

_HEADS: Final = (items.ATTENTION_INDEX, items.HEAD)


class Fate(Enum):
    """What becomes of a request. A crash after one is a crash before the next, or before the end of its process."""

    DONE = "done"
    CRASH = "crash"
    LOST = "answer lost"
    TWICE = "delivered twice"


@dataclass(frozen=True)
class Footprint:
    """Which items a request reads and writes; a sort key of ``*`` stands for a whole partition."""

    reads: frozenset[Key] = frozenset()
    writes: frozenset[Key] = frozenset()

    @property
    def nothing(self) -> bool:
        """Whether it touches nothing that another request could."""
        return not self.reads and not self.writes

    def meets(self, other: Footprint) -> bool:
        """Whether it matters which of two comes first."""
        pairs = [(self.writes, other.writes), (self.writes, other.reads), (self.reads, other.writes)]
        return any(_overlap(a, b) for ours, theirs in pairs for a in ours for b in theirs)


def _overlap(a: Key, b: Key) -> bool:
    return a[0] == b[0] and (a[1] == b[1] or "*" in (a[1], b[1]))


NOTHING: Final = Footprint()
CONTAINERS: Final = Footprint(writes=frozenset({("containers", "*")}))


@dataclass(frozen=True)
class Step:
    """Something that may happen next; without a request, time passes.

    Attributes:
        name: For whoever reads a finding.
        request: Which request; equal for those that differ in names alone.
        process: The same for its process.
        footprint: What happens to touch.
        fate: What becomes of the request.
    """

    name: str = field(compare=False)
    request: str = ""
    process: str = ""
    footprint: Footprint = field(default=NOTHING, compare=False)
    fate: Fate = Fate.DONE

    @property
    def key(self) -> str:
        """Names the step in all orders of events."""
        return f"{self.request} {self.fate.value}"

    def commutes(self, other: Step) -> bool:
        """Whether the two lead to the same state in either order."""
        if not self.process or not other.process or self.process == other.process:
            return False
        if self.fate is not Fate.DONE and other.fate is not Fate.DONE:
            return False
        return not self.footprint.meets(other.footprint)


TIME: Final = Step("time passes")


@dataclass(frozen=True)
class Bounds:
    """How much may go wrong.

    Attributes:
        faults: How many, of the kinds in ``kinds``.
        jumps: How often time may pass while requests wait.
        retry_after: Seconds after which a client that died tries again.
        warm: Whether a container serves one invocation after another.
        executors: How many wake-ups are served at a time; 0 for all that there are.
    """

    faults: int = 0
    kinds: tuple[Fate, ...] = (Fate.CRASH,)
    jumps: int = 0
    retry_after: float = 0.0
    warm: bool = False
    executors: int = 0


def footprint_of(service: str, operation: str, parameters: dict[str, Any]) -> Footprint:
    """What a request reads and writes. Messages go into a bag: nothing that others do changes with them."""
    if service == "scheduler":
        return Footprint(writes=frozenset({("schedule", parameters["Name"])}))
    if service != "dynamodb":
        return NOTHING
    if operation == "get_item":
        return Footprint(reads=frozenset({_key(parameters["Key"])}))
    if operation == "query":
        values = parameters["ExpressionAttributeValues"]
        if "IndexName" not in parameters:
            partition = next(value["S"] for value in values.values() if value.get("S", "").startswith(f"{NAMESPACE}#"))
            return Footprint(reads=frozenset({(partition, "*")}))
        mine = values.get(":shard") == {"S": items.attention_shard(WorkflowKey(NAMESPACE, "w"))}
        return Footprint(reads=frozenset({_HEADS}) if mine else frozenset())
    if operation == "transact_write_items":
        keys = {_key(entry["Put"]["Item"]) for entry in parameters["TransactItems"]}
    elif operation == "batch_write_item":
        [requests] = parameters["RequestItems"].values()
        keys = {_key(*(p.get("Key") or p["Item"] for p in request.values())) for request in requests}
    else:
        keys = {_key(parameters["Key"] if "Key" in parameters else parameters["Item"])}
    if any(sort == items.HEAD for _, sort in keys):
        keys |= {_HEADS}
    return Footprint(writes=frozenset(keys))


def _key(item: Item) -> Key:
    return item[items.PARTITION]["S"], item[items.SORT]["S"]
