"""CPU that a conditional put costs its client, through boto3 and through the engine's signed requests.

A process of its own, so that only the client is measured: started by ``benchmarks.processes`` with the environment of
the local cloud and the table's name, it prints one JSON object with medians in seconds. There is no TLS in either.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import Final

from durability._aws.callers import BotoCaller, Caller
from durability._aws.dynamodb import DynamoDBStore
from durability._aws.signed import SignedCaller
from durability._runtime.ports import WorkflowKey

PUTS: Final = 200
ROUNDS: Final = 5
BODY: Final = b"\x01" * 300


async def measure(table: str) -> dict[str, float]:
    """Take turns, so that what else the machine does falls on both."""
    callers: dict[str, Caller] = {"boto3": BotoCaller(), "signed": SignedCaller()}
    seconds: dict[str, list[float]] = {name: [] for name in callers}
    for turn in range(ROUNDS + 1):
        for name, caller in callers.items():
            store = DynamoDBStore(caller, table)
            key = WorkflowKey("default", f"put-{name}-{turn}")
            before = time.process_time()
            for sequence in range(1, PUTS + 1):
                await store.append(key, "0", sequence, BODY)
            if turn:  # the first one opens the connection
                seconds[name].append((time.process_time() - before) / PUTS)
    for caller in callers.values():
        await caller.close()
    return {name: statistics.median(each) for name, each in seconds.items()}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1]))))
