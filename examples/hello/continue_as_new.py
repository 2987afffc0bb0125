"""A loop without an end: from time to time the workflow goes on as a new run, with an empty history."""

from durability import workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@workflow.defn
class StampCards:
    @workflow.run
    async def run(self, left: int, runs: int) -> str:
        stamped = min(left, 100)
        if left > stamped:
            workflow.continue_as_new(args=[left - stamped, runs + 1])
        return f"all stamped, in {runs} runs"


async def main(client: Client) -> None:
    # The result is that of the last run of the chain.
    print(await client.execute_workflow(StampCards.run, args=[350, 1], id="hello-continue", task_queue=TASK_QUEUE))


example = Example(main, workflows=[StampCards])

if __name__ == "__main__":
    example.run()
