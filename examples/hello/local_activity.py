"""A local activity runs inside the workflow task: for what is quick and needs no queue and no heartbeat."""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@activity.defn
async def fee_for(days_late: int) -> int:
    """Cents; looked up where a workflow must not look."""
    return 0 if days_late <= 2 else 10 * days_late


@workflow.defn
class ChargeLateFee:
    @workflow.run
    async def run(self, days_late: int) -> str:
        cents = await workflow.execute_local_activity(fee_for, days_late, start_to_close_timeout=timedelta(seconds=5))
        return f"{days_late} days late: {cents / 100:.2f}"


async def main(client: Client) -> None:
    for days in (1, 12):
        print(await client.execute_workflow(ChargeLateFee.run, days, id="hello-local", task_queue=TASK_QUEUE))


example = Example(main, workflows=[ChargeLateFee], activities=[fee_for])

if __name__ == "__main__":
    example.run()
