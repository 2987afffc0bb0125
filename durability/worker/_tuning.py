"""How many tasks a worker takes at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from durability.common import WorkerDeploymentVersion


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


class SlotPermit:
    """What a ``CustomSlotSupplier`` hands out for a slot; subclasses may carry data."""


class SlotReserveContext(Protocol):
    """Who wants a slot.

    Attributes:
        slot_type: What the slot is for.
        task_queue: The worker's task queue.
        worker_identity: The worker's identity.
        worker_build_id: The worker's build id; deprecated in favour of its deployment version.
        worker_deployment_version: The worker's deployment version, if it has one.
        is_sticky: False: there are no sticky task queues.
    """

    slot_type: Literal["workflow", "activity", "local-activity"]
    task_queue: str
    worker_identity: str
    worker_build_id: str
    worker_deployment_version: WorkerDeploymentVersion | None
    is_sticky: bool


@runtime_checkable
class WorkflowSlotInfo(Protocol):
    """A workflow task that uses a slot.

    Attributes:
        workflow_type: Its workflow type.
        is_sticky: False: there are no sticky task queues.
    """

    workflow_type: str
    is_sticky: bool


@runtime_checkable
class ActivitySlotInfo(Protocol):
    """An activity that uses a slot.

    Attributes:
        activity_type: Its type.
    """

    activity_type: str


@runtime_checkable
class LocalActivitySlotInfo(Protocol):
    """A local activity that uses a slot.

    Attributes:
        activity_type: Its type.
    """

    activity_type: str


@runtime_checkable
class NexusSlotInfo(Protocol):
    """Accepted for compatibility: there is no Nexus here.

    Attributes:
        service: Unused.
        operation: Unused.
    """

    service: str
    operation: str


SlotInfo: TypeAlias = WorkflowSlotInfo | ActivitySlotInfo | LocalActivitySlotInfo | NexusSlotInfo


@dataclass(frozen=True)
class SlotMarkUsedContext:
    """A slot that is used from now on.

    Attributes:
        slot_info: What uses it.
        permit: What was handed out for it.
    """

    slot_info: SlotInfo
    permit: SlotPermit


@dataclass(frozen=True)
class SlotReleaseContext:
    """A slot that is free again.

    Attributes:
        slot_info: What used it; None if nothing did.
        permit: What was handed out for it.
    """

    slot_info: SlotInfo | None
    permit: SlotPermit


class CustomSlotSupplier(ABC):
    """Decides by itself how many tasks of a kind a worker runs at a time.

    For workflow tasks it is asked for as many at a time as there are by default.
    """

    @abstractmethod
    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Wait until a slot is free. The wait may be cancelled; other exceptions are logged, and asked again after.

        Args:
            ctx: Who wants it.

        Returns:
            What stands for the slot.
        """

    @abstractmethod
    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """Return what stands for a slot if one is free at once, None otherwise.

        Args:
            ctx: Who wants it.
        """

    @abstractmethod
    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """Called when something begins to run in a slot.

        Args:
            ctx: What, and in which slot.
        """

    @abstractmethod
    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """Called when a slot is no longer needed.

        Args:
            ctx: Which slot.
        """


SlotSupplier: TypeAlias = FixedSizeSlotSupplier | ResourceBasedSlotSupplier | CustomSlotSupplier

DEFAULT_SLOTS = 100
"""Slots of each kind where nothing is said; as in Temporal's workers."""
_RESOURCE_BASED_SLOTS = 500
"""The same for slots that go by resources."""


class WorkerTuner:
    """How many tasks of each kind a worker takes at a time. Made by the class methods."""

    _workflow_supplier: SlotSupplier
    _activity_supplier: SlotSupplier
    _local_activity_supplier: SlotSupplier

    @classmethod
    def create_fixed(
        cls,
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
        slots = (workflow_slots, activity_slots, local_activity_slots)
        return cls._make(*(FixedSizeSlotSupplier(number or DEFAULT_SLOTS) for number in slots))

    @classmethod
    def create_resource_based(
        cls,
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
        targets = ResourceBasedTunerConfig(target_memory_usage, target_cpu_usage)
        none = ResourceBasedSlotConfig()
        return cls._make(
            ResourceBasedSlotSupplier(workflow_config or none, targets),
            ResourceBasedSlotSupplier(activity_config or none, targets),
            ResourceBasedSlotSupplier(local_activity_config or none, targets),
        )

    @classmethod
    def create_composite(
        cls,
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
        return cls._make(workflow_supplier, activity_supplier, local_activity_supplier)

    @classmethod
    def _make(cls, workflow: SlotSupplier, activity: SlotSupplier, local_activity: SlotSupplier) -> WorkerTuner:
        tuner = cls()
        tuner._workflow_supplier = workflow
        tuner._activity_supplier, tuner._local_activity_supplier = activity, local_activity
        return tuner


def slots_of(supplier: SlotSupplier) -> int:
    """How many tasks are taken at a time; as many as by default where the supplier decides by itself."""
    match supplier:
        case FixedSizeSlotSupplier(num_slots=number):
            return number
        case ResourceBasedSlotSupplier(slot_config=config):
            return config.maximum_slots or _RESOURCE_BASED_SLOTS
        case _:
            return DEFAULT_SLOTS
