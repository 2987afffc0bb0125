"""A long activity that blocks: it runs in a thread, reports how far it is, and notices there that it is cancelled."""

import threading
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example

MAIN_THREAD = threading.main_thread().ident


@activity.defn
def check_isbns(isbns: list[str]) -> list[str]:
    """Give those whose check digit is wrong."""
    assert threading.get_ident() != MAIN_THREAD
    wrong = []
    for position, isbn in enumerate(isbns):
        activity.heartbeat(position)  # in a thread, this is also where a cancellation would be raised
        if sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(isbn)) % 10:
            wrong.append(isbn)
    return wrong


@workflow.defn
class AuditCatalogue:
    @workflow.run
    async def run(self, isbns: list[str]) -> list[str]:
        return await workflow.execute_activity(
            check_isbns,
            isbns,
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(seconds=30),
        )


async def main(client: Client) -> None:
    wrong = await client.execute_workflow(
        AuditCatalogue.run,
        ["9780306406157", "9780306406158", "9781861972712"],
        id="hello-threaded-activity",
        task_queue=TASK_QUEUE,
    )
    print("wrong check digit:", *wrong)


example = Example(main, workflows=[AuditCatalogue], activities=[check_isbns])

if __name__ == "__main__":
    example.run()
