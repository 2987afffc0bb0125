"""Changing a workflow of which runs are under way: each run keeps to the code with which it began.

The three classes are the same workflow at three times. A deployment has one of them; here it is the one in the middle.
"""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example

LIMIT = timedelta(seconds=10)
PATCH = "remind-by-text-message"


@activity.defn
async def remind_by_letter(reader: str) -> str:
    return f"a letter to {reader}"


@activity.defn
async def remind_by_text_message(reader: str) -> str:
    return f"a text message to {reader}"


@workflow.defn(name="RemindReader")
class RemindReaderBefore:
    @workflow.run
    async def run(self, reader: str) -> str:
        return await workflow.execute_activity(remind_by_letter, reader, start_to_close_timeout=LIMIT)


@workflow.defn(name="RemindReader")
class RemindReader:
    """Runs that began before the patch was deployed take the old branch when they are replayed."""

    @workflow.run
    async def run(self, reader: str) -> str:
        remind = remind_by_text_message if workflow.patched(PATCH) else remind_by_letter
        return await workflow.execute_activity(remind, reader, start_to_close_timeout=LIMIT)


@workflow.defn(name="RemindReader")
class RemindReaderAfter:
    """For when no run of the old code is left: histories with the patch are still fine."""

    @workflow.run
    async def run(self, reader: str) -> str:
        workflow.deprecate_patch(PATCH)
        return await workflow.execute_activity(remind_by_text_message, reader, start_to_close_timeout=LIMIT)


async def main(client: Client) -> None:
    print(await client.execute_workflow(RemindReader.run, "Ada", id="hello-patch", task_queue=TASK_QUEUE))


example = Example(main, workflows=[RemindReader], activities=[remind_by_letter, remind_by_text_message])

if __name__ == "__main__":
    example.run()
