"""Poll in steps that change, or that are more than one activity: a loop in a child workflow.

The child continues as new, so its history stays short, and the parent's holds one child however long it takes.
"""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from durability.common import RetryPolicy
from durability.exceptions import ActivityError
from examples.running import TASK_QUEUE, Example

with workflow.unsafe.imports_passed_through():
    from examples.polling.service import ask_for

LOOKS_PER_RUN = 2


@activity.defn
async def look_for_book(title: str, asked_before: int) -> str:
    return ask_for(title, asked_before)


@workflow.defn
class LookForBook:
    @workflow.run
    async def run(self, title: str, interval: float, asked_before: int) -> str:
        for asked in range(asked_before, asked_before + LOOKS_PER_RUN):
            try:
                return await workflow.execute_activity(
                    look_for_book,
                    args=[title, asked],
                    start_to_close_timeout=timedelta(seconds=5),
                    retry_policy=RetryPolicy(maximum_attempts=1),
                )
            except ActivityError:
                workflow.logger.info("%s is not there yet", title)
            await workflow.sleep(interval)
        workflow.continue_as_new(args=[title, interval, asked_before + LOOKS_PER_RUN])


@workflow.defn
class AwaitBookInSteps:
    @workflow.run
    async def run(self, title: str, interval: float) -> str:
        return await workflow.execute_child_workflow(
            LookForBook.run, args=[title, interval, 0], id=f"{workflow.info().workflow_id}/look"
        )


async def main(client: Client, interval: float = 0.2) -> None:
    print(
        await client.execute_workflow(
            AwaitBookInSteps.run, args=["Kim", interval], id="polling-periodic", task_queue=TASK_QUEUE
        )
    )


example = Example(main, workflows=[AwaitBookInSteps, LookForBook], activities=[look_for_book])

if __name__ == "__main__":
    example.run()
