"""Payloads too large for the table: kept in a payload store, with references in their place.

An object belongs to one run and is named by what it contains: ``<namespace>/<run id>/<SHA-256>``. So writing it twice
changes nothing, what is read can be checked, and it goes when its run is deleted. A payload that comes to another run
(a child's arguments, a result for the parent, the next run's arguments) is copied to that run's objects on the way.

Objects are written before anything refers to them. A process that dies in between leaves an object that nobody
refers to; it is deleted with its run. What was written for a run that never came about (its starter died, or another
one's successor came first) stays, and costs its storage: the bucket's lifecycle rule is for that.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from durability._core.payload import Payload, payload_size
from durability._core.payload_fields import payloads_in, transformed
from durability._runtime.ports import PayloadStore
from durability._runtime.together import together
from durability.exceptions import StoredPayloadError
from durability.service import RPCError, RPCStatusCode

ENCODING: Final = b"durability/stored"
"""Encoding of a reference. Its data is the MessagePack of key and size."""

_WORTH_IT: Final = 64
"""A payload below this part of the limit is left where it is: its reference would be hardly smaller."""

_R = TypeVar("_R", bound=msgspec.Struct)
_T = TypeVar("_T")


class _Reference(msgspec.Struct, array_like=True):
    key: str
    size: int


class PayloadList(msgspec.Struct):
    """Payloads that are in no record."""

    payloads: list[Payload]


@dataclass(frozen=True, slots=True)
class LargePayloads:
    """Moves payloads out of records and back.

    Attributes:
        store: Where they go; None if there is no such place, so that they stay where they are.
        inline_limit: Bytes of payloads that one record may keep.
        concurrency: Objects that are read or written at a time.
    """

    store: PayloadStore | None
    inline_limit: int
    concurrency: int

    async def put_away(self, record: _R, namespace: str, run_id: str) -> _R:
        """A record as it is to be stored with a run: its largest payloads replaced by references, until it is small.

        References to another run's objects become references to copies of them.
        """
        prefix = run_prefix(namespace, run_id)
        moved = [payload for payload in payloads_in(record) if _is_foreign(payload, prefix)]
        moved += self._too_large(record)
        if not moved or self.store is None:
            return record
        references = await self._each(moved, lambda payload: self._put(payload, prefix))
        return await _replaced(record, moved, references)

    def must_move(self, record: msgspec.Struct, namespace: str, run_id: str) -> bool:
        """Whether ``put_away`` would change a record."""
        if self.store is None:
            return False
        prefix = run_prefix(namespace, run_id)
        return any(_is_foreign(payload, prefix) for payload in payloads_in(record)) or bool(self._too_large(record))

    async def forget(self, namespace: str, run_id: str) -> None:
        """Delete all objects of a run."""
        if self.store is not None:
            await self.store.delete(run_prefix(namespace, run_id))

    async def bring_back(self, record: _R) -> _R:
        """A record with its references replaced by what they refer to.

        Raises:
            StoredPayloadError: It is missing or corrupt, or there is no payload store.
        """
        references = [payload for payload in payloads_in(record) if is_reference(payload)]
        if not references:
            return record
        return await _replaced(record, references, await self._each(references, self._get))

    def _too_large(self, record: msgspec.Struct) -> list[Payload]:
        size = 0
        for payload in payloads_in(record):
            size += payload_size(payload)
        if size <= self.inline_limit:
            return []
        here = [payload for payload in payloads_in(record) if not is_reference(payload)]
        size = sum(map(payload_size, here))
        chosen = []
        for payload in sorted(here, key=payload_size, reverse=True):
            if size <= self.inline_limit or payload_size(payload) < self.inline_limit // _WORTH_IT:
                break
            chosen.append(payload)
            size -= payload_size(payload)
        return chosen

    async def _put(self, payload: Payload, prefix: str) -> Payload:
        if self.store is None:
            raise _no_store()
        if is_reference(payload):
            payload = await self._get(payload)
        body = payload.SerializeToString()
        reference = _Reference(prefix + hashlib.sha256(body).hexdigest(), len(body))
        await self.store.put(reference.key, body)
        return Payload({"encoding": ENCODING}, msgspec.msgpack.encode(reference))

    async def _get(self, payload: Payload) -> Payload:
        if self.store is None:
            raise _no_store()
        reference = _read(payload)
        body = await self.store.get(reference.key)
        if hashlib.sha256(body).hexdigest() != reference.key.rpartition("/")[2]:
            raise StoredPayloadError(f"the object {reference.key!r} is not what was written: its SHA-256 differs")
        return Payload.FromString(body)

    async def _each(self, payloads: Sequence[Payload], call: Callable[[Payload], Coroutine[Any, Any, _T]]) -> list[_T]:
        room = asyncio.Semaphore(self.concurrency)

        async def one(payload: Payload) -> _T:
            async with room:
                return await call(payload)

        return await together(map(one, payloads))


IN_THE_TABLE: Final = LargePayloads(None, 0, 1)
"""For engines that have no payload store."""


def run_prefix(namespace: str, run_id: str) -> str:
    """What the keys of all objects of a run begin with."""
    return f"{namespace}/{run_id}/"


def is_reference(payload: Payload) -> bool:
    """Whether a payload stands for one that is kept outside of the table."""
    return payload.metadata.get("encoding") == ENCODING


def refers(records: Iterable[msgspec.Struct]) -> bool:
    """Whether any payload of the records is a reference."""
    return any(is_reference(payload) for record in records for payload in payloads_in(record))


def refuse_references(record: msgspec.Struct) -> None:
    """Refuse references in what comes from a client: they would show it payloads that are not its own.

    Raises:
        RPCError: INVALID_ARGUMENT.
    """
    if refers([record]):
        raise RPCError(
            f"a payload has the encoding {ENCODING.decode()!r}, which is the engine's own: send the payload itself",
            RPCStatusCode.INVALID_ARGUMENT,
            b"",
        )


def _is_foreign(payload: Payload, prefix: str) -> bool:
    return is_reference(payload) and not _read(payload).key.startswith(prefix)


def _read(payload: Payload) -> _Reference:
    try:
        return msgspec.msgpack.decode(payload.data, type=_Reference)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoredPayloadError(f"the reference to a stored payload cannot be read: {error}") from error


async def _replaced(record: _R, old: Sequence[Payload], new: Sequence[Payload]) -> _R:
    by_identity = {id(payload): replacement for payload, replacement in zip(old, new, strict=True)}

    async def replace(payloads: Sequence[Payload]) -> list[Payload]:
        return [by_identity.get(id(payload), payload) for payload in payloads]

    return await transformed(record, replace)


def _no_store() -> StoredPayloadError:
    return StoredPayloadError(
        "a payload is kept in the bucket of the deployment, and none is configured: set DURABILITY_BUCKET, which is an "
        "output of the stack"
    )
