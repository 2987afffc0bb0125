"""A workflow on a schedule: each run begins when the one before is over and its time has come."""

from durability import workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@workflow.defn
class SendReminders:
    @workflow.run
    async def run(self) -> int:
        """Give how many reminders have been sent, over all runs."""
        sent_before = workflow.get_last_completion_result(int) or 0
        return sent_before + 7


async def main(client: Client, schedule: str = "@every 1s") -> None:
    handle = await client.start_workflow(
        SendReminders.run, id="hello-cron", task_queue=TASK_QUEUE, cron_schedule=schedule
    )
    for _ in range(3):
        print(await handle.result(follow_runs=False))
        next_run = await client.get_workflow_handle(handle.id).describe()
        handle = client.get_workflow_handle_for(SendReminders.run, handle.id, run_id=next_run.run_id)
    await client.get_workflow_handle(handle.id).terminate()  # or it would go on for ever
    print("terminated")


example = Example(main, workflows=[SendReminders])

if __name__ == "__main__":
    example.run()
