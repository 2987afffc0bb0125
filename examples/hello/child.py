"""A workflow that has another one do a part, under an id and with a history of its own."""

from durability import workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@workflow.defn
class BindBook:
    @workflow.run
    async def run(self, title: str) -> str:
        return f"{title}, bound in linen"


@workflow.defn
class RepairBook:
    @workflow.run
    async def run(self, title: str) -> str:
        binding = await workflow.execute_child_workflow(
            BindBook.run, title, id=f"{workflow.info().workflow_id}/binding"
        )
        return f"repaired: {binding}"


async def main(client: Client) -> None:
    print(await client.execute_workflow(RepairBook.run, "Flatland", id="hello-child", task_queue=TASK_QUEUE))
    binding = client.get_workflow_handle("hello-child/binding")
    print("the child's own result:", await binding.result())


example = Example(main, workflows=[RepairBook, BindBook])

if __name__ == "__main__":
    example.run()
