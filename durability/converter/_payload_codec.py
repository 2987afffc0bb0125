"""Codecs: what happens to payloads between conversion and storage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from durability._core.failure import Failure
from durability._core.payload import Payload, Payloads
from durability._core.payload_fields import transform_failure


class PayloadCodec(ABC):
    """Encodes payloads to payloads, for instance to compress or to encrypt them."""

    @abstractmethod
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encode payloads, without changing those given.

        Returns:
            At least one payload, and not more than were given.
        """

    @abstractmethod
    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decode payloads, without changing those given.

        Returns:
            At least one payload, and not more than were given.
        """

    async def encode_wrapper(self, payloads: Payloads) -> None:
        """Encode the payloads of a ``Payloads`` message in place."""
        payloads.payloads[:] = await self.encode(payloads.payloads)

    async def decode_wrapper(self, payloads: Payloads) -> None:
        """Decode the payloads of a ``Payloads`` message in place."""
        payloads.payloads[:] = await self.decode(payloads.payloads)

    async def encode_failure(self, failure: Failure) -> None:
        """Encode the payloads of a failure and of its causes in place."""
        await transform_failure(failure, self.encode)

    async def decode_failure(self, failure: Failure) -> None:
        """Decode the payloads of a failure and of its causes in place."""
        await transform_failure(failure, self.decode)
