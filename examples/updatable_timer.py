"""A timer that can be put off or brought forward while it runs: a loan, which may be renewed."""

from datetime import datetime, timedelta

from durability import workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


class UpdatableTimer:
    """Sleeps until a time that may change on the way."""

    def __init__(self, until: datetime) -> None:
        self._until = until
        self._changed = False

    @property
    def until(self) -> datetime:
        """When it will be over."""
        return self._until

    @until.setter
    def until(self, value: datetime) -> None:
        self._until = value
        self._changed = True

    async def sleep(self) -> None:
        """Return at the time, whichever that is then."""
        while (left := self._until - workflow.now()) > timedelta():
            self._changed = False
            try:
                await workflow.wait_condition(lambda: self._changed, timeout=left)
            except TimeoutError:
                return


@workflow.defn
class Loan:
    @workflow.init
    def __init__(self, days: float) -> None:
        self._timer = UpdatableTimer(workflow.now() + timedelta(days=days))

    @workflow.run
    async def run(self, days: float) -> str:
        await self._timer.sleep()
        return "the loan is over"

    @workflow.update
    def change(self, days: float) -> datetime:
        """Make the loan longer, or shorter. Gives the day on which it is due."""
        self._timer.until += timedelta(days=days)
        return self._timer.until

    @workflow.query
    def due(self) -> datetime:
        return self._timer.until


async def main(client: Client) -> None:
    handle = await client.start_workflow(Loan.run, 28, id="updatable-timer", task_queue=TASK_QUEUE)
    once = await handle.execute_update(Loan.change, 14)
    twice = await handle.execute_update(Loan.change, 14)
    print("renewed again, for", twice - once)
    print("due when it was told:", await handle.query(Loan.due) == twice)
    await handle.execute_update(Loan.change, -56)
    print(await handle.result())


example = Example(main, workflows=[Loan])

if __name__ == "__main__":
    example.run()
