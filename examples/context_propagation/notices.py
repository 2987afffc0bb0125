"""A workflow whose activities know the reader's language, which is in none of its arguments."""

from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from examples.running import TASK_QUEUE, Example

with workflow.unsafe.imports_passed_through():
    from examples.context_propagation.interceptor import LanguageInterceptor, language

NOTICES = {"en": "{} is overdue", "fr": "{} est en retard", "de": "{} ist überfällig"}


@activity.defn
async def write_notice(title: str) -> str:
    return NOTICES[language.get()].format(title)


@workflow.defn
class WriteNotice:
    """A part of the work, done by a child."""

    @workflow.run
    async def run(self, title: str) -> str:
        return await workflow.execute_activity(write_notice, title, start_to_close_timeout=timedelta(seconds=10))


@workflow.defn
class RemindOf:
    def __init__(self) -> None:
        self._notices: list[str] = []
        self._ended = False

    @workflow.run
    async def run(self, title: str) -> list[str]:
        self._notices.append(await workflow.execute_child_workflow(WriteNotice.run, title))
        await workflow.wait_condition(lambda: self._ended)
        return self._notices

    @workflow.signal
    async def once_more(self, title: str) -> None:
        """In the language of whoever signals."""
        self._notices.append(
            await workflow.execute_activity(write_notice, title, start_to_close_timeout=timedelta(seconds=10))
        )
        self._ended = True


async def main(client: Client) -> None:
    language.set("fr")
    handle = await client.start_workflow(RemindOf.run, "Emma", id="context-propagation", task_queue=TASK_QUEUE)
    language.set("de")
    await handle.signal(RemindOf.once_more, "Emma")
    print(*sorted(await handle.result()), sep="\n")


example = Example(
    main,
    workflows=[RemindOf, WriteNotice],
    activities=[write_notice],
    interceptors=[LanguageInterceptor()],
)

if __name__ == "__main__":
    example.run()
