"""Cancelling a workflow: what it awaits raises ``asyncio.CancelledError``, and there is time to tidy up."""

import asyncio
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client, WorkflowFailureError
from durability.exceptions import CancelledError
from examples.running import TASK_QUEUE, Example


@activity.defn
async def sort_returns() -> None:
    """Sort books until somebody says stop; an activity hears of it when it heartbeats."""
    workflow_id = activity.info().workflow_id
    assert workflow_id is not None
    await activity.client().get_workflow_handle(workflow_id).signal(SortReturns.at_work)
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.1)  # where the cancellation is raised


@activity.defn
async def put_trolley_away() -> None: ...


@workflow.defn
class SortReturns:
    def __init__(self) -> None:
        self._at_work = False
        self._stages: list[str] = []

    @workflow.run
    async def run(self) -> None:
        try:
            await workflow.execute_activity(
                sort_returns,
                start_to_close_timeout=timedelta(hours=8),
                heartbeat_timeout=timedelta(seconds=5),
                # Wait until it has really stopped; otherwise the workflow would go on at once.
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        finally:
            self._stages.append("stopped sorting")
            # What is begun after the cancellation is not cancelled.
            await workflow.execute_activity(put_trolley_away, start_to_close_timeout=timedelta(seconds=10))
            self._stages.append("put the trolley away")

    @workflow.signal
    def at_work(self) -> None:
        self._at_work = True

    @workflow.update
    async def started(self) -> bool:
        await workflow.wait_condition(lambda: self._at_work)
        return True

    @workflow.query
    def stages(self) -> list[str]:
        return self._stages


async def main(client: Client) -> None:
    handle = await client.start_workflow(SortReturns.run, id="hello-cancellation", task_queue=TASK_QUEUE)
    await handle.execute_update(SortReturns.started)
    await handle.cancel()
    try:
        await handle.result()
    except WorkflowFailureError as error:
        print("cancelled:", isinstance(error.cause, CancelledError))
    print(*await handle.query(SortReturns.stages), sep="\n")


example = Example(main, workflows=[SortReturns], activities=[sort_returns, put_trolley_away])

if __name__ == "__main__":
    example.run()
