"""The driver."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Sequence
from typing import Final

from durability._core.payload import Payload
from durability.contrib.aws.s3driver._client import S3StorageDriverClient
from durability.converter import (
    StorageDriver,
    StorageDriverActivityInfo,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
    StorageDriverWorkflowInfo,
)
from durability.converter._external_storage import all_or_none

_SAFE: Final = frozenset((string.ascii_letters + string.digits + "!-_.*'()").encode())
"""Bytes that need no encoding in keys (Amazon S3 User Guide, "Naming Amazon S3 objects")."""
_LONGEST_KEY: Final = 1024
_TYPE: Final = "aws.s3driver"


class S3StorageDriver(StorageDriver):
    """Stores payloads under the SHA-256 of their bytes, apart by namespace and by workflow or activity.

    Keys and claims are those of ``temporalio.contrib.aws.s3driver``, so either reads what the other has stored.
    """

    def __init__(
        self,
        client: S3StorageDriverClient,
        bucket: str | Callable[[StorageDriverStoreContext, Payload], str],
        driver_name: str = _TYPE,
        max_payload_size: int = 50 * 1024 * 1024,
    ) -> None:
        """Create the driver.

        Args:
            client: Reads and writes objects.
            bucket: Name of the bucket, or what chooses one for a payload.
            driver_name: Name of this instance; references hold it.
            max_payload_size: Most bytes of a serialized payload.

        Raises:
            ValueError: ``max_payload_size`` is not positive.
        """
        if max_payload_size <= 0:
            raise ValueError("max_payload_size must be greater than zero")
        self._client = client
        self._bucket = bucket
        self._name = driver_name or _TYPE
        self._max_payload_size = max_payload_size

    def name(self) -> str:
        """Name of this instance."""
        return self._name

    def type(self) -> str:
        """``aws.s3driver``."""
        return _TYPE

    async def store(self, context: StorageDriverStoreContext, payloads: Sequence[Payload]) -> list[StorageDriverClaim]:
        """Store payloads. What is there already is not written again."""
        return await all_or_none(self._store(context, payload) for payload in payloads)

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        """Find payloads again, and check that they are what was stored."""
        return await all_or_none(self._retrieve(claim) for claim in claims)

    async def _store(self, context: StorageDriverStoreContext, payload: Payload) -> StorageDriverClaim:
        bucket = self._bucket(context, payload) if callable(self._bucket) else self._bucket
        body = payload.SerializeToString()
        if len(body) > self._max_payload_size:
            raise ValueError(
                f"Payload size {len(body)} bytes exceeds the configured max_payload_size of "
                f"{self._max_payload_size} bytes"
            )
        digest = hashlib.sha256(body).hexdigest()
        key = _key(context.target, digest)
        try:
            if not await self._client.object_exists(bucket=bucket, key=key):
                await self._client.put_object(bucket=bucket, key=key, data=body)
        except Exception as error:
            raise self._error("store", bucket, key) from error
        return StorageDriverClaim({"bucket": bucket, "key": key, "hash_algorithm": "sha256", "hash_value": digest})

    async def _retrieve(self, claim: StorageDriverClaim) -> Payload:
        bucket, key = claim.claim_data["bucket"], claim.claim_data["key"]
        algorithm, expected = claim.claim_data.get("hash_algorithm"), claim.claim_data.get("hash_value")
        where = f"[bucket={bucket}, key={key}]"
        if not algorithm or not expected:
            raise ValueError(
                f"S3StorageDriver claim is missing required content hash information {where}: claim_data must contain "
                "'hash_algorithm' and 'hash_value'"
            )
        if algorithm != "sha256":
            raise ValueError(f"S3StorageDriver unsupported hash algorithm {where}: expected sha256, got {algorithm}")
        try:
            body = await self._client.get_object(bucket=bucket, key=key)
        except Exception as error:
            raise self._error("retrieve", bucket, key) from error
        actual = hashlib.sha256(body).hexdigest()
        if actual != expected:
            raise ValueError(
                f"S3StorageDriver integrity check failed {where}: expected sha256:{expected}, got sha256:{actual}"
            )
        return Payload.FromString(body)

    def _error(self, operation: str, bucket: str, key: str) -> RuntimeError:
        try:
            details = "".join(f", {name}={value}" for name, value in self._client.describe().items())
        except Exception:  # what is said about an error must not hide it
            details = ""
        return RuntimeError(f"S3StorageDriver {operation} failed [bucket={bucket}, key={key}{details}]")


def _key(target: StorageDriverActivityInfo | StorageDriverWorkflowInfo | None, digest: str) -> str:
    content = f"/d/sha256/{digest}"
    if target is None:
        return f"v0{content}"
    kind, own = ("wt", "wi") if isinstance(target, StorageDriverWorkflowInfo) else ("at", "ai")
    namespace = f"v0/ns/{_segment(target.namespace)}"
    of_target = f"/{kind}/{_segment(target.type)}/{own}/{_segment(target.id)}/ri/{_segment(target.run_id)}"
    key = namespace + of_target + content
    return key if len(key) <= _LONGEST_KEY else namespace + content


def _segment(value: str | None) -> str:
    if not value:
        return "null"
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in value.encode())
