"""A library that workflows below import, passed through or not."""

from __future__ import annotations

import time
from time import time as clock


def now() -> float:
    return time.time()


def now_by_its_own_name() -> float:
    return clock()
