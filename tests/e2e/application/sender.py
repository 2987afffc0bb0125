"""A client process that dies where it is told to: ``python -m application.sender <workflow id> start|signal``."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from durability._aws.connect import connect_gateway
from durability._runtime.gateway import Gateway
from durability.client import Client

from .faults import WatchedPort
from .workflows import Sequence, Waiting


async def main(workflow_id: str, action: str) -> None:
    gateway = await connect_gateway()
    watched: Gateway = replace(
        gateway, store=WatchedPort(gateway.store, "store"), queue=WatchedPort(gateway.queue, "queue")
    )
    client = Client(watched)
    if action == "start":
        await client.start_workflow(Sequence.run, 2, id=workflow_id, task_queue="e2e")
    else:
        await client.get_workflow_handle(workflow_id).signal(Waiting.tell, "end")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
