"""Activities that the sample workflows import. It is read, never imported."""

import time

from durability import activity


@activity.defn
async def other_activity() -> float:
    return time.time()
