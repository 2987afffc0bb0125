"""A run in memory: what it waits for, what it takes for news, and that replay rebuilds it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import pytest

from durability._core import history
from durability._core.activation import Activation, QueryRequest, RunDetails
from durability._core.errors import NondeterminismError
from durability._core.failure import Failure
from durability._core.history import Command, Delta, Input
from durability._core.payload import Payload
from durability._core.run import Run, effective

START = history.WorkflowExecutionStarted(1000, "request", "Type", "queue", [], memo={"a": Payload({}, b"1")})


@dataclass
class Script:
    """A workflow that decides, activation by activation, what its script says."""

    tasks: list[list[Command]]
    seen: list[Activation] = field(default_factory=list)

    def activate(self, activation: Activation) -> list[Command]:
        self.seen.append(activation)
        return list(self.tasks[len(self.seen) - 1])

    def query(self, request: QueryRequest) -> Payload | None:
        return None

    def guarded(self) -> AbstractContextManager[object]:
        return nullcontext()

    def stack_trace(self) -> str:
        return ""

    def close(self) -> None:
        return None


def new_run(*tasks: list[Command]) -> tuple[Run, Script]:
    script = Script(list(tasks))

    def factory(details: RunDetails) -> Script:
        assert details.started is not None
        return script

    return Run("default", "w", "run", factory), script


def advance(run: Run, *inputs: Input, now: int) -> Delta:
    delta = run.advance(list(inputs), now)
    run.committed(run.last + 1, delta, 100)
    return delta


def scheduled(sequence: int = 1, eager_deadline: int = 0) -> history.ActivityTaskScheduled:
    return history.ActivityTaskScheduled(
        sequence, str(sequence), "charge", "", [], start_to_close_timeout=5000, eager_deadline=eager_deadline
    )


def completed(sequence: int = 1, attempt: int = 1) -> history.ActivityTaskCompleted:
    return history.ActivityTaskCompleted(2000, f"activity:{sequence}:{attempt}", sequence, attempt, 1500, "")


def retry(attempt: int, deadline: int = 0) -> history.ActivityRetryScheduled:
    return history.ActivityRetryScheduled(2000, 1, attempt, 3000, deadline, Failure(message="no"))


def signal(key: str) -> history.WorkflowExecutionSignaled:
    return history.WorkflowExecutionSignaled(2000, key, "poke", [])


def test_the_start_is_news_once() -> None:
    run, _ = new_run([])
    assert run.accepts(START)
    advance(run, START, now=1000)
    assert not run.accepts(START)


def test_signals_are_news_once() -> None:
    run, _ = new_run([], [])
    advance(run, START, now=1000)
    assert run.accepts(signal("a"))
    advance(run, signal("a"), now=2000)
    assert not run.accepts(signal("a"))
    assert run.accepts(signal("b"))


def test_outcomes_are_news_while_the_activity_is_open() -> None:
    run, _ = new_run([scheduled()], [])
    advance(run, START, now=1000)
    assert run.accepts(completed())
    assert not run.accepts(completed(2))
    advance(run, completed(), now=2000)
    assert not run.accepts(completed())
    assert not run.accepts(completed(attempt=2))


def test_an_eager_outcome_is_news_if_its_attempt_is_the_current_one() -> None:
    run, _ = new_run([scheduled(eager_deadline=6000)], [])
    advance(run, START, now=1000)
    run.note_eager(scheduled(eager_deadline=6000))
    assert run.accepts(retry(2))
    advance(run, retry(2), now=2000)
    assert not run.accepts(completed(attempt=1))
    assert run.accepts(completed(attempt=2))


def test_an_attempt_is_begun_by_one_record() -> None:
    run, _ = new_run([scheduled(eager_deadline=6000)])
    advance(run, START, now=1000)
    advance(run, retry(2), now=2000)
    assert run.accepts(retry(2, deadline=9000)), "decided, and now begun"
    advance(run, retry(2, deadline=9000), now=3000)
    assert not run.accepts(retry(2, deadline=9500)), "begun already"
    assert not run.accepts(retry(2))
    assert run.accepts(retry(3))


def test_a_retry_is_not_shown_to_the_workflow() -> None:
    run, script = new_run([scheduled(eager_deadline=6000)])
    advance(run, START, now=1000)
    assert advance(run, retry(2), now=2000).commands == []
    assert len(script.seen) == 1


def test_timers_come_due_in_order_and_once() -> None:
    run, _ = new_run([history.TimerStarted(1, 500), history.TimerStarted(2, 200), history.TimerStarted(3, 900)], [])
    advance(run, START, now=1000)
    due = run.due_inputs(1500)
    assert [timer.sequence for timer in due if isinstance(timer, history.TimerFired)] == [2, 1]
    advance(run, *due, now=1500)
    assert run.due_inputs(1500) == []
    assert run.timers == {3: 1900}
    assert not run.accepts(history.TimerFired(1500, 1))


def test_a_cancelled_timer_does_not_come_due() -> None:
    run, _ = new_run([history.TimerStarted(1, 500)], [history.TimerCanceled(1)])
    advance(run, START, now=1000)
    advance(run, signal("a"), now=1200)
    assert run.due_inputs(9000) == []


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 0),
        ({"run_timeout": 50}, 1050),
        ({"execution_timeout": 70}, 1070),
        ({"run_timeout": 50, "execution_timeout": 20}, 1020),
        ({"run_timeout": 50, "start_delay": 100}, 1150),
        ({"run_timeout": 50, "execution_deadline": 1010, "execution_timeout": 900}, 1010),
    ],
)
def test_the_runs_own_time(limits: dict[str, int], expected: int) -> None:
    started = history.WorkflowExecutionStarted(1000, "request", "Type", "queue", [], **limits)
    run, _ = new_run([])
    advance(run, started, now=1000)
    assert run.run_deadline == expected
    if expected:
        assert run.due_inputs(expected - 1) == []
        assert run.due_inputs(expected) == [history.WorkflowExecutionTimedOut(time=expected)]


def test_time_never_goes_back() -> None:
    run, script = new_run([], [])
    advance(run, START, now=5000)
    assert advance(run, signal("a"), now=4000).time == 5000
    assert [activation.time for activation in script.seen] == [5000, 5000]


def test_termination_ends_the_run_without_the_workflow() -> None:
    run, script = new_run()
    delta = advance(run, START, history.WorkflowExecutionTerminated(1000, "terminate"), now=1000)
    assert run.closed
    assert delta.commands == []
    assert not script.seen


def test_replay_rebuilds_what_the_run_waits_for() -> None:
    tasks: list[list[Command]] = [
        [scheduled(1), scheduled(2), history.TimerStarted(1, 500)],
        [history.StartChildWorkflowExecutionInitiated(1, "child", "Child", "", [])],
        [history.WorkflowPropertiesModified({"a": None, "b": Payload({}, b"2")})],
    ]
    run, _ = new_run(*tasks)
    deltas = [
        advance(run, START, now=1000),
        advance(run, completed(1), signal("a"), now=2000),
        advance(run, history.ChildWorkflowExecutionStarted(2500, "k", 1, "child-run"), now=2500),
    ]
    again, script = new_run(*tasks)
    again.replay([(n, delta, 100) for n, delta in enumerate(deltas, 1)])
    for name in ("last", "time", "history_length", "history_size", "timers", "child_runs", "memo", "activities"):
        assert getattr(again, name) == getattr(run, name), name
    assert list(again.children) == [1]
    assert again.memo == {"b": Payload({}, b"2")}
    assert not again.accepts(signal("a"))
    assert all(activation.is_replaying for activation in script.seen)


def test_replay_of_other_code_is_refused() -> None:
    run, _ = new_run([scheduled()])
    delta = advance(run, START, now=1000)
    other, _ = new_run([history.TimerStarted(1, 5)])
    with pytest.raises(NondeterminismError):
        other.replay([(1, delta, 100)])


def test_a_history_from_before_groups_were_recorded_replays() -> None:
    marked = [history.CommandGrouped([history.EventGroupMarker(signal=1)]), scheduled()]
    run, _ = new_run([], marked)
    first, second = advance(run, START, now=1000), advance(run, signal("a"), now=2000)
    assert second.commands == marked
    old = Delta(history.FORMAT, 2000, [signal("a")], [scheduled()])
    for recorded in (old, second):
        again, _ = new_run([], marked)
        again.replay([(1, first, 1), (2, recorded, 1)])
        assert again.activities.keys() == {1}
        assert again.history_length == run.history_length


def test_a_superseded_delta_never_happened() -> None:
    ended = Delta(history.FORMAT, 2000, [signal("a")], [history.WorkflowExecutionCompleted()])
    instead = Delta(history.FORMAT, 2100, [signal("a"), signal("b")], [scheduled()], supersedes=True)
    first = Delta(history.FORMAT, 1000, [START], [])
    deltas = [(1, first, 1), (2, ended, 1), (3, instead, 1)]
    assert [number for number, _, _ in effective(deltas)] == [1, 3]
    assert list(effective(effective(deltas))) == list(effective(deltas))
    run, script = new_run([], [scheduled()])
    run.replay(deltas)
    assert not run.closed
    assert run.last == 3
    assert [len(activation.inputs) for activation in script.seen] == [1, 2]


def test_a_run_that_has_not_started_cannot_advance() -> None:
    run, _ = new_run([])
    with pytest.raises(RuntimeError, match="does not start"):
        run.advance([signal("a")], 1000)
