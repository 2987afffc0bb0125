"""A signal tells a running workflow something, and does not wait for an answer."""

from durability import workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@workflow.defn
class CollectReturns:
    def __init__(self) -> None:
        self._returned: list[str] = []
        self._closing = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self._closing)
        return self._returned

    @workflow.signal
    def returned(self, title: str) -> None:
        self._returned.append(title)

    @workflow.signal
    def closing_time(self) -> None:
        self._closing = True


async def main(client: Client) -> None:
    # The first signal can come with the start.
    handle = await client.start_workflow(
        CollectReturns.run,
        id="hello-signals",
        task_queue=TASK_QUEUE,
        start_signal="returned",
        start_signal_args=["Flatland"],
    )
    await handle.signal(CollectReturns.returned, "Middlemarch")
    await handle.signal(CollectReturns.closing_time)
    print("returned today:", ", ".join(await handle.result()))


example = Example(main, workflows=[CollectReturns])

if __name__ == "__main__":
    example.run()
