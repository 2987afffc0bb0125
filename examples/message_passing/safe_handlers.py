"""Handlers that await: a lock keeps them from getting in each other's way, and nothing ends before they have.

The workflow keeps a reading room's seats. To seat a group takes two steps, with an activity in between; without the
lock, two groups would be given the same seats. From time to time it continues as new, and takes its state along.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from durability import activity, workflow
from durability.client import Client
from durability.exceptions import ApplicationError
from examples.running import TASK_QUEUE, Example


@dataclass
class Room:
    """The state, which is also the argument: a run goes on where the one before it stopped."""

    seats: int
    taken: dict[int, str] = field(default_factory=dict)
    history_limit: int | None = None  # for tests: the server's own suggestion comes after thousands of events


@dataclass
class Group:
    """The name makes a request that comes twice the same request."""

    name: str
    size: int


@activity.defn
async def prepare_seats(seats: list[int]) -> None:
    await asyncio.sleep(0.01)


@workflow.defn
class ReadingRoom:
    @workflow.init
    def __init__(self, room: Room) -> None:
        self._room = room
        self._lock = asyncio.Lock()
        self._closed = False

    @workflow.run
    async def run(self, room: Room) -> dict[int, str]:
        await workflow.wait_condition(lambda: self._closed or self._is_to_continue())
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not self._closed:
            workflow.continue_as_new(self._room)
        return self._room.taken

    @workflow.update
    async def seat(self, group: Group) -> list[int]:
        """Give a group its seats, the same ones if it asks again."""
        async with self._lock:
            if mine := self._seats_of(group.name):
                return mine
            free = [seat for seat in range(1, self._room.seats + 1) if seat not in self._room.taken]
            if len(free) < group.size:
                raise ApplicationError(f"{len(free)} seats are left, {group.name} needs {group.size}")
            seats = free[: group.size]
            # What is read above would be out of date below, were it not for the lock.
            await workflow.execute_activity(prepare_seats, seats, start_to_close_timeout=timedelta(seconds=10))
            self._room.taken.update(dict.fromkeys(seats, group.name))
            return seats

    @workflow.update
    async def leave(self, name: str) -> None:
        async with self._lock:
            for seat in self._seats_of(name):
                del self._room.taken[seat]

    @workflow.signal
    def close(self) -> None:
        self._closed = True

    @workflow.query
    def continues(self) -> bool:
        """Whether this run continues another one."""
        return workflow.info().continued_run_id is not None

    def _seats_of(self, name: str) -> list[int]:
        return [seat for seat, holder in self._room.taken.items() if holder == name]

    def _is_to_continue(self) -> bool:
        if self._room.history_limit is not None:
            return workflow.info().get_current_history_length() > self._room.history_limit
        return workflow.info().is_continue_as_new_suggested()


async def main(client: Client) -> None:
    handle = await client.start_workflow(ReadingRoom.run, Room(seats=6), id="reading-room", task_queue=TASK_QUEUE)
    groups = [Group("the poets", 3), Group("the class", 2), Group("the poets", 3)]
    answers = await asyncio.gather(*(handle.execute_update(ReadingRoom.seat, group) for group in groups))
    print("the same seats when asked twice:", answers[0] == answers[2])
    print("none is given twice:", not set(answers[0]) & set(answers[1]))
    await handle.execute_update(ReadingRoom.leave, "the poets")
    print("then for four more:", len(await handle.execute_update(ReadingRoom.seat, Group("the choir", 4))))
    await handle.signal(ReadingRoom.close)
    print("taken at closing time:", len(await handle.result()))


example = Example(main, workflows=[ReadingRoom], activities=[prepare_seats])

if __name__ == "__main__":
    example.run()
