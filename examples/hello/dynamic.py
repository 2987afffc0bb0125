"""Handlers for every name: workflows, activities, signals, queries and updates that are defined nowhere."""

from collections.abc import Sequence
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from durability.common import RawValue
from examples.running import TASK_QUEUE, Example


@activity.defn(dynamic=True)
async def any_activity(args: Sequence[RawValue]) -> str:
    title = activity.payload_converter().from_payload(args[0].payload, str)
    return f"{activity.info().activity_type} {title}"


@workflow.defn(dynamic=True)
class AnyWorkflow:
    def __init__(self) -> None:
        self._steps: list[str] = []
        self._enough = False

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> list[str]:
        title = workflow.payload_converter().from_payload(args[0].payload, str)
        await workflow.wait_condition(lambda: self._enough)
        return [
            await workflow.execute_activity(step, title, start_to_close_timeout=timedelta(seconds=10))
            for step in self._steps
        ]

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        self._steps.append(name)

    @workflow.query(dynamic=True)
    def any_query(self, name: str, args: Sequence[RawValue]) -> bool:
        return name in self._steps

    @workflow.update(dynamic=True)
    def any_update(self, name: str, args: Sequence[RawValue]) -> str:
        self._enough = True
        return f"{workflow.info().workflow_type} takes {name} for an answer"


async def main(client: Client) -> None:
    handle = await client.start_workflow("Restore", "Flatland", id="hello-dynamic", task_queue=TASK_QUEUE)
    await handle.signal("clean")
    await handle.signal("bind")
    print("to be bound:", await handle.query("bind"))
    print(await handle.execute_update("that's all"))
    print(*await handle.result(), sep=", ")


example = Example(main, workflows=[AnyWorkflow], activities=[any_activity])

if __name__ == "__main__":
    example.run()
