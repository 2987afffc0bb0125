"""How many tasks a worker takes at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias


@dataclass(frozen=True)
class PollerBehaviorSimpleMaximum:
    """Accepted for compatibility: tasks are handed to workers, nothing polls.

    Attributes:
        maximum: Most polls at a time.
    """

    maximum: int = 5


@dataclass(frozen=True)
class PollerBehaviorAutoscaling:
    """Accepted for compatibility: tasks are handed to workers, nothing polls.

    Attributes:
        minimum: Fewest polls at a time.
        maximum: Most polls at a time.
        initial: Polls to begin with.
    """

    minimum: int = 1
    maximum: int = 100
    initial: int = 5


PollerBehavior: TypeAlias = PollerBehaviorSimpleMaximum | PollerBehaviorAutoscaling


@dataclass(frozen=True)
class FixedSizeSlotSupplier:
    """A fixed number of tasks at a time.

    Attributes:
        num_slots: How many.
    """

    num_slots: int


@dataclass(frozen=True)
class ResourceBasedTunerConfig:
    """Accepted for compatibility.

    Attributes:
        target_memory_usage: Share of the memory, from 0 to 1.
        target_cpu_usage: Share of the processor, from 0 to 1.
    """

    target_memory_usage: float
    target_cpu_usage: float


@dataclass(frozen=True)
class ResourceBasedSlotConfig:
    """Bounds of a number of slots.

    Attributes:
        minimum_slots: Fewest slots.
        maximum_slots: Most slots; this many are used.
        ramp_throttle: Accepted for compatibility.
    """

    minimum_slots: int | None = None
    maximum_slots: int | None = None
    ramp_throttle: timedelta | None = None


@dataclass(frozen=True)
class ResourceBasedSlotSupplier:
    """As many tasks at a time as its configuration's maximum says: resources are not measured.

    Attributes:
        slot_config: Bounds.
        tuner_config: Accepted for compatibility.
    """

    slot_config: ResourceBasedSlotConfig
    tuner_config: ResourceBasedTunerConfig


SlotSupplier: TypeAlias = FixedSizeSlotSupplier | ResourceBasedSlotSupplier

DEFAULT_SLOTS = 100
"""Slots of each kind where nothing is said; as in Temporal's workers."""
_RESOURCE_BASED_ACTIVITIES = 500


class WorkerTuner:
    """How many tasks of each kind a worker takes at a time. Made by the static methods."""

    def __init__(self, workflow_slots: int, activity_slots: int, local_activity_slots: int) -> None:
        """Not for users: see the static methods."""
        self._workflow_slots = workflow_slots
        self._activity_slots = activity_slots
        self._local_activity_slots = local_activity_slots

    @staticmethod
    def create_fixed(
        *,
        workflow_slots: int | None = None,
        activity_slots: int | None = None,
        local_activity_slots: int | None = None,
        nexus_slots: int | None = None,
    ) -> WorkerTuner:
        """A tuner with fixed numbers, each 100 by default.

        Args:
            workflow_slots: Most workflow tasks at a time.
            activity_slots: Most activities at a time.
            local_activity_slots: Most local activities at a time.
            nexus_slots: Accepted for compatibility.
        """
        return WorkerTuner(
            workflow_slots or DEFAULT_SLOTS, activity_slots or DEFAULT_SLOTS, local_activity_slots or DEFAULT_SLOTS
        )

    @staticmethod
    def create_resource_based(
        *,
        target_memory_usage: float,
        target_cpu_usage: float,
        workflow_config: ResourceBasedSlotConfig | None = None,
        activity_config: ResourceBasedSlotConfig | None = None,
        local_activity_config: ResourceBasedSlotConfig | None = None,
        nexus_config: ResourceBasedSlotConfig | None = None,
    ) -> WorkerTuner:
        """A tuner that goes by the maximum of each configuration: resources are not measured.

        Args:
            target_memory_usage: Accepted for compatibility.
            target_cpu_usage: Accepted for compatibility.
            workflow_config: For workflow tasks.
            activity_config: For activities.
            local_activity_config: For local activities.
            nexus_config: Accepted for compatibility.
        """
        none = ResourceBasedSlotConfig()
        return WorkerTuner(
            (workflow_config or none).maximum_slots or DEFAULT_SLOTS,
            (activity_config or none).maximum_slots or _RESOURCE_BASED_ACTIVITIES,
            (local_activity_config or none).maximum_slots or _RESOURCE_BASED_ACTIVITIES,
        )

    @staticmethod
    def create_composite(
        *,
        workflow_supplier: SlotSupplier,
        activity_supplier: SlotSupplier,
        local_activity_supplier: SlotSupplier,
        nexus_supplier: SlotSupplier,
    ) -> WorkerTuner:
        """A tuner put together from suppliers.

        Args:
            workflow_supplier: For workflow tasks.
            activity_supplier: For activities.
            local_activity_supplier: For local activities.
            nexus_supplier: Accepted for compatibility.
        """
        return WorkerTuner(_slots(workflow_supplier), _slots(activity_supplier), _slots(local_activity_supplier))


def _slots(supplier: SlotSupplier) -> int:
    if isinstance(supplier, FixedSizeSlotSupplier):
        return supplier.num_slots
    return supplier.slot_config.maximum_slots or DEFAULT_SLOTS
