"""Payloads: the only form in which user data is stored or sent."""

from __future__ import annotations

import msgspec


class Payload(msgspec.Struct, array_like=True, kw_only=False):
    """A serialized value with the metadata that tells how to read it.

    The same two fields as Temporal's ``temporal.api.common.v1.Payload``.

    Attributes:
        metadata: How to read ``data``; the key ``encoding`` is always there.
        data: The serialized value.
    """

    metadata: dict[str, bytes] = {}
    data: bytes = b""
