"""Something of which there is little, shared by many workflows: a workflow that hands it out and takes it back.

Whoever wants a room signals the pool and sleeps until the pool signals back. Neither polls, and the queue is fair.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from durability.exceptions import ApplicationError
from examples.running import TASK_QUEUE, Example


@dataclass
class Pool:
    """The pool's state, which is also its argument: a run goes on where the one before it stopped."""

    free: list[str]
    lent: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


@workflow.defn
class RoomPool:
    @workflow.init
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._closed = False

    @workflow.run
    async def run(self, pool: Pool) -> int:
        """Give how many rooms are free at the end."""
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(lambda: self._closed or bool(pool.free and pool.waiting))
            if self._closed:
                return len(pool.free)
            await self._lend(pool.free.pop(0), pool.waiting.pop(0))
        workflow.continue_as_new(pool)

    async def _lend(self, room: str, borrower: str) -> None:
        self._pool.lent[borrower] = room
        try:
            await workflow.get_external_workflow_handle(borrower).signal(Rehearse.lent, room)
        except ApplicationError:
            # The borrower is gone.
            self.give_back(borrower)

    @workflow.signal
    def ask_for(self, borrower: str) -> None:
        self._pool.waiting.append(borrower)

    @workflow.signal
    def give_back(self, borrower: str) -> None:
        if room := self._pool.lent.pop(borrower, None):
            self._pool.free.append(room)

    @workflow.signal
    def add(self, room: str) -> None:
        self._pool.free.append(room)

    @workflow.signal
    def close(self) -> None:
        self._closed = True

    @workflow.query
    def state(self) -> Pool:
        return self._pool


@activity.defn
async def rehearse_in(room: str, group: str) -> str:
    return f"{group} rehearsed in {room}"


@workflow.defn
class Rehearse:
    def __init__(self) -> None:
        self._room: str | None = None

    @workflow.run
    async def run(self, pool_id: str, group: str) -> str:
        pool = workflow.get_external_workflow_handle(pool_id)
        me = workflow.info().workflow_id
        await pool.signal(RoomPool.ask_for, me)
        try:
            await workflow.wait_condition(lambda: self._room is not None)
            return await workflow.execute_activity(
                rehearse_in, args=[self._room, group], start_to_close_timeout=timedelta(seconds=10)
            )
        finally:
            await pool.signal(RoomPool.give_back, me)

    @workflow.signal
    def lent(self, room: str) -> None:
        self._room = room


async def main(client: Client) -> None:
    pool = await client.start_workflow(
        RoomPool.run, Pool(["the small hall", "the cellar"]), id="room-pool", task_queue=TASK_QUEUE
    )
    groups = ["the choir", "the quartet", "the players", "the drummers"]
    rehearsals = [
        await client.start_workflow(
            Rehearse.run, args=[pool.id, group], id=f"rehearsal-{number}", task_queue=TASK_QUEUE
        )
        for number, group in enumerate(groups)
    ]
    for group, rehearsal in zip(groups, rehearsals, strict=True):
        print(f"{group} rehearsed:", (await rehearsal.result()).startswith(group))
    await pool.signal(RoomPool.close)
    print("rooms free in the end:", await pool.result())


example = Example(main, workflows=[RoomPool, Rehearse], activities=[rehearse_in])

if __name__ == "__main__":
    example.run()
