"""Messages of ``temporal.api.common.v1`` that payload converters and codecs deal with."""

from __future__ import annotations

import msgspec

from durability._core.payload import Payload, Payloads

__all__ = ["Header", "Memo", "Payload", "Payloads", "SearchAttributes"]


class Header(msgspec.Struct):
    """Headers of a call, by name."""

    fields: dict[str, Payload] = {}


class Memo(msgspec.Struct):
    """Memo of a workflow execution, by name."""

    fields: dict[str, Payload] = {}


class SearchAttributes(msgspec.Struct):
    """Search attributes of a workflow execution, by name."""

    indexed_fields: dict[str, Payload] = {}
