"""What the workflow, its activities and the outside world say to each other. Amounts are in cents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Line:
    """One article of an order."""

    sku: str
    quantity: int
    unit_price: int


@dataclass
class Order:
    """What a customer ordered; ``order.json`` is one."""

    id: str
    customer: str
    address: str
    lines: list[Line]
    currency: str = "EUR"

    @property
    def total(self) -> int:
        """What the customer pays."""
        return sum(line.quantity * line.unit_price for line in self.lines)


@dataclass
class Reservation:
    """Stock set aside for one line."""

    key: str
    sku: str
    quantity: int


@dataclass
class Charge:
    """Money to take from a customer."""

    key: str
    customer: str
    amount: int
    currency: str


@dataclass
class Picking:
    """What the warehouse is asked to take from its shelves; its report will name the reference."""

    key: str
    reference: str
    lines: list[Line]


@dataclass
class PickingReport:
    """The body of the warehouse's webhook: ``status`` is ``"picked"``, or ``"short"`` when something is missing."""

    reference: str
    status: str
    parcels: int = 0


@dataclass
class Shipment:
    """Parcels for the carrier."""

    key: str
    address: str
    parcels: int


@dataclass
class OrderStatus:
    """The answer to the ``status`` query."""

    stage: str
    reports: int
    undone: list[str]


@dataclass
class Receipt:
    """The result of a fulfilled order."""

    order_id: str
    amount: int
    currency: str
    charge_id: str
    tracking: str
