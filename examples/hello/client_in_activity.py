"""A client inside an activity: it starts, asks and updates workflows that are nobody's children."""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from durability.common import WorkflowIDConflictPolicy
from examples.running import TASK_QUEUE, Example


@workflow.defn
class Parcel:
    """Goes on by itself, whatever becomes of who sent it."""

    def __init__(self) -> None:
        self._place = "on its way"

    @workflow.run
    async def run(self, title: str) -> str:
        await workflow.wait_condition(lambda: self._place == "unpacked")
        return f"{title} is here"

    @workflow.query
    def place(self) -> str:
        return self._place

    @workflow.update
    def unpack(self) -> str:
        self._place = "unpacked"
        return self._place


@activity.defn
async def send_parcel(title: str) -> str:
    handle = await activity.client().start_workflow(
        Parcel.run,
        title,
        id="hello-parcel",
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,  # an activity may run twice
    )
    return await handle.query(Parcel.place)


@activity.defn
async def unpack_parcel() -> str:
    handle = activity.client().get_workflow_handle("hello-parcel", result_type=str)
    activity.heartbeat()
    return f"{await handle.execute_update(Parcel.unpack)}: {await handle.result()}"


@workflow.defn
class SendParcel:
    @workflow.run
    async def run(self, title: str) -> list[str]:
        sent = await workflow.execute_activity(send_parcel, title, start_to_close_timeout=timedelta(seconds=10))
        unpacked = await workflow.execute_activity(
            unpack_parcel, start_to_close_timeout=timedelta(minutes=1), heartbeat_timeout=timedelta(seconds=20)
        )
        return [sent, unpacked]


async def main(client: Client) -> None:
    print(
        *await client.execute_workflow(
            SendParcel.run, "Middlemarch", id="hello-client-in-activity", task_queue=TASK_QUEUE
        ),
        sep="\n",
    )


example = Example(main, workflows=[SendParcel, Parcel], activities=[send_parcel, unpack_parcel])

if __name__ == "__main__":
    example.run()
