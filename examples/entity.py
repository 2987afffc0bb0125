"""A workflow that is a thing: one for each member, for as long as they are one, and the only place where its state is.

Messages change it, and queries read it. It continues as new from time to time, so it may live for years.
"""

from dataclasses import dataclass
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from durability.common import WorkflowIDConflictPolicy
from durability.exceptions import ApplicationError
from examples.running import TASK_QUEUE, Example


@dataclass
class Member:
    """The state, which is also the argument: a run goes on where the one before it stopped."""

    name: str
    points: int = 0
    earned: int = 0
    level: int = 0
    gifts: int = 0
    runs: int = 1


@activity.defn
async def send_gift(name: str, level: int) -> None: ...


@workflow.defn
class Membership:
    POINTS_PER_LEVEL = 100
    MESSAGES_PER_RUN = 1_000

    @workflow.init
    def __init__(self, member: Member) -> None:
        self._member = member
        self._messages = 0
        self._cancelled = False

    @workflow.run
    async def run(self, member: Member) -> Member:
        while not self._cancelled:
            await workflow.wait_condition(lambda: self._cancelled or self._has_risen() or self._is_to_continue())
            while self._has_risen():
                member.level += 1
                await workflow.execute_activity(
                    send_gift, args=[member.name, member.level], start_to_close_timeout=timedelta(seconds=10)
                )
                member.gifts += 1
            if self._is_to_continue() and not self._cancelled:
                await workflow.wait_condition(workflow.all_handlers_finished)
                member.runs += 1
                workflow.continue_as_new(member)
        return member

    @workflow.signal
    def earn(self, points: int) -> None:
        self._messages += 1
        self._member.points += points
        self._member.earned += points

    @workflow.update
    def spend(self, points: int) -> int:
        """Give the points that are left."""
        self._messages += 1
        self._member.points -= points
        return self._member.points

    @spend.validator
    def _can_spend(self, points: int) -> None:
        if points > self._member.points:
            raise ApplicationError(f"there are only {self._member.points} points")

    @workflow.signal
    def cancel_membership(self) -> None:
        self._cancelled = True

    @workflow.query
    def member(self) -> Member:
        return self._member

    def _has_risen(self) -> bool:
        return self._member.earned >= (self._member.level + 1) * self.POINTS_PER_LEVEL

    def _is_to_continue(self) -> bool:
        return self._messages >= self.MESSAGES_PER_RUN or workflow.info().is_continue_as_new_suggested()


async def main(client: Client) -> None:
    async def earn(name: str, points: int) -> None:
        """Signal the member, who is made with the first signal."""
        await client.start_workflow(
            Membership.run,
            Member(name),
            id=f"member-{name}",
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="earn",
            start_signal_args=[points],
        )

    await earn("Ada", 70)
    await earn("Ada", 60)
    handle = client.get_workflow_handle("member-Ada", result_type=Member)
    print("points left:", await handle.execute_update(Membership.spend, 30))
    await handle.signal(Membership.cancel_membership)
    print(await handle.result())


example = Example(main, workflows=[Membership], activities=[send_gift])

if __name__ == "__main__":
    example.run()
