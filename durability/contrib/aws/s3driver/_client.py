"""What the driver needs of S3."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping


class S3StorageDriverClient(ABC):
    """Reads and writes objects. How large ones are uploaded is an implementation's own affair."""

    @abstractmethod
    async def put_object(self, *, bucket: str, key: str, data: bytes) -> None:
        """Write an object."""

    @abstractmethod
    async def object_exists(self, *, bucket: str, key: str) -> bool:
        """Whether there is an object."""

    @abstractmethod
    async def get_object(self, *, bucket: str, key: str) -> bytes:
        """Read an object."""

    def describe(self) -> Mapping[str, str]:
        """What the driver's error messages are to say of the client, such as its region; nothing by default."""
        return {}
