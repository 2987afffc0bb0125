"""``PayloadStore`` in memory."""

from __future__ import annotations

from durability.exceptions import StoredPayloadError


class MemoryPayloadStore:
    """See ``PayloadStore``.

    Attributes:
        objects: What is stored, by key.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def put(self, key: str, body: bytes) -> None:
        """See ``PayloadStore.put``."""
        self.objects.setdefault(key, body)

    async def get(self, key: str) -> bytes:
        """See ``PayloadStore.get``."""
        if key not in self.objects:
            raise StoredPayloadError(f"the object {key!r} is missing: it was deleted, or belongs to another deployment")
        return self.objects[key]

    async def delete(self, prefix: str) -> None:
        """See ``PayloadStore.delete``."""
        for key in [key for key in self.objects if key.startswith(prefix)]:
            del self.objects[key]
