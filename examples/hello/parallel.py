"""Activities at the same time: ``asyncio`` as everywhere else, with results in the order of the calls."""

import asyncio
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@activity.defn
async def ask_branch(branch: str) -> str:
    return f"{branch}: {len(branch)} copies"


@workflow.defn
class AskBranches:
    @workflow.run
    async def run(self, branches: list[str]) -> list[str]:
        return await asyncio.gather(
            *(
                workflow.execute_activity(ask_branch, branch, start_to_close_timeout=timedelta(seconds=10))
                for branch in branches
            )
        )


async def main(client: Client) -> None:
    branches = ["harbour", "old town", "university", "north", "hospital"]
    answers = await client.execute_workflow(AskBranches.run, branches, id="hello-parallel", task_queue=TASK_QUEUE)
    print(*answers, sep="\n")


example = Example(main, workflows=[AskBranches], activities=[ask_branch])

if __name__ == "__main__":
    example.run()
