"""An update changes a workflow and answers; a validator may refuse it before it leaves a trace."""

from durability import workflow
from durability.client import Client, WorkflowUpdateFailedError
from examples.running import TASK_QUEUE, Example

LIMIT = 3


@workflow.defn
class ReaderAccount:
    def __init__(self) -> None:
        self._borrowed: list[str] = []
        self._closed = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self._closed)
        return self._borrowed

    @workflow.update
    async def borrow(self, title: str) -> int:
        """Give how many more books may be borrowed."""
        self._borrowed.append(title)
        return LIMIT - len(self._borrowed)

    @borrow.validator
    def _may_borrow(self, title: str) -> None:
        if len(self._borrowed) >= LIMIT:
            raise ValueError(f"{title!r} would be one too many")

    @workflow.signal
    def close(self) -> None:
        self._closed = True


async def main(client: Client) -> None:
    handle = await client.start_workflow(ReaderAccount.run, id="hello-updates", task_queue=TASK_QUEUE)
    for title in ("Flatland", "Middlemarch", "Kim", "Emma"):
        try:
            print(f"{title}: {await handle.execute_update(ReaderAccount.borrow, title)} more")
        except WorkflowUpdateFailedError as error:
            print("refused:", error.cause)
    await handle.signal(ReaderAccount.close)
    print("borrowed:", ", ".join(await handle.result()))


example = Example(main, workflows=[ReaderAccount])

if __name__ == "__main__":
    example.run()
