"""Several steps of which all or none are to have an effect: each one that is begun has its opposite noted down first.

``examples.orders`` is a larger one, with services, crashes and cancellation.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client, WorkflowFailureError
from durability.common import RetryPolicy
from durability.exceptions import ActivityError, ApplicationError
from examples.running import TASK_QUEUE, Example


@dataclass
class Reading:
    """An evening with an author."""

    author: str
    guests: int


@activity.defn
async def book_hall(reading: Reading) -> None: ...


@activity.defn
async def free_hall(reading: Reading) -> None: ...


@activity.defn
async def invite_author(reading: Reading) -> None: ...


@activity.defn
async def call_off_author(reading: Reading) -> None: ...


@activity.defn
async def order_chairs(reading: Reading) -> None:
    if reading.guests > 80:
        raise ApplicationError("there are 80 chairs", type="TooManyGuests")


@activity.defn
async def send_chairs_back(reading: Reading) -> None: ...


Step = Callable[[Reading], Awaitable[None]]
STEPS: list[tuple[Step, Step]] = [
    (book_hall, free_hall),
    (invite_author, call_off_author),
    (order_chairs, send_chairs_back),
]


@workflow.defn
class ArrangeReading:
    def __init__(self) -> None:
        self._undone: list[str] = []

    @workflow.run
    async def run(self, reading: Reading) -> str:
        opposites: list[Step] = []
        try:
            for step, opposite in STEPS:
                # Before the step: one that failed may have had its effect all the same.
                opposites.append(opposite)
                await self._do(step, reading, attempts=3)
        except ActivityError:
            for opposite in reversed(opposites):
                await self._do(opposite, reading)
                self._undone.append(opposite.__name__)
            raise
        return f"an evening with {reading.author} for {reading.guests} guests"

    async def _do(self, step: Step, reading: Reading, attempts: int = 0) -> None:
        await workflow.execute_activity(
            step,
            reading,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_attempts=attempts, non_retryable_error_types=["TooManyGuests"]),
        )

    @workflow.query
    def undone(self) -> list[str]:
        return self._undone


async def main(client: Client) -> None:
    for guests in (60, 90):
        handle = await client.start_workflow(
            ArrangeReading.run, Reading("Ms Evans", guests), id=f"saga-{guests}", task_queue=TASK_QUEUE
        )
        try:
            print(await handle.result())
        except WorkflowFailureError as error:
            print(f"failed, as {error.cause.__cause__}; undone:", *await handle.query(ArrangeReading.undone))


example = Example(
    main,
    workflows=[ArrangeReading],
    activities=[book_hall, free_hall, invite_author, call_off_author, order_chairs, send_chairs_back],
)

if __name__ == "__main__":
    example.run()
