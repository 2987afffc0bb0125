"""A workflow on a schedule: each run begins when the one before is over and its time has come."""

from durability import workflow
from durability.client import Client, WorkflowContinuedAsNewError
from examples.running import TASK_QUEUE, Example


@workflow.defn
class SendReminders:
    @workflow.run
    async def run(self) -> int:
        """Give how many reminders have been sent, over all runs."""
        self._sent = (workflow.get_last_completion_result(int) or 0) + 7
        return self._sent

    @workflow.query
    def sent(self) -> int:
        return self._sent


async def main(client: Client, schedule: str = "@every 1s") -> None:
    handle = await client.start_workflow(
        SendReminders.run, id="hello-cron", task_queue=TASK_QUEUE, cron_schedule=schedule
    )
    run_id = handle.result_run_id
    for _ in range(3):
        run = client.get_workflow_handle(handle.id, run_id=run_id)
        try:
            await run.result(follow_runs=False)
        except WorkflowContinuedAsNewError as end:  # another run follows
            print(await run.query(SendReminders.sent))
            run_id = end.new_execution_run_id
    await client.get_workflow_handle(handle.id).terminate()  # or it would go on for ever
    print("terminated")


example = Example(main, workflows=[SendReminders])

if __name__ == "__main__":
    example.run()
