"""A workflow that sleeps for most of its life, which costs nothing, and writes a letter every thirty days.

Run in this process, time is skipped: a year goes by at once.
"""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@activity.defn
async def send_newsletter(reader: str, number: int) -> str:
    return f"newsletter {number} to {reader}"


@workflow.defn
class Subscription:
    def __init__(self) -> None:
        self._sent: list[str] = []
        self._cancelled = False

    @workflow.run
    async def run(self, reader: str, letters: int) -> list[str]:
        while len(self._sent) < letters:
            self._sent.append(
                await workflow.execute_activity(
                    send_newsletter,
                    args=[reader, len(self._sent) + 1],
                    start_to_close_timeout=timedelta(seconds=10),
                )
            )
            try:
                await workflow.wait_condition(lambda: self._cancelled, timeout=timedelta(days=30))
            except TimeoutError:
                continue
            break
        return self._sent

    @workflow.update
    async def first_letter(self) -> str:
        await workflow.wait_condition(lambda: bool(self._sent))
        return self._sent[0]

    @workflow.signal
    def cancel_subscription(self) -> None:
        self._cancelled = True


async def main(client: Client) -> None:
    sent = await client.execute_workflow(Subscription.run, args=["Ada", 12], id="sleep-for-days", task_queue=TASK_QUEUE)
    print("after a year:", sent[-1])


example = Example(main, workflows=[Subscription], activities=[send_newsletter], skips_time=True)

if __name__ == "__main__":
    example.run()
