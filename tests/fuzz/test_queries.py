"""List queries and cron schedules: any text is read, or refused with what is wrong with it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durability._aws.dynamodb import DynamoDBStore
from durability._rest.list_filter import parse_list_query
from durability._runtime.cron import delay_until_next
from durability._runtime.frontend import ListFilter, Status
from durability._simulation.table import Table, TableCaller
from durability.service import RPCError, RPCStatusCode
from tests.fuzz.strategies import examples, texts

NAMES = ("WorkflowType", "WorkflowId", "ExecutionStatus", "StartTime", "CloseTime", "x")
OPERATORS = ("=", "!=", ">", ">=", "<", "<=", "IN", "==", "")
VALUES = ("'Order'", '"w"', "'Running'", "'2026-01-31T00:00:00Z'", "'0001-01-01T00:00:00+23:59'", "1", "'", "''")


def check(refused: RPCError) -> None:
    """A refusal says that the caller is wrong, and what is."""
    assert refused.status == RPCStatusCode.INVALID_ARGUMENT
    assert refused.message


conditions = st.tuples(
    st.sampled_from(NAMES) | texts(8),
    st.sampled_from(OPERATORS),
    st.sampled_from(VALUES) | texts(8).map(repr),
).map(" ".join)
queries = st.lists(conditions | texts(), max_size=4).map(" AND ".join) | texts()


@given(queries)
@examples(300)
def test_a_query_is_answered_or_refused(query: str) -> None:
    try:
        selected = parse_list_query(query)
    except RPCError as refused:
        check(refused)
        return
    store = DynamoDBStore(TableCaller(Table(lambda: 0)), "table")
    with suppress(RPCError):
        assert asyncio.run(store.list_runs("default", selected)) == ([], "")


@given(
    st.sampled_from(["WorkflowType", "WorkflowId"]),
    st.text(st.characters(codec="utf-8", exclude_characters="'\"")),
    st.sampled_from(list(Status)),
)
@examples(60)
def test_what_a_query_names_is_what_is_looked_for(name: str, value: str, status: Status) -> None:
    found = parse_list_query(f"{name}='{value}' and ExecutionStatus = \"{status.name.title().replace('_', '')}\"")
    wanted: Any = {"workflow_type" if name == "WorkflowType" else "workflow_id": value}
    assert found == ListFilter(status=int(status), **wanted)


times = st.integers(-(10**14), 10**14)


@given(
    times, times, st.sampled_from(["", "Order"]), st.sampled_from(["", "1:x", "-1:x", "²:x", "9" * 40 + ":x", ":", "x"])
)
@examples(100)
def test_any_bounds_and_tokens_are_asked_of_the_indexes(after: int, before: int, kind: str, token: str) -> None:
    store = DynamoDBStore(TableCaller(Table(lambda: 0)), "table")
    selected = ListFilter(workflow_type=kind, started_after=after, started_before=before, page_token=token)
    with suppress(RPCError):
        assert asyncio.run(store.list_runs("default", selected)) == ([], "")


fields = st.lists(
    st.sampled_from(("*", "*/5", "0", "59", "60", "1-5", "5-1", "1,2", "MON", "jan", "L", "?", "#", "-", "*/0", "1/0"))
    | texts(4),
    min_size=4,
    max_size=6,
).map(" ".join)
schedules = st.one_of(
    fields,
    st.builds("{}={} {}".format, st.sampled_from(("TZ", "CRON_TZ")), texts(), fields),
    st.builds(
        "@every {}".format, st.sampled_from(("1h", "0s", "-1s", "1e9h", "9" * 400 + "h", "1.5h1m", "")) | texts()
    ),
    st.sampled_from(("@daily", "@yearly", "@reboot", "@")),
    texts(),
)


@given(schedules, st.integers(0, 4_000_000_000_000))
@examples(250)
def test_a_schedule_has_a_next_time_or_is_refused(schedule: str, now: int) -> None:
    try:
        delay = delay_until_next(schedule, now, now)
    except RPCError as refused:
        check(refused)
        return
    assert 0 < delay < 400 * 366 * 86_400_000


@pytest.mark.parametrize("schedule", ["0 0 30 2 *", "TZ=Europe/Berlin 30 2 29 2 0", "0 0 31 4,6 *"])
def test_a_time_that_is_rare_or_never_comes_is_found_out(schedule: str) -> None:
    with suppress(RPCError):
        assert delay_until_next(schedule, 0, 0) > 0
