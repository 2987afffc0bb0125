"""An activity that ends somewhere else: its function returns at once, and whoever has its task token completes it."""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


@activity.defn
async def ask_the_director(question: str) -> str:
    """Put the question on the director's desk. The answer is given to ``Acquire`` by the token that goes with it."""
    info = activity.info()
    assert info.workflow_id is not None
    # This example's desk is the workflow itself; in life, the token would go into a mail or another system's table.
    await activity.client().get_workflow_handle(info.workflow_id).signal(Acquire.asked, info.task_token)
    activity.raise_complete_async()


@workflow.defn
class Acquire:
    def __init__(self) -> None:
        self._token = b""

    @workflow.run
    async def run(self, title: str) -> str:
        answer = await workflow.execute_activity(
            ask_the_director, f"Shall we buy {title}?", start_to_close_timeout=timedelta(days=14)
        )
        return f"{title}: {answer}"

    @workflow.signal
    def asked(self, token: bytes) -> None:
        self._token = token

    @workflow.update
    async def token(self) -> bytes:
        await workflow.wait_condition(lambda: bool(self._token))
        return self._token


async def main(client: Client) -> None:
    handle = await client.start_workflow(Acquire.run, "Middlemarch", id="hello-async-completion", task_queue=TASK_QUEUE)
    token = await handle.execute_update(Acquire.token)
    await client.get_async_activity_handle(task_token=token).complete("yes, two copies")
    print(await handle.result())


example = Example(main, workflows=[Acquire], activities=[ask_the_director])

if __name__ == "__main__":
    example.run()
