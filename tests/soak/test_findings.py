"""The soak can fail: it notices what is lost, what comes twice, and what stands still."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from durability._runtime.frontend import Status
from durability._runtime.ports import Head, HeadRecord, WorkflowKey
from examples.orders.services import Books

from .api import attempts
from .load import Findings
from .ministack import adapt
from .report import Report
from .stories import CollectorStory, OrderStory, Outcome, Plot
from .target import ROOT
from .watch import Standstill, Watch

ORDER = {"id": "1", "currency": "EUR", "lines": [{"sku": "kettle", "quantity": 1, "unit_price": 4900}]}
RESULT = {"order_id": "1", "amount": 4900, "currency": "EUR", "charge_id": "CH-0002", "tracking": "SH-0004"}


@pytest.fixture
def books() -> Books:
    """What a fulfilled order leaves behind."""
    books = Books(stock={"kettle": 10})
    books.record("reservations", "order-1/stock/1", {"sku": "kettle", "quantity": 1})
    books.record("charges", "order-1/charge", {"amount": 4900})
    books.record("pickings", "order-1/picking", {"reference": "order-1"})
    books.record("shipments", "order-1/shipment", {"parcels": 2})
    return books


def story(plot: Plot = Plot.FULFILLED) -> OrderStory:
    return OrderStory("order-1", plot, ORDER, parcels=2)


def completed(**attempts: int) -> Outcome:
    return Outcome("completed", RESULT, attempts={name.replace("_", " ", 1): n for name, n in attempts.items()})


def undo(books: Books, *kinds: str) -> None:
    keys = {"releases": "stock/1", "refunds": "charge", "cancellations": "picking", "recalls": "shipment"}
    for kind in kinds:
        books.record(kind, f"order-1/{keys[kind]}", {})


def test_a_fulfilled_order_is_right(books: Books) -> None:
    assert story().problems(completed(), books) == []


def test_a_second_charge_is_noticed(books: Books) -> None:
    books.record("charges", "order-1/charge-again", {"amount": 4900})
    assert any(problem.startswith("charged twice") for problem in story().problems(completed(), books))


def test_an_activity_that_ran_again_is_noticed(books: Books) -> None:
    books.record("charges", "order-1/charge", {"amount": 4900})
    outcome = Outcome("completed", RESULT, attempts={"charges order-1/charge": 2})
    assert story().problems(outcome, books) == []
    outcome.attempts["charges order-1/charge"] = 1
    assert story().problems(outcome, books) == ["charges order-1/charge was asked for 2 times in 1 attempts"]


@pytest.mark.parametrize("loss", ["no charge", "refunded", "too little"])
def test_a_lost_charge_is_noticed(books: Books, loss: str) -> None:
    if loss == "no charge":
        del books.entries["charges", "order-1/charge"]
    elif loss == "refunded":
        undo(books, "refunds")
    else:
        books.entries["charges", "order-1/charge"].request["amount"] = 1
    assert any(problem.startswith("charge lost") for problem in story().problems(completed(), books))


def test_a_wrong_result_is_noticed(books: Books) -> None:
    outcome = Outcome("completed", RESULT | {"tracking": "SH-9999"})
    assert len(story().problems(outcome, books)) == 1


def test_a_shipment_of_what_was_not_reported_is_noticed(books: Books) -> None:
    assert replace(story(), parcels=99).problems(completed(), books) != []


@pytest.mark.parametrize("plot", [Plot.SHORT, Plot.DECLINED])
def test_an_end_that_does_not_fit_is_noticed(books: Books, plot: Plot) -> None:
    assert len(story(plot).problems(completed(), books)) == 1


def test_a_cancelled_order_leaves_nothing_behind(books: Books) -> None:
    outcome = Outcome("canceled")
    assert len(story(Plot.CANCELLED).problems(outcome, books)) == 4
    undo(books, "refunds", "releases", "cancellations", "recalls")
    assert story(Plot.CANCELLED).problems(outcome, books) == []


COLLECTION: dict[str, Any] = {
    "rounds": 3,
    "signals": [0, 2],
    "updates": [[1, "a"]],
    "tracking": ["SH-0001", "SH-0002", "SH-0003"],
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, ""),
        ({"signals": [0]}, "acknowledged signals are lost: [2]"),
        ({"signals": [0, 2, 2]}, "signals came twice: [0, 2, 2]"),
        ({"signals": [2, 0]}, "signals came out of order: [2, 0]"),
        ({"signals": [0, 2, 7]}, "signals that nobody sent: [7]"),
        ({"updates": []}, "acknowledged updates are lost: [1]"),
        ({"updates": [[1, "a"], [1, "a"]]}, "updates came twice in one run: [[1, 'a'], [1, 'a']]"),
        ({"updates": [[1, "a"], [1, "b"]]}, ""),
        ({"rounds": 2}, "made 2 rounds, not 3"),
        ({"tracking": ["SH-0001"]}, "has tracking"),
    ],
)
def test_what_a_collector_was_told(change: dict[str, Any], problem: str) -> None:
    books = Books()
    for number in (1, 2, 3):
        books.record("shipments", f"collector-1/{number}", {"parcels": 1})
    story = CollectorStory("collector-1", signals={0: True, 2: True, 3: False}, updates={1: True})
    problems = story.problems(Outcome("completed", COLLECTION | change), books)
    assert [each[: len(problem)] for each in problems] == ([problem] if problem else [])


def test_attempts_are_read_from_the_history() -> None:
    data = "eyJrZXkiOiAib3JkZXItMS9jaGFyZ2UifQ=="  # {"key": "order-1/charge"}
    scheduled = {"activityType": {"name": "charge_customer"}, "input": {"payloads": [{"data": data}]}}
    events = [
        {"eventId": "5", "activityTaskScheduledEventAttributes": scheduled},
        {"eventId": "6", "activityTaskStartedEventAttributes": {"scheduledEventId": "5", "attempt": 3}},
    ]
    assert attempts(events) == {"charges order-1/charge": 3}


# --- standing still ---------------------------------------------------------------------------------------------------


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def head(**changes: Any) -> Head:
    key = WorkflowKey("default", "order-1")
    return Head(key, "r1", "OrderWorkflow", "default", Status.RUNNING, "q", 0, HeadRecord(), **changes)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> Watch:
    watch = Watch(bound=100, clock=clock, now=lambda: clock() * 1000)
    watch.add("order-1")
    return watch


@pytest.mark.parametrize("owing", [{"awake": 1}, {"inbox": {"s": b""}}, {"wake_up": 5}])
def test_a_run_that_does_not_do_what_it_has_to_is_stuck(watch: Watch, clock: Clock, owing: dict[str, Any]) -> None:
    watch.look({"order-1": head(**owing)})
    clock.seconds += 99
    watch.look({"order-1": head(**owing)})
    assert watch.stuck == {}
    clock.seconds += 2
    watch.look({"order-1": head(**owing)})
    assert watch.stuck["order-1"].seconds == 101


def test_a_run_that_moves_on_is_not_stuck(watch: Watch, clock: Clock) -> None:
    for dispatched in range(10):
        watch.look({"order-1": head(awake=1, dispatched=dispatched)})
        clock.seconds += 60
    assert watch.stuck == {}
    assert watch.longest.seconds == 0


def test_a_run_that_waits_is_not_stuck(watch: Watch, clock: Clock) -> None:
    for _ in range(3):
        watch.look({"order-1": head(wake_up=10**9)})
        clock.seconds += 10_000
    assert watch.stuck == {}


@pytest.mark.parametrize("content", [b'{"pk":{"S":"default#order-1"}}', b"the whole reconciler"])
def test_the_bound_counts_from_the_last_fault(watch: Watch, clock: Clock, content: bytes) -> None:
    watch.look({"order-1": head(awake=1)})
    clock.seconds += 90
    watch.befell(content, clock.seconds)
    clock.seconds += 90
    watch.look({"order-1": head(awake=1)})
    assert watch.stuck == {}
    clock.seconds += 20
    watch.look({"order-1": head(awake=1)})
    assert "order-1" in watch.stuck


def test_another_runs_faults_excuse_nothing(watch: Watch, clock: Clock) -> None:
    watch.look({"order-1": head(awake=1)})
    watch.befell(b"default#order-11 and order-2", clock.seconds + 90)
    clock.seconds += 101
    watch.look({"order-1": head(awake=1)})
    assert "order-1" in watch.stuck


async def test_a_closed_run_is_told(watch: Watch) -> None:
    watch.look({"order-1": head()})
    assert watch.open == ["order-1"]
    watch.look({"order-1": replace(head(), status=Status.COMPLETED)})
    await asyncio.wait_for(watch.closed("order-1"), 1)
    assert watch.open == []


def test_failed_tasks_are_counted(watch: Watch) -> None:
    watch.look({"order-1": head(awake=1, task_attempts=1, task_failure="boom")})
    watch.look({"order-1": head(awake=1, task_attempts=1, task_failure="boom")})
    assert watch.failed_tasks == {"boom": 1}


# --- the verdict ------------------------------------------------------------------------------------------------------


def report(**changes: Any) -> Report:
    nothing: dict[str, Any] = {
        "target": "t",
        "settings": {},
        "minutes": 1,
        "findings": Findings(started=1, checked=2),
        "faults": {"dynamodb: throttled": 3},
        "resent": {},
        "requests": 10,
        "invocations": 5,
        "charges": 1,
        "stuck": {},
        "longest": Standstill("order-1", 3.0, ""),
        "not_ended": {},
        "dead_letters": {"workflow": []},
        "leftovers": [],
        "failed_tasks": {},
    }
    return Report(**(nothing | changes))


def test_all_is_well() -> None:
    assert report().ok
    assert "nothing lost, nothing twice" in report().text()
    assert report().json()["ok"] is True


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ({"stuck": {"order-1": Standstill("order-1", 200.0, "run r1")}}, "STUCK order-1 for 200.0 s: run r1"),
        ({"not_ended": {"order-1": "there is no such workflow"}}, "NOT ENDED order-1: there is no such workflow"),
        ({"dead_letters": {"workflow": ["{}"]}}, "DEAD LETTER workflow: {}"),
        ({"leftovers": ["default#order-1 HEAD"]}, "LEFT default#order-1 HEAD"),
        ({"findings": Findings(problems={"order-1": ["charged twice: []"]})}, "charges made twice       1"),
    ],
)
def test_anything_wrong_fails_the_soak(what: dict[str, Any], text: str) -> None:
    failed = report(**what)
    assert not failed.ok
    assert text in failed.text()


def test_what_ministack_needs_is_still_in_the_template() -> None:
    text = adapt((ROOT / "template.yaml").read_text(), {"SHOP_URL": "http://shop"})
    assert '        SHOP_URL: "http://shop"\n' in text
    with pytest.raises(ValueError, match="CodeUri"):
        adapt(text, {})
