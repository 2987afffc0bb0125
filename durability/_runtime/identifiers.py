"""Run ids: time-ordered UUIDs (version 7, RFC 9562)."""

from __future__ import annotations

import hashlib
import os
import uuid


def new_run_id(now: int) -> str:
    """A fresh run id. ``now`` in milliseconds since the epoch."""
    return _version_7(now, os.urandom(10))


def successor_run_id(run_id: str, sequence: int, now: int) -> str:
    """The id of the run that follows a closed one: the same wherever and however often it is computed."""
    return _version_7(now, hashlib.sha256(f"{run_id}#{sequence}".encode()).digest()[:10])


def _version_7(now: int, entropy: bytes) -> str:
    value = (now & (2**48 - 1)) << 80 | int.from_bytes(entropy, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
