"""Payloads that applications keep in a storage of their own, with a reference in their place."""

from __future__ import annotations

import asyncio
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec

from durability._core.payload import ExternalPayloadDetails, Payload

_T = TypeVar("_T")

_ENCODING: Final = b"json/protobuf"
_MESSAGE_TYPE: Final = b"temporal.api.sdk.v1.ExternalStorageReference"
_LEGACY_ENCODING: Final = b"json/external-storage-reference"
_SEPARATELY_ENCODED: Final = "__temporal_external_storage_reference"
"""Metadata of references that have gone through the codec themselves: written by later SDKs of Temporal's."""


@dataclass(frozen=True)
class StorageDriverClaim:
    """What a driver needs to find a payload again.

    Attributes:
        claim_data: Whatever the driver wants to be given.
    """

    claim_data: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class StorageDriverWorkflowInfo:
    """The workflow that a payload is stored for.

    Attributes:
        namespace: Its namespace.
        id: Its id, if known.
        run_id: Its run id, if known.
        type: Its type, if known.
    """

    namespace: str
    id: str | None = None
    run_id: str | None = None
    type: str | None = None


@dataclass(frozen=True, kw_only=True)
class StorageDriverActivityInfo:
    """The activity that a payload is stored for, where no workflow is.

    Attributes:
        namespace: Its namespace.
        id: Its id, if known.
        run_id: Its run id; standalone activities only.
        type: Its type, if known.
    """

    namespace: str
    id: str | None = None
    run_id: str | None = None
    type: str | None = None


@dataclass(frozen=True)
class StorageDriverStoreContext:
    """What a driver may know of the payloads that it stores.

    Attributes:
        target: Whom they are for: a child that is started, a workflow that is signalled; otherwise the workflow
            or activity at hand.
    """

    target: StorageDriverActivityInfo | StorageDriverWorkflowInfo | None = None


@dataclass(frozen=True)
class StorageDriverSelectContext:
    """What a selector of drivers may know of a payload.

    Attributes:
        target: See ``StorageDriverStoreContext``.
    """

    target: StorageDriverActivityInfo | StorageDriverWorkflowInfo | None = None


@dataclass(frozen=True)
class StorageDriverRetrieveContext:
    """What a driver may know of the payloads that it retrieves: nothing yet."""


class StorageDriver(ABC):
    """Stores payloads somewhere and finds them again."""

    @abstractmethod
    def name(self) -> str:
        """Name of this instance, unique in its ``ExternalStorage``; references hold it."""

    def type(self) -> str:
        """Name of this kind of driver; by default that of the class."""
        return type(self).__name__

    @abstractmethod
    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """Store payloads, which have been through the codec.

        Args:
            context: What is known of them.
            payloads: The payloads.

        Returns:
            A claim for each.
        """

    @abstractmethod
    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """Find payloads again.

        Args:
            context: What is known of them.
            claims: What ``store`` returned.

        Returns:
            A payload for each claim.
        """


class StorageWarning(RuntimeWarning):
    """Something about external storage is not as it should be."""


class _Reference(msgspec.Struct, rename="camel"):
    driver_name: str
    claim_data: dict[str, str] = {}


class _LegacyReference(msgspec.Struct):
    driver_name: str
    driver_claim: _LegacyClaim


class _LegacyClaim(msgspec.Struct):
    claim_data: dict[str, str] = {}


@dataclass(frozen=True)
class ExternalStorage:
    """Which payloads are stored externally, and by which drivers.

    The engine keeps large payloads in a bucket by itself; this is for storages of an application's own.

    Attributes:
        drivers: At least one, with different names.
        driver_selector: Chooses the driver of a payload, or None to leave it where it is. Required with more
            than one driver; otherwise that one stores every payload that is large enough.
        payload_size_threshold: Bytes of a serialized payload from which on it may be stored externally.
    """

    drivers: Sequence[StorageDriver]
    driver_selector: Callable[[StorageDriverSelectContext, Payload], StorageDriver | None] | None = None
    payload_size_threshold: int = 256 * 1024
    _by_name: dict[str, StorageDriver] = field(init=False, repr=False, compare=False)
    _context: StorageDriverStoreContext = field(
        default=StorageDriverStoreContext(), init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Check the drivers. Raises ValueError."""
        if not self.drivers:
            raise ValueError("ExternalStorage.drivers must contain at least one driver.")
        if self.payload_size_threshold < 0:
            raise ValueError("ExternalStorage.payload_size_threshold must be greater than or equal to zero.")
        if len(self.drivers) > 1 and self.driver_selector is None:
            raise ValueError("ExternalStorage.driver_selector must be specified if multiple drivers are registered.")
        by_name: dict[str, StorageDriver] = {}
        for driver in self.drivers:
            if driver.name() in by_name:
                raise ValueError(
                    f"ExternalStorage.drivers contains multiple drivers with name '{driver.name()}'. "
                    "Each driver must have a unique name."
                )
            by_name[driver.name()] = driver
        object.__setattr__(self, "_by_name", by_name)

    def _for_target(self, target: StorageDriverActivityInfo | StorageDriverWorkflowInfo) -> ExternalStorage:
        """The same storage, for payloads of ``target``."""
        bound = dataclasses.replace(self)
        object.__setattr__(bound, "_context", StorageDriverStoreContext(target))
        return bound

    async def _store(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Payloads with references in place of those that are stored externally."""
        chosen = [self._choose(payload) for payload in payloads]
        if not any(chosen):
            return list(payloads)

        async def store(driver: StorageDriver, given: list[Payload]) -> list[Payload]:
            claims = await driver.store(self._context, given)
            _check_count(driver, "claims", len(claims), len(given))
            return [_reference_payload(driver, claim, one) for claim, one in zip(claims, given, strict=True)]

        return await _by_driver(payloads, chosen, store)

    async def _retrieve(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Payloads with references replaced by what they stand for."""
        claims = [read_reference(payload) for payload in payloads]
        if not any(claims):
            return list(payloads)

        async def retrieve(driver: StorageDriver, given: list[_Reference]) -> list[Payload]:
            wanted = [StorageDriverClaim(reference.claim_data) for reference in given]
            found = await driver.retrieve(StorageDriverRetrieveContext(), wanted)
            _check_count(driver, "payloads", len(found), len(given))
            return found

        drivers = [None if claim is None else self._driver(claim.driver_name) for claim in claims]
        found = await _by_driver([claim for claim in claims], drivers, retrieve)
        return [payload if one is None else one for payload, one in zip(payloads, found, strict=True)]

    def _choose(self, payload: Payload) -> StorageDriver | None:
        if payload.ByteSize() < self.payload_size_threshold:
            return None
        if self.driver_selector is None:
            return self.drivers[0]
        driver = self.driver_selector(StorageDriverSelectContext(self._context.target), payload)
        if driver is not None and self._by_name.get(driver.name()) is not driver:
            raise ValueError(
                f"Driver '{driver.name()}' returned by driver_selector is not registered in ExternalStorage.drivers"
            )
        return driver

    def _driver(self, name: str) -> StorageDriver:
        driver = self._by_name.get(name)
        if driver is None:
            raise ValueError(f"No driver found with name '{name}'")
        return driver


def read_reference(payload: Payload) -> _Reference | None:
    """What a payload refers to, if it is a reference.

    Raises:
        RuntimeError: The reference has been encoded by itself, which this version does not read.
    """
    encoding = payload.metadata.get("encoding")
    if _SEPARATELY_ENCODED in payload.metadata and encoding != _ENCODING:
        raise RuntimeError(
            "[TMPRL1106] Encountered an encoded external storage reference that could not be decoded. "
            "Check that the payload codec used to write it is configured."
        )
    if encoding == _ENCODING and payload.metadata.get("messageType") == _MESSAGE_TYPE:
        return msgspec.json.decode(payload.data, type=_Reference)
    if encoding == _LEGACY_ENCODING:
        legacy = msgspec.json.decode(payload.data, type=_LegacyReference)
        return _Reference(legacy.driver_name, legacy.driver_claim.claim_data)
    return None


def _reference_payload(driver: StorageDriver, claim: StorageDriverClaim, stored: Payload) -> Payload:
    reference = _Reference(driver.name(), dict(claim.claim_data))
    metadata = {"encoding": _ENCODING, "messageType": _MESSAGE_TYPE}
    return Payload(metadata, msgspec.json.encode(reference), (ExternalPayloadDetails(stored.ByteSize()),))


def _check_count(driver: StorageDriver, what: str, count: int, expected: int) -> None:
    if count != expected:
        raise ValueError(f"Driver '{driver.name()}' returned {count} {what}, expected {expected}")


async def _by_driver(
    items: Sequence[Any],
    drivers: Sequence[StorageDriver | None],
    call: Callable[[StorageDriver, list[Any]], Coroutine[Any, Any, list[Payload]]],
) -> list[Any]:
    """Give every driver its items in one call, all drivers at a time; items without a driver stay."""
    positions: dict[StorageDriver, list[int]] = {}
    for position, driver in enumerate(drivers):
        if driver is not None:
            positions.setdefault(driver, []).append(position)
    answers = await all_or_none(call(driver, [items[n] for n in mine]) for driver, mine in positions.items())
    results = list(items)
    for mine, answer in zip(positions.values(), answers, strict=True):
        for position, payload in zip(mine, answer, strict=True):
            results[position] = payload
    return results


async def all_or_none(calls: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Await calls concurrently; if one fails, cancel the others and wait for them to end."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
