"""Random programs, random inputs: both engines must decide the same, in the same order."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.engines import Ours, Pending, TaskFailed, Theirs

# A random program may cancel a task before it begins, or end a task group while it is being filled: asyncio then drops
# the coroutine, on both engines.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

leaf = st.one_of(
    st.tuples(st.just("activity"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["sleep", "workflow_sleep"]), st.sampled_from([0.5, 1, 2])),
    st.tuples(st.just("wait"), st.integers(1, 3)),
    st.tuples(st.just("wait_timeout"), st.integers(1, 3), st.sampled_from([1, 3])),
    st.tuples(st.just("spawn_activity"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["cancel", "join"]), st.integers(0, 3)),
    st.tuples(st.sampled_from(["get", "yield", "fail", "handlers"])),
    st.tuples(st.just("patch"), st.sampled_from(["a", "b"])),
)


def _nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    program = st.lists(children, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.sampled_from(["spawn", "shield", "try", "lock"]), program),
        st.tuples(st.sampled_from(["gather", "group"]), st.lists(program, min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["timeout", "wait_for"]), st.sampled_from([0.5, 1, 2]), program),
    )


statement = st.recursive(leaf, _nested, max_leaves=8)
program = st.lists(statement, min_size=1, max_size=5)
small = st.lists(leaf, max_size=2)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(program, st.data())
def test_both_engines_decide_the_same(program: list[Any], data: st.DataObject) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _compare(program, data)


def _compare(program: list[Any], data: st.DataObject) -> None:
    ours, theirs, pending = Ours(program), Theirs(program), Pending()
    time, updates, cancelled = 1_700_000_000_000, 0, False
    events: list[tuple[Any, ...]] = [("start",)]
    history: list[Any] = []
    try:
        for _ in range(8):
            for _ in range(data.draw(st.integers(0, 3))):
                kind = data.draw(st.sampled_from(["signal", "update", "timer", "activity", "activity", "cancel"]))
                if kind == "signal":
                    events.append(("signal", data.draw(st.sampled_from("ab")), data.draw(small)))
                elif kind == "update":
                    updates += 1
                    name = data.draw(st.sampled_from(["x", "bad"]))
                    events.append(("update", f"u{updates}", name, data.draw(small)))
                elif kind == "timer" and pending.timers:
                    events.append(("fire", _take(pending.timers, data)))
                elif kind == "activity" and pending.activities:
                    outcome = data.draw(st.sampled_from(["complete", "complete", "fail", "cancelled"]))
                    events.append((outcome, _take(pending.activities, data)))
                elif kind == "cancel" and not cancelled and history:
                    cancelled = True
                    events.append(("cancel",))
            if not events:
                continue
            history.append(events)
            try:
                expected = theirs.do(events, time)
            except TaskFailed:
                with pytest.raises(Exception):  # noqa: B017, PT011 - any failure of the workflow task will do
                    ours.do(events, time)
                return
            got = ours.do(events, time)
            assert got == expected, history
            pending.note(got)
            if any(c[0] in ("complete", "fail", "cancel") for c in got):
                _replays(ours)
                return
            assert ours.query() == theirs.query(), history
            time += 1000
            events = []
        _replays(ours)
    finally:
        ours.driver.close()


def _take(pending: list[int], data: st.DataObject) -> int:
    return pending.pop(data.draw(st.integers(0, len(pending) - 1)))


def _replays(ours: Ours) -> None:
    """The same history and the same code give the same commands; what was rejected is not in the history."""
    if any(c for _, commands in ours.driver.tasks for c in commands if type(c).__name__.endswith("UpdateRejected")):
        return
    assert ours.driver.replay() == [commands for _, commands in ours.driver.tasks]
