"""Poll every minute or more rarely: an activity that fails until there is an answer.

The interval is that of its retry policy. Between two attempts nothing runs, and however many there are, the history
does not grow.
"""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from durability.common import RetryPolicy
from examples.running import TASK_QUEUE, Example

with workflow.unsafe.imports_passed_through():
    from examples.polling.service import ask_for


@activity.defn
async def ask_for_book(title: str) -> str:
    return ask_for(title, asked_before=activity.info().attempt - 1)


@workflow.defn
class AwaitBookPatiently:
    @workflow.run
    async def run(self, title: str, interval: float) -> str:
        return await workflow.execute_activity(
            ask_for_book,
            title,
            start_to_close_timeout=timedelta(seconds=5),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=interval), backoff_coefficient=1),
        )


async def main(client: Client, interval: float = 0.2) -> None:
    print(
        await client.execute_workflow(
            AwaitBookPatiently.run, args=["Kim", interval], id="polling-infrequent", task_queue=TASK_QUEUE
        )
    )


example = Example(main, workflows=[AwaitBookPatiently], activities=[ask_for_book])

if __name__ == "__main__":
    example.run()
