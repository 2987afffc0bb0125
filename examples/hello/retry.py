"""A failed activity is tried again by its retry policy, unless the failure says that it is pointless."""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client, WorkflowFailureError
from durability.common import RetryPolicy
from durability.exceptions import ApplicationError
from examples.running import TASK_QUEUE, Example


@activity.defn
async def print_card(reader: str) -> str:
    if not reader:
        raise ApplicationError("a card needs a name", type="NoName")
    attempt = activity.info().attempt
    if attempt < 3:
        raise ConnectionError(f"the printer did not answer attempt {attempt}")
    return f"card for {reader}, printed at attempt {attempt}"


@workflow.defn
class PrintCard:
    @workflow.run
    async def run(self, reader: str) -> str:
        return await workflow.execute_activity(
            print_card,
            reader,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=100),
                backoff_coefficient=2,
                maximum_attempts=5,
                non_retryable_error_types=["NoName"],
            ),
        )


async def main(client: Client) -> None:
    print(await client.execute_workflow(PrintCard.run, "Ada", id="hello-retry", task_queue=TASK_QUEUE))
    try:
        await client.execute_workflow(PrintCard.run, "", id="hello-retry", task_queue=TASK_QUEUE)
    except WorkflowFailureError as error:
        print("failed at once:", error.cause.__cause__)


example = Example(main, workflows=[PrintCard], activities=[print_card])

if __name__ == "__main__":
    example.run()
