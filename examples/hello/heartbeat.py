"""An activity that reports its progress goes on, after a failure or a crash, where its last report left off."""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from durability.common import RetryPolicy
from examples.running import TASK_QUEUE, Example


@activity.defn
async def scan_pages(pages: int) -> list[int]:
    """Scan a book. Gives the pages that were scanned in the last attempt."""
    details = activity.info().heartbeat_details
    first = details[0] + 1 if details else 1
    scanned = []
    for page in range(first, pages + 1):
        scanned.append(page)
        activity.heartbeat(page)
        if page == 3 and activity.info().attempt == 1:
            raise RuntimeError("paper jam")
    return scanned


@workflow.defn
class ScanBook:
    @workflow.run
    async def run(self, pages: int) -> list[int]:
        return await workflow.execute_activity(
            scan_pages,
            pages,
            start_to_close_timeout=timedelta(minutes=10),
            heartbeat_timeout=timedelta(seconds=10),  # silent for longer than this, it is taken for dead
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100)),
        )


async def main(client: Client) -> None:
    scanned = await client.execute_workflow(ScanBook.run, 6, id="hello-heartbeat", task_queue=TASK_QUEUE)
    print("scanned after the paper jam:", *scanned)


example = Example(main, workflows=[ScanBook], activities=[scan_pages])

if __name__ == "__main__":
    example.run()
