"""Adding up what was recorded, and what it is billed at."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from benchmarks import prices
from benchmarks.report import Budget, budget_section
from benchmarks.usage import Usage, table_usage


def recorded(operation: str, write_units: float, read_units: float, *sizes: int) -> dict[str, Any]:
    return {
        "service": "dynamodb",
        "operation": operation,
        "write_units": write_units,
        "read_units": read_units,
        "item_sizes": list(sizes),
    }


def test_requests_are_added_up() -> None:
    usage = table_usage(
        [
            recorded("PutItem", 1, 0, 300),
            recorded("UpdateItem", 4, 0, 700),
            recorded("Query", 0, 1.5, 100, 200),
            {"service": "sqs", "operation": "SendMessage"},
        ]
    )
    assert (usage.requests, usage.write_requests) == (3, 2)
    assert (usage.write_units, usage.read_units) == (5, 1.5)
    assert (usage.written_bytes, usage.read_bytes) == (1000, 300)


def test_a_difference_of_usages_is_what_one_did_more() -> None:
    less = Usage(operations=Counter(PutItem=2, Query=1), write_units=5, invocations=1)
    more = Usage(operations=Counter(PutItem=12, GetItem=10), write_units=15, invocations=1)
    each = (more - less) / 10
    assert each.operations == {"PutItem": 1, "GetItem": 1, "Query": -0.1}
    assert (each.write_units, each.invocations) == (1, 0)


def test_a_bill_by_hand() -> None:
    usage = Usage(write_units=16, read_units=8, sends=1, messages=2, schedules=1, invocations=5)
    bill = prices.bill(usage, prices.load_prices())
    assert bill == pytest.approx(
        {
            "table, writes": 10e-6,
            "table, reads": 1e-6,
            "queue": 2e-6,
            "schedules": 1e-6,
            "invocations": 1e-6,
        }
    )


def test_bills_of_others_by_hand() -> None:
    bills = prices.rival_bills(prices.load_prices(), prices.load_rivals()["counts"])
    assert bills == {
        "AWS Lambda durable functions": pytest.approx((120e-6, 120e-6)),
        "Step Functions, Standard": pytest.approx((350e-6, 350e-6)),
        "Temporal Cloud": pytest.approx((325e-6, 650e-6)),
    }


def test_a_missed_budget_says_why() -> None:
    rows = [Budget("a", "1", "1", True, "never shown"), Budget("b", "1", "2", False, "because")]
    text = budget_section("Title", rows).render()
    assert "Missed: **b**. because" in text
    assert "never shown" not in text
