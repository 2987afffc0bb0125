"""Slots for what a worker runs at a time."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from durability._runtime.engine import WorkflowSlot, any_slot
from durability.common import WorkerDeploymentVersion
from durability.worker._tuning import (
    CustomSlotSupplier,
    SlotInfo,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotSupplier,
    slots_of,
)

logger = logging.getLogger("durability.worker")

_ASK_AGAIN = 1.0
"""Seconds after which a supplier is asked again that has raised an exception."""


@dataclass
class Reservation:
    """What a supplier is told; the fields are those of ``SlotReserveContext``."""

    task_queue: str
    worker_identity: str
    worker_build_id: str = ""
    worker_deployment_version: WorkerDeploymentVersion | None = None
    slot_type: Literal["workflow", "activity", "local-activity"] = "activity"
    is_sticky: bool = False


@dataclass
class _Activity:
    activity_type: str


@dataclass
class _WorkflowTask:
    workflow_type: str
    is_sticky: bool = False


class Slots(Protocol):
    """The slots of a worker's activities."""

    @property
    def free(self) -> int:
        """How many there are to take, as far as that is known."""
        ...

    def take(self, activity_type: str) -> AbstractAsyncContextManager[None]:
        """A context in which an activity of a type has a slot."""
        ...


def make_slots(supplier: SlotSupplier, reservation: Reservation) -> Slots:
    """The slots that a supplier has."""
    if isinstance(supplier, CustomSlotSupplier):
        return _Supplied(supplier, reservation)
    return _Counted(slots_of(supplier))


def workflow_slot(supplier: SlotSupplier, reservation: Reservation) -> WorkflowSlot:
    """A slot of a supplier for each workflow task. Numbers are kept by whoever takes the tasks."""
    return _Supplied(supplier, reservation).take_for_workflow if isinstance(supplier, CustomSlotSupplier) else any_slot


class _Counted:
    """So many."""

    def __init__(self, number: int) -> None:
        self.free = number
        self._semaphore = asyncio.Semaphore(number)

    @asynccontextmanager
    async def take(self, activity_type: str) -> AsyncIterator[None]:
        async with self._semaphore:
            self.free -= 1
            try:
                yield
            finally:
                self.free += 1


class _Supplied:
    """Those that a user's supplier gives."""

    free = sys.maxsize

    def __init__(self, supplier: CustomSlotSupplier, reservation: Reservation) -> None:
        self._supplier = supplier
        self._reservation = reservation

    @asynccontextmanager
    async def take(self, activity_type: str) -> AsyncIterator[None]:
        async with self._take() as use:
            use(_Activity(activity_type))
            yield

    @asynccontextmanager
    async def take_for_workflow(self) -> AsyncIterator[Callable[[str], None]]:
        async with self._take() as use:
            yield lambda workflow_type: use(_WorkflowTask(workflow_type))

    @asynccontextmanager
    async def _take(self) -> AsyncIterator[Callable[[SlotInfo], None]]:
        """A slot, and what is to be called when it is known who uses it."""
        supplier = self._supplier
        permit = await _reserve(supplier, self._reservation)
        used: SlotInfo | None = None

        def use(info: SlotInfo) -> None:
            nonlocal used
            if used is None:
                used = info
                _say(lambda: supplier.mark_slot_used(SlotMarkUsedContext(info, permit)), "mark_slot_used")

        try:
            yield use
        finally:
            _say(lambda: supplier.release_slot(SlotReleaseContext(used, permit)), "release_slot")


async def _reserve(supplier: CustomSlotSupplier, reservation: Reservation) -> SlotPermit:
    while True:
        try:
            return await supplier.reserve_slot(reservation)
        except Exception:
            logger.warning("reserve_slot of the slot supplier failed", exc_info=True)
            await asyncio.sleep(_ASK_AGAIN)


def _say(call: Callable[[], None], name: str) -> None:
    try:
        call()
    except Exception:
        logger.warning("%s of the slot supplier failed", name, exc_info=True)
