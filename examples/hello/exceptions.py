"""A failure travels from where it was raised to whoever waits for the workflow, in layers of causes."""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client, WorkflowFailureError
from durability.common import RetryPolicy
from durability.exceptions import ApplicationError, FailureError
from examples.running import TASK_QUEUE, Example


class MissingPageError(Exception):
    """An exception of one's own: on the other side it is an ``ApplicationError`` whose type is its name."""


@activity.defn
async def copy_page(page: int) -> str:
    try:
        return {1: "It was a dark night."}[page]
    except KeyError as error:
        raise MissingPageError(f"page {page} is missing") from error


@workflow.defn
class CopyPage:
    @workflow.run
    async def run(self, page: int) -> str:
        return await workflow.execute_activity(
            copy_page,
            page,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


async def main(client: Client) -> None:
    try:
        await client.execute_workflow(CopyPage.run, 7, id="hello-exceptions", task_queue=TASK_QUEUE)
    except WorkflowFailureError as error:
        cause: BaseException | None = error
        while cause is not None:
            kind = f" of type {cause.type}" if isinstance(cause, ApplicationError) else ""
            print(f"{type(cause).__name__}{kind}: {cause}")
            cause = cause.cause if isinstance(cause, FailureError | WorkflowFailureError) else None


example = Example(main, workflows=[CopyPage], activities=[copy_page])

if __name__ == "__main__":
    example.run()
