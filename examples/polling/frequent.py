"""Poll every few seconds or faster: a loop in one activity, whose heartbeats tell that it is alive."""

import asyncio
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example

with workflow.unsafe.imports_passed_through():
    from examples.polling.service import NotThereYetError, ask_for

INTERVAL = 0.1


@activity.defn
async def wait_for_book(title: str) -> str:
    asked = 0
    while True:
        try:
            return ask_for(title, asked)
        except NotThereYetError:
            asked += 1
        activity.heartbeat(asked)
        await asyncio.sleep(INTERVAL)


@workflow.defn
class AwaitBookEagerly:
    @workflow.run
    async def run(self, title: str) -> str:
        return await workflow.execute_activity(
            wait_for_book,
            title,
            start_to_close_timeout=timedelta(minutes=10),  # how long to poll at most
            heartbeat_timeout=timedelta(seconds=5),  # how long until a crash of the activity is noticed
        )


async def main(client: Client) -> None:
    print(await client.execute_workflow(AwaitBookEagerly.run, "Kim", id="polling-frequent", task_queue=TASK_QUEUE))


example = Example(main, workflows=[AwaitBookEagerly], activities=[wait_for_book])

if __name__ == "__main__":
    example.run()
