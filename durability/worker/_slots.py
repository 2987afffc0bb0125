"""Slots for the activities that a worker runs at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from durability.common import WorkerDeploymentVersion
from durability.worker._tuning import (
    CustomSlotSupplier,
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


Slots = Callable[[str], AbstractAsyncContextManager[None]]
"""Given an activity type, a context in which it has a slot."""


def make_slots(supplier: SlotSupplier, reservation: Reservation) -> Slots:
    """The slots that a supplier has."""
    if isinstance(supplier, CustomSlotSupplier):
        return _supplied(supplier, reservation)
    semaphore = asyncio.Semaphore(slots_of(supplier))

    @asynccontextmanager
    async def take(activity_type: str) -> AsyncIterator[None]:
        async with semaphore:
            yield

    return take


def _supplied(supplier: CustomSlotSupplier, reservation: Reservation) -> Slots:
    @asynccontextmanager
    async def take(activity_type: str) -> AsyncIterator[None]:
        permit = await _reserve(supplier, reservation)
        used = _Activity(activity_type)
        try:
            _say(lambda: supplier.mark_slot_used(SlotMarkUsedContext(used, permit)), "mark_slot_used")
            yield
        finally:
            _say(lambda: supplier.release_slot(SlotReleaseContext(used, permit)), "release_slot")

    return take


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
