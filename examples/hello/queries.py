"""A query asks a workflow about its state, before and after its end, and changes nothing."""

from dataclasses import dataclass

from durability import workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@dataclass
class Progress:
    done: int
    left: int


@workflow.defn
class ShelveBooks:
    @workflow.init
    def __init__(self, books: int) -> None:
        self._progress = Progress(done=0, left=books)

    @workflow.run
    async def run(self, books: int) -> None:
        await workflow.wait_condition(lambda: not self._progress.left)

    @workflow.signal
    def shelved(self, books: int) -> None:
        self._progress = Progress(self._progress.done + books, self._progress.left - books)

    @workflow.query
    def progress(self) -> Progress:
        return self._progress


async def main(client: Client) -> None:
    handle = await client.start_workflow(ShelveBooks.run, 10, id="hello-queries", task_queue=TASK_QUEUE)
    print("at first:", await handle.query(ShelveBooks.progress))
    await handle.signal(ShelveBooks.shelved, 4)
    print("then:", await handle.query(ShelveBooks.progress))
    await handle.signal(ShelveBooks.shelved, 6)
    await handle.result()
    print("in the end:", await handle.query(ShelveBooks.progress))


example = Example(main, workflows=[ShelveBooks])

if __name__ == "__main__":
    example.run()
