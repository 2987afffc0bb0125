"""What each workflow of the soak was told, and what must therefore have become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from examples.orders.services import Books, Entry

from .application import ROUNDS


class Plot(StrEnum):
    """What happens to an order."""

    FULFILLED = "fulfilled"
    SHORT = "the warehouse cannot pick it"
    DECLINED = "the card is declined"
    CANCELLED = "cancelled"


@dataclass
class Outcome:
    """How a workflow ended, as the HTTP API tells it.

    Args:
        status: for instance ``completed``.
        result: what it returned.
        failure: what it failed with.
        attempts: the number of the last attempt of each activity, by the idempotency key that it was given.
    """

    status: str
    result: Any = None
    failure: str = ""
    attempts: dict[str, int] = field(default_factory=dict)


@dataclass
class OrderStory:
    """An order.

    Args:
        workflow_id: of its workflow.
        plot: what is to happen to it.
        order: what was ordered, as JSON.
        parcels: what the warehouse reports.
        acknowledged: whether its sender was told that it has been started.
    """

    workflow_id: str
    plot: Plot
    order: dict[str, Any]
    parcels: int
    acknowledged: bool = False
    children: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """What the customer pays."""
        return sum(line["quantity"] * line["unit_price"] for line in self.order["lines"])

    def problems(self, outcome: Outcome, books: Books) -> list[str]:
        """What is wrong with how it ended; nothing, if all is well."""
        allowed = {
            Plot.FULFILLED: {"completed"},
            Plot.SHORT: {"failed"},
            Plot.DECLINED: {"failed"},
            # A cancellation may come when there is nothing left to cancel, or while an attempt is about to fail: then
            # that is what the workflow hears, as in Temporal.
            Plot.CANCELLED: {"canceled", "completed", "failed"},
        }[self.plot]
        found = []
        if outcome.status not in allowed:
            found.append(f"has {outcome.status} ({outcome.failure}), not {' or '.join(sorted(allowed))}")
        if outcome.status == "completed":
            found += self._problems_of_fulfilment(outcome, books)
        else:
            found += self._problems_of_undoing(books)
        return found + too_often(self.workflow_id, outcome, books)

    def entry(self, books: Books, kind: str, key: str) -> Entry | None:
        """An effect of this order."""
        return books.entries.get((kind, f"{self.workflow_id}/{key}"))

    def _problems_of_fulfilment(self, outcome: Outcome, books: Books) -> list[str]:
        found = []
        charge = self.entry(books, "charges", "charge")
        shipment = self.entry(books, "shipments", "shipment")
        if charge is None or charge.request["amount"] != self.total:
            found.append(f"{LOST}: completed without its charge of {self.total}")
        if self.entry(books, "refunds", "charge"):
            found.append(f"{LOST}: completed and refunded")
        if shipment is None or shipment.request["parcels"] != self.parcels:
            found.append(f"completed without its shipment of {self.parcels} parcels")
        expected = {
            "order_id": self.order["id"],
            "amount": self.total,
            "currency": self.order["currency"],
            "charge_id": charge and charge.id,
            "tracking": shipment and shipment.id,
        }
        if outcome.result != expected:
            found.append(f"its result is {outcome.result}, not {expected}")
        return found

    def _problems_of_undoing(self, books: Books) -> list[str]:
        found = []
        if self.entry(books, "charges", "charge") and not self.entry(books, "refunds", "charge"):
            found.append(f"{KEPT}: charged and not refunded")
        for number in range(1, len(self.order["lines"]) + 1):
            key = f"stock/{number}"
            if self.entry(books, "reservations", key) and not self.entry(books, "releases", key):
                found.append(f"line {number} is still reserved")
        if self.entry(books, "pickings", "picking") and not self.entry(books, "cancellations", "picking"):
            found.append("its picking was not cancelled")
        if self.entry(books, "shipments", "shipment") and not self.entry(books, "recalls", "shipment"):
            found.append("its shipment was not recalled")
        return found


@dataclass
class CollectorStory:
    """A collector.

    Args:
        workflow_id: of its workflow.
        signals: the numbers that it was sent, and whether the sender was told that they were taken; in order.
        updates: likewise.
        acknowledged: whether its sender was told that it has been started.
    """

    workflow_id: str
    signals: dict[int, bool] = field(default_factory=dict)
    updates: dict[int, bool] = field(default_factory=dict)
    acknowledged: bool = False

    @property
    def children(self) -> tuple[str, ...]:
        """Ids of the workflows that it starts."""
        return tuple(f"{self.workflow_id}-{number}" for number in range(1, ROUNDS + 1))

    def problems(self, outcome: Outcome, books: Books) -> list[str]:
        """What is wrong with how it ended; nothing, if all is well."""
        if outcome.status != "completed":
            return [f"has {outcome.status} ({outcome.failure}), not completed"]
        keys = [f"{self.workflow_id}/{number}" for number in range(1, ROUNDS + 1)]
        shipments = [books.entries.get(("shipments", key)) for key in keys]
        found = []
        if outcome.result["rounds"] != ROUNDS:
            found.append(f"made {outcome.result['rounds']} rounds, not {ROUNDS}")
        if outcome.result["tracking"] != [shipment and shipment.id for shipment in shipments]:
            found.append(f"has tracking {outcome.result['tracking']}, not that of {shipments}")
        found += _heard("signals", self.signals, outcome.result["signals"])
        # An update id belongs to one run, as in Temporal: one that was sent again may come once more in the next run.
        updates = dict.fromkeys((number, run_id) for number, run_id in outcome.result["updates"])
        if len(updates) < len(outcome.result["updates"]):
            found.append(f"updates came twice in one run: {outcome.result['updates']}")
        found += _heard("updates", self.updates, list(dict.fromkeys(number for number, _ in updates)))
        return found + too_often(self.workflow_id, outcome, books)


Story = OrderStory | CollectorStory
LOST = "charge lost"
TWICE = "charged twice"
KEPT = "charge kept"


def _heard(what: str, sent: Mapping[int, bool], taken: list[int]) -> list[str]:
    """Each number that was acknowledged once and in order, each other at most once."""
    found = []
    missing = [number for number, acknowledged in sent.items() if acknowledged and number not in taken]
    if missing:
        found.append(f"acknowledged {what} are lost: {missing}")
    if len(set(taken)) < len(taken):
        found.append(f"{what} came twice: {taken}")
    if unknown := set(taken) - set(sent):
        found.append(f"{what} that nobody sent: {sorted(unknown)}")
    in_order = [number for number in taken if sent.get(number)]
    if in_order != sorted(in_order):
        found.append(f"{what} came out of order: {taken}")
    return found


def too_often(workflow_id: str, outcome: Outcome, books: Books) -> list[str]:
    """No activity had its effect asked for more often than there were attempts at it; and one charge only."""
    found = []
    mine = [entry for (_, key), entry in list(books.entries.items()) if key.startswith(f"{workflow_id}/")]
    charges = [entry.key for entry in mine if entry.kind == "charges"]
    if len(charges) > 1:
        found.append(f"{TWICE}: {charges}")
    for entry in mine:
        name = f"{entry.kind} {entry.key}"
        attempts = outcome.attempts.get(name)
        if attempts is not None and entry.requests > attempts:
            found.append(f"{name} was asked for {entry.requests} times in {attempts} attempts")
    return found
