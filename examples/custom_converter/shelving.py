"""A workflow whose arguments and results are of a type that JSON knows nothing about."""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example

with workflow.unsafe.imports_passed_through():
    from examples.custom_converter.converter import CallNumber, library_data_converter


@activity.defn
async def next_free(number: CallNumber) -> CallNumber:
    """Give the place after a book's own."""
    *rest, last = number.rest
    return CallNumber(number.subject, *rest, f"{last[0]}{int(last[1:]) + 1}")


@workflow.defn
class ShelveBook:
    @workflow.run
    async def run(self, number: CallNumber) -> CallNumber:
        return await workflow.execute_activity(next_free, number, start_to_close_timeout=timedelta(seconds=10))


async def main(client: Client) -> None:
    place = await client.execute_workflow(
        ShelveBook.run, CallNumber.parse("QA 76.9 D3"), id="custom-converter", task_queue=TASK_QUEUE
    )
    print(f"shelved at {place}, subject {place.subject}")


example = Example(main, workflows=[ShelveBook], activities=[next_free], data_converter=library_data_converter)

if __name__ == "__main__":
    example.run()
