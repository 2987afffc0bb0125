"""Random programs, random inputs: both engines must decide the same, in the same order."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.ours import Ours, Pending
from tests.oracle.programs import Happenings, program
from tests.oracle.theirs import CLOSING, TaskFailed, Theirs

# A random program may cancel a task before it begins, or end a task group while it is being filled: asyncio then drops
# the coroutine, on both engines.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _leave_no_coroutines() -> Iterator[None]:
    """What neither engine could close is collected here, not in the middle of another test."""
    yield
    gc.collect()


RULES = ("activity", "patch", "memo", "random", "handler", "continue")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(program, st.data())
def test_both_engines_decide_the_same(program: list[Any], data: st.DataObject) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _compare(program, data)


def _compare(program: list[Any], data: st.DataObject) -> None:
    ours, theirs, pending = Ours(program), Theirs(program), Pending()
    happenings = Happenings(data, pending)
    time = 1_700_000_000_000
    history: list[Any] = []
    try:
        for number in range(8):
            events: list[tuple[Any, ...]] = [("start",)] if number == 0 else []
            events += happenings.draw(is_first=number == 0)
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
            if any(command[0] in CLOSING for command in got):
                break
            assert ours.query("so_far") == theirs.query("so_far"), history
            rule = RULES[number % len(RULES)]
            assert ours.query("breaks_rules", rule) == theirs.query("breaks_rules", rule), history
            time += 1000
        if not ours.rejected:
            ours.replay()
    finally:
        ours.driver.close()
        theirs.close()
