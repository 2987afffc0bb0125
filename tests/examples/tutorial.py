"""What the examples print, wherever they run."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

from durability.client import Client
from examples.running import TASK_QUEUE, Example
from examples.sleep_for_days import Subscription

EXAMPLES: Final = Path(__file__).parents[2] / "examples"

WITH_AN_APPLICATION_OF_ITS_OWN: Final = {
    "context_propagation.notices": "examples.context_propagation.app:app",
    "custom_converter.shelving": "examples.custom_converter.app:app",
    "pydantic_models.lending": "examples.pydantic_models.app:app",
}

PRINTED: Final[dict[str, list[str]]] = {
    "hello.activity": ["Good morning, Ada, and welcome to the library!"],
    "hello.async_activity": ["2173 books"],
    "hello.threaded_activity": ["wrong check digit: 9780306406158"],
    "hello.activity_method": ["Flatland: second floor, shelf 12", "The Lost Book: not in this library"],
    "hello.retry": [
        "card for Ada, printed at attempt 3",
        "failed at once: NoName: a card needs a name",
    ],
    "hello.heartbeat": ["scanned after the paper jam: 4 5 6"],
    "hello.child": ["repaired: Flatland, bound in linen", "the child's own result: Flatland, bound in linen"],
    "hello.parallel": [
        "harbour: 7 copies",
        "old town: 8 copies",
        "university: 10 copies",
        "north: 5 copies",
        "hospital: 8 copies",
    ],
    "hello.cancellation": ["cancelled: True", "stopped sorting", "put the trolley away"],
    "hello.continue_as_new": ["all stamped, in 4 runs"],
    "hello.cron": ["7", "14", "21", "terminated"],
    "hello.signals": ["returned today: Flatland, Middlemarch"],
    "hello.queries": [
        "at first: Progress(done=0, left=10)",
        "then: Progress(done=4, left=6)",
        "in the end: Progress(done=10, left=0)",
    ],
    "hello.updates": [
        "Flatland: 2 more",
        "Middlemarch: 1 more",
        "Kim: 0 more",
        "refused: ValueError: 'Emma' would be one too many",
        "borrowed: Flatland, Middlemarch, Kim",
    ],
    "hello.local_activity": ["1 days late: 0.00", "12 days late: 1.20"],
    "hello.patch": ["a text message to Ada"],
    "hello.search_attributes": ["ordered: harbour 2", "changed: None 5", "delivered: 5"],
    "hello.async_completion": ["Middlemarch: yes, two copies"],
    "hello.client_in_activity": ["on its way", "unpacked: Middlemarch is here"],
    "hello.exceptions": [
        "WorkflowFailureError: Workflow execution failed",
        "ActivityError: Activity task failed",
        "ApplicationError of type MissingPageError: MissingPageError: page 7 is missing",
        "ApplicationError of type KeyError: KeyError: 7",
    ],
    "hello.dynamic": [
        "to be bound: True",
        "Restore takes that's all for an answer",
        "clean Flatland, bind Flatland",
    ],
    "message_passing.safe_handlers": [
        "the same seats when asked twice: True",
        "none is given twice: True",
        "then for four more: 4",
        "taken at closing time: 6",
    ],
    "message_passing.waiting_for_handlers": [
        "return: Emma, dusted off / clean",
        "fail: Emma was put back as it was / the roof leaks",
        "cancel: Emma was put back as it was / Workflow cancelled",
    ],
    "message_passing.update_with_start": [
        "books in the basket: 1",
        "books in the basket: 2",
        "Ada borrows Flatland and Emma",
    ],
    "polling.frequent": ["Kim has arrived, after it was asked for 4 times"],
    "polling.infrequent": ["Kim has arrived, after it was asked for 4 times"],
    "polling.periodic": ["Kim has arrived, after it was asked for 4 times"],
    "sliding_window": ["10 books in 3 runs, never more than 3 at once: True"],
    "resource_pool": [
        "the choir rehearsed: True",
        "the quartet rehearsed: True",
        "the players rehearsed: True",
        "the drummers rehearsed: True",
        "rooms free in the end: 2",
    ],
    "updatable_timer": [
        "renewed again, for 14 days, 0:00:00",
        "due when it was told: True",
        "the loan is over",
    ],
    "dsl.interpreter": ["bought, after a price from the publisher of Middlemarch and a review of Middlemarch"],
    "entity": ["points left: 100", "Member(name='Ada', points=100, earned=130, level=1, gifts=1, runs=1)"],
    "sleep_for_days": ["after a year: newsletter 12 to Ada"],
    "saga": [
        "an evening with Ms Evans for 60 guests",
        "failed, as TooManyGuests: there are 80 chairs; undone: send_chairs_back call_off_author free_hall",
    ],
    "context_propagation.notices": ["Emma est en retard", "Emma ist überfällig"],
    "custom_converter.shelving": ["shelved at QA 76.9 D4, subject QA"],
    "pydantic_models.lending": ["due on 2024-02-29 for 1.40"],
}


def load(name: str) -> Example:
    """An example by the name of its module."""
    example = importlib.import_module(f"examples.{name}").example
    assert isinstance(example, Example)
    return example


async def subscribe_and_cancel(client: Client, subscription: Any = Subscription) -> None:
    """A year, cut short after the first letter."""
    handle = await client.start_workflow(subscription.run, args=["Ada", 12], id="subscription", task_queue=TASK_QUEUE)
    assert await handle.execute_update(subscription.first_letter) == "newsletter 1 to Ada"
    await handle.signal(subscription.cancel_subscription)
    assert await handle.result() == ["newsletter 1 to Ada"]
