"""The failure of ``temporal.api.failure.v1`` that failure converters deal with, in this package's own form."""

from __future__ import annotations

from durability._core.failure import Failure

__all__ = ["Failure"]
