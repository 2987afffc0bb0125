"""Exceptions become the reference's failures, and failures its exceptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import temporalio.api.failure.v1
import temporalio.converter
import temporalio.exceptions

from durability import converter, exceptions
from durability._core.failure import Failure, timeout_failure
from durability._core.payload import Payload
from durability.converter import DataConverter, FailureConverter, PayloadCodec, PayloadConverter

CHILD = {
    "namespace": "n",
    "workflow_id": "w",
    "run_id": "r",
    "workflow_type": "t",
    "initiated_event_id": 3,
    "started_event_id": 4,
}
ACTIVITY = {
    "scheduled_event_id": 1,
    "started_event_id": 2,
    "identity": "i",
    "activity_type": "t",
    "activity_id": "a",
}


INFOS = (
    "application_failure_info",
    "timeout_failure_info",
    "canceled_failure_info",
    "terminated_failure_info",
    "server_failure_info",
    "activity_failure_info",
    "child_workflow_execution_failure_info",
)


def errors(module: Any) -> list[BaseException]:
    return [
        module.ApplicationError("message"),
        module.ApplicationError(
            "message",
            "detail",
            {"a": 1},
            type="Kind",
            non_retryable=True,
            next_retry_delay=timedelta(seconds=1.5),
            category=module.ApplicationErrorCategory.BENIGN,
        ),
        module.CancelledError("stop", 1),
        module.TerminatedError("end"),
        module.TimeoutError("late", type=module.TimeoutType.HEARTBEAT, last_heartbeat_details=["d"]),
        module.TimeoutError("late", type=None, last_heartbeat_details=[]),
        module.ServerError("broken", non_retryable=True),
        module.ActivityError("activity", retry_state=module.RetryState.TIMEOUT, **ACTIVITY),
        module.ChildWorkflowError("child", retry_state=None, **CHILD),
        module.FailureError("something"),
        ValueError("foreign"),
        KeyError("key"),
    ]


def theirs(error: BaseException) -> temporalio.api.failure.v1.Failure:
    failure = temporalio.api.failure.v1.Failure()
    temporalio.converter.FailureConverter.default.to_failure(
        error, temporalio.converter.PayloadConverter.default, failure
    )
    return failure


def ours(error: BaseException) -> Failure:
    failure = Failure()
    FailureConverter.default.to_failure(error, PayloadConverter.default, failure)
    return failure


def plain(value: Any) -> Any:
    """What an exception carries, its own class and module left aside."""
    if isinstance(value, BaseException):
        fields = {name: plain(field) for name, field in vars(value).items() if name != "_failure"}
        return type(value).__name__, str(value), fields, plain(value.__cause__)
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("index", range(12))
def test_failures_carry_what_the_reference_failures_carry(index: int) -> None:
    failure, reference = ours(errors(exceptions)[index]), theirs(errors(temporalio.exceptions)[index])
    assert (failure.message, failure.stack_trace) == (reference.message, reference.stack_trace)
    for name in ("cause", "encoded_attributes", *INFOS):
        assert failure.HasField(name) == reference.HasField(name)
    assert failure.application_failure_info.type == reference.application_failure_info.type
    mine, other = (one.application_failure_info.details.payloads for one in (failure, reference))
    assert [payload.data for payload in mine] == [payload.data for payload in other]
    assert failure.timeout_failure_info.timeout_type == reference.timeout_failure_info.timeout_type
    assert failure.activity_failure_info.activity_type.name == reference.activity_failure_info.activity_type.name
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(failure), type=Failure)
    back = FailureConverter.default.from_failure(stored, PayloadConverter.default)
    reference_back = temporalio.converter.FailureConverter.default.from_failure(
        reference, temporalio.converter.PayloadConverter.default
    )
    assert plain(back) == plain(reference_back)


def raised(module: Any, how: str) -> BaseException:
    try:
        try:
            raise ValueError("inner")
        except ValueError as error:
            if how == "cause":
                raise module.ApplicationError("outer") from error
            if how == "suppressed":
                raise module.ApplicationError("outer") from None
            if how == "foreign context":
                raise KeyError("outer")  # noqa: B904 - the context is what is tested
            raise module.ApplicationError("outer")  # noqa: B904
    except Exception as error:
        return error


@pytest.mark.parametrize("how", ["cause", "suppressed", "context", "foreign context"])
def test_causes_and_stack_traces(how: str) -> None:
    failure, reference = ours(raised(exceptions, how)), theirs(raised(temporalio.exceptions, how))
    assert (failure.cause is not None) == reference.HasField("cause")
    assert failure.stack_trace == reference.stack_trace
    assert "in raised" in failure.stack_trace
    if failure.cause is not None:
        assert (failure.cause.message, failure.cause.stack_trace) == ("inner", reference.cause.stack_trace)


def test_a_failure_that_came_in_goes_out_unchanged() -> None:
    failure = ours(raised(exceptions, "cause"))
    error = FailureConverter.default.from_failure(failure, PayloadConverter.default)
    assert isinstance(error, exceptions.FailureError)
    assert error.failure is failure
    again = ours(error)
    assert again == failure
    assert again is not failure


@pytest.mark.parametrize(
    "info_name", ["Application error", "Timeout", "Cancelled", "Terminated", "Server error", "Activity error"]
)
def test_default_messages(info_name: str) -> None:
    messages = [
        str(plain(FailureConverter.default.from_failure(Failure(info=ours(error).info), PayloadConverter.default))[1:2])
        for error in errors(exceptions)
    ]
    assert any(info_name in message for message in messages)


class Reverse(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload({"encoding": b"reverse"}, payload.SerializeToString()[::-1]) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        assert all(payload.metadata["encoding"] == b"reverse" for payload in payloads)
        return [Payload.FromString(payload.data[::-1]) for payload in payloads]


async def test_codecs_see_every_payload_and_leave_the_record_alone() -> None:
    data_converter = DataConverter(
        payload_codec=Reverse(), failure_converter_class=converter.DefaultFailureConverterWithEncodedAttributes
    )
    inner = exceptions.TimeoutError("inner", type=None, last_heartbeat_details=["beat"])
    middle = exceptions.CancelledError("middle", "why")
    middle.__cause__ = inner
    outer = exceptions.ApplicationError("secret", "detail")
    outer.__cause__ = middle
    failure = Failure()
    await data_converter.encode_failure(outer, failure)
    assert failure.message == "Encoded failure"
    stored = msgspec.msgpack.encode(failure)
    assert b"secret" not in stored
    assert b"detail" not in stored
    error = await data_converter.decode_failure(failure)
    assert msgspec.msgpack.encode(failure) == stored
    assert plain(error) == plain(outer)
    again = Failure()
    await data_converter.encode_failure(error, again)
    assert plain(await data_converter.decode_failure(again)) == plain(outer)


def test_unreadable_attributes_leave_the_failure_readable() -> None:
    failure = Failure(message="Encoded failure", encoded_attributes=Payload({"encoding": b"unknown"}, b""))
    assert str(FailureConverter.default.from_failure(failure, PayloadConverter.default)) == "Encoded failure"


def test_timeout_failures_have_the_message_of_the_server() -> None:
    failure = timeout_failure(exceptions.TimeoutType.START_TO_CLOSE)
    error = FailureConverter.default.from_failure(failure, PayloadConverter.default)
    assert isinstance(error, exceptions.TimeoutError)
    assert (str(error), error.type) == ("activity StartToClose timeout", exceptions.TimeoutType.START_TO_CLOSE)
