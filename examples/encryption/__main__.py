"""Runs a payroll across a change of keys and shows what is stored: ``python -m examples.encryption``."""

from __future__ import annotations

import asyncio
import json

from durability.testing import WorkflowEnvironment
from durability.worker import Worker
from examples.encryption.codec import KeyRing, encrypting_converter
from examples.encryption.payroll import Payroll, calculate, pay

QUEUE = "payroll"


async def main() -> None:
    """Start with one key, end with another."""
    first = KeyRing.generate("2026-01")
    second = first.rotated("2026-02")
    async with await WorkflowEnvironment.start_local(data_converter=encrypting_converter(first)) as environment:
        async with Worker(environment.client, task_queue=QUEUE, workflows=[Payroll], activities=[calculate, pay]):
            handle = await environment.client.start_workflow(Payroll.run, "Ada", id="ada", task_queue=QUEUE)
            print(f"with key {first.current}: {await handle.execute_update(Payroll.calculated)}")
        client = await environment.connect_client(data_converter=encrypting_converter(second))
        async with Worker(client, task_queue=QUEUE, workflows=[Payroll], activities=[calculate, pay]):
            handle = client.get_workflow_handle_for(Payroll.run, "ada")
            await handle.signal(Payroll.approve, "well done")
            print(f"with key {second.current}: {await handle.result()}")
        print("the first event, as everybody without the keys sees it:")
        [started, *_] = json.loads((await handle.fetch_history()).to_json())["events"]
        print(json.dumps(started["workflowExecutionStartedEventAttributes"]["input"], indent=2))


if __name__ == "__main__":
    asyncio.run(main())
