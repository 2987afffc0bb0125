"""Activities that are methods share what their object holds, such as a connection."""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example


class Catalogue:
    """Stands for a database: made once, before the worker or the function takes work."""

    def __init__(self, places: dict[str, str]) -> None:
        self._places = places

    @activity.defn
    async def find_book(self, title: str) -> str:
        return self._places.get(title, "not in this library")


@workflow.defn
class FindBook:
    @workflow.run
    async def run(self, title: str) -> str:
        return await workflow.execute_activity_method(
            Catalogue.find_book, title, start_to_close_timeout=timedelta(seconds=10)
        )


async def main(client: Client) -> None:
    for title in ("Flatland", "The Lost Book"):
        place = await client.execute_workflow(FindBook.run, title, id="hello-activity-method", task_queue=TASK_QUEUE)
        print(f"{title}: {place}")


catalogue = Catalogue({"Flatland": "second floor, shelf 12"})
example = Example(main, workflows=[FindBook], activities=[catalogue.find_book])

if __name__ == "__main__":
    example.run()
