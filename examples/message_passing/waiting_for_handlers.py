"""However a workflow ends, callers of its updates get an answer: it waits for its handlers or tells them off."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client, WorkflowFailureError, WorkflowUpdateFailedError, WorkflowUpdateStage
from durability.exceptions import ApplicationError, FailureError
from examples.running import TASK_QUEUE, Example


@activity.defn
async def dust_off(book: str) -> str:
    return f"{book}, dusted off"


@workflow.defn
class SpringCleaning:
    """Ends as it is told to, in the middle of an update."""

    def __init__(self) -> None:
        self._ending = ""
        self._gave_up = False

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.wait_condition(lambda: bool(self._ending))
            if self._ending == "fail":
                raise ApplicationError("the roof leaks")
            # Those who wait get what they asked for.
            await workflow.wait_condition(workflow.all_handlers_finished)
            return "clean"
        except (asyncio.CancelledError, FailureError):
            # Handlers are not cancelled with the workflow: tell them to give up, and let them end.
            self._gave_up = True
            await workflow.wait_condition(workflow.all_handlers_finished)
            raise

    @workflow.signal
    def end(self, how: str) -> None:
        self._ending = how

    @workflow.update
    async def clean(self, book: str) -> str:
        await workflow.wait_condition(lambda: bool(self._ending) or self._gave_up)
        if self._gave_up or self._ending == "fail":
            raise ApplicationError(f"{book} was put back as it was")
        return await workflow.execute_activity(dust_off, book, start_to_close_timeout=timedelta(seconds=10))


async def main(client: Client) -> None:
    for how in ("return", "fail", "cancel"):
        handle = await client.start_workflow(SpringCleaning.run, id=f"spring-cleaning-{how}", task_queue=TASK_QUEUE)
        update = await handle.start_update(SpringCleaning.clean, "Emma", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        await (handle.cancel() if how == "cancel" else handle.signal(SpringCleaning.end, how))
        print(f"{how}:", await end_of(update.result()), "/", await end_of(handle.result()))


async def end_of(result: Awaitable[str]) -> str:
    """What came out, or why nothing did."""
    try:
        return await result
    except (WorkflowUpdateFailedError, WorkflowFailureError) as error:
        return str(error.cause)


example = Example(main, workflows=[SpringCleaning], activities=[dust_off])

if __name__ == "__main__":
    example.run()
