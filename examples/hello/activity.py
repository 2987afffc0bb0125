"""An activity: the part of a workflow that touches the world, and is tried again until it succeeds.

A plain ``def`` runs in a thread, so it may block.
"""

from dataclasses import dataclass
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@dataclass
class Visitor:
    name: str
    salutation: str


@activity.defn
def welcome(visitor: Visitor) -> str:
    return f"{visitor.salutation}, {visitor.name}, and welcome to the library!"


@workflow.defn
class WelcomeVisitor:
    @workflow.run
    async def run(self, name: str) -> str:
        # One argument that is a dataclass: fields may be added later without breaking anything.
        return await workflow.execute_activity(
            welcome,
            Visitor(name, "Good morning"),
            start_to_close_timeout=timedelta(seconds=10),
        )


async def main(client: Client) -> None:
    print(await client.execute_workflow(WelcomeVisitor.run, "Ada", id="hello-activity", task_queue=TASK_QUEUE))


example = Example(main, workflows=[WelcomeVisitor], activities=[welcome])

if __name__ == "__main__":
    example.run()
