"""When replayed code counts as the code that wrote the history."""

from __future__ import annotations

import pytest

from durability._core import history
from durability._core.errors import NondeterminismError
from durability._core.history import Command
from durability._core.matching import match_commands
from durability._core.payload import Payload


def scheduled(sequence: int = 1, type: str = "charge", id: str = "", value: bytes = b"") -> Command:
    return history.ActivityTaskScheduled(sequence, id or str(sequence), type, "", [Payload({}, value)])


def child(id: str = "child", type: str = "Child") -> Command:
    return history.StartChildWorkflowExecutionInitiated(1, id, type, "", [])


def patch(id: str, deprecated: bool = False) -> Command:
    return history.PatchMarkerRecorded(id, deprecated)


def groups(id: str) -> Command:
    return history.CommandGrouped([history.EventGroupMarker(id)])


def signal(id: str, name: str) -> Command:
    return history.SignalExternalWorkflowExecutionInitiated(1, "", id, "", name, [])


@pytest.mark.parametrize(
    ("decided", "recorded"),
    [
        ([], []),
        ([scheduled(value=b"new")], [scheduled(value=b"old")]),
        ([history.TimerStarted(1, 50)], [history.TimerStarted(1, 60)]),
        ([patch("a"), scheduled()], [scheduled(), patch("a")]),
        ([scheduled()], [patch("a", deprecated=True), scheduled()]),
        ([patch("a", deprecated=True), scheduled()], [patch("a"), scheduled()]),
        ([groups("a"), scheduled(), scheduled(2)], [groups("b"), scheduled(), scheduled(2)]),
        ([groups("a"), scheduled(), scheduled(2)], [scheduled(), scheduled(2)]),
        ([scheduled(), groups("a"), scheduled(2)], [groups("a"), scheduled(), scheduled(2)]),
        ([patch("a", deprecated=True), scheduled()], [scheduled()]),
        ([history.WorkflowExecutionCompleted(None)], [history.WorkflowExecutionCompleted(Payload({}, b"other"))]),
    ],
)
def test_the_same_decisions(decided: list[Command], recorded: list[Command]) -> None:
    match_commands(decided, recorded, 3)


@pytest.mark.parametrize(
    ("decided", "recorded"),
    [
        ([], [scheduled()]),
        ([scheduled()], []),
        ([scheduled(), scheduled(2)], [scheduled()]),
        ([groups("a"), scheduled()], [groups("a"), scheduled(2)]),
        ([groups("a"), scheduled()], [scheduled(), scheduled(2)]),
        ([scheduled(2), scheduled(1)], [scheduled(1), scheduled(2)]),
        ([scheduled(type="refund")], [scheduled()]),
        ([scheduled(id="x")], [scheduled()]),
        ([history.TimerStarted(1, 5)], [scheduled()]),
        ([history.TimerStarted(2, 5)], [history.TimerStarted(1, 5)]),
        ([child("other")], [child()]),
        ([child(type="Other")], [child()]),
        ([signal("a", "x")], [signal("b", "x")]),
        ([signal("a", "x")], [signal("a", "y")]),
        ([history.WorkflowExecutionCompleted()], [history.WorkflowExecutionCanceled()]),
        ([scheduled()], [patch("a"), scheduled()]),
    ],
)
def test_other_decisions(decided: list[Command], recorded: list[Command]) -> None:
    with pytest.raises(NondeterminismError):
        match_commands(decided, recorded, 3)


def test_the_error_says_what_differs_and_what_to_do() -> None:
    with pytest.raises(NondeterminismError) as caught:
        match_commands([scheduled(), history.TimerStarted(1, 5)], [scheduled(), scheduled(2, "refund")], 7)
    text = str(caught.value)
    for part in ("task 7", "command 2", "ActivityTaskScheduled", "refund", "TimerStarted", "patched"):
        assert part in text
