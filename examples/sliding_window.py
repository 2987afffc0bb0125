"""Thousands of children, a few at a time: whenever one is done, the next one begins.

Slower ones hold nobody up, as they would in batches. The parent continues as new after some children; those that
run go on without it, and report to whichever run of the parent there is then.
"""

from dataclasses import dataclass, field

from durability import workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@dataclass
class Window:
    """How the batch is to be done, and how far it is."""

    books: int
    size: int
    starts_per_run: int
    next: int = 0
    done: int = 0
    under_way: list[int] = field(default_factory=list)
    runs: int = 1
    most_at_once: int = 0


@workflow.defn
class RelabelBook:
    @workflow.run
    async def run(self, number: int) -> None:
        await workflow.sleep(0.05 * (number % 3))
        parent = workflow.info().parent
        assert parent is not None
        # By its id alone, without a run id: the run that started this one may be over.
        await workflow.get_external_workflow_handle(parent.workflow_id).signal(RelabelBooks.relabelled, number)


@workflow.defn
class RelabelBooks:
    @workflow.init
    def __init__(self, window: Window) -> None:
        self._window = window

    @workflow.run
    async def run(self, window: Window) -> Window:
        for _ in range(window.starts_per_run):
            await workflow.wait_condition(lambda: len(window.under_way) < window.size)
            if window.next == window.books:
                break
            await self._start_next()
        if window.next < window.books:
            window.runs += 1
            workflow.continue_as_new(window)
        await workflow.wait_condition(lambda: not window.under_way)
        return window

    async def _start_next(self) -> None:
        window = self._window
        number = window.next
        window.next += 1
        window.under_way.append(number)
        window.most_at_once = max(window.most_at_once, len(window.under_way))
        await workflow.start_child_workflow(
            RelabelBook.run,
            number,
            id=f"{workflow.info().workflow_id}/{number}",
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
        )

    @workflow.signal
    def relabelled(self, number: int) -> None:
        if number in self._window.under_way:
            self._window.under_way.remove(number)
            self._window.done += 1

    @workflow.query
    def progress(self) -> Window:
        return self._window


async def main(client: Client) -> None:
    window = Window(books=10, size=3, starts_per_run=4)
    window = await client.execute_workflow(RelabelBooks.run, window, id="sliding-window", task_queue=TASK_QUEUE)
    print(f"{window.done} books in {window.runs} runs, never more than 3 at once: {window.most_at_once <= 3}")


example = Example(main, workflows=[RelabelBooks, RelabelBook])

if __name__ == "__main__":
    example.run()
