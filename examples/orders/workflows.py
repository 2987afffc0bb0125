"""The order workflow: ordinary asyncio code that runs to its end, whatever crashes, sleeps or restarts in between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from durability import workflow
from durability.common import RetryPolicy
from durability.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from examples.orders import activities
    from examples.orders.model import (
        Charge,
        Order,
        OrderStatus,
        Picking,
        PickingReport,
        Receipt,
        Reservation,
        Shipment,
    )

PICKING_DEADLINE = timedelta(days=3)
PACKING_TIME = timedelta(seconds=2)
STEP_LIMIT = timedelta(seconds=6)

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")


@workflow.defn
class OrderWorkflow:
    """Reserves stock, charges, waits for the warehouse and ships; undoes it all when a step fails for good."""

    @workflow.init
    def __init__(self, order: Order) -> None:
        self._order = order
        self._key = workflow.info().workflow_id
        self._stage = "received"
        self._report: PickingReport | None = None
        self._reports = 0
        self._compensations: list[tuple[Callable[[Any], Awaitable[None]], Any]] = []
        self._undone: list[str] = []

    @workflow.run
    async def run(self, order: Order) -> Receipt:
        """Fulfil the order, or leave nothing behind."""
        try:
            return await self._fulfil()
        except (FailureError, asyncio.CancelledError):
            await self._compensate()
            raise

    @workflow.signal
    def picking_reported(self, report: PickingReport) -> None:
        """The warehouse's webhook arrives here."""
        self._report = report
        self._reports += 1

    @workflow.query
    def status(self) -> OrderStatus:
        """Where the order stands."""
        return OrderStatus(self._stage, self._reports, self._undone)

    async def _fulfil(self) -> Receipt:
        order = self._order

        self._stage = "reserving"
        await self._reserve_stock()

        self._stage = "charging"
        charge = Charge(f"{self._key}/charge", order.customer, order.total, order.currency)
        charge_id = await self._step(activities.charge_customer, charge, undo=activities.refund_customer)

        self._stage = "picking"
        picking = Picking(f"{self._key}/picking", self._key, order.lines)
        await self._step(activities.request_picking, picking, undo=activities.cancel_picking)
        parcels = await self._wait_for_warehouse()

        self._stage = "packing"
        await workflow.sleep(PACKING_TIME)

        self._stage = "shipping"
        shipment = Shipment(f"{self._key}/shipment", order.address, parcels)
        tracking = await self._step(activities.ship, shipment, undo=activities.recall_shipment)

        self._stage = "shipped"
        return Receipt(order.id, order.total, order.currency, charge_id, tracking)

    async def _reserve_stock(self) -> None:
        """Reserve every line at once. All of them must have ended before any of them can be undone."""
        outcomes = await asyncio.gather(
            *(
                self._step(
                    activities.reserve_stock,
                    Reservation(f"{self._key}/stock/{number}", line.sku, line.quantity),
                    undo=activities.release_stock,
                )
                for number, line in enumerate(self._order.lines, start=1)
            ),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _wait_for_warehouse(self) -> int:
        """Sleep until the webhook comes, which costs nothing however long it takes."""
        try:
            await workflow.wait_condition(lambda: self._report is not None, timeout=PICKING_DEADLINE)
        except TimeoutError:
            raise ApplicationError("the warehouse has not answered in time", type="WarehouseSilent") from None
        assert self._report is not None
        if self._report.status != "picked":
            raise ApplicationError("the warehouse could not pick the order", type="PickedShort")
        return self._report.parcels

    async def _step(
        self,
        step: Callable[[RequestT], Awaitable[ReplyT]],
        request: RequestT,
        undo: Callable[[RequestT], Awaitable[None]] | None = None,
    ) -> ReplyT:
        """Run an activity. Its compensation is noted first: a step that failed may have had its effect all the same."""
        if undo is not None:
            self._compensations.append((undo, request))
        return await workflow.execute_activity(
            step,
            request,
            start_to_close_timeout=STEP_LIMIT,
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=10),
            # A cancelled step is waited for, so that it cannot take effect after it was undone.
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )

    async def _compensate(self) -> None:
        """Undo in reverse order. One that fails for good must not keep the others from running."""
        self._stage = "undoing"
        while self._compensations:
            undo, request = self._compensations.pop()
            try:
                await workflow.execute_activity(undo, request, start_to_close_timeout=STEP_LIMIT)
                self._undone.append(request.key)
            except ActivityError:
                workflow.logger.exception("could not undo %s", request.key)
        self._stage = "undone"
