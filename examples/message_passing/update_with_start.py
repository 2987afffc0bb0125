"""An update that starts the workflow it is for, if that does not run yet: a basket comes to be with its first book."""

from durability import workflow
from durability.client import Client, WithStartWorkflowOperation
from durability.common import WorkflowIDConflictPolicy
from examples.running import TASK_QUEUE, Example


@workflow.defn
class Basket:
    def __init__(self) -> None:
        self._books: list[str] = []
        self._checked_out = False

    @workflow.run
    async def run(self, reader: str) -> str:
        await workflow.wait_condition(lambda: self._checked_out)
        return f"{reader} borrows {' and '.join(self._books)}"

    @workflow.update
    def add(self, title: str) -> int:
        self._books.append(title)
        return len(self._books)

    @workflow.signal
    def check_out(self) -> None:
        self._checked_out = True


async def add_to_basket(client: Client, reader: str, title: str) -> int:
    """All that a web shop's handler of "put into basket" has to do. Gives the number of books in the basket."""
    start = WithStartWorkflowOperation(
        Basket.run,
        reader,
        id=f"basket-{reader}",
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    return await client.execute_update_with_start_workflow(Basket.add, title, start_workflow_operation=start)


async def main(client: Client) -> None:
    print("books in the basket:", await add_to_basket(client, "Ada", "Flatland"))
    print("books in the basket:", await add_to_basket(client, "Ada", "Emma"))
    basket = client.get_workflow_handle("basket-Ada")
    await basket.signal(Basket.check_out)
    print(await basket.result())


example = Example(main, workflows=[Basket])

if __name__ == "__main__":
    example.run()
