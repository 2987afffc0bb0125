"""Messages have the fields of Temporal's API, and behave as protobuf's do."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf import json_format

from durability._core.api_message import ApiMessage
from durability._core.payload import Payload, Payloads
from durability._core.protobuf_times import Duration, Timestamp
from durability.api.common.v1 import ActivityType, Memo, RetryPolicy, WorkflowExecution
from durability.api.enums.v1 import PendingActivityState, WorkflowIdReusePolicy, event_type_pb2
from durability.api.failure.v1 import Failure
from durability.api.sdk.v1 import EventGroupMarker
from durability.api.update.v1 import Outcome, UpdateRef
from durability.api.workflow.v1 import PendingActivityInfo
from durability.api.workflowservice import v1
from durability.common import RetryPolicy as Policy
from durability.converter import JSONProtoPayloadConverter

PACKAGES = (
    *("common", "history", "namespace", "operatorservice", "query"),
    *("sdk", "taskqueue", "update", "workflow", "workflowservice"),
)
OWN = {("PendingWorkflowTaskInfo", "last_failure")}
"""Fields that Temporal's messages do not have."""


def messages() -> Iterator[tuple[type[ApiMessage], Any]]:
    """Each message with protobuf's description of it."""
    for package in PACKAGES:
        mine = importlib.import_module(f"durability.api.{package}.v1")
        theirs = importlib.import_module(f"temporalio.api.{package}.v1")
        for name in mine.__all__:
            message = getattr(mine, name)
            if inspect.isclass(message) and issubclass(message, ApiMessage):
                yield from _with_parts(message, getattr(theirs, name).DESCRIPTOR)


def _with_parts(message: type[ApiMessage], descriptor: Any) -> Iterator[tuple[type[ApiMessage], Any]]:
    yield message, descriptor
    for part in vars(message).values():
        if inspect.isclass(part) and issubclass(part, ApiMessage):
            yield from _with_parts(part, descriptor.nested_types_by_name[part.__name__])


@pytest.mark.parametrize(("message", "descriptor"), [pytest.param(*pair, id=pair[1].full_name) for pair in messages()])
def test_fields_and_defaults_are_those_of_the_reference(message: type[ApiMessage], descriptor: Any) -> None:
    empty = message()
    assert message.message_type() == descriptor.full_name
    for name in message._names:
        if (message.__name__, name) in OWN:
            continue
        field = descriptor.fields_by_name[name]
        value = getattr(empty, name)
        if field.is_repeated:
            assert value in ([], {})
        elif field.message_type is None:
            assert value == field.default_value
            assert type(value) is type(field.default_value)
        assert not empty.HasField(name)
    assert empty == message()
    for group, names in message._oneofs.items():
        assert set(names) <= {field.name for field in descriptor.oneofs_by_name[group].fields}


def test_fields_are_set_by_keyword_and_one_by_one() -> None:
    reference = UpdateRef(update_id="u")
    assert not reference.HasField("workflow_execution")
    reference.workflow_execution.workflow_id = "w"
    assert reference.HasField("workflow_execution")
    assert reference == UpdateRef(workflow_execution=WorkflowExecution(workflow_id="w"), update_id="u")
    assert reference != UpdateRef(update_id="u")
    assert repr(reference) == "UpdateRef(workflow_execution=WorkflowExecution(workflow_id='w'), update_id='u')"
    reference.ClearField("workflow_execution")
    assert reference == UpdateRef(update_id="u")
    with pytest.raises(ValueError, match='has no "name" field'):
        UpdateRef(name="u")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match='has no "name" field'):
        reference.HasField("name")
    with pytest.raises(AttributeError, match="no field 'name'"):
        reference.name = "u"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no field 'name'"):
        _ = reference.name  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="unhashable"):
        hash(reference)


def test_what_is_put_into_lists_and_mappings_stays() -> None:
    memo = Memo()
    memo.fields["a"] = Payload({}, b"1")
    assert memo == Memo(fields={"a": Payload({}, b"1")})
    policy = RetryPolicy()
    assert not policy.HasField("non_retryable_error_types")
    policy.non_retryable_error_types.append("Bad")
    assert policy.HasField("non_retryable_error_types")


def test_one_of_a_group_replaces_another() -> None:
    outcome = Outcome()
    assert outcome.WhichOneof("value") is None
    outcome.failure = Failure(message="no")
    outcome.success = Payloads([])
    assert outcome.WhichOneof("value") == "success"
    assert not outcome.HasField("failure")
    with pytest.raises(ValueError, match="no group"):
        outcome.WhichOneof("other")


def test_copies_share_nothing() -> None:
    original = Memo(fields={"a": Payload({"k": b"v"}, b"1")})
    copy = Memo()
    copy.CopyFrom(original)
    assert copy == original
    copy.fields["a"].metadata["k"] = b"changed"
    copy.CopyFrom(copy)
    assert original.fields["a"].metadata == {"k": b"v"}


def test_json_is_protobufs() -> None:
    import temporalio.api.workflow.v1 as reference
    import temporalio.api.workflowservice.v1 as requests

    info = PendingActivityInfo(
        activity_id="a",
        activity_type=ActivityType(name="charge"),
        state=PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
        attempt=3,
        scheduled_time=Timestamp.from_milliseconds(1_700_000_000_123),
        current_retry_interval=Duration(seconds=1.5),
        heartbeat_details=Payloads([Payload({"encoding": b"json/plain"}, b"1")]),
        last_failure=Failure(message="no"),
        paused=True,
    )
    theirs = json_format.ParseDict(info.to_json(), reference.PendingActivityInfo())
    assert theirs.attempt == 3
    assert theirs.state == info.state
    assert PendingActivityInfo.from_json(json_format.MessageToDict(theirs)) == info
    start = v1.StartWorkflowExecutionRequest(
        workflow_id="w", workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
    )
    parsed = json_format.ParseDict(start.to_json(), requests.StartWorkflowExecutionRequest())
    assert parsed.workflow_id_reuse_policy == 3
    page = v1.ListWorkflowExecutionsRequest(next_page_token=b"\0\xff")
    assert v1.ListWorkflowExecutionsRequest.from_json(page.to_json()) == page
    marker = EventGroupMarker(inbound_event=EventGroupMarker.InboundEvent(inbound_event_id=4))
    assert EventGroupMarker.from_json({"inboundEvent": {"inboundEventId": "4"}}) == marker


def test_a_message_is_a_value_of_workflows() -> None:
    converter, value = JSONProtoPayloadConverter(), WorkflowExecution(workflow_id="w", run_id="r")
    payload = converter.to_payload(value)
    assert payload is not None
    assert payload.metadata["messageType"] == b"temporal.api.common.v1.WorkflowExecution"
    assert converter.from_payload(payload, WorkflowExecution) == value


def test_a_retry_policy_is_read_and_written() -> None:
    policy = Policy(initial_interval=timedelta(seconds=2), maximum_attempts=3, non_retryable_error_types=["Bad"])
    message = RetryPolicy()
    policy.apply_to_proto(message)
    assert message.initial_interval.ToTimedelta() == timedelta(seconds=2)
    assert message.maximum_interval.ToTimedelta() == timedelta(seconds=200)
    assert Policy.from_proto(message).non_retryable_error_types == ["Bad"]


def test_enumerations_in_protobufs_modules() -> None:
    assert event_type_pb2.EventType.EVENT_TYPE_TIMER_FIRED == event_type_pb2.EVENT_TYPE_TIMER_FIRED == 18


def test_requests_that_nobody_serves_can_be_made() -> None:
    request = v1.ListBatchOperationsRequest(namespace="default")
    request.page_size = 3
    assert (request.namespace, request.page_size) == ("default", 3)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = v1.Nothing
