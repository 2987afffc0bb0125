"""History in Temporal's shape: the reference reads it, and its replayer replays it."""

from __future__ import annotations

import asyncio
import json
import warnings
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from temporalio import client as reference_client
from temporalio import workflow as reference_workflow
from temporalio.api.common.v1 import Payload as ProtobufPayload
from temporalio.common import VersioningBehavior
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from durability._core import failure as failures
from durability._core import history
from durability._core.event_count import EventCounter
from durability._core.events_json import events_from_json
from durability._core.events_view import EVENT_TYPES, to_events, to_json
from durability._core.failure import Failure
from durability._core.history import Delta
from durability._core.payload import Payload
from durability._core.temporal_json import duration_from_json, duration_json, failure_from_json, failure_json
from durability._core.timeline import duration_text, render_timeline
from durability.exceptions import HistoryFormatError

T = 1_700_000_000_000
JSON = {"encoding": b"json/plain"}


def text(value: str) -> Payload:
    return Payload(dict(JSON), f'"{value}"'.encode())


def delta(time: int, inputs: list[history.Input], commands: list[history.Command]) -> Delta:
    return Delta(1, T + time, inputs, commands, identity="me")


STARTED = history.WorkflowExecutionStarted(
    time=T, key="k", workflow_type="Greeter", task_queue="q", arguments=[text("Ann")], first_run_id="r1"
)


def scheduled(sequence: int, name: str = "greet", *, local: bool = False) -> history.ActivityTaskScheduled:
    return history.ActivityTaskScheduled(
        sequence, str(sequence), name, "", [text("Ann")], start_to_close_timeout=5000, local=local
    )


def completed(sequence: int, time: int, result: str) -> history.ActivityTaskCompleted:
    return history.ActivityTaskCompleted(T + time, f"a:{sequence}", sequence, 1, T + time - 5, "w", text(result))


RUN = [
    delta(0, [STARTED], [history.PatchMarkerRecorded("p"), scheduled(1), history.TimerStarted(1, 60_000)]),
    delta(20, [completed(1, 15, "Hello Ann")], []),
    delta(
        60_000,
        [
            history.WorkflowExecutionSignaled(T + 59_000, "s:1", "add", [text("!")]),
            history.TimerFired(T + 60_000, 1),
        ],
        [scheduled(2, "shout", local=True)],
    ),
    delta(60_010, [completed(2, 60_010, "HELLO ANN")], [history.WorkflowExecutionCompleted(text("HELLO ANN!"))]),
]


@reference_workflow.defn(name="Greeter", versioning_behavior=VersioningBehavior.UNSPECIFIED)
class Greeter:
    def __init__(self) -> None:
        self.ending = ""

    @reference_workflow.run
    async def run(self, name: str) -> str:
        assert reference_workflow.patched("p")
        greeting = reference_workflow.start_activity(
            "greet", name, start_to_close_timeout=timedelta(seconds=5), result_type=str
        )
        await asyncio.sleep(60)
        assert await greeting == "Hello Ann"
        loud = await reference_workflow.execute_local_activity(
            "shout", name, start_to_close_timeout=timedelta(seconds=5), result_type=str
        )
        return str(loud) + self.ending

    @reference_workflow.signal
    def add(self, ending: str) -> None:
        self.ending += ending


def test_event_order_ids_and_count() -> None:
    events = to_events(RUN, workflow_id="w")
    assert [event.name for event in events] == [
        "WorkflowExecutionStarted",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "MarkerRecorded",
        "UpsertWorkflowSearchAttributes",
        "ActivityTaskScheduled",
        "TimerStarted",
        "ActivityTaskStarted",
        "ActivityTaskCompleted",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "WorkflowExecutionSignaled",
        "TimerFired",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
        "MarkerRecorded",
        "WorkflowExecutionCompleted",
    ]
    assert [event.event_id for event in events] == list(range(1, 21))
    assert events[9].attributes["scheduledEventId"] == "7"
    assert events[9].attributes["startedEventId"] == "9"
    assert events[14].attributes["startedEventId"] == "8"
    counter = EventCounter()
    for number, item in enumerate(RUN, 1):
        counter.add(item)
        assert counter.length == len(to_events(RUN[:number]))


def test_the_reference_reads_it_as_it_was_written() -> None:
    document = to_json(to_events(RUN, workflow_id="w"))
    read = reference_client.WorkflowHistory.from_json("w", document)
    assert read.run_id == "r1"
    assert [event.event_type for event in read.events] == [EVENT_TYPES[event.name] for event in to_events(RUN)]
    assert read.events[0].workflow_execution_started_event_attributes.input.payloads[0].data == b'"Ann"'
    again = events_from_json(read.to_json())
    assert [(event.event_id, event.name, event.time) for event in again] == [
        (event.event_id, event.name, event.time) for event in to_events(RUN)
    ]


def test_events_show_the_groups_of_their_commands() -> None:
    def groups(*markers: history.EventGroupMarker) -> history.CommandGrouped:
        return history.CommandGrouped(list(markers))

    made = history.EventGroupMarker("made", text("Made"))
    told, asked = history.EventGroupMarker(signal=2), history.EventGroupMarker(update="u")
    signals: list[history.Input] = [history.WorkflowExecutionSignaled(T, f"s{n}", "s", []) for n in range(2)]
    run = [
        delta(
            0,
            [STARTED, *signals],
            [groups(told, made), scheduled(1), scheduled(2), groups(asked), scheduled(3, local=True)],
        ),
        delta(
            20,
            [completed(3, 15, "local")],
            [groups(history.EventGroupMarker("x")), history.PatchMarkerRecorded("p"), history.TimerStarted(1, 5)],
        ),
    ]
    mine = to_events(run, workflow_id="w")
    read = events_from_json(to_json(mine))
    theirs = reference_client.WorkflowHistory.from_json("w", to_json(mine)).events
    shown = [
        [_marker(marker) for marker in event.event_group_markers] for events in (mine, read, theirs) for event in events
    ]
    assert shown[: len(mine)] == shown[len(mine) : 2 * len(mine)] == shown[2 * len(mine) :]
    assert [(event.name, markers) for event, markers in zip(mine, shown, strict=False) if markers] == [
        ("ActivityTaskScheduled", [3, ("made", b'"Made"')]),
        ("MarkerRecorded", ["u"]),
        ("MarkerRecorded", [("x", b"")]),
        ("UpsertWorkflowSearchAttributes", [("x", b"")]),
    ]


def _marker(marker: Any) -> object:
    if marker.HasField("inbound_event"):
        assert not marker.HasField("label")
        assert marker.label.id == ""
        return marker.inbound_event.inbound_event_id
    if marker.HasField("inbound_update"):
        return marker.inbound_update.inbound_update_id
    return marker.label.id, marker.label.label.data if marker.label.HasField("label") else b""


def test_groups_that_cannot_be_read_or_found() -> None:
    document = json.loads(to_json(to_events(RUN)))
    for value in ({"label": {}}, ["label"], "label"):
        document["events"][0]["eventGroupMarkers"] = value
        with pytest.raises(ValueError, match=r"event 1 .*eventGroupMarkers is no list of objects"):
            events_from_json(document)
    unknown = history.CommandGrouped([history.EventGroupMarker(signal=1)])
    with pytest.raises(HistoryFormatError, match="not whole"):
        to_events([delta(0, [STARTED], [unknown, scheduled(1)])])


def test_events_have_the_fields_that_protobuf_gives_them() -> None:
    failed = history.ActivityTaskFailed(
        T + 30, "a:3", 3, 1, T + 25, "w", Failure(message="no", info=failures.ApplicationFailureInfo(type="E")), 2
    )
    started = history.WorkflowExecutionStarted(
        time=T,
        key="k",
        workflow_type="Greeter",
        task_queue="q",
        arguments=[text("Ann")],
        headers={"h": text("header")},
        memo={"m": text("memo")},
        search_attributes={"s": text("attribute")},
        first_run_id="r1",
        run_timeout=90_500,
        start_delay=4_830_000,
        retry_policy=history.RetryPolicyRecord(1000, 2.0, 5000, 3, ("E",)),
        static_summary=text("summary"),
    )
    child = history.StartChildWorkflowExecutionInitiated(1, "c", "Child", "q", [text("x")], parent_close_policy=2)
    run = [
        delta(0, [started], [scheduled(3), child, scheduled(1, local=True)]),
        delta(30, [failed, completed(1, 29, "local")], []),
    ]
    mine = to_events(run, workflow_id="w")
    theirs = reference_client.WorkflowHistory.from_json("w", to_json(mine)).events
    assert len(theirs) == len(mine)
    for event, expected in zip(mine, theirs, strict=True):
        _same_fields(getattr(event, event.attributes_name), getattr(expected, event.attributes_name))
        assert event.event_time.ToDatetime() == expected.event_time.ToDatetime()
        assert event.event_time.ToMilliseconds() == expected.event_time.ToMilliseconds()
        assert event.event_time.ToJsonString() == expected.event_time.ToJsonString()
        assert event.HasField(event.attributes_name)
        assert event.HasField("user_metadata") == expected.HasField("user_metadata")
    assert mine[0].user_metadata.summary == text("summary")
    first = mine[0].workflow_execution_started_event_attributes
    assert first.first_workflow_task_backoff.ToTimedelta() == timedelta(seconds=4830)
    assert not first.HasField("parent_workflow_execution")
    assert first.parent_workflow_execution.workflow_id == ""
    assert mine[0].timer_fired_event_attributes.timer_id == ""


def _same_fields(mine: Any, theirs: Any) -> None:
    """Whether what is set in a protobuf message is found under the same names, with the same values."""
    for field, expected in theirs.ListFields():
        found = getattr(mine, field.name)
        if hasattr(expected, "ListFields"):
            assert isinstance(mine, Payload) or mine.HasField(field.name)
            _same_values(found, expected)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                _same_values(found[key], value)
        elif field.message_type is not None:
            for one, other in zip(found, expected, strict=True):
                _same_values(one, other)
        else:
            assert found == (list(expected) if field.is_repeated else expected), field.name


def _same_values(mine: Any, theirs: Any) -> None:
    if isinstance(theirs, ProtobufPayload):
        assert mine == Payload(dict(theirs.metadata), theirs.data)
    elif hasattr(theirs, "ToTimedelta"):
        assert mine.ToTimedelta() == theirs.ToTimedelta()
    else:
        _same_fields(mine, theirs)


async def test_the_references_replayer_replays_it() -> None:
    read = reference_client.WorkflowHistory.from_json("w", to_json(to_events(RUN, workflow_id="w")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        replayer = Replayer(workflows=[Greeter], workflow_runner=UnsandboxedWorkflowRunner())
        await replayer.replay_workflow(read)
        other = [delta(0, [STARTED], [history.PatchMarkerRecorded("p"), scheduled(1, "another")])]
        wrong = reference_client.WorkflowHistory.from_json("w", to_json(to_events(other, workflow_id="w")))
        with pytest.raises(reference_workflow.NondeterminismError):
            await replayer.replay_workflow(wrong)


def test_retries_and_superseded_deltas_leave_no_events() -> None:
    retry = history.ActivityRetryScheduled(T, 1, 2, T + 1000, 0, Failure("no"))
    superseded = delta(0, [STARTED], [history.WorkflowExecutionCompleted()])
    instead = delta(1, [STARTED, history.WorkflowExecutionSignaled(T, "s:1", "add", [])], [])
    instead.supersedes = True
    names = [event.name for event in to_events([superseded, instead, delta(2, [retry], [])])]
    assert names == [
        "WorkflowExecutionStarted",
        "WorkflowExecutionSignaled",
        "WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
    ]


def test_termination_ends_without_a_workflow_task() -> None:
    terminated = history.WorkflowExecutionTerminated(T + 5, "terminate", "enough", [text("why")])
    events = to_events([delta(0, [STARTED], []), delta(5, [terminated], [])])
    assert events[-1].name == "WorkflowExecutionTerminated"
    assert events[-1].workflow_execution_terminated_event_attributes.reason == "enough"
    assert len(events) == 5


def test_a_workflow_task_that_nobody_began_is_in_the_history_of_a_run_that_was_ended() -> None:
    timed_out = history.WorkflowExecutionTimedOut(T + 9)
    signal = history.WorkflowExecutionSignaled(T + 5, "s:1", "add", [])
    failed = history.WorkflowTaskFailed(T + 6, "f", Failure("a bug"), cause=14)
    delayed = msgspec.structs.replace(STARTED, start_delay=50)
    ends = {
        "never begun": [delta(9, [STARTED, signal, timed_out], [])],
        "put off": [delta(9, [delayed, timed_out], [])],
        "waiting": [delta(0, [STARTED], []), delta(9, [signal, timed_out], [])],
        "failing": [delta(0, [STARTED], []), delta(9, [signal, failed, timed_out], [])],
    }
    types = {how: [event.event_type for event in to_events(deltas)] for how, deltas in ends.items()}
    assert types == {
        "never begun": [1, 5, 26, 4],
        "put off": [1, 4],
        "waiting": [1, 5, 6, 7, 26, 5, 4],
        "failing": [1, 5, 6, 7, 26, 5, 6, 9, 4],
    }
    for how, deltas in ends.items():
        counter = EventCounter()
        for one in deltas:
            counter.add(one)
        assert counter.length == len(types[how])


FAILURES = [
    Failure(
        "m",
        "s",
        "trace",
        Failure("cause", info=failures.TimeoutFailureInfo(1, [text("beat")])),
        failures.ApplicationFailureInfo("Stock", True, [text("d")], 1500, 1),
        text("secret"),
    ),
    Failure("c", info=failures.CanceledFailureInfo([text("d")])),
    Failure("t", info=failures.TerminatedFailureInfo()),
    Failure("s", info=failures.ServerFailureInfo(True)),
    Failure("a", info=failures.ActivityFailureInfo(5, 6, "i", "t", "1", 4)),
    Failure("w", info=failures.ChildWorkflowFailureInfo("n", "w", "r", "t", 5, 6, 5)),
]


def test_enumerations_are_read_as_temporals_ui_used_to_write_them() -> None:
    def document(initiator: str, kind: str, timeout: str, retry: str, cause: str, policy: str) -> dict[str, Any]:
        failure = {"message": "m", "cause": {"timeoutFailureInfo": {"timeoutType": timeout}}}
        attributes: dict[str, dict[str, Any]] = {
            "WORKFLOW_EXECUTION_STARTED": {
                "initiator": initiator,
                "taskQueue": {"name": "Normal", "kind": kind},
                "memo": {"fields": {"retryState": {"metadata": {"retryState": "InProgress"}, "data": "InProgress"}}},
            },
            "START_CHILD_WORKFLOW_EXECUTION_INITIATED": {"workflowId": "Abandon", "parentClosePolicy": policy},
            "START_CHILD_WORKFLOW_EXECUTION_FAILED": {"cause": cause},
            "WORKFLOW_EXECUTION_FAILED": {"failure": failure, "retryState": retry},
        }
        return {
            "events": [
                {
                    "eventId": str(n),
                    "eventTime": "2026-01-01T00:00:00.000Z",
                    "eventType": f"EVENT_TYPE_{kind}",
                    "taskId": str(n),
                    _camel(kind): body,
                }
                for n, (kind, body) in enumerate(attributes.items(), 1)
            ]
        }

    old = document("CronSchedule", "Normal", "StartToClose", "CancelRequested", "NamespaceNotFound", "Abandon")
    new = document(
        "CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE",
        "TASK_QUEUE_KIND_NORMAL",
        "TIMEOUT_TYPE_START_TO_CLOSE",
        "RETRY_STATE_CANCEL_REQUESTED",
        "START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND",
        "PARENT_CLOSE_POLICY_ABANDON",
    )
    expected = reference_client.WorkflowHistory.from_json("w", new).to_json_dict()
    assert reference_client.WorkflowHistory.from_json("w", old).to_json_dict() == expected
    events = events_from_json(old)
    assert json.loads(to_json(events)) == new
    assert events[1].start_child_workflow_execution_initiated_event_attributes.parent_close_policy == 2


def _camel(kind: str) -> str:
    first, *others = kind.lower().split("_")
    return "".join([first, *map(str.title, others)]) + "EventAttributes"


@pytest.mark.parametrize("failure", FAILURES)
def test_failures_survive_json(failure: Failure) -> None:
    assert failure_from_json(failure_json(failure)) == failure


@pytest.mark.parametrize("milliseconds", [0, 1, 999, 1000, 1001, 86_400_000, 315_576_000_000_000])
def test_durations_survive_json(milliseconds: int) -> None:
    assert duration_from_json(duration_json(milliseconds)) == milliseconds


def show(payload: Payload) -> str:
    return payload.data.decode()


def test_the_timeline_reads_like_a_story() -> None:
    assert render_timeline(RUN, workflow_id="w", show=show).splitlines() == [
        "Greeter w completed after 1 min",
        '    +0 ms  started Greeter("Ann")',
        "    +0 ms  patch p",
        '   +15 ms  greet("Ann") completed in 15 ms → "Hello Ann"',
        '  +59.0 s  signal add("!")',
        "   +1 min  slept 1 min",
        '   +1 min  shout("Ann") completed in 10 ms → "HELLO ANN"',
        '   +1 min  completed → "HELLO ANN!"',
    ]
    assert "Ann" not in render_timeline(RUN)


def test_the_timeline_tells_attempts_and_what_is_open() -> None:
    retry = history.ActivityRetryScheduled(
        T + 10, 1, 2, T + 1010, 0, Failure("no", info=failures.ApplicationFailureInfo("ValueError"))
    )
    story = render_timeline([RUN[0], delta(10, [retry], [])], now=T + 2000).splitlines()
    assert story == [
        "Greeter running for 2 s",
        "   +0 ms  started Greeter",
        "   +0 ms  patch p",
        "  +10 ms  greet attempt 1 failed: ValueError: no; next in 1 s",
        "    open  greet since +0 ms, attempt 2",
        "    open  sleep of 1 min until +1 min",
    ]


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1234, "1.23 s"),
        (59_900, "59.9 s"),
        (61_000, "1 min 1 s"),
        (7_200_000, "2 h"),
        (93_600_000, "1 d 2 h"),
    ],
)
def test_durations_for_people(milliseconds: int, said: str) -> None:
    assert duration_text(milliseconds) == said
