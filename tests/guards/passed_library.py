"""A library that is imported with imports passed through."""

from __future__ import annotations

import time


def now() -> float:
    return time.time()
