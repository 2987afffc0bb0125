"""Histories in Temporal's JSON format: of real runs both ways, and damaged ones, which are told by a ValueError."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durability._core.encoding import decode_delta
from durability._core.events_view import to_events
from durability._core.from_events import recorded_tasks
from durability.client import WorkflowHistory
from tests.fuzz.strategies import examples, json_values
from tests.protocol.programs import ACTIVITIES, PROGRAMS, WORKFLOWS
from tests.protocol.simulation import Simulation


def _documents() -> list[dict[str, Any]]:
    documents = []
    for program in PROGRAMS:
        world = Simulation(WORKFLOWS, ACTIVITIES)
        world.run(program.drive)
        for (key, run_id), bodies in world.store._deltas.items():
            deltas = [decode_delta(bodies[number]) for number in sorted(bodies)]
            events = to_events(deltas, workflow_id=key.workflow_id, run_id=run_id)
            documents.append(WorkflowHistory(key.workflow_id, events).to_json_dict())
    return documents


DOCUMENTS = _documents()


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, part in parts for found in paths(part, (*path, name)))]


@st.composite
def damaged_documents(draw: st.DrawFn) -> Any:
    """The history of a run in which one to three parts are missing, doubled, or something else."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(paths(document)[1:] or [("events",)]))
        parent = document
        for name in way[:-1]:
            parent = parent[name]
        match draw(st.sampled_from(("drop", "double", "replace", "replace"))):
            case "drop":
                parent.pop(way[-1], None) if isinstance(parent, dict) else parent.pop(way[-1])
            case "double" if isinstance(parent, list):
                parent.insert(way[-1], copy.deepcopy(parent[way[-1]]))
            case _:
                parent[way[-1]] = draw(json_values(1))
    return document


@pytest.mark.parametrize("document", DOCUMENTS)
def test_histories_of_runs_go_both_ways(document: dict[str, Any]) -> None:
    history = WorkflowHistory.from_json("w", json.dumps(document))
    assert history.to_json_dict() == document
    tasks = recorded_tasks(history.events)
    again = recorded_tasks(WorkflowHistory.from_json("w", document).events)
    assert tasks == again
    assert tasks


@given(damaged_documents())
@examples(150)
def test_damaged_histories_are_refused_by_one_kind_of_error(document: Any) -> None:
    with suppress(ValueError):
        recorded_tasks(WorkflowHistory.from_json("w", json.dumps(document)).events)


@given(json_values() | st.text(max_size=40))
@examples(100)
def test_what_is_no_history_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        WorkflowHistory.from_json("w", document if isinstance(document, str | dict) else json.dumps(document))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"events":' * 50_000, '{"events": [' + "9" * 10_000 + "]}"])
def test_texts_that_exhaust_a_reader_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        WorkflowHistory.from_json("w", text)


def test_causes_nested_too_deeply_are_refused() -> None:
    failure = '{"message": "deep", "cause": ' * 900 + "{}" + "}" * 900
    started = '{"eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED", "workflowExecutionStartedEventAttributes": '
    text = f'{{"events": [{started} {{"workflowType": {{"name": "x"}}, "continuedFailure": {failure}}}}}]}}'
    with suppress(ValueError):
        recorded_tasks(WorkflowHistory.from_json("w", text).events)
