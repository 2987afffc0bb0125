"""Search attributes: typed values that a run carries from its start and may change on its way."""

from durability import workflow
from durability.client import Client
from durability.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from examples.running import TASK_QUEUE, Example

BRANCH = SearchAttributeKey.for_keyword("Branch")
COPIES = SearchAttributeKey.for_int("Copies")


@workflow.defn
class OrderBooks:
    def __init__(self) -> None:
        self._delivered = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self._delivered)
        return workflow.info().typed_search_attributes[COPIES]

    @workflow.update
    def change_order(self, copies: int) -> None:
        workflow.upsert_search_attributes([COPIES.value_set(copies), BRANCH.value_unset()])

    @workflow.signal
    def delivered(self) -> None:
        self._delivered = True


async def main(client: Client) -> None:
    handle = await client.start_workflow(
        OrderBooks.run,
        id="hello-search-attributes",
        task_queue=TASK_QUEUE,
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(BRANCH, "harbour"), SearchAttributePair(COPIES, 2)]
        ),
    )
    ordered = (await handle.describe()).typed_search_attributes
    print("ordered:", ordered.get(BRANCH), ordered.get(COPIES))
    await handle.execute_update(OrderBooks.change_order, 5)
    changed = (await handle.describe()).typed_search_attributes
    print("changed:", changed.get(BRANCH), changed.get(COPIES))
    await handle.signal(OrderBooks.delivered)
    print("delivered:", await handle.result())


example = Example(main, workflows=[OrderBooks])

if __name__ == "__main__":
    example.run()
