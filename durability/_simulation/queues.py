"""A twin of a standard queue with a function behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from durability._simulation.plan import Delivery
from durability._simulation.processes import Died

if TYPE_CHECKING:
    from durability._simulation.world import World

VISIBILITY: Final = 360.0
RECEIVES: Final = 10
"""Seconds, receipts: as in the template."""
LATENCIES: Final = (0.0, 0.001, 0.002, 0.003, 0.005, 0.008, 0.02)


@dataclass(eq=False)
class Message:
    """A message on a queue."""

    number: int
    body: str
    receives: int = 0
    deleted: bool = False


class Queue:
    """A standard queue with a function behind it."""

    def __init__(self, world: World, function: str, batch: int) -> None:
        self.world = world
        self.function = function
        self.batch = batch
        self.ready: list[Message] = []
        self.dead_letters: list[Message] = []
        self._pumping = False

    def send(self, body: str, delay: float) -> None:
        """Accept a message."""
        world = self.world
        number = world.messages = world.messages + 1
        delivery = world.plan.deliveries.get(number)
        message = Message(number, body)
        if delivery is not None:
            world.happened[delivery.value] += 1
        if delivery is Delivery.LATE:
            delay += world.random.choice((1.0, 30.0, 200.0))
        if delivery is Delivery.LOST:
            message.receives = 1
            delay += VISIBILITY
        if delivery is Delivery.GIVEN_UP:
            message.receives = RECEIVES
        world.loop.call_later(delay, self._appear, message)
        crowded = world.plan.crowded
        if crowded and self.function == "workflow" and world.random.random() < crowded:
            world.loop.call_later(delay + world.random.choice(LATENCIES), self._appear, message)
        if delivery is Delivery.TWICE:
            world.loop.call_later(delay + world.random.choice((0.0, 0.001, 0.5, 40.0)), self._appear, message)

    def _appear(self, message: Message) -> None:
        if message.deleted or message in self.ready:
            return
        if message.receives >= RECEIVES:
            self.dead_letters.append(message)
            return
        self.ready.append(message)
        if not self._pumping:
            self._pumping = True
            self.world.loop.call_later(self.world.random.choice(LATENCIES), self._pump)

    def _pump(self) -> None:
        self._pumping = False
        while self.ready:
            size = self.world.random.randint(1, self.batch)
            batch, self.ready = self.ready[:size], self.ready[size:]
            self.world.spawn(self._receive(batch))

    async def _receive(self, batch: list[Message]) -> None:
        world = self.world
        for message in batch:
            message.receives += 1
            world.loop.call_later(VISIBILITY, self._appear, message)
        event = {"Records": [{"messageId": str(message.number), "body": message.body} for message in batch]}
        try:
            answer = await world.invoke(self.function, event)
        except Died:
            return
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in batch:
            message.deleted = message.deleted or str(message.number) not in failed
